"""Several models answer together by the mean of their probabilities and of their values."""

import csv
import json
import re

import numpy as np
import pytest
from support.toy import TASKS

from mtbert import Ensemble, MultitaskModel
from mtbert.commands.evaluate import evaluate_file, evaluate_run
from mtbert.errors import UserError


@pytest.fixture(scope="module")
def runs(toy, finished, tmp_path_factory):
    """Three runs: the second encodes pairs in other ways and has shorter sequences."""
    folder = tmp_path_factory.mktemp("several")
    tasks = {name: dict(task) for name, task in TASKS.items()}
    tasks["para"] |= {"pair_encoding": "jointly", "features": "auto"}
    tasks["sts"] |= {"pair_encoding": "separately"}
    toy.train(folder / "other", seed=2, tasks=tasks, encoder={"max_length": 8})
    toy.train(folder / "third", "sst", "para", seed=3)
    return [finished, folder / "other", folder / "third"]


def texts(toy, name, file=None):
    columns = ["sentence"] if name == "sst" else ["sentence1", "sentence2"]
    with (toy.folder / (file or f"{name}-dev.csv")).open(newline="") as stream:
        found = [tuple(row[c] for c in columns) for row in csv.DictReader(stream)]
    return [row[0] for row in found] if name == "sst" else found


def test_answers_are_the_means_of_those_of_each_model(toy, runs):
    models = [MultitaskModel.from_pretrained(run) for run in runs[:2]]
    together = Ensemble(models)
    assert together.tasks == ("sst", "para", "sts")
    for name in ("sst", "para"):
        asked = texts(toy, name)
        alone = [model.predict(name, asked) for model in models]
        for answer, *each in zip(together.predict(name, asked), *alone, strict=True):
            mean = {n: np.mean([a.probabilities[n] for a in each]) for n in answer.probabilities}
            assert answer.probabilities == pytest.approx(mean, abs=1e-9)
            assert answer.label == max(mean, key=mean.get)
    pairs = texts(toy, "sts")
    alone = [[a.value for a in model.predict("sts", pairs)] for model in models]
    found = [answer.value for answer in together.predict("sts", pairs)]
    assert found == pytest.approx(np.mean(alone, axis=0), abs=1e-9)
    every = together.predict_all(pairs)
    assert [row["sts"].value for row in every] == pytest.approx(found)


def test_one_model_alone_answers_as_it_does(toy, finished):
    model = MultitaskModel.from_pretrained(finished)
    asked = texts(toy, "sst")
    assert Ensemble([model]).predict("sst", asked) == model.predict("sst", asked)


def test_scores_are_those_of_the_mean_answers(toy, runs):
    """The accuracy, the correlation and the loss of the answers above, by hand."""
    models = [MultitaskModel.from_pretrained(run) for run in runs[:2]]
    scores = evaluate_run(runs[0], "dev", others=[str(runs[1])])["dev"]
    with (toy.folder / "sst-dev.csv").open(newline="") as stream:
        gold = [row["label"] for row in csv.DictReader(stream)]
    answers = Ensemble(models).predict("sst", texts(toy, "sst"))
    right = np.mean([a.label == label for a, label in zip(answers, gold, strict=True)])
    assert scores["sst"]["accuracy"] == pytest.approx(right)
    with (toy.folder / "sts-dev.csv").open(newline="") as stream:
        values = [float(row["label"]) for row in csv.DictReader(stream)]
    found = [a.value for a in Ensemble(models).predict("sts", texts(toy, "sts"))]
    assert scores["sts"]["pearson"] == pytest.approx(np.corrcoef(found, values)[0, 1], abs=1e-6)
    file = evaluate_file(runs[0], toy.folder / "sst-dev.csv", ["sst"], others=[str(runs[1])])
    assert file.scores["file"]["sst"] == pytest.approx(scores["sst"])


def test_tasks_that_not_all_models_have_are_left_out(toy, runs, caplog):
    caplog.set_level("INFO")
    together = Ensemble([MultitaskModel.from_pretrained(run) for run in runs])
    assert together.tasks == ("sst", "para")
    assert together.left_out == {"sts": "not in model 3"}
    assert "left out: task sts: not in model 3" in caplog.text
    with pytest.raises(UserError, match="no task 'sts'"):
        together.predict("sts", texts(toy, "sts"))
    found = evaluate_run(runs[0], "dev", others=list(map(str, runs[1:])))["dev"]
    assert set(found) == {"sst", "para"}
    with pytest.raises(UserError, match=r"task sts: not in .*third; the models cannot answer it"):
        evaluate_run(runs[0], "dev", ["sts"], list(map(str, runs[1:])))


def test_a_task_with_another_meaning_is_left_out(toy, finished, tmp_path):
    changed = {"sst": TASKS["sst"] | {"labels": ["good", "bad"]}}
    toy.train(tmp_path / "run", tasks=changed, training={"epochs": 1})
    models = [MultitaskModel.from_pretrained(run) for run in (finished, tmp_path / "run")]
    why = "labels ('good', 'bad') in b, ('bad', 'good') in a"
    with pytest.raises(UserError, match=f"cannot answer together: task sst: {re.escape(why)}; "):
        Ensemble(models, ["a", "b"])
    toy.train(
        tmp_path / "other",
        tasks={"tone": TASKS["sst"]},
        training={"epochs": 1},
    )
    told = "task sst: not in model 2; task para: not in model 2; task sts: not in model 2$"
    with pytest.raises(UserError, match=told):
        Ensemble([models[0], MultitaskModel.from_pretrained(tmp_path / "other")])
    with pytest.raises(UserError, match="needs a model or more"):
        Ensemble([])


def test_the_commands_take_further_models(toy, runs, call, tmp_path):
    first, other = map(str, runs[:2])
    file = str(toy.folder / "sst-dev.csv")
    code, out, err = call("--quiet", "predict", first, file, "--task", "sst", "--with", other)
    assert code == 0, err
    told = [json.loads(line) for line in out.splitlines()]
    models = [MultitaskModel.from_pretrained(run) for run in runs[:2]]
    expected = Ensemble(models).predict("sst", texts(toy, "sst"))
    assert [row["score"] for row in told] == pytest.approx([a.score for a in expected], abs=1e-5)
    code, out, err = call("--quiet", "predict", first, "--with", other, "--text", "the good film")
    assert code == 0, err
    code, out, err = call("--quiet", "evaluate", first, "--with", other, "--json")
    assert code == 0, err
    assert json.loads(out)["dev"] == evaluate_run(runs[0], "dev", others=[other])["dev"]
    code, out, err = call("--quiet", "evaluate", first, "--with", str(tmp_path / "none"))
    assert code == 2
    assert "no such folder" in err
