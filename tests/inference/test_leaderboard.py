"""The course's files, byte for byte; where its data are at hand, on them."""

import os
from pathlib import Path

import pytest

from mtbert.inference.leaderboard import LEADERBOARD, write_predictions

FOLDER = Path(os.environ.get("MTBERT_DATA") or Path(__file__).parents[3] / "shared" / "data")


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("sst", b"id \t Predicted_Sentiment \nr1 , 4 \nr2 , 0 \n"),
        ("para", b"id \t Predicted_Is_Paraphrase \nr1 , 4 \nr2 , 0 \n"),
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
    assert {name: (t.dev, t.test, t.whole) for name, t in LEADERBOARD.items()} == {
        "sst": ("ids-sst-dev.csv", "ids-sst-test-student.csv", True),
        "para": ("quora-dev.csv", "quora-test-student.csv", True),
        "sts": ("sts-dev.csv", "sts-test-student.csv", False),
    }


@pytest.mark.skipif(
    not (FOLDER / "ids-sst-dev.csv").is_file(),
    reason=f"no course data in {FOLDER}; set MTBERT_DATA to its folder",
)
def test_the_courses_own_files_are_there_under_these_names():
    for task in LEADERBOARD.values():
        assert (FOLDER / task.dev).is_file()
        assert (FOLDER / task.test).is_file()
