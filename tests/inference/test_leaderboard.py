"""The course's files, byte for byte; where its data are at hand, on them."""

import os
from pathlib import Path

import pytest
import torch

from mtbert.inference.leaderboard import LEADERBOARD, write_predictions

FOLDER = Path(os.environ.get("MTBERT_DATA") or Path(__file__).parents[3] / "shared" / "data")


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("sst", b"id \t Predicted_Sentiment \nr1 , 4 \nr2 , 0 \n"),
        ("para", b"id \t Predicted_Is_Paraphrase \nr1 , 4.0 \nr2 , 0.25 \n"),
        ("sts", b"id \t Predicted_Similiary \nr1 , 4.0 \nr2 , 0.25 \n"),
    ],
)
def test_files_are_as_the_course_writes_them(tmp_path, task, expected):
    count = write_predictions(tmp_path / "f.csv", LEADERBOARD[task], [("r1", 4.0), ("r2", 0.25)])
    assert (tmp_path / "f.csv").read_bytes() == expected
    assert count == 2


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    def rows():
        yield "r1", 1.0
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_predictions(tmp_path / "f.csv", LEADERBOARD["sst"], rows())
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_has_its_header(tmp_path):
    assert write_predictions(tmp_path / "new" / "f.csv", LEADERBOARD["sts"], []) == 0
    assert (tmp_path / "new" / "f.csv").read_bytes() == b"id \t Predicted_Similiary \n"


def test_the_tasks_and_files_are_the_courses():
    assert {name: (t.dev, t.test, t.number) for name, t in LEADERBOARD.items()} == {
        "sst": ("ids-sst-dev.csv", "ids-sst-test-student.csv", int),
        "para": ("quora-dev.csv", "quora-test-student.csv", float),
        "sts": ("sts-dev.csv", "sts-test-student.csv", float),
    }


@pytest.mark.skipif(
    not (FOLDER / "ids-sst-dev.csv").is_file(),
    reason=f"no course data in {FOLDER}; set MTBERT_DATA to its folder",
)
def test_the_courses_own_files_are_there_under_these_names():
    for task in LEADERBOARD.values():
        assert (FOLDER / task.dev).is_file()
        assert (FOLDER / task.test).is_file()


def test_answers_are_written_as_the_courses_own_steps_write_them(tmp_path):
    """Its evaluation and its `print`, step by step: argmax, a rounded sigmoid, an output as it is.

    Source: the course's evaluation.py, `model_eval_multitask` and `test_model_multitask`.
    """
    logits = torch.tensor([[0.5, 2, -1], [3, 0, 1]])
    one = torch.tensor([[-0.25], [2.5]])
    course = {
        "sst": logits.numpy().argmax(axis=1).flatten(),
        "para": one.sigmoid().round().flatten().numpy(),
        "sts": one.flatten().numpy(),
    }
    for name, task in LEADERBOARD.items():
        path = tmp_path / f"{name}.csv"
        ours = [(f"r{i}", float(value)) for i, value in enumerate(course[name])]
        write_predictions(path, task, ours)
        lines = [f"r{i} , {value} \n" for i, value in enumerate(course[name])]
        assert path.read_text().splitlines(keepends=True)[1:] == lines
