import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from support.objectives import classes, normal, regression
from torch.nn import functional

from mtbert.objectives.class_weights import class_weights, example_weights
from mtbert.objectives.table import example_losses


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
