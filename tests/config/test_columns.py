import pytest
from pydantic import ValidationError

from mtbert.config.columns import ColumnSettings, JoinedColumns, columns_in, text_at
from mtbert.config.tasks import TaskSettings

BOTH = JoinedColumns(("title", "body"), "\n")


def test_a_text_of_several_columns_is_joined_and_blank_ones_are_left_out():
    assert text_at(BOTH, {"title": " A ", "body": "b c\n"}) == "A\nb c"
    assert text_at(BOTH, {"title": " ", "body": "b"}) == "b"
    assert text_at(BOTH, {"title": "", "body": ""}) == ""
    assert text_at("title", {"title": " A "}) == "A"
    assert (columns_in("title"), columns_in(BOTH)) == (("title",), ("title", "body"))


def test_a_task_knows_where_its_texts_stand():
    task = TaskSettings(kind="regression", train="t", columns={"text": ["title", "body"]})
    assert task.text_places == (BOTH,)
    assert task.text_columns == ("title", "body")
    columns = {"text": ["q", "title"], "text2": "a", "joined_by": " - "}
    pair = TaskSettings(kind="pair_regression", train="t", columns=columns)
    assert pair.text_places == (JoinedColumns(("q", "title"), " - "), "a")
    assert pair.text_columns == ("q", "title", "a")


def test_one_column_in_a_list_is_that_column_and_places_may_be_numbers():
    assert ColumnSettings(text=["a"]).text == "a"
    assert ColumnSettings(text=[1, 2]).text == ("1", "2")


@pytest.mark.parametrize("text", [[], ["a", "a"], ["a", None], {"a": 1}, [["a"]]])
def test_what_names_no_columns_is_refused(text):
    with pytest.raises(ValidationError):
        ColumnSettings(text=text)
