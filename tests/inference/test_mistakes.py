"""The worst examples: how wrong they are, their order, and their texts."""

import math

import numpy as np

from mtbert.config.load import data_file
from mtbert.inference.answers import Answers
from mtbert.inference.mistakes import LONGEST, find_texts, row_errors, worst_rows


def answers(gold, predicted, probabilities=None, positive=None):
    parts = [None if p is None else np.array(p, float) for p in (probabilities, positive)]
    ids = [str(i) for i in range(len(gold))]
    return Answers(ids, np.array(gold, float), np.array(predicted, float), *parts)


def test_errors_by_hand():
    told = [[0.25, 0.75], [1.0, 0.0]]
    np.testing.assert_allclose(
        row_errors(answers([0, 1], [1, 0], told)), [-math.log(0.25), -math.log(1e-15)]
    )
    np.testing.assert_allclose(row_errors(answers([0, 1], [1, 1], None, [1.25, 0.5])), [1.25, 0.5])
    np.testing.assert_allclose(row_errors(answers([2000, 1], [1990, 1.5])), [10, 0.5])
    labels = row_errors(answers([[1, 0]], [[1, 1]], [[0.5, 0.75]]))
    np.testing.assert_allclose(labels, [-(math.log(0.5) + math.log(0.25)) / 2])


def test_the_worst_come_first_and_right_answers_are_none():
    found = answers([0, 0, 1, 1], [0, 1, 0, 0], [[0.6, 0.4], [0.4, 0.6], [0.9, 0.1], [0.6, 0.4]])
    assert worst_rows(found, row_errors(found)) == [2, 1, 3]
    assert worst_rows(found, row_errors(found), most=1) == [2]


def test_texts_are_found_by_id_and_shortened(toy, tmp_path):
    long = "word " * 100
    (tmp_path / "dev.csv").write_text(
        f"id,sentence,label\na,one,good\nb,two,nonsense\nc,{long},bad\n", encoding="utf-8"
    )
    task, file = toy.settings("sst").tasks["sst"], tmp_path / "dev.csv"
    found = find_texts(file, task, ["c", "a", "missing"])
    assert found["a"] == ("one",)
    assert found["c"][0].endswith("…")
    assert len(found["c"][0]) <= LONGEST
    assert set(found) == {"a", "c"}
    assert find_texts(tmp_path / "gone.csv", task, ["a"]) == {}
    file.write_text("nonsense")
    assert find_texts(file, task, ["a"]) == {}


def test_of_a_pair_both_texts_are_found(toy):
    settings = toy.settings()
    path = data_file(settings, "para-dev.csv")
    found = find_texts(path, settings.tasks["para"], ["para1"])
    assert len(found["para1"]) == 2
