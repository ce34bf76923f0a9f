import dataclasses
import json

import pytest

from mtbert.errors import UserError
from mtbert.runs.state import State

FULL = State(
    phase=1, epoch=2, step_in_epoch=3, step=4, phase_step=5, best_score=0.5, best_step=6,
    best_epoch=7, best_dev={"a": {"pearson": None}}, best_others={"a/b": {"f1": 0.25}}, waited=8,
    stopped_early=True, rate_factor=0.5, left_out={"a": 1}, first_losses={"a": [1.5]},
    exploded={"a": 9}, parts=4, out_of_memory=2, token_budget=1024, updates={"w": 3}, tokens=10,
    methods={"weighting": {"a": 0.1, "seen": [1, None]}}, epoch_losses={"a": (0.3, 2)},
    step_seconds=0.1, step_cpu_seconds=0.15, encoding_seconds=0.2, evaluation_seconds=0.3,
    run_seconds=0.4, recent_losses={"a": (0.3, 2)}, dominance=[("a", 7.5)], told_dominant="a",
    best_one_answer={"a": "all 3 dev rows get 'x'"}, target_scales={"a": (0.5, 2.0, 7)},
    best_target_scales={"a": (0.4, 1.0, 3)},
)  # fmt: skip


def test_a_state_returns_from_json():
    defaults = State()
    for field in dataclasses.fields(State):
        assert getattr(FULL, field.name) != getattr(defaults, field.name), "set it above"
    for state in (FULL, defaults):
        assert State.from_json(json.loads(json.dumps(dataclasses.asdict(state))), "x") == state


def test_fields_that_a_state_lacks_have_their_first_value():
    assert State.from_json({"step": 3}, "x") == State(step=3)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"step": "3"}, "x: step: "),
        ({"step": 3.5}, "x: step: "),
        ({"step": True}, "x: step: "),
        ({"step": None}, "x: step: "),
        ({"best_dev": {"a": 3}}, "x: best_dev.a: "),
        ({"later": 1}, "x: later: "),
        ({"first_losses": {"a": ["b"]}}, "x: first_losses.a.0: "),
    ],
)
def test_a_state_of_another_form_is_refused_by_name(values, told):
    with pytest.raises(UserError) as error:
        State.from_json(values, "x")
    assert str(error.value).startswith(told)
