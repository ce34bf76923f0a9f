"""Rows to be answered: which tasks fit, and what each row asks."""

import io

import pytest

from mtbert.config.tasks import TaskSettings
from mtbert.data.inputs import columns_of, hides_labels, inputs_of
from mtbert.data.readers.table import read_table
from mtbert.errors import UserError

ONE = TaskSettings(kind="classification", labels=("a", "b"), train="t", dev="d")
TWO = TaskSettings(kind="pair_regression", train="t", dev="d", columns={"id": "key"})
NUMBER = TaskSettings(kind="regression", train="t", dev="d")


def inputs(text, tasks, id_column=None):
    return inputs_of(read_table(io.BytesIO(text.encode()), "t"), tasks, id_column)


def test_ids_come_from_their_column_or_are_row_numbers():
    text = "key,id,sentence\nk,i,x\n,,y\n"
    assert [q.id for q in inputs(text, {"one": ONE}).rows] == ["i", "2"]
    assert [q.id for q in inputs(text, {"one": ONE}, "key").rows] == ["k", "2"]
    pairs = "sentence1,sentence2,key\na,b,k\n"
    assert [q.id for q in inputs(pairs, {"two": TWO}).rows] == ["k"]


def test_bad_rows_are_messages_and_count_in_the_numbers():
    found = list(inputs("sentence,x\na,1\nb\nc,1\n", {"one": ONE}).rows)
    assert [found[0].id, found[2].id] == ["1", "3"]
    assert found[1] == "t:3: found 1 columns, expected 2 as in the first line"


def test_the_first_json_object_tells_the_columns():
    text = 'x\n{"sentence": " a "}\n{"other": 1}\n{"sentence": "b", "sentence1": "c"}\n'
    found = inputs(text.replace("x\n", '{"no\n'), {"one": ONE, "two": TWO})
    rows = list(found.rows)
    assert found.tasks == ["one"]
    assert rows[0].startswith("t:1: not a JSON object")
    assert rows[1].texts == {("sentence",): ("a",)}
    assert rows[2] == "t:3: no column 'sentence', expected one"
    assert rows[3].texts == {("sentence",): ("b",)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("body\nx\n", "found 'body'; one needs 'sentence'"),
        ("sentence,sentence\nx,y\n", "column 'sentence' occurs twice"),
    ],
)
def test_columns_that_cannot_be_read_are_told(text, told):
    with pytest.raises(UserError, match=told):
        inputs(text, {"one": ONE})


@pytest.mark.parametrize(
    ("labels", "task", "hidden"),
    [
        (["-1", "-1"], ONE, True),
        (["", "-1"], ONE, True),
        (["-1", "a"], ONE, False),
        (["-1", "-1"], NUMBER, False),
        (["", ""], NUMBER, True),
    ],
)
def test_labels_are_hidden_where_none_is_there(tmp_path, labels, task, hidden):
    (tmp_path / "t.csv").write_text("sentence,label\n" + "".join(f"x,{y}\n" for y in labels))
    assert hides_labels(tmp_path / "t.csv", task) is hidden
    assert columns_of(tmp_path / "t.csv") == ("sentence", "label")
