import logging
import math

import pytest
from support.toy import model_bytes, records

from mtbert.config.tasks import TaskSettings
from mtbert.config.training import TrainingSettings
from mtbert.methods.base import Progress
from mtbert.runs.state import State
from mtbert.training.imbalance import dominant, warn_of_imbalance, what_helps
from mtbert.training.phase_methods import PhaseMethods

LOSSES = {"queue": 1.79, "urgency": 30.0, "pairs": 0.69}
FIRST = {task: [loss] for task, loss in LOSSES.items()}
TASKS = {
    "queue": TaskSettings(kind="classification", labels=("a", "b"), train="a.csv"),
    "urgency": TaskSettings(kind="regression", target="raw", range=(0, 10), train="a.csv"),
    "pairs": TaskSettings(kind="pair_classification", train="a.csv"),
}
TICKETS = {"queue": 1.56, "urgency": 31.8, "pairs": 1.26}


def test_the_longest_is_compared_with_the_geometric_mean_of_the_others():
    task, times = dominant(TICKETS, LOSSES, FIRST)
    assert task == "urgency"
    assert times == pytest.approx(31.8 / math.sqrt(1.56 * 1.26))


def test_a_task_that_has_learned_needs_no_long_gradient():
    norms = TICKETS | {"queue": 1e-6}
    learned = LOSSES | {"queue": 0.01}
    assert dominant(norms, learned, FIRST)[1] == pytest.approx(31.8 / 1.26)
    assert dominant(norms, learned | {"pairs": 0.01}, FIRST) is None


@pytest.mark.parametrize(
    "norms", [{"urgency": 31.8}, {}, TICKETS | {"queue": math.nan}, TICKETS | {"queue": 0.0}]
)
def test_nothing_can_be_said_of_one_task_or_of_no_numbers(norms):
    assert dominant(norms, LOSSES, FIRST) is None


@pytest.fixture
def warned(caplog):
    """Measurements one after the other → for each the number of warnings after it."""
    state = State()

    def see(*found):
        counts = []
        for one in found:
            state.step += 1
            warn_of_imbalance(one, TASKS, state)
            counts.append(len(caplog.records))
        return counts

    with caplog.at_level(logging.WARNING):
        yield see


MUCH, LITTLE, OTHER = ("urgency", 20.0), ("urgency", 3.0), ("queue", 8.0)


def test_it_is_said_once_after_a_while(warned, caplog):
    assert warned(MUCH, MUCH, MUCH, MUCH, MUCH) == [0, 0, 1, 1, 1]
    assert caplog.messages == [
        "task urgency, step 3: its gradient on what the tasks share is 20 times as long as the "
        "others' and drowns them. What helps: `tasks.urgency.target: standardised`; "
        "`tasks.urgency.loss: binary_cross_entropy`; `tasks.urgency.loss_weight: 0.05`; "
        "`training.weighting: gradnorm`; `training.weighting: equal_norm`"
    ]


def test_a_while_is_measurements_in_a_row_of_one_task(warned):
    assert warned(MUCH, MUCH, LITTLE, MUCH, MUCH, OTHER, MUCH, MUCH, None, MUCH) == [0] * 10


def test_it_is_said_again_when_it_is_another_task(warned):
    assert warned(MUCH, MUCH, MUCH, OTHER, OTHER, OTHER, OTHER) == [0, 0, 1, 1, 1, 2, 2]


EQUAL = ["`training.weighting: gradnorm`", "`training.weighting: equal_norm`"]
"""Weightings that look at the norms."""


def test_what_helps_depends_on_the_task():
    standardised = TaskSettings(kind="regression", train="a.csv")
    assert what_helps("years", standardised, 7) == [
        "`tasks.years.loss: binary_cross_entropy` with a `range`",
        "`tasks.years.loss_weight: 0.1`",
        *EQUAL,
    ]
    assert what_helps("queue", TASKS["queue"], 10) == ["`tasks.queue.loss_weight: 0.1`", *EQUAL]


def rows(toy, name, change):
    """Pairs of the toy world with other labels."""
    for part in ("train", "dev"):
        head, *lines = (toy.folder / f"sts-{part}.csv").read_text("utf-8").splitlines()
        cells = [line.rpartition(",") for line in lines]
        changed = [f"{texts},{change(float(label))!r}" for texts, _, label in cells]
        (toy.folder / f"{name}-{part}.csv").write_text("\n".join([head, *changed]) + "\n")
    return {"train": f"{name}-train.csv", "dev": f"{name}-dev.csv", "range": None}


@pytest.mark.parametrize(
    ("target", "more", "expected"),
    [
        ("raw", {}, 1),
        ("raw", {"training": {"surgery": "pcgrad"}}, 1),
        ("raw", {"encoder": {"mode": "frozen"}}, 0),
        ("raw", {"encoder": {"mode": "heads_first", "heads_first_epochs": 1}}, 1),
        ("standardised", {}, 0),
        ("standardised", {"training": {"surgery": "pcgrad"}}, 0),
    ],
)
def test_a_run_warns_of_a_large_unit_and_not_of_a_standardised_one(
    toy, tmp_path, caplog, target, more, expected
):
    tasks = toy.tree("sst", "para", "sts")["tasks"]
    tasks["sts"] |= rows(toy, "large", lambda x: 200 * x) | {"target": target}
    changes = {"training": {"epochs": 3, "learning_rate": 1e-5, **more.pop("training", {})}, **more}
    summary = toy.train(tmp_path / "run", tasks=tasks, **changes)
    told = [r.message for r in caplog.records if "drowns them" in r.message]
    assert len(told) == expected
    assert summary["dominant_gradient"] == ("sts" if expected else None)
    assert all("`tasks.sts.target: standardised`" in message for message in told)


def test_one_task_alone_has_nobody_to_drown(toy, tmp_path, caplog):
    tasks = {"sts": toy.tree("sts")["tasks"]["sts"] | rows(toy, "alone", lambda x: 1e3 * x)}
    toy.train(tmp_path / "run", tasks=tasks)
    assert "drowns" not in caplog.text


@pytest.mark.parametrize("more", [{}, {"accumulate": 2}])
def test_watching_changes_no_bit_of_the_weights(toy, tmp_path, monkeypatch, more):
    training = {"epochs": 3, "gradients_every": 1000, **more}
    toy.train(tmp_path / "watched", training=training)
    monkeypatch.setattr(PhaseMethods, "watches", lambda self, step, at: False)
    toy.train(tmp_path / "alone", training=training)
    assert model_bytes(tmp_path / "watched") == model_bytes(tmp_path / "alone")
    assert records(tmp_path / "watched") == records(tmp_path / "alone")


def test_the_first_steps_of_each_phase_are_watched_and_every_one_that_is_measured():
    methods = PhaseMethods(TrainingSettings(gradients_every=50), ["a", "b"], State())
    watched = [s for s in range(1, 201) if methods.watches(s, Progress(s - 1, 200, 0, 1))]
    assert watched == [1, 2, 4, 8, 16, 32, 50, 100, 150, 200]
    second = [s for s in range(301, 321) if methods.watches(s, Progress(s - 301, 20, 0, 1))]
    assert second == [301, 302, 304, 308, 316]
