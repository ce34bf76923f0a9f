"""What is said of columns that are missing; whole files are read in the tests of examples."""

import pytest

from mtbert.data.missing_columns import check_header, lacking_column
from mtbert.data.readers.base import Row, Table
from mtbert.errors import UserError


def table(*columns, unit="line"):
    return Table("a.csv", columns, iter(()), unit=unit)


def test_a_header_with_all_columns_is_taken_whatever_else_it_has():
    check_header(table("text", "label", "", "", "note", "note"), ["text", "label"], "id")
    check_header(table("id", "text"), ["text"], None)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (("id", "body", "label"), "found 'id', 'body', 'label'; map it in tasks.NAME.columns"),
        (("text;label",), "if these are several columns, set `format: {separator: …}`"),
        (("4.5", "x"), "if the first line is a row and no header, set `format: {header: false}`"),
        (("It came late again", "x"), "name columns by their place, 1 to 2"),
        (("label", "1"), "found 'label', '1'; map it in"),  # one of those needed: a header
    ],
)
def test_what_may_be_done_about_a_missing_column_depends_on_those_there(columns, told):
    with pytest.raises(UserError, match=r"^a\.csv:1: no column 'text', ") as error:
        check_header(table(*columns), ["text", "label"], "id")
    assert told in str(error.value)


@pytest.mark.parametrize("columns", [("text", "text", "label"), ("id", "text", "id", "label")])
def test_a_column_that_is_read_may_not_occur_twice(columns):
    with pytest.raises(UserError, match=r"column '(text|id)' occurs twice, expected names that"):
        check_header(table(*columns), ["text", "label"], "id")


def test_a_file_without_lines_is_named_alone():
    with pytest.raises(UserError, match=r"^a\.csv: no column 'text'"):
        check_header(table("x", unit="row"), ["text"], None)


def test_a_row_may_hold_something_else_in_the_place_of_a_value():
    row = Row(1, {"meta.label": "a", "meta.score": "1"}, lists={"tags": "[]", "meta.tags": "[]"})
    assert lacking_column(row, "text") == "no column 'text', expected one"
    assert lacking_column(row, "tags") == "found a list in 'tags', expected one value"
    assert lacking_column(row, "meta") == (
        "'meta' is an object with 'meta.label', 'meta.score', 'meta.tags' (a list); `columns` may "
        "name such a key"
    )
