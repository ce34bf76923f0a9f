import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from support.objectives import classes, decode_one, normal, task_of

from mtbert.objectives import cross_entropy
from mtbert.objectives.table import example_losses


def test_cross_entropy_is_minus_the_log_of_the_labels_probability():
    outputs, labels = normal(6, 3), torch.tensor([0.0, 1, 2, 2, 1, 0])
    found = example_losses(classes(), outputs, labels)
    probabilities = torch.softmax(outputs, 1).numpy()
    expected = [-np.log(row[int(label)]) for row, label in zip(probabilities, labels, strict=True)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)
    assert found.mean().item() == pytest.approx(log_loss(labels, probabilities), rel=1e-5)


def test_cross_entropy_gives_the_softmax_by_hand():
    task = task_of(labels=["a", "b", "c"])
    # Odds 1 : 2 : 5.
    answer = decode_one(task, math.log(1), math.log(2), math.log(5))
    assert (answer.value, answer.label) == (2, "c")
    assert answer.score == pytest.approx(5 / 8)
    assert answer.probabilities == pytest.approx({"a": 1 / 8, "b": 2 / 8, "c": 5 / 8})


def test_there_is_a_logit_for_each_class():
    assert cross_entropy.outputs(classes()) == 3
    assert cross_entropy.outputs(task_of(kind="pair_classification")) == 2


def test_one_cosine_is_not_the_logits_of_several_classes():
    with pytest.raises(ValueError, match="a cosine is one number"):
        cross_entropy.cosine_start(classes())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e4, 1e300])
def test_huge_logits_do_not_overflow(size):
    assert decode_one(task_of(), -size, size).probabilities == {"no": 0.0, "yes": 1.0}


def test_of_equally_probable_classes_the_first_is_predicted():
    assert decode_one(task_of(), 1.5, 1.5).value == 0
