import pytest
import torch

from mtbert.methods.base import Progress
from mtbert.methods.weighting.dynamic_average import DynamicAverage

AT = Progress(0, 1, 0, 1)
EPOCHS = [
    {"a": 1.0, "b": 4.0, "c": 0.2},
    {"a": 0.5, "b": 3.8, "c": 0.1},
    {"a": 0.4, "b": 1.9, "c": 0.11},
]


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_weights_are_those_of_the_equation_by_hand(temperature):
    weighting = DynamicAverage(temperature=temperature)
    state, found = weighting.start(["a", "b", "c"]), []
    for means in EPOCHS:
        found.append(weighting.weights(state, AT))
        state = weighting.end_epoch(state, means)
    found.append(weighting.weights(state, AT))
    assert found[0] == found[1] == dict.fromkeys("abc", 1.0)
    for weights, ratios in zip(found[2:], ([0.5, 0.95, 0.5], [0.8, 0.5, 1.1]), strict=True):
        expected = 3 * (torch.tensor(ratios, dtype=torch.float64) / temperature).softmax(0)
        assert list(weights.values()) == pytest.approx(expected.tolist(), rel=1e-12)


def test_a_task_that_an_epoch_did_not_see_keeps_its_ratio():
    weighting = DynamicAverage()
    state = weighting.start(["a", "b"])
    for means in ({"a": 1.0, "b": 1.0}, {"a": 0.5}, {"a": 0.5, "b": 0.25}):
        state = weighting.end_epoch(state, means)
    assert state["ratios"] == {"a": 1.0, "b": 0.25}
