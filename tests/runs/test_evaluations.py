"""Evaluations read from a log that may be growing."""

import json

import pytest

from mtbert.runs.evaluations import best_score, evaluations


def line(epoch, score=0.5, best=True, kind="dev"):
    return json.dumps({"kind": kind, "epoch": epoch, "score": score, "best": best})


def test_the_lines_of_evaluations_are_read_and_one_in_the_making_is_left(tmp_path):
    assert evaluations(tmp_path) == []
    file = tmp_path / "metrics.jsonl"
    file.write_text(f"{line(1, kind='train')}\n{line(1)}\n{line(2)}\n{line(3)[:-4]}")
    assert [record["epoch"] for record in evaluations(tmp_path)] == [1, 2]


def test_the_evaluations_of_a_run_are_there_with_their_scores(toy, tmp_path):
    summary = toy.train(tmp_path / "run", "sst", training={"select": "sst.accuracy"})
    found = evaluations(tmp_path / "run")
    assert [record["epoch"] for record in found] == [1, 2]
    assert best_score(found) == summary["dev"]["sst"]["accuracy"]
    assert best_score(found) == max(record["dev"]["sst"]["accuracy"] for record in found)


@pytest.mark.parametrize(
    ("records", "score"),
    [
        ([], None),
        ([(0.5, True), (0.4, False)], 0.5),
        ([(0.5, True), (0.5, True), (0.3, False)], 0.5),
        ([(0.5, True), (0.2, True)], 0.2),  # of an error
        ([(None, True), (None, False)], None),
        ([(None, True), (0.1, True)], 0.1),
    ],
)
def test_the_score_is_that_of_the_weights_that_were_kept(records, score):
    assert best_score([{"score": s, "best": b} for s, b in records]) == score
