"""Answers as JSON lines, CSV, TSV and lines for people, read back by other readers."""

import csv
import io
import json
from pathlib import Path

import pytest

from mtbert.data.inputs import Question
from mtbert.data.label_lists import list_items
from mtbert.errors import UserError
from mtbert.inference.answer_files import answer_writer, check_answer_file, readable_writer
from mtbert.objectives.base import Prediction

CLASS = Prediction(1, 'so, "so"\nla', 0.75, {"no": 0.25, 'so, "so"\nla': 0.75})
VALUE = Prediction(2.5, None, 2.5, None)
SEVERAL = Prediction((0, 2), None, 0.4, {"a": 0.9, "b": 0.1, "c": 0.8}, ("a", "c"))
QUESTION = Question("é\t1", 2, {("sentence",): ("A \x1b[31mfilm",)})


def written(path, answers, tasks=None):
    stream = io.StringIO(newline="")
    writer = answer_writer(stream, path and Path(path), list(tasks or answers))
    writer.write(QUESTION, answers)
    writer.close()
    return stream.getvalue()


def test_one_task_is_flat_and_several_are_nested():
    assert json.loads(written(None, {"t": VALUE})) == {
        "id": "é\t1", "prediction": 2.5, "score": 2.5
    }  # fmt: skip
    found = json.loads(written("o.jsonl", {"t": VALUE, "c": CLASS}))
    assert found == {"id": "é\t1", "t": VALUE.as_json(), "c": CLASS.as_json()}
    # Of several that were asked one alone has its columns: the form stays.
    assert list(json.loads(written(None, {"t": VALUE}, ["t", "c"]))) == ["id", "t"]


@pytest.mark.parametrize(("name", "delimiter"), [("o.csv", ","), ("o.tsv", "\t")])
def test_cells_with_quotes_and_line_ends_come_back(name, delimiter):
    text = written(name, {"t": VALUE, "c": CLASS, "m": SEVERAL})
    (row,) = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    assert row == {
        "id": "é\t1", "t": "2.5",
        "c": CLASS.label, "c_score": "0.75", "c_probability_no": "0.25",
        f"c_probability_{CLASS.label}": "0.75",
        "m": "a;c", "m_score": "0.4",
        "m_probability_a": "0.9", "m_probability_b": "0.1", "m_probability_c": "0.8",
    }  # fmt: skip


def test_a_task_called_id_does_not_hide_the_ids():
    assert json.loads(written(None, {"id": VALUE, "c": CLASS}))["row_id"] == "é\t1"
    assert written("o.csv", {"id": VALUE}).splitlines()[0] == "row_id,id"
    assert json.loads(written(None, {"id": VALUE}))["id"] == "é\t1"


def test_a_file_called_json_holds_one_array():
    stream = io.StringIO()
    writer = answer_writer(stream, Path("o.JSON"), ["t"])
    writer.write(QUESTION, {"t": VALUE})
    writer.write(QUESTION, {"t": CLASS})
    writer.close()
    found = json.loads(stream.getvalue())
    assert [row["prediction"] for row in found] == [2.5, 1]
    assert len(stream.getvalue().splitlines()) == 4
    empty = io.StringIO()
    answer_writer(empty, Path("o.json"), ["t"]).close()
    assert json.loads(empty.getvalue()) == []


def test_two_answers_in_columns_of_one_name_are_refused():
    """A task called as the score of another one; JSON lines keep them apart."""
    answers = {"c": CLASS, "c_score": VALUE}
    with pytest.raises(UserError, match="two answers would stand in the column 'c_score'"):
        written("o.csv", answers)
    assert json.loads(written("o.jsonl", answers))["c_score"] == VALUE.as_json()


def test_labels_with_a_semicolon_in_a_name_can_be_told_apart():
    odd = Prediction((0, 2), None, 0.4, {"a;b": 0.9, "b": 0.1, "é": 0.8}, ("a;b", "é"))
    (row,) = csv.DictReader(io.StringIO(written("o.csv", {"m": odd})))
    assert list_items(row["m"], ";") == ["a;b", "é"]


def test_without_rows_there_is_still_a_header():
    stream = io.StringIO()
    answer_writer(stream, Path("o.csv"), ["a", "b"]).close()
    assert stream.getvalue() == "id,a,b\n"


def test_people_read_label_and_probability():
    stream = io.StringIO()
    readable_writer(stream).write(QUESTION, {"t": VALUE, "long": SEVERAL})
    assert stream.getvalue() == "A \\x1b[31mfilm\n  t     2.5\n  long  a (0.90), c (0.80)\n"


def test_names_that_promise_another_format_are_refused():
    with pytest.raises(UserError, match="is not written"):
        check_answer_file(Path("o.xlsx"))
    check_answer_file(Path("o.txt"))
