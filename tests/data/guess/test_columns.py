import json

import pytest

from mtbert.data.guess.columns import MOST_VALUES, Column, profile_table
from mtbert.errors import UserError


def column_of(*cells, name="x"):
    column = Column(name)
    for cell in cells:
        column.add(cell, is_list=False)
    return column


def test_a_column_is_counted_without_its_blank_cells():
    column = column_of("1", " 2.5 ", "", "10", "1")
    assert (column.filled, column.distinct, column.numbers, column.whole) == (4, 3, 4, 3)
    assert (column.low, column.high, column.is_number, column.rising) == (1, 10, True, False)


def test_words_booleans_and_lists_are_no_numbers():
    assert column_of("1", "x").is_number is False
    assert column_of("true", "false").numbers == 0
    assert column_of('["a"]', "[b, c]").lists == 2


def test_decimals_behind_a_comma_are_numbers():
    column = column_of("1,5", "2", "-0,25")
    assert (column.is_number, column.commas, column.low, column.high) == (True, 2, -0.25, 2)


def test_of_very_many_values_those_not_counted_are_taken_to_differ():
    column = column_of(*(f"v{i}" for i in range(MOST_VALUES + 5)))
    assert column.distinct == column.filled == MOST_VALUES + 5


def form_of(path):
    form = profile_table(path).form
    return (form.separator, form.quoting, form.header, form.encoding)


def test_how_a_table_is_written_is_seen(write, sentence):
    def row(separator):
        return lambda i: f"{sentence(i)}{separator}{i % 2}"

    seen = {
        "comma": write("a.csv", "text,label\n", row(",")),
        "tab": write("a.tsv", "text\tlabel\n", row("\t")),
        "semicolon": write("b.csv", "sep=;\r\ntext;label\r\n", row(";")),
        "pipe": write("c.txt", "\ufefftext|label\n", row("|")),
    }
    for separator, path in seen.items():
        assert form_of(path) == (separator, "standard", True, "utf-8")
    loose = write("d.tsv", "text\tlabel\n", lambda i: f'"{sentence(i)}\t{i % 2}')
    assert form_of(loose) == ("tab", "none", True, "utf-8")
    old = write(
        "e.csv", "text,label\n", lambda i: f"{sentence(i)} schön,{i % 2}", encoding="cp1252"
    )
    assert form_of(old) == ("comma", "standard", True, "cp1252")


def test_a_first_line_that_is_a_row_is_no_header(write, sentence):
    agnews = write("a.csv", "", lambda i: f'"{i % 4 + 1}","{sentence(i, 4)}","{sentence(i, 9)}"')
    cola = write("b.tsv", "", lambda i: f"gj04\t{i % 2}\t\t{sentence(i)}")
    for path in (agnews, cola):
        assert profile_table(path).form.header is False
        assert profile_table(path).rows == 40
    course = write("d.tsv", "0\t\tid\tsentence\n", lambda i: f"{i + 1}\t\tx{i}\t{sentence(i)}")
    assert profile_table(course).form.header is True
    for head in ("text,2019\n", "What did the guest write about it,label\n", "text,pos\n"):
        path = write("c.csv", head, lambda i: f"{sentence(i)},{('neg', 'bad')[i % 2]}")
        assert profile_table(path).form.header is True


def test_json_lines_have_keys_of_objects_inside_as_columns(write):
    path = write("a.jsonl", "", lambda i: json.dumps({"data": {"text": f"t {i}"}, "tags": ["a"]}))
    found = profile_table(path)
    assert found.form is None
    assert [(c.name, c.filled, c.lists) for c in found.columns.values()] == [
        ("data.text", 40, 0), ("tags", 40, 40)
    ]  # fmt: skip


def test_blank_lines_are_no_rows_and_bad_ones_are_counted(write):
    found = profile_table(write("a.csv", "text,label\n\nx y,1\n,\n  ,\n\nz\nv w,0\n"))
    assert (found.rows, found.bad) == (2, 1)
    assert "line 7: found 1 columns" in found.problem


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty file"),
        (b"text,label\n", "no rows, expected texts and their labels"),
        ("text,label\nx,1\n".encode("utf-16"), "is UTF-16; save it as UTF-8"),
    ],
)
def test_a_file_without_rows_is_told(write, content, told):
    with pytest.raises(UserError, match=told):
        profile_table(write("a.csv", content))


def test_two_columns_of_one_name_are_told(write, sentence):
    path = write("a.csv", "text,label,label\n", lambda i: f"{sentence(i)},a,b")
    with pytest.raises(UserError, match=r"a\.csv:1: column 'label' occurs twice, expected names"):
        profile_table(path)
