import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from support.objectives import decode_one, normal, task_of

from mtbert.objectives import multilabel
from mtbert.objectives.base import answer_values
from mtbert.objectives.class_weights import class_weights, example_weights
from mtbert.objectives.table import decode, example_losses

LABELS = torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 1], [1, 1, 1]])


def several(**changes):
    names = ["a", "b", "c"]
    return task_of(kind="multilabel_classification", labels=names, **changes)


def test_the_loss_is_the_mean_of_every_labels_cross_entropy():
    outputs = normal(4, 3).double()
    found = example_losses(several(), outputs, LABELS.double())
    assert found.shape == (4, 3)
    probabilities = torch.sigmoid(outputs).numpy()
    by_label = [log_loss(LABELS[:, i], probabilities[:, i], labels=[0, 1]) for i in range(3)]
    assert found.mean().item() == pytest.approx(np.mean(by_label), rel=1e-12)


def test_the_gradient_of_the_loss_by_hand():
    outputs = normal(4, 3).double().requires_grad_()
    example_losses(several(), outputs, LABELS.double()).mean().backward()
    expected = (torch.sigmoid(outputs) - LABELS.double()) / 12
    torch.testing.assert_close(outputs.grad, expected.detach(), rtol=1e-12, atol=1e-15)


def test_weights_of_the_loss_are_those_of_torchs_pos_weight_but_for_their_mean():
    outputs, task = normal(4, 3), several(class_weights=[3, 1, 0.5])
    weights = example_weights(LABELS, class_weights(task, LABELS))
    losses = example_losses(task, outputs, LABELS) * weights
    reference = torch.nn.BCEWithLogitsLoss(
        reduction="none", pos_weight=torch.tensor([3.0, 1.0, 0.5])
    )
    torch.testing.assert_close(losses, reference(outputs, LABELS))


def test_balanced_weights_let_both_halves_of_each_label_count_the_same():
    found = class_weights(several(class_weights="balanced"), LABELS)
    weights = example_weights(LABELS, found)
    for label in range(3):
        having = LABELS[:, label] == 1
        assert weights[having, label].sum() == pytest.approx(2.0)
        assert weights[~having, label].sum() == pytest.approx(2.0)


def test_a_label_that_all_or_no_examples_have_is_balanced_without_a_division_by_zero():
    labels = torch.tensor([[1.0, 0, 1], [1, 0, 0]])
    found = class_weights(several(class_weights="balanced"), labels)
    assert found.tolist() == [[0, 0.5], [0.5, 0], [1, 1]]


def test_labels_above_one_half_are_given():
    logits = np.log([3.0, 1 / 4, 1.0])  # probabilities 3/4, 1/5, 1/2
    answer = decode_one(several(), *logits)
    assert (answer.value, answer.labels, answer.label) == ((0,), ("a",), None)
    assert answer.probabilities == pytest.approx({"a": 3 / 4, "b": 1 / 5, "c": 1 / 2})
    assert answer.score == pytest.approx(3 / 4 * 4 / 5 * 1 / 2)
    assert answer.as_json() == {
        "prediction": [0], "labels": ["a"], "score": answer.score,
        "probabilities": answer.probabilities,
    }  # fmt: skip


def test_the_threshold_is_the_tasks():
    logits = np.log([3.0, 1 / 4, 1.0])
    assert decode_one(several(threshold=0.1), *logits).labels == ("a", "b", "c")
    none = decode_one(several(threshold=0.9), *logits)
    assert (none.value, none.labels) == ((), ())
    assert none.score == pytest.approx(1 / 4 * 4 / 5 * 1 / 2)
    assert none.as_json()["labels"] == []


def test_answers_take_the_form_of_labels():
    task, outputs = several(), np.array([[5.0, -5, 5], [-5, -5, -5]])
    assert answer_values(task, decode(task, outputs)).tolist() == [[1, 0, 1], [0, 0, 0]]
    single = task_of()
    assert answer_values(single, decode(single, outputs[:, :2])).tolist() == [0, 0]


@pytest.mark.filterwarnings("error")
def test_huge_logits_do_not_overflow():
    answer = decode_one(several(), 1e300, -1e300, 1e4)
    assert answer.probabilities == {"a": 1.0, "b": 0.0, "c": 1.0}
    assert answer.score == 1.0


def test_there_is_a_logit_a_label_and_no_cosine():
    assert multilabel.outputs(several()) == 3
    with pytest.raises(ValueError, match="a cosine is one number"):
        multilabel.cosine_start(several())
