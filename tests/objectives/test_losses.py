import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_class_weight
from torch import Generator
from torch.nn import functional

from mtbert.config.tasks import TaskSettings
from mtbert.objectives.losses import class_weights, example_losses, example_weights


def classes(**changes):
    return TaskSettings(kind="classification", labels=("a", "b", "c"), train="t.csv", **changes)


def two(loss):
    return TaskSettings(kind="pair_classification", train="t.csv", loss=loss)


def regression(**changes):
    return TaskSettings(kind="regression", train="t.csv", **changes)


def normal(*shape):
    return torch.randn(shape, generator=Generator().manual_seed(0))


def test_cross_entropy_is_minus_the_log_of_the_labels_probability():
    outputs, labels = normal(6, 3), torch.tensor([0.0, 1, 2, 2, 1, 0])
    found = example_losses(classes(), outputs, labels)
    probabilities = torch.softmax(outputs, 1).numpy()
    expected = [-np.log(row[int(label)]) for row, label in zip(probabilities, labels, strict=True)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)
    assert found.mean().item() == pytest.approx(log_loss(labels, probabilities), rel=1e-5)


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


@pytest.mark.parametrize("task", [regression(), regression(range=(0, 5)), two("mse")])
def test_mean_squared_error(task):
    outputs, labels = torch.tensor([[0.5], [2.0], [-1.0]]), torch.tensor([1.0, 0.0, 1.0])
    assert example_losses(task, outputs, labels).tolist() == [0.25, 4.0, 4.0]


@pytest.mark.parametrize(
    "task", [classes(), two("binary_cross_entropy"), regression(range=(0, 5), loss="mse")]
)
def test_there_is_one_finite_loss_an_example_however_large_the_output(task):
    outputs = torch.full((3, task.outputs), 1e4)
    losses = example_losses(task, outputs, torch.tensor([0.0, 1.0, 1.0]))
    assert losses.shape == (3,)
    assert losses.isfinite().all()


@given(st.lists(st.integers(0, 2), min_size=1, max_size=50))
def test_balanced_weights_are_scikit_learns(labels):
    labels = [*labels, 0, 1, 2]
    found = class_weights(classes(class_weights="balanced"), torch.tensor(labels).float())
    expected = compute_class_weight("balanced", classes=np.arange(3), y=np.array(labels))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    assert example_weights(torch.tensor(labels), found).mean().item() == pytest.approx(1, rel=1e-5)


def test_a_class_without_examples_has_no_balanced_weight():
    found = class_weights(classes(class_weights="balanced"), torch.tensor([0.0, 0, 0, 2]))
    assert found.tolist() == pytest.approx([4 / 9, 0, 4 / 3])


def test_weights_are_the_list_that_was_asked_for_or_nothing():
    found = class_weights(classes(class_weights=(1, 2, 0.5)), torch.tensor([0.0]))
    assert found.tolist() == [1, 2, 0.5]
    assert class_weights(classes(), torch.tensor([0.0])) is None
    assert class_weights(regression(), torch.tensor([0.3])) is None


def test_an_examples_weight_is_its_classes_or_one():
    labels = torch.tensor([2.0, 0.0, 2.0])
    assert example_weights(labels, torch.tensor([3.0, 4.0, 5.0])).tolist() == [5, 3, 5]
    assert example_weights(labels, None).tolist() == [1, 1, 1]


def test_the_weighted_mean_is_torchs():
    outputs, labels, weights = normal(6, 3), torch.tensor([0.0, 1, 2, 2, 1, 0]), normal(3).exp()
    losses, factors = example_losses(classes(), outputs, labels), example_weights(labels, weights)
    expected = functional.cross_entropy(outputs, labels.long(), weight=weights)
    torch.testing.assert_close((losses * factors).sum() / factors.sum(), expected)
