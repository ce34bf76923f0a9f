"""Heads with attention, mixed layers or a hidden layer, through whole runs."""

import csv
import json

import pytest
from safetensors.torch import load_file
from support.stops import train_in_parts
from support.toy import TASKS, model_bytes, records, results

from mtbert.distributed.processes import ALONE
from mtbert.errors import UserError
from mtbert.inference.model import MultitaskModel
from mtbert.inference.saved_run import load_run
from mtbert.model.saved import load_network
from mtbert.training.setup import prepare

RICH = {
    "sst": {"head": "attention", "layers": 2, "hidden_size": 8},
    "para": {"head": "mean", "layers": 2, "hidden_size": 6, "hidden_activation": "gelu"},
    "sts": {"head": "cls", "layers": 2},
}
VARIANTS = {
    "finetune": {},
    "surgery, average and parts": {
        "training": {"surgery": "pcgrad", "average": 0.9, "accumulate": 2, "layer_decay": 0.9},
        "encoder": {"reinitialise": 1},
    },
    "frozen": {"encoder": {"mode": "frozen"}},
    "bf16": {"training": {"precision": "bf16", "clip": 0.5}},
    "own parts": {
        "encoder": {"sharing": {"name": "lora", "rank": 2}, "reinitialise": 1},
        "training": {"layer_decay": 0.9},
    },
    "heads first": {"encoder": {"mode": "heads_first", "heads_first_epochs": 1}},
}


def tasks(**changes):
    return {name: TASKS[name] | RICH[name] | changes.get(name, {}) for name in TASKS}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_goes_on_exactly_after_every_stop(toy, tmp_path, monkeypatch, variant):
    changes = {"tasks": tasks(), **VARIANTS[variant]}
    toy.train(tmp_path / "whole", **changes)
    train_in_parts(
        monkeypatch,
        len(records(tmp_path / "whole", "train")),
        lambda: toy.train(tmp_path / "parts", resume=True, **changes),
    )
    assert results(tmp_path / "parts") == results(tmp_path / "whole")
    assert model_bytes(tmp_path / "parts") == model_bytes(tmp_path / "whole")


def rows(file):
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("variant", ["finetune", "frozen", "own parts"])
def test_the_saved_model_answers_as_the_run_scored(toy, tmp_path, variant):
    toy.train(tmp_path / "run", tasks=tasks(), **VARIANTS[variant])
    model = MultitaskModel.from_pretrained(tmp_path / "run")
    assert load_run(tmp_path / "run")[1].network.tasks.keys() == model.network.tasks.keys()
    for name in TASKS:
        columns = ["sentence"] if name == "sst" else ["sentence1", "sentence2"]
        texts = [tuple(r[c] for c in columns) for r in rows(toy.folder / f"{name}-dev.csv")]
        answers = model.predict(name, [t[0] for t in texts] if name == "sst" else texts)
        told = (tmp_path / "run" / "predictions" / f"{name}-dev.jsonl").read_text().splitlines()
        expected = [json.loads(line)["score"] for line in told]
        assert [a.score for a in answers] == pytest.approx(expected, abs=1e-5)
    every = model.predict_all(["the good film"])[0]
    assert every["sst"].score == pytest.approx(model.predict("sst", ["the good film"])[0].score)


def test_a_model_folder_names_the_new_parts_and_its_format(toy, tmp_path):
    toy.train(tmp_path / "run", tasks=tasks(), training={"epochs": 1})
    folder = tmp_path / "run" / "model"
    meta = json.loads((folder / "mtbert.json").read_text())
    assert meta["format"] == 3
    assert {"layers", "hidden_size", "hidden_activation"} <= meta["tasks"]["para"].keys()
    assert {"layers"} == {"layers", "hidden_size", "hidden_activation"} & meta["tasks"][
        "sts"
    ].keys()
    names = set(load_file(folder / "heads.safetensors"))
    assert {"sst.attention.query", "sst.attention.mix.scores", "sst.hidden.weight"} <= names
    assert {"para.mix.scores", "para.mix.scale", "para.hidden.bias"} <= names
    again, _ = load_network(folder)
    assert again.tasks["sst"].hidden_size == 8


def test_attention_that_is_fresh_is_the_mean_and_learns_on_a_frozen_encoder(toy, tmp_path):
    """The first loss is that of `mean`, whose features are kept; dropout falls on heads alone."""
    frozen, losses = {"encoder": {"mode": "frozen"}}, {}
    for head in ("mean", "attention"):
        one = {"sst": TASKS["sst"] | {"head": head}}
        toy.train(tmp_path / head, tasks=one, **frozen)
        losses[head] = [r["loss"]["sst"] for r in records(tmp_path / head, "train")]
    assert losses["attention"][0] == pytest.approx(losses["mean"][0], rel=1e-6)
    query = load_file(tmp_path / "attention" / "model" / "heads.safetensors")["sst.attention.query"]
    assert query.abs().min() > 0
    files = [model_bytes(tmp_path / head)["model.safetensors"] for head in losses]
    assert files[0] == files[1]
    tokens = [records(tmp_path / head, "train")[-1]["tokens"] for head in losses]
    assert tokens[1] == 2 * tokens[0]  # encoded in each of two epochs, not once


@pytest.mark.parametrize("head", ["attention", "mean"])
def test_windows_of_long_texts(toy, tmp_path, head):
    one = {"sst": TASKS["sst"] | {"head": head, "layers": 2, "long_texts": "windows"}}
    toy.train(tmp_path / "run", tasks=one, encoder={"max_length": 4}, training={"epochs": 1})
    model = MultitaskModel.from_pretrained(tmp_path / "run")
    told = (tmp_path / "run" / "predictions" / "sst-dev.jsonl").read_text().splitlines()
    texts = [row["sentence"] for row in rows(toy.folder / "sst-dev.csv")]
    answers = [answer.score for answer in model.predict("sst", texts)]
    assert answers == pytest.approx([json.loads(line)["score"] for line in told], abs=1e-5)


def test_more_layers_than_the_encoder_has_are_refused(toy):
    settings = toy.settings(tasks=tasks(sts={"layers": 3}))
    with pytest.raises(UserError, match=r"tasks\.sts\.layers: found 3, but .* has 2 layers"):
        prepare(settings, ALONE)


def test_fresh_layers_are_drawn_from_the_seed(toy):
    def weights(seed):
        encoder = prepare(
            toy.settings(encoder={"reinitialise": 1}, seed=seed), ALONE
        ).network.encoder
        return [layer.feed_forward.inner.weight for layer in encoder.layers]

    one, same, other = weights(1), weights(1), weights(2)
    assert one[1].equal(same[1])
    assert not one[1].equal(other[1])
    assert one[0].equal(other[0])
