"""Records: what is kept of a run, and that it is enough to make the tables again."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from support.studies import answers, main_score

from mtbert.errors import UserError
from mtbert.studies.records import read_record, read_stored
from mtbert.studies.results import export


@pytest.fixture(scope="module")
def exported(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "out"
    export(study, folder)
    return folder


@pytest.fixture
def stored(exported, tmp_path):
    """A stored record of three tasks with its labels, to be damaged."""
    name = next(exported.glob("runs/paper-method3-s1-*.json")).name
    for file in exported.glob("runs/labels-*.json"):
        shutil.copy(file, tmp_path)
    return shutil.copy(exported / "runs" / name, tmp_path / name)


def assert_close(found, expected):
    """Equal trees, floats to eight digits."""
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        found, expected = list(found.values()), list(expected.values())
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_close(one, other)
    else:
        assert found == (pytest.approx(expected, rel=1e-7) if type(expected) is float else expected)


def test_a_record_holds_scores_answers_and_curves(study):
    path = next((study / "runs").glob("paper-method3-s1-*"))
    record = read_record(path)
    assert (record.name, record.seed) == (path.name, 1)
    for task in ("sst", "para", "sts"):
        gold, predicted = answers(task, 0.8 - 0.06 + 0.005)
        assert np.array_equal(record.predictions[task].gold, gold)
        assert record.predictions[task].predicted == pytest.approx(predicted, abs=6e-4)
        assert record.score(task) == main_score(task, gold, predicted)
    told = record.predictions["para"].probability
    assert told == pytest.approx(0.1 + 0.8 * record.predictions["para"].predicted, abs=1 / 500)
    assert record.predictions["sst"].probability is None
    assert [point["epoch"] for point in record.curve] == [1, 2]
    assert [point["step"] for point in record.gradients] == [1, 2, 3, 4, 5, 6]
    assert record.gradients[1]["task_gradient_norm"] == {"sst": 4, "para": 4, "sts": 4}
    assert "task_gradient_norm" not in record.gradients[0]
    assert record.seconds_per_epoch == 7
    assert record.settings["training.batching"] == "method3"
    assert not any("/" in str(value) for value in record.settings.values())


@pytest.mark.parametrize(
    ("facts", "seconds"),
    [
        ({"step_cpu_seconds": 12.0, "threads": 2}, 3),
        ({"step_cpu_seconds": None}, 7),
        ({"step_cpu_seconds": 12.0, "device": "cuda"}, 7),
    ],
)
def test_seconds_of_an_epoch_on_a_cpu_are_those_of_the_processor(study, facts, seconds):
    record = read_record(next((study / "runs").glob("paper-method3-s1-*")))
    changed = dataclasses.replace(record, summary=record.summary | facts)
    assert changed.seconds_per_epoch == seconds


def test_the_files_of_a_record_give_it_back(study, exported):
    for path in sorted((study / "runs").iterdir())[::9]:
        record, back = read_record(path), read_stored(exported / "runs" / f"{path.name}.json")
        for key in ("name", "settings", "summary", "curve", "gradients"):
            assert_close(getattr(back, key), getattr(record, key))
        for task, rows in record.predictions.items():
            again = back.predictions[task]
            assert again.digest == rows.digest
            assert np.array_equal(again.gold, rows.gold)
            assert again.predicted == pytest.approx(rows.predicted, abs=1e-9)
            if rows.probability is not None:
                assert again.probability == pytest.approx(rows.probability, abs=1e-9)


def without(*keys):
    def change(tree):
        for key in keys[:-1]:
            tree = tree[key]
        del tree[keys[-1]]

    return change


def other(value, *keys):
    def change(tree):
        for key in keys[:-1]:
            tree = tree[key]
        tree[keys[-1]] = value

    return change


BAD = {
    "format": (other(7, "format"), "record of format 7, this mtbert reads 1"),
    "no summary": (without("summary"), "summary: field required"),
    "no time": (without("summary", "step_seconds"), "summary.step_seconds: field required"),
    "text": (other("much", "summary", "steps"), "summary.steps"),
    "way out": (other("../../x", "rows", "sst", "labels"), "rows.sst.labels"),
    "no labels": (
        other("0" * 12, "rows", "sst", "labels"),
        "labels-000000000000.json: not there",
    ),
    "not base 64": (other("?", "rows", "sst", "predicted"), "damaged record"),
    "rows": (other("AAAA", "rows", "para", "probability"), "3 rows, 80 labels"),
    "task": (without("rows", "sst"), "of different tasks"),
    "curve": (other([{"epoch": 1}], "curve"), "curve.0.step: field required"),
}


@pytest.mark.parametrize(("change", "told"), BAD.values(), ids=BAD)
def test_a_damaged_record_is_refused(stored, change, told):
    tree = json.loads(stored.read_text("utf-8"))
    change(tree)
    stored.write_text(json.dumps(tree))
    with pytest.raises(UserError) as caught:
        read_stored(stored)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("epochs", "configured", "seconds"),
    [([1, 2, 3, 4], 10, 3.5), ([10, 11], 1, 14 / 11), ([], 2, 7)],
)
def test_seconds_of_an_epoch_are_over_those_that_were_begun(study, epochs, configured, seconds):
    """Not those after an early stop; those of the heads alone too."""
    record = read_record(next((study / "runs").glob("paper-method3-s1-*")))
    facts = {"step_seconds": 14.0, "step_cpu_seconds": None, "epochs": configured}
    curve = [{"epoch": float(epoch), "step": 1, "dev": {}} for epoch in epochs]
    changed = dataclasses.replace(record, summary=record.summary | facts, curve=curve)
    assert changed.seconds_per_epoch == pytest.approx(seconds)
