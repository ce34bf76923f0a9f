import math

import pytest
import torch
from support.objectives import decode_one, normal, regression, task_of, two

from mtbert.objectives import binary_cross_entropy
from mtbert.objectives.base import Prediction
from mtbert.objectives.table import example_losses


def test_binary_cross_entropy_of_two_classes():
    outputs, labels = normal(5, 1), torch.tensor([0.0, 1, 1, 0, 1])
    p = torch.sigmoid(outputs[:, 0])
    expected = -torch.where(labels == 1, p.log(), (1 - p).log())
    found = example_losses(two("binary_cross_entropy"), outputs, labels)
    torch.testing.assert_close(found, expected)


def test_binary_cross_entropy_of_a_bounded_regression_scales_the_labels_to_0_and_1():
    task = regression(loss="binary_cross_entropy", range=(1, 5))
    outputs, labels = normal(4, 1), torch.tensor([1.0, 2.0, 3.5, 5.0])
    target, p = torch.tensor([0.0, 0.25, 0.625, 1.0]), torch.sigmoid(outputs[:, 0])
    expected = -(target * p.log() + (1 - target) * (1 - p).log())
    torch.testing.assert_close(example_losses(task, outputs, labels), expected)


def test_binary_cross_entropy_of_a_regression_is_least_at_the_label():
    task = regression(loss="binary_cross_entropy", range=(0, 5))
    grid = torch.linspace(-6, 6, 1201)
    losses = example_losses(task, grid.unsqueeze(1), torch.full((1201,), 3.0))
    assert 5 * torch.sigmoid(grid[losses.argmin()]).item() == pytest.approx(3.0, abs=0.01)


def test_binary_cross_entropy_gives_the_sigmoid_by_hand():
    task = task_of(loss="binary_cross_entropy")
    answer = decode_one(task, math.log(3))
    assert (answer.value, answer.label) == (1, "yes")
    assert answer.score == pytest.approx(3 / 4)
    assert answer.probabilities == pytest.approx({"no": 1 / 4, "yes": 3 / 4})
    assert decode_one(task, -math.log(3)).label == "no"
    assert decode_one(task, -math.log(3)).score == pytest.approx(3 / 4)
    assert decode_one(task, 0.0).value == 0


def test_a_bounded_regression_stays_in_its_range():
    task = task_of(kind="regression", range=[-1, 5], loss="binary_cross_entropy")
    assert decode_one(task, 0.0).value == 2.0
    assert decode_one(task, math.log(3)).value == pytest.approx(-1 + 6 * 3 / 4)
    assert decode_one(task, 1e4) == Prediction(5.0, None, 5.0, None)
    assert decode_one(task, -1e4).value == -1.0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e4, 1e300])
def test_huge_logits_do_not_overflow(size):
    binary = task_of(loss="binary_cross_entropy")
    assert decode_one(binary, size).score == 1.0
    assert decode_one(binary, -size).probabilities == {"no": 1.0, "yes": 0.0}


def test_there_is_one_logit_and_a_cosine_goes_across_nearly_all_probabilities():
    task = two("binary_cross_entropy")
    assert binary_cross_entropy.outputs(task) == 1
    scale, offset = binary_cross_entropy.cosine_start(task)
    low, high = (1 / (1 + math.exp(-(scale * cosine + offset))) for cosine in (0, 1))
    assert (low, high) == pytest.approx((0.0067, 0.9933), abs=1e-4)
