"""Which evaluation of a run is the best, and what is kept of it."""

import json
import math

import pytest
import torch
from support.toy import records

from mtbert.inference import evaluate as evaluation
from mtbert.inference.evaluate import Evaluation
from mtbert.inference.model import MultitaskModel
from mtbert.training.selection import Selection


def weights(network):
    return {name: p.detach().clone() for name, p in network.partition.all.items()}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def evaluated(monkeypatch):
    """The weights at each evaluation."""
    found, evaluate = [], Selection.evaluate

    def spied(self, *args):
        found.append({name: p.detach().clone() for name, p in self._learned.items()})
        evaluate(self, *args)

    monkeypatch.setattr(Selection, "evaluate", spied)
    return found


@pytest.fixture
def give_scores(monkeypatch):
    """Let the evaluations have these selection scores, one after the other."""

    def give(*scores):
        coming = iter(scores)
        monkeypatch.setattr(Evaluation, "selection_score", lambda self, select: next(coming))

    return give


def test_the_model_on_disk_is_the_best_and_not_the_last(toy, tmp_path, evaluated, give_scores):
    give_scores(0.1, 0.9, 0.3)
    summary = toy.train(tmp_path / "run", training={"epochs": 3, "learning_rate": 1e-2})
    found = weights(MultitaskModel.from_pretrained(tmp_path / "run" / "model").network)
    assert equal(found, evaluated[1])
    assert not equal(found, evaluated[2])
    assert (summary["best_epoch"], summary["best_step"], summary["steps"]) == (2, 6, 9)
    dev = records(tmp_path / "run", "dev")
    assert summary["dev"] == dev[1]["dev"]
    assert [record["best"] for record in dev] == [True, True, False]


def test_of_equal_scores_the_earliest_stays(toy, tmp_path, give_scores):
    give_scores(0.5, 0.5, 0.5)
    assert toy.train(tmp_path / "run", "sst", training={"epochs": 3})["best_epoch"] == 1


def test_of_equal_balanced_scores_the_last_stays_and_none_is_a_gain(toy, tmp_path, give_scores):
    give_scores(0.1, 0.5, 0.5, 0.4, 0.5, 0.5)
    training = {"epochs": 6, "select": "balanced", "patience": 3}
    summary = toy.train(tmp_path / "run", "sst", training=training)
    assert (summary["best_epoch"], len(records(tmp_path / "run", "dev"))) == (5, 5)


def test_a_score_that_is_undefined_at_first_is_beaten_by_any_other(toy, tmp_path, give_scores):
    give_scores(math.nan, -0.5, math.nan)
    assert toy.train(tmp_path / "run", "sst", training={"epochs": 3})["best_epoch"] == 2


def test_a_correlation_that_is_undefined_does_not_stop_the_run(toy, tmp_path, caplog):
    (tmp_path / "dev.csv").write_text("sentence1,sentence2,label\na cat,a dog,2\na,b,2\n")
    tree = toy.tree("sst", "sts")
    tree["tasks"]["sts"]["dev"] = str(tmp_path / "dev.csv")
    toy.train(tmp_path / "run", tasks=tree["tasks"])
    assert "sts: the scores are undefined: all labels are 2" in caplog.text
    summary = json.loads((tmp_path / "run" / "summary.json").read_text("utf-8"))
    undefined = {name for name, value in summary["dev"]["sts"].items() if value is None}
    assert undefined == {"pearson", "spearman", "r2"}
    assert "undefined" in (tmp_path / "run" / "model" / "README.md").read_text("utf-8")


def test_the_score_is_the_metric_that_is_asked_for(toy, tmp_path):
    training = {"epochs": 3, "select": "sts.spearman", "learning_rate": 1e-2}
    summary = toy.train(tmp_path / "run", "sst", "sts", training=training)
    dev = records(tmp_path / "run", "dev")
    scores = [record["dev"]["sts"]["spearman"] for record in dev]
    assert [record["score"] for record in dev] == scores
    assert summary["best_epoch"] == 1 + scores.index(max(scores))


def test_patience_stops_a_run_that_does_not_get_better(toy, tmp_path, give_scores):
    give_scores(0.1, 0.9, 0.5, 0.9)
    summary = toy.train(tmp_path / "run", training={"epochs": 9, "patience": 2})
    assert (summary["steps"], summary["best_epoch"]) == (12, 2)


@pytest.mark.parametrize(
    ("task", "rows", "reason"),
    [
        ("sts", "sentence1,sentence2,label\na,b,2\na,c,2\n", "all labels are 2"),
        ("sts", "sentence1,sentence2,label\na,b,2\n", "fewer than two examples"),
    ],
)
def test_dev_labels_that_tell_nothing_are_said_and_the_other_tasks_choose(
    toy, tmp_path, caplog, task, rows, reason
):
    (tmp_path / "dev.csv").write_text(rows)
    tree = toy.tree("sst", task)
    tree["tasks"][task]["dev"] = str(tmp_path / "dev.csv")
    training = {"epochs": 12, "learning_rate": 3e-3}
    summary = toy.train(tmp_path / "run", tasks=tree["tasks"], training=training)
    assert f"{task}: the scores are undefined: {reason}" in caplog.text
    undefined = {name for name, value in summary["dev"][task].items() if value is None}
    assert undefined == {"pearson", "spearman", "r2"}
    scores = [r["dev"]["sst"]["accuracy"] for r in records(tmp_path / "run", "dev")]
    assert len(set(scores)) > 1
    assert summary["best_epoch"] == 1 + scores.index(max(scores))


@pytest.mark.parametrize(
    ("value", "reason"),
    [(1.5, "all predictions are 1.5"), (math.nan, "10 of 10 predictions are not finite"),
     (math.inf, "10 of 10 predictions are not finite")],
)  # fmt: skip
@pytest.mark.parametrize("task", ["sst", "sts"])
def test_predictions_that_tell_nothing_are_said(
    toy, tmp_path, caplog, monkeypatch, task, value, reason
):
    outputs = evaluation.compute_outputs

    def same(*args):
        return outputs(*args) * 0 + value

    monkeypatch.setattr(evaluation, "compute_outputs", same)
    summary = toy.train(tmp_path / "run", task, training={"epochs": 1})
    text = (tmp_path / "run" / "predictions" / f"{task}-dev.jsonl").read_text("utf-8")
    assert "NaN" not in text and "Infinity" not in text
    if task == "sst" and value == 1.5:
        assert "undefined" not in caplog.text  # accuracy is defined for one class only
        return
    assert (
        f"{task}: the scores are undefined: {reason.replace('10', '8' if task == 'sst' else '10')}"
        in caplog.text
    )
    undefined = {name for name, value in summary["dev"][task].items() if value is None}
    assert undefined == ({"pearson", "spearman"} if value == 1.5 else set(summary["dev"][task]))


def test_in_the_sum_an_undefined_metric_counts_nothing():
    found = Evaluation(
        {"a": {"pearson": math.nan}, "b": {"accuracy": 0.5}}, {}, {}, {}, {"a": math.nan, "b": 0.5}
    )
    assert found.selection_score("sum") == 0.5
    assert math.isnan(found.selection_score("a.pearson"))


@pytest.mark.parametrize(("select", "best"), [("sts.mae", 3), ("sts.spearman", 2)])
def test_of_an_error_less_is_better(toy, tmp_path, give_scores, select, best):
    give_scores(math.nan, 0.5, 0.25, 0.25, math.nan)
    training = {"epochs": 5, "select": select}
    assert toy.train(tmp_path / "run", "sts", training=training)["best_epoch"] == best


def test_the_error_that_chooses_is_the_one_in_the_log(toy, tmp_path):
    training = {"epochs": 3, "select": "sts.rmse", "learning_rate": 1e-2, "patience": 1}
    summary = toy.train(tmp_path / "run", "sts", training=training)
    dev = records(tmp_path / "run", "dev")
    scores = [record["dev"]["sts"]["rmse"] for record in dev]
    assert [record["score"] for record in dev] == scores
    assert summary["best_epoch"] == 1 + scores.index(min(scores))


def test_a_single_class_can_choose(toy, tmp_path):
    training = {"epochs": 4, "select": "sst.recall:good", "learning_rate": 1e-2}
    summary = toy.train(tmp_path / "run", "sst", training=training)
    scores = [record["score"] for record in records(tmp_path / "run", "dev")]
    assert summary["best_epoch"] == 1 + scores.index(max(scores))
    rows = [
        json.loads(line)
        for line in (tmp_path / "run/predictions/sst-dev.jsonl").read_text("utf-8").splitlines()
    ]
    good = [row["prediction"] for row in rows if row["gold"] == 1]
    assert max(scores) == sum(good) / len(good)


def test_a_task_that_is_only_evaluated_does_not_choose(toy, tmp_path):
    """It uses the head of another, on rows that say the opposite."""
    rows = (toy.folder / "sst-dev.csv").read_text("utf-8")
    opposite = rows.replace(",good", ",x").replace(",bad", ",good").replace(",x", ",bad")
    (tmp_path / "other.csv").write_text(opposite)
    tree = toy.tree("sst")
    other = {key: tree["tasks"]["sst"][key] for key in ("kind", "labels")}
    tree["tasks"]["other"] = other | {"uses": "sst", "dev": str(tmp_path / "other.csv")}
    training = {"epochs": 6, "learning_rate": 3e-3}
    summary = toy.train(tmp_path / "run", tasks=tree["tasks"], training=training)
    dev = records(tmp_path / "run", "dev")
    scores = [record["dev"]["sst"]["accuracy"] for record in dev]
    assert len(set(scores)) > 1
    assert [record["score"] for record in dev] == scores
    assert summary["best_epoch"] == 1 + scores.index(max(scores))
    assert summary["mean"] == sum(s["accuracy"] for s in summary["dev"].values()) / 2


def test_a_task_that_is_only_evaluated_chooses_where_it_alone_has_dev_rows():
    found = Evaluation({"b": {"accuracy": 0.5}}, {}, {}, {}, {"b": 0.5}, {}, frozenset({"a"}))
    assert found.selection_score("sum") == 0.5
