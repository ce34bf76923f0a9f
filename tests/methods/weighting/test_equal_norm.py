import pytest

from mtbert.methods.base import Progress
from mtbert.methods.weighting.equal_norm import EqualNorm

AT = Progress(0, 1, 0, 1)
RAW = {"a": 2.0, "b": 30.0, "c": 0.1}


def after(weighting, state, raw):
    """The state after a step in which the gradients had these norms before the weights."""
    given = weighting.weights(state, AT)
    norms = {task: given.get(task, 1.0) * norm for task, norm in raw.items()}
    return weighting.observe(state, dict.fromkeys(raw, 1.0), norms, AT)


def test_norms_that_stay_are_made_equal_to_their_mean_at_once():
    weighting = EqualNorm()
    state = weighting.start(list(RAW))
    assert weighting.weights(state, AT) == {}
    for _ in range(4):
        state = after(weighting, state, RAW)
        lengths = {task: w * RAW[task] for task, w in weighting.weights(state, AT).items()}
        assert lengths == pytest.approx(dict.fromkeys(RAW, 32.1 / 3))


def test_means_are_those_of_the_norms_before_the_weights():
    weighting = EqualNorm(memory=0.75)
    state = weighting.start(["a", "b"])
    for raw in ({"a": 1.0, "b": 4.0}, {"a": 3.0}, {"a": 2.0, "b": 8.0}):
        state = after(weighting, state, raw)
    a = 0.75 * (0.75 * 1 + 0.25 * 3) + 0.25 * 2
    b = 0.75 * 4 + 0.25 * 8
    mean = (a + b) / 2
    assert weighting.weights(state, AT) == pytest.approx({"a": mean / a, "b": mean / b})


def test_a_frozen_encoder_and_a_gradient_of_zero_leave_weights_of_one():
    weighting = EqualNorm()
    state = weighting.observe(weighting.start(["a", "b"]), {"a": 1.0}, None, AT)
    assert weighting.weights(state, AT) == {}
    state = after(weighting, state, {"a": 2.0, "b": 0.0})
    assert weighting.weights(state, AT) == {"a": 1.0}
