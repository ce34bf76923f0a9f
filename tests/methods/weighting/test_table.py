"""What holds for every weighting."""

import json

import pytest

from mtbert.methods.base import Progress
from mtbert.methods.weighting.fixed import Fixed
from mtbert.methods.weighting.table import DEFAULT_WEIGHTING, WEIGHTINGS

TASKS = ["a", "b", "c"]
LOSSES = {"a": 0.5, "b": 2.0, "c": 1e-3}
NORMS = {"a": 1.0, "b": 30.0, "c": 1e-2}

each = pytest.mark.parametrize("kind", WEIGHTINGS)


def trained(weighting, steps=6, through_json=False):
    """The weights of some steps of two epochs."""
    state, found = weighting.start(TASKS), []
    norms = NORMS if weighting.needs_norms else None
    for step in range(steps):
        if through_json:
            state = json.loads(json.dumps(state))
        at = Progress(step, steps, 2 * step // steps, 2, seed=step)
        found.append(weighting.weights(state, at))
        state = weighting.observe(state, {t: x / (step + 1) for t, x in LOSSES.items()}, norms, at)
        if step == steps // 2 - 1:
            state = weighting.end_epoch(state, LOSSES)
    return found


@each
def test_weights_are_positive_and_of_known_tasks(kind):
    for weights in trained(kind()):
        assert weights.keys() <= set(TASKS)
        assert all(weight > 0 for weight in weights.values())


@each
def test_a_state_that_was_saved_goes_on_exactly(kind):
    assert trained(kind(), through_json=True) == trained(kind())


@each
def test_no_state_is_changed_in_place(kind):
    weighting, at = kind(), Progress(0, 2, 0, 1)
    state = weighting.start(TASKS)
    before = json.dumps(state)
    weighting.weights(state, at)
    weighting.observe(state, LOSSES, NORMS if weighting.needs_norms else None, at)
    weighting.end_epoch(state, LOSSES)
    assert json.dumps(state) == before


def test_fixed_changes_no_task_and_remembers_nothing():
    assert trained(Fixed()) == [{}] * 6
    assert Fixed().start(TASKS) == {}
    assert Fixed().observe({}, LOSSES, None, Progress(0, 1, 0, 1)) == {}


def test_names_differ_and_fixed_is_the_default():
    names = [kind().name for kind in WEIGHTINGS]
    assert len(set(names)) == len(names)
    assert Fixed() == DEFAULT_WEIGHTING
