"""Every member of a family: a run with it goes on exactly after any stop, and with processes."""

import pytest
from support.ranks import Ranks, train_wide
from support.toy import records, results, write_encoder

from mtbert.methods.aggregation.table import AGGREGATORS
from mtbert.methods.sampling.table import SAMPLERS
from mtbert.methods.weighting.table import WEIGHTINGS
from mtbert.training.run import Interrupted
from mtbert.training.trainer import Trainer

MODES = {
    "finetune": {},
    "frozen": {"mode": "frozen"},
    "heads first": {"mode": "heads_first", "heads_first_epochs": 1},
}
TRAINING = {
    "epochs": 3,
    "steps_per_epoch": 2,
    "surgery": "pcgrad",
    "clip": 1.0,
    "accumulate": 2,
    "average": 0.9,
}
FIXED = WEIGHTINGS[0]().name
CONSTRAINED = [kind().name for kind in AGGREGATORS if kind.takes_references]
LEARNING = [kind().name for kind in WEIGHTINGS if kind.observes]


def goes_on_exactly(toy, folder, monkeypatch, **changes):
    """Train to the end, and once more with a stop after every step."""
    steps = toy.train(folder / "whole", **changes)["steps"]
    after_step = Trainer._after_step

    def stopping(self, *args):
        after_step(self, *args)
        self._interruption.requested = True

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_after_step", stopping)
        for _ in range(steps):
            with pytest.raises(Interrupted):
                toy.train(folder / "parts", resume=True, **changes)
    toy.train(folder / "parts", resume=True, **changes)
    assert results(folder / "parts") == results(folder / "whole")


@pytest.mark.parametrize("weighting", [kind().name for kind in WEIGHTINGS])
@pytest.mark.parametrize("mode", ["finetune", "heads first"])
def test_a_run_with_any_weighting_goes_on_exactly(toy, tmp_path, monkeypatch, weighting, mode):
    training = {**TRAINING, "weighting": weighting}
    goes_on_exactly(toy, tmp_path, monkeypatch, encoder=MODES[mode], training=training)


@pytest.mark.parametrize("surgery", CONSTRAINED)
def test_a_run_with_constraints_goes_on_exactly(toy, tmp_path, monkeypatch, surgery):
    training = {**TRAINING, "epochs": 2, "steps_per_epoch": 5, "batching": "sequential"}
    goes_on_exactly(toy, tmp_path, monkeypatch, training={**training, "surgery": surgery})
    stages = results(tmp_path / "whole")["summary"]["forgetting"]["stages"]
    assert [stage["task"] for stage in stages] == ["sst", "para", "sts"]


@pytest.mark.parametrize("batching", [kind().name for kind in SAMPLERS])
def test_a_run_with_any_sampler_goes_on_exactly(toy, tmp_path, monkeypatch, batching):
    training = {**TRAINING, "epochs": 2, "steps_per_epoch": 4, "batching": batching}
    goes_on_exactly(toy, tmp_path, monkeypatch, training=training)


@pytest.mark.parametrize(
    ("weighting", "batching", "surgery"),
    [
        *((name, "method3", "pcgrad") for name in LEARNING),
        (FIXED, "round_robin", "pcgrad"),
        (LEARNING[0], "annealed", "pcgrad"),
        *((FIXED, "sequential", name) for name in CONSTRAINED),
    ],
)
def test_two_processes_train_as_one_does(toy, tmp_path, weighting, batching, surgery):
    """In float64 and without dropout, of which each process has its own."""
    rates = dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), 0.0)
    encoder = write_encoder(tmp_path / "encoder", **rates)
    training = {**TRAINING, "weighting": weighting, "batching": batching, "accumulate": 1}
    training["surgery"] = surgery
    tree = toy.tree(encoder={"path": str(encoder)}, training=training)
    tasks = {name: {**task, "dropout": 0.0} for name, task in tree["tasks"].items()}
    config = toy.config(
        tmp_path / "toy.json", tasks=tasks, encoder={"path": str(encoder)}, training=training
    )
    found = {}
    for size in (1, 2):
        output = tmp_path / f"run{size}"
        arguments = ("--quiet", "train", config, "--output", output)
        Ranks(size, tmp_path / f"ranks{size}", train_wide, *arguments).finish()
        found[size] = records(output, "train")
    for one, two in zip(found[1], found[2], strict=True):
        assert two["loss"].keys() == one["loss"].keys()
        for key in ("loss", "loss_weights"):
            assert two.get(key, {}) == pytest.approx(one.get(key, {}), rel=1e-9)
    assert ("loss_weights" in found[1][-1]) == (weighting != FIXED)


@pytest.mark.parametrize("mode", ["frozen", "heads first"])
def test_while_no_shared_parameter_learns_norms_leave_the_weights_alone(toy, tmp_path, mode):
    for weighting in [kind().name for kind in WEIGHTINGS if kind.needs_norms]:
        training = {"epochs": 1, "weighting": weighting}
        toy.train(tmp_path / weighting, encoder=MODES[mode], training=training)
        for record in records(tmp_path / weighting, "train"):
            if record["phase"] == "heads":
                assert set(record.get("loss_weights", {}).values()) <= {1.0}
        assert (record["phase"] == "heads") == (mode == "frozen")
