"""`mtbert soup`: runs in, one model out."""

import json

import pytest
import torch
from safetensors.torch import load_file

from mtbert import MultitaskModel
from mtbert.cli import main
from mtbert.commands.evaluate import evaluate_run
from mtbert.inference import soup as soups

FILES = ("model.safetensors", "heads.safetensors")


@pytest.fixture(scope="module")
def runs(toy, tmp_path_factory):
    """Of two seeds, and of the first with another rate."""
    folder = tmp_path_factory.mktemp("runs")
    for name, seed, rate in (("a", 1, 1e-3), ("b", 2, 1e-3), ("c", 1, 3e-3)):
        toy.train(folder / name, seed=seed, training={"learning_rate": rate, "precision": "fp32"})
    return [folder / name for name in "abc"]


def test_a_uniform_soup_has_the_mean_of_all_weights(runs, tmp_path, capsys):
    output = tmp_path / "soup"
    options = ["--output", str(output), "--recipe", "uniform"]
    assert main(["--quiet", "soup", *map(str, runs), *options]) == 0
    for file in FILES:
        parts = [load_file(run / "model" / file) for run in runs]
        found = load_file(output / file)
        assert found.keys() == parts[0].keys()
        for name, value in found.items():
            mean = torch.stack([part[name].double() for part in parts]).mean(0)
            torch.testing.assert_close(value.double(), mean, rtol=1e-6, atol=1e-7)
    told = json.loads((output / "soup.json").read_text())
    assert [(part["run"], part["seed"], part["used"]) for part in told["runs"]] == [
        ("a", 1, True), ("b", 2, True), ("c", 1, True)
    ]  # fmt: skip
    assert "in the soup" in capsys.readouterr().out


def test_a_greedy_soup_scores_no_less_than_its_best_run(runs, tmp_path, call):
    """Its scores on dev are those that are told, and those of the model in the folder."""
    output = tmp_path / "soup"
    code, out, err = call("--quiet", "soup", *runs, "--output", output, "--json")
    assert code == 0, err
    told = json.loads(out)
    scores = [part["score"] for part in told["runs"]]
    assert told["score"] >= max(scores)
    assert any(part["used"] for part in told["runs"])
    for run, score in zip(runs, scores, strict=True):
        main_scores = evaluate_run(run, "dev")["dev"]
        plain = main_scores["sst"]["accuracy"] + main_scores["para"]["accuracy"]
        assert score == pytest.approx(plain + main_scores["sts"]["pearson"], abs=1e-6)
    model = MultitaskModel.from_pretrained(output)
    assert model.tasks == ("sst", "para", "sts")
    assert model.predict("sst", ["the good film"])[0].label in ("bad", "good")
    assert not any(str(tmp_path) in path.read_text() for path in output.glob("*.json"))


def test_one_run_that_is_taken_alone_is_that_run(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(soups, "greedy", lambda scores, _: ([0], scores[0]))
    arguments = [*map(str, runs[:2]), "--output", str(tmp_path / "s")]
    assert main(["--quiet", "soup", *arguments]) == 0
    for file in FILES:
        ours, theirs = load_file(tmp_path / "s" / file), load_file(runs[0] / "model" / file)
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_frozen_encoder_and_averages_go_in_too(toy, tmp_path):
    for name, training in (("a", {}), ("b", {"average": 0.9})):
        toy.train(
            tmp_path / name, "sst", encoder={"mode": "frozen"}, training=training | {"epochs": 1}
        )
    arguments = [str(tmp_path / name) for name in "ab"]
    assert main(["--quiet", "soup", *arguments, "--output", str(tmp_path / "soup")]) == 0


def test_what_cannot_be_made_is_refused(runs, tmp_path, refuse):
    refuse("found one run", "soup", runs[0], "--output", tmp_path / "soup")
    (tmp_path / "there").mkdir()
    refuse("is there already", "soup", *runs, "--output", tmp_path / "there")
    refuse("found a run twice", "soup", runs[0], runs[0], "--output", tmp_path / "soup")
    refuse("no config.yaml", "soup", runs[0], tmp_path / "there", "--output", tmp_path / "soup")


def test_an_error_is_told_as_it_is_and_the_lowest_goes_in(toy, tmp_path, call):
    """Of a metric of which less is better."""
    for name, rate in (("a", 1e-4), ("b", 1e-2)):
        training = {"epochs": 2, "learning_rate": rate, "select": "sts.mae"}
        toy.train(tmp_path / name, "sts", training=training)
    runs = [tmp_path / name for name in "ab"]
    code, out, err = call("--quiet", "soup", *runs, "--output", tmp_path / "soup", "--json")
    assert code == 0, err
    told = json.loads(out)
    scores = [part["score"] for part in told["runs"]]
    expected = [evaluate_run(run, "dev")["dev"]["sts"]["mae"] for run in runs]
    assert scores == pytest.approx(expected, abs=1e-6)
    assert 0 < told["score"] <= min(scores) + 1e-9
    assert told["runs"][scores.index(min(scores))]["used"]


def test_no_model_is_scored_twice(runs, tmp_path, monkeypatch):
    seen, evaluate = [], soups.Taste.evaluate

    def counting(self, model):
        seen.append(model)
        return evaluate(self, model)

    monkeypatch.setattr(soups.Taste, "evaluate", counting)
    arguments = [*map(str, runs[:2]), "--output", str(tmp_path / "s")]
    assert main(["--quiet", "soup", *arguments]) == 0
    assert len(seen) == 3  # each alone, and both together
