"""A standardised target is training on labels that were standardised in the file, no more."""

import csv
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.toy import TASKS, records

from mtbert.distributed.processes import ALONE
from mtbert.errors import UserError
from mtbert.inference.model import MultitaskModel
from mtbert.model.saved import load_network
from mtbert.objectives.target_scale import RAW, TargetScale
from mtbert.training.setup import prepare

MODES = {
    "finetune": {},
    "parts and surgery": {"training": {"accumulate": 2, "surgery": "pcgrad", "average": 0.9}},
    "frozen": {"encoder": {"mode": "frozen"}},
    "heads first": {"encoder": {"mode": "heads_first", "heads_first_epochs": 1}},
}
SIDES = {"pair_encoding": "separately", "features": "cosine"}


def rewrite(toy, source, target, change):
    """A copy of a file with other labels."""
    with (toy.folder / source).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (toy.folder / target).open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"label": repr(float(change(float(row["label"]))))} for row in rows)


def labels(toy, file):
    with (toy.folder / file).open(newline="") as stream:
        return np.array([float(row["label"]) for row in csv.DictReader(stream)])


def tasks(prefix="sts", **changes):
    sts = TASKS["sts"] | {"range": None, "train": f"{prefix}-train.csv", "dev": f"{prefix}-dev.csv"}
    return {"sst": dict(TASKS["sst"]), "sts": sts | changes}


def answers(output, task="sts"):
    lines = (output / "predictions" / f"{task}-dev.jsonl").read_text().splitlines()
    return np.array([json.loads(line)["prediction"] for line in lines])


@pytest.mark.parametrize("mode", MODES)
def test_it_is_training_on_labels_standardised_by_hand(toy, tmp_path, mode):
    found = labels(toy, "sts-train.csv")
    mean, deviation = found.mean(), found.std()
    for part in ("train", "dev"):
        rewrite(
            toy, f"sts-{part}.csv", f"hand-{part}.csv", lambda label: (label - mean) / deviation
        )
    toy.train(tmp_path / "ours", tasks=tasks(), **MODES[mode])
    toy.train(tmp_path / "hand", tasks=tasks("hand", target="raw"), **MODES[mode])
    expected = [r["loss"] for r in records(tmp_path / "hand", "train")]
    ours = [r["loss"] for r in records(tmp_path / "ours", "train")]
    assert [r["sst"] for r in ours] == pytest.approx([r["sst"] for r in expected], rel=1e-5)
    assert [r["sts"] for r in ours] == pytest.approx(
        [r["sts"] * deviation**2 for r in expected], rel=1e-5
    )
    assert answers(tmp_path / "ours") == pytest.approx(
        mean + deviation * answers(tmp_path / "hand"), rel=1e-5
    )


@pytest.mark.parametrize(("factor", "offset"), [(1e-6, 0), (1e3, 1.7e9), (40, 1900), (1e37, -1e38)])
def test_the_unit_of_the_labels_does_not_matter(toy, tmp_path, factor, offset):
    for part in ("train", "dev"):
        rewrite(toy, f"sts-{part}.csv", f"other-{part}.csv", lambda x: offset + factor * x)
    usual = toy.train(tmp_path / "usual", tasks=tasks())
    other = toy.train(tmp_path / "other", tasks=tasks("other"))
    assert other["dev"]["sst"] == usual["dev"]["sst"]
    assert abs(other["dev"]["sts"]["pearson"]) == pytest.approx(
        abs(usual["dev"]["sts"]["pearson"]), abs=1e-3
    )
    back = (answers(tmp_path / "other") - offset) / factor
    assert back == pytest.approx(answers(tmp_path / "usual"), abs=1e-3)
    runs = (records(tmp_path / r, "train") for r in ("usual", "other"))
    for ours, theirs in zip(*runs, strict=True):
        assert theirs["loss"]["sts"] == pytest.approx(ours["loss"]["sts"] * factor**2, rel=1e-2)


def test_a_fresh_head_answers_about_the_mean(toy):
    prepared = prepare(toy.settings(tasks=tasks()), ALONE)
    scale = prepared.network.heads["sts"].scale
    assert scale.mean == pytest.approx(labels(toy, "sts-train.csv").mean())
    model = MultitaskModel(prepared.network, prepared.tokenizer, 16)
    answer = model.predict("sts", [("a film", "the film")])[0].value
    assert answer == pytest.approx(scale.mean, abs=scale.deviation / 2)
    assert prepared.network.heads["sst"].scale is RAW


def test_a_fresh_cosine_covers_the_range_from_its_low_end_to_its_high_one(toy):
    prepared = prepare(toy.settings(tasks=tasks(range=[0, 5], **SIDES)), ALONE)
    head = prepared.network.heads["sts"]
    same, opposite = torch.ones(1, 2, 16), torch.tensor([[[1.0] * 16, [1.0, -1.0] * 8]])
    outputs = torch.cat([head(opposite), head(same)])[:, 0].detach().double().numpy()
    assert head.scale.restore(outputs) == pytest.approx([0, 5], abs=1e-5)


def test_the_scale_is_kept_with_the_head(toy, tmp_path):
    toy.train(tmp_path / "run", tasks=tasks())
    model = MultitaskModel.from_pretrained(tmp_path / "run")
    found = labels(toy, "sts-train.csv")
    scale = model.network.heads["sts"].scale
    assert (scale.mean, scale.deviation) == pytest.approx((found.mean(), found.std()))
    with (toy.folder / "sts-dev.csv").open(newline="") as stream:
        pairs = [(row["sentence1"], row["sentence2"]) for row in csv.DictReader(stream)]
    told = [answer.value for answer in model.predict("sts", pairs)]
    assert told == pytest.approx(answers(tmp_path / "run"), rel=1e-5)
    again, _ = load_network(tmp_path / "run" / "model")
    assert again.heads["sts"].scale == scale


def test_a_raw_target_leaves_the_files_as_they_were(toy, tmp_path):
    toy.train(tmp_path / "run", tasks=tasks(target="raw"))
    model = tmp_path / "run" / "model"
    assert set(load_file(model / "heads.safetensors")) == {
        f"{task}.linear.{part}" for task in ("sst", "sts") for part in ("weight", "bias")
    }
    meta = json.loads((model / "mtbert.json").read_text())
    assert meta["format"] == 1
    assert all("target" not in task for task in meta["tasks"].values())
    assert load_network(model)[0].tasks["sts"].target == "raw"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.0, "sts.target_deviation: 0, expected above 0"),
        (-1.0, "sts.target_deviation: -1, expected above 0"),
        (float("nan"), "sts.target_deviation: holds NaN or infinity"),
        (None, "sts.target_deviation: missing"),
    ],
)
def test_a_damaged_scale_is_refused(toy, tmp_path, value, told):
    toy.train(tmp_path / "run", tasks=tasks())
    file = tmp_path / "run" / "model" / "heads.safetensors"
    heads = {name: tensor.clone() for name, tensor in load_file(file).items()}
    del heads["sts.target_deviation"]
    if value is not None:
        heads["sts.target_deviation"] = torch.tensor(value, dtype=torch.float64)
    save_file(heads, file)
    (tmp_path / "run" / "model" / "mtbert.files.json").unlink()
    with pytest.raises(UserError, match=told):
        load_network(tmp_path / "run" / "model")


def test_a_task_that_uses_a_head_answers_on_its_scale(toy, tmp_path):
    both = tasks()
    both["again"] = {"kind": "pair_regression", "uses": "sts", "dev": "sts-dev.csv"}
    both["again"]["pair_encoding"] = "both_orders"
    toy.train(tmp_path / "run", tasks=both)
    assert answers(tmp_path / "run", "again").tolist() == answers(tmp_path / "run").tolist()


def test_one_label_alone_has_the_deviation_one(toy):
    rewrite(toy, "sts-train.csv", "one-train.csv", lambda _: 3.0)
    prepared = prepare(toy.settings(tasks=tasks(train="one-train.csv")), ALONE)
    assert prepared.network.heads["sts"].scale == TargetScale(3.0, 1.0)
