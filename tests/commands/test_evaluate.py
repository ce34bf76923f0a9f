"""`mtbert evaluate`: the scores of a finished run, on any split."""

import json

import pytest
from scipy import stats

from mtbert.commands.evaluate import evaluate_run
from mtbert.commands.predict import predict_file
from mtbert.errors import UserError


def summary_of(run):
    return json.loads((run / "summary.json").read_text("utf-8"))


def read_jsonl(text):
    return [json.loads(line) for line in text.splitlines()]


def test_evaluating_a_run_gives_the_scores_of_its_summary(finished):
    found, summary = evaluate_run(finished, "dev"), summary_of(finished)
    assert found["split"] == "dev"
    for task, metrics in summary["dev"].items():
        assert found["dev"][task] == pytest.approx(metrics)
    assert found["overall"] == pytest.approx(summary["overall"])
    assert found["mean"] == pytest.approx(summary["mean"])


def test_another_split_is_scored_under_another_name(toy, finished, tmp_path):
    found = evaluate_run(finished, "train")
    assert set(found["train"]) == {"sst", "para", "sts"}
    assert "dev" not in found
    predict_file(finished, "sts", str(toy.folder / "sts-train.csv"), tmp_path / "out.jsonl")
    predicted = [r["prediction"] for r in read_jsonl((tmp_path / "out.jsonl").read_text())]
    lines = (toy.folder / "sts-train.csv").read_text("utf-8").splitlines()[1:]
    gold = [float(line.split(",")[-1]) for line in lines]
    expected = stats.pearsonr(gold, predicted)[0]
    assert found["train"]["sts"]["pearson"] == pytest.approx(expected, rel=1e-4)


def test_a_test_file_without_labels_cannot_be_scored(finished):
    with pytest.raises(UserError, match=r"sst-test\.csv:1: no column 'label'"):
        evaluate_run(finished, "test")
