"""What a run does to weights, scores and metrics.jsonl."""

import itertools
import json
import math
from types import SimpleNamespace

import pytest
import torch
from support.toy import model_bytes, records

from mtbert.model.encoders.base import Encoder
from mtbert.training import step as computation
from mtbert.training.nonfinite import NonFiniteLoss
from mtbert.training.optimizer import AdamW
from mtbert.training.trainer import Trainer


def weights(network):
    return {name: p.detach().clone() for name, p in network.partition.all.items()}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def spy(monkeypatch):
    """Weights before each step, after the last one and at each evaluation; gradient norms."""
    seen = SimpleNamespace(before=[], last=None, evaluated=[], norms=[], network=None)
    train_step, evaluate, update = Trainer._train_step, Trainer._evaluate, AdamW.step

    def spied_train_step(self, *args):
        seen.network = self.network
        seen.before.append(weights(self.network))
        train_step(self, *args)
        seen.last = weights(self.network)

    def spied_evaluate(self, *args):
        seen.evaluated.append(weights(self.network))
        evaluate(self, *args)

    def spied_update(self, grad_scale, found_inf):
        grads = [p.grad for g in self.param_groups for p in g["params"] if p.grad is not None]
        norm = math.sqrt(sum(float(g.to_dense().double().square().sum()) for g in grads))
        seen.norms.append(norm if grad_scale is None else norm / grad_scale.item())
        update(self, grad_scale=grad_scale, found_inf=found_inf)

    monkeypatch.setattr(Trainer, "_train_step", spied_train_step)
    monkeypatch.setattr(Trainer, "_evaluate", spied_evaluate)
    monkeypatch.setattr(AdamW, "step", spied_update)
    return seen


def test_losses_fall_on_a_task_that_can_be_learned(toy, tmp_path):
    summary = toy.train(tmp_path / "run", "sst", training={"epochs": 12, "learning_rate": 3e-3})
    losses = [record["loss"]["sst"] for record in records(tmp_path / "run", "train")]
    assert len(losses) == 48
    assert sum(losses[-8:]) < 0.4 * sum(losses[:8])
    assert (summary["dev"]["sst"]["accuracy"], summary["dev"]["sst"]["f1"]) == (1.0, 1.0)


def test_a_run_is_a_function_of_its_seed(toy, tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        toy.train(tmp_path / name, seed=seed, training={"surgery": "pcgrad"})
    metrics = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in "abc"]
    assert metrics[0] == metrics[1] != metrics[2]
    models = [model_bytes(tmp_path / name) for name in "abc"]
    assert models[0] == models[1]
    for file in models[0]:
        assert models[0][file] != models[2][file]


def test_evaluations_in_between_do_not_change_the_training(toy, tmp_path, spy):
    toy.train(tmp_path / "a")
    last = spy.last
    toy.train(tmp_path / "b", training={"evaluate_every": 1})
    assert equal(spy.last, last)
    assert records(tmp_path / "a", "train") == records(tmp_path / "b", "train")
    assert [r["step"] for r in records(tmp_path / "b", "dev")] == [1, 2, 3, 4, 5, 6]


def test_the_last_step_is_evaluated_though_it_is_not_its_turn(toy, tmp_path):
    toy.train(tmp_path / "run", training={"evaluate_every": 4})
    dev = records(tmp_path / "run", "dev")
    assert [(r["epoch"], r["step"]) for r in dev] == [(2, 4), (2, 6)]


def test_a_loss_that_is_not_finite_stops_the_run_before_weights_change(toy, tmp_path, spy):
    (tmp_path / "t.csv").write_text("sentence1,sentence2,label\na cat,a dog,1e30\n")
    tree = toy.tree("sst", "sts")
    tree["tasks"]["sts"] |= {"train": str(tmp_path / "t.csv"), "range": None, "target": "raw"}
    with pytest.raises(NonFiniteLoss, match="task sts, step 1: the loss is inf; examples 1;"):
        toy.train(tmp_path / "run", tasks=tree["tasks"])
    assert equal(weights(spy.network), spy.before[-1])
    assert [r["kind"] for r in records(tmp_path / "run")] == ["non_finite"]
    assert not (tmp_path / "run" / "model").exists()
    assert not (tmp_path / "run" / "summary.json").exists()


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_gradient_that_is_not_finite_stops_the_run_before_weights_change(
    toy, tmp_path, spy, monkeypatch, clip
):
    compute_gradients = computation.compute_gradients

    def broken(network, *args, **kwargs):
        found = compute_gradients(network, *args, **kwargs)
        if len(spy.before) == 3:
            network.encoder.pooler.bias.grad = torch.full((16,), math.nan)
        return found

    monkeypatch.setattr(computation, "compute_gradients", broken)
    with pytest.raises(NonFiniteLoss, match="step 3"):
        toy.train(tmp_path / "run", training={"clip": clip})
    assert equal(weights(spy.network), spy.before[2])


def test_a_cap_shortens_every_epoch(toy, tmp_path):
    training = {"steps_per_epoch": 2, "epochs": 3, "batching": "method2"}
    assert toy.train(tmp_path / "run", training=training)["steps"] == 6
    assert [r["epoch"] for r in records(tmp_path / "run", "train")] == [1, 1, 2, 2, 3, 3]


def test_heads_first_trains_the_heads_alone_and_then_everything(toy, tmp_path, spy):
    encoder = {"mode": "heads_first", "heads_first_epochs": 2}
    summary = toy.train(tmp_path / "run", "sst", encoder=encoder)
    logged = [(r["phase"], r["epoch"]) for r in records(tmp_path / "run", "train")]
    assert list(dict.fromkeys(logged)) == [("heads", 1), ("heads", 2), ("all", 3), ("all", 4)]
    assert summary["steps"] == 16
    assert unchanged(spy.before, "encoder.") == [True] * 8 + [False] * 7
    assert unchanged(spy.before, "heads.") == [False] * 15


def unchanged(history, part):
    """For each weights but the last, whether a part of them is the same one step later."""
    parts = [{n: t for n, t in found.items() if n.startswith(part)} for found in history]
    return [equal(a, b) for a, b in itertools.pairwise(parts)]


def test_a_frozen_encoder_stays_as_it_was_and_encodes_each_text_once(toy, tmp_path, monkeypatch):
    encoded = []
    encode = Encoder.encode

    def counted(self, token_ids, segment_ids, layout, *args, **kwargs):
        encoded.append(len(layout.lengths))
        return encode(self, token_ids, segment_ids, layout, *args, **kwargs)

    monkeypatch.setattr(Encoder, "encode", counted)
    summary = toy.train(tmp_path / "run", encoder={"mode": "frozen"}, training={"epochs": 5})
    # Train and dev texts; pairs that are encoded separately, or in both orders, are two.
    assert sum(encoded) == (16 + 8) + 2 * (12 + 6) + 2 * (20 + 10)
    assert summary["tokens"] == 16 * 5 + 12 * 8 + 2 * 20 * 7
    assert summary["encoding_seconds"] > 0
    before = Encoder.from_pretrained(str(toy.encoder))
    after = Encoder.from_pretrained(str(tmp_path / "run" / "model"))
    assert equal(dict(before.named_parameters()), dict(after.named_parameters()))
    assert {r["learning_rate"] for r in records(tmp_path / "run", "train")} == {0.0}


def test_surgery_logs_norms_cosines_and_weights_of_every_logged_step(toy, tmp_path):
    toy.train(tmp_path / "run", training={"surgery": "pcgrad", "epochs": 4, "log_every": 3})
    found = records(tmp_path / "run", "train")
    assert [r["step"] for r in found] == [1, 3, 6, 9, 12]
    pairs = ["sst/para", "sst/sts", "para/sts"]
    for record in found:
        assert list(record["task_gradient_norm"]) == ["sst", "para", "sts"]
        assert list(record["gradient_cosine"]) == pairs
        assert all(-1 <= cosine <= 1 for cosine in record["gradient_cosine"].values())
        conflict = any(cosine < 0 for cosine in record["gradient_cosine"].values())
        weights = record["surgery_weights"].values()
        assert all(w >= 1 for w in weights)
        assert any(w > 1 for w in weights) == conflict


def test_without_surgery_gradients_are_measured_now_and_then(toy, tmp_path):
    toy.train(tmp_path / "run", training={"gradients_every": 4, "log_every": 3})
    measured = {r["step"]: "gradient_cosine" in r for r in records(tmp_path / "run", "train")}
    assert measured == {1: True, 3: False, 4: True, 6: False}
    assert "surgery_weights" not in json.dumps(records(tmp_path / "run"))


def test_learning_rates_follow_the_formula(toy, tmp_path):
    training = {
        "schedule": "linear", "warmup": 0.25, "learning_rate": 2e-4, "head_learning_rate": 1e-2,
    }  # fmt: skip
    toy.train(tmp_path / "run", "sst", training=training)
    found = records(tmp_path / "run", "train")
    # 8 steps: 2 of warm-up, then 6 of a line from 1 towards 0.
    expected = [1 / 2, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    assert [r["learning_rate"] for r in found] == pytest.approx([2e-4 * f for f in expected])
    assert [r["head_learning_rate"] for r in found] == pytest.approx([1e-2 * f for f in expected])


def test_a_small_rate_moves_the_encoder_little_and_a_separate_one_the_heads(toy, tmp_path, spy):
    training = {"learning_rate": 1e-6, "head_learning_rate": 1e-2, "steps_per_epoch": 1}
    toy.train(tmp_path / "run", "sst", training=training)
    first, second = spy.before
    # The first update of Adam is the rate times the gradient's sign.
    for name in first:
        moved = float((second[name] - first[name]).abs().max())
        assert moved < 1.1e-6 if name.startswith("encoder") else 0.9e-2 < moved < 1.1e-2


def test_clip_bounds_the_norm_of_the_whole_gradient(toy, tmp_path, spy):
    toy.train(tmp_path / "run", training={"clip": 0.5})
    logged = [r["gradient_norm"] for r in records(tmp_path / "run", "train")]
    assert min(logged) > 0.5
    assert spy.norms == pytest.approx([0.5] * 6, rel=1e-4)


def test_tokens_are_real_ones_and_speed_is_over_the_steps_alone(toy, tmp_path):
    summary = toy.train(tmp_path / "run")
    # [CLS] + 3 words + [SEP]; twice [CLS] + 2 words + [SEP]; [CLS] + 2 + [SEP] + 2 + [SEP].
    step = 4 * (5 + 8 + 7)
    assert [r["tokens"] for r in records(tmp_path / "run", "train")] == [
        step * n for n in range(1, 7)
    ]
    assert summary["tokens"] == 6 * step
    assert summary["tokens_per_second"] == pytest.approx(6 * step / summary["step_seconds"])
    assert summary["step_seconds"] + summary["evaluation_seconds"] < summary["seconds"]
