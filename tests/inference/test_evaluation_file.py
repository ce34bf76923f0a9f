"""evaluation.json: what the end of a run writes, and what is read of it."""

import json
import shutil

import pytest

from mtbert.config.load import load_config
from mtbert.errors import UserError
from mtbert.inference.evaluation_file import EVALUATION, dev_sets, read_details


@pytest.fixture
def run(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def test_a_finished_run_has_the_details_of_its_scores(run):
    settings = load_config(str(run / "config.yaml"))
    summary = json.loads((run / "summary.json").read_text("utf-8"))
    found = read_details(run, settings)
    assert list(found) == list(summary["dev"])
    for name, details in found.items():
        values = {metric: score.value for metric, score in details.metrics.items()}
        assert values == pytest.approx(summary["dev"][name], nan_ok=True)
        assert all(mistake.texts for mistake in details.mistakes)


def test_of_an_older_run_they_are_computed_from_its_predictions(run):
    settings = load_config(str(run / "config.yaml"))
    written = read_details(run, settings)
    (run / EVALUATION).unlink()
    assert read_details(run, settings) == written


def test_further_sets_are_named_after_their_task(toy):
    tree = toy.tree("sst")
    tree["tasks"]["sst"]["dev"] = {"easy": "sst-dev.csv", "hard": "sst-train.csv"}
    found = dev_sets(toy.settings("sst", tasks=tree["tasks"]))
    assert [(s.name, s.predictions) for s in found] == [("sst", "sst"), ("sst/hard", "sst-hard")]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"sets": {"sst": {}}}', "[" * 100_000])
def test_a_damaged_file_is_refused(run, content):
    (run / EVALUATION).write_text(content)
    with pytest.raises(UserError, match=EVALUATION):
        read_details(run, load_config(str(run / "config.yaml")))


@pytest.mark.parametrize("line", ["{", '{"id": 1}', '{"id": "a", "gold": 7, "prediction": 0}'])
def test_damaged_predictions_are_refused(run, line):
    (run / EVALUATION).unlink()
    (run / "predictions" / "sst-dev.jsonl").write_text(line + "\n")
    with pytest.raises(UserError, match="damaged"):
        read_details(run, load_config(str(run / "config.yaml")))
