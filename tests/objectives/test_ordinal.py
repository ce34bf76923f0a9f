import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from support.objectives import decode_one, normal, task_of

from mtbert.objectives import ordinal
from mtbert.objectives.class_weights import class_weights, example_weights
from mtbert.objectives.table import decode, example_losses


def in_order(classes=4, **changes):
    return task_of(labels=[f"c{i}" for i in range(classes)], loss="ordinal", **changes)


def falling(*shape):
    """Logits that fall along each row."""
    return normal(*shape).double().sort(dim=1, descending=True).values


def probabilities(outputs):
    """P(y = k) by the definition, `[examples, classes]`."""
    at_least = np.hstack([np.ones((len(outputs), 1)), expit(outputs), np.zeros((len(outputs), 1))])
    return at_least[:, :-1] - at_least[:, 1:]


def test_the_loss_is_minus_the_log_of_the_difference_of_two_sigmoids():
    outputs, labels = falling(8, 3), torch.arange(8.0) % 4
    found = example_losses(in_order(), outputs, labels)
    expected = -np.log(probabilities(outputs.numpy())[np.arange(8), labels.int()])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_its_gradient_is_that_of_the_definition():
    outputs, labels = falling(8, 3), torch.arange(8.0) % 4
    assert torch.autograd.gradcheck(
        lambda x: example_losses(in_order(), x, labels), outputs.requires_grad_()
    )


def test_of_two_classes_it_is_the_binary_cross_entropy():
    outputs, labels = normal(6, 1), torch.tensor([0.0, 1, 1, 0, 1, 0])
    two = task_of(loss="ordinal")
    reference = task_of(loss="binary_cross_entropy")
    torch.testing.assert_close(
        example_losses(two, outputs, labels), example_losses(reference, outputs, labels)
    )
    for found, expected in zip(
        decode(two, outputs.double().numpy()), decode(reference, outputs.double().numpy()),
        strict=True,
    ):  # fmt: skip
        assert (found.value, found.label) == (expected.value, expected.label)
        assert found.probabilities == pytest.approx(expected.probabilities)


@pytest.mark.parametrize("label", range(4))
@pytest.mark.parametrize("size", [30.0, 200.0, 1e4])
def test_far_off_the_thresholds_the_loss_and_its_gradient_are_finite(label, size):
    """Where the difference of the sigmoids in float32 is 0."""
    for sign in (1, -1):
        outputs = torch.tensor([[1.0, 0, -1]]) + sign * size
        outputs.requires_grad_()
        loss = example_losses(in_order(), outputs, torch.tensor([float(label)]))
        loss.sum().backward()
        assert 0 <= loss.item() <= size + 2
        assert torch.isfinite(outputs.grad).all()


def test_thresholds_of_equal_value_have_a_finite_loss():
    loss = example_losses(in_order(), torch.zeros(1, 3), torch.tensor([1.0]))
    assert torch.isfinite(loss).all()


@given(st.lists(st.floats(-20, 20), min_size=3, max_size=3))
def test_probabilities_are_none_below_zero_and_sum_to_one(logits):
    answer = decode_one(in_order(), *sorted(logits, reverse=True))
    values = np.array(list(answer.probabilities.values()))
    assert (values >= 0).all()
    assert values.sum() == pytest.approx(1, abs=1e-12)


def test_the_answer_is_the_median_with_its_own_probability():
    outputs = logit([0.6, 0.55, 0.1])  # classes 0.4, 0.05, 0.45, 0.1
    answer = decode_one(in_order(), *outputs)
    assert (answer.value, answer.label) == (2, "c2")
    assert answer.score == pytest.approx(0.45)
    answer = decode_one(in_order(), *logit([0.6, 0.45, 0.4]))  # 0.4, 0.15, 0.05, 0.4
    assert answer.label == "c1"
    assert answer.score == pytest.approx(0.15)


@given(st.lists(st.floats(0.01, 1), min_size=4, max_size=4))
def test_no_class_is_expected_nearer_than_the_median(masses):
    p = np.array(masses) / sum(masses)
    at_least = np.clip(p[::-1].cumsum()[::-1][1:], 1e-9, 1 - 1e-9)
    answer = decode_one(in_order(), *logit(at_least))
    expected = [np.abs(np.arange(4) - k) @ p for k in range(4)]
    assert expected[answer.value] == pytest.approx(min(expected))


def test_class_weights_are_those_of_the_examples_classes():
    task, labels = in_order(3, class_weights="balanced"), torch.tensor([0.0, 0, 0, 1, 2, 2])
    weights = example_weights(labels, class_weights(task, labels))
    assert weights.tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2, 1, 1])


def test_it_has_one_output_less_than_classes_and_no_cosine():
    assert ordinal.outputs(in_order(5)) == 4
    assert math.isfinite(decode_one(in_order(5), 4.0, 3, 2, 1).score)
    with pytest.raises(ValueError, match="not those of a cosine"):
        ordinal.cosine_start(in_order())
