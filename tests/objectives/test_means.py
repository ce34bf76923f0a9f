"""Outputs of several models become those of their mean, for every objective."""

import numpy as np
import pytest
from support.objectives import classes, regression, task_of, two

from mtbert.objectives.means import mean_of_sigmoid, mean_of_softmax
from mtbert.objectives.table import OBJECTIVES, combine, decode, objective_of

SEVERAL = {"kind": "multilabel_classification", "labels": ["x", "y", "z"]}
TASKS = [
    classes(),
    classes(loss="ordinal"),
    two("cross_entropy"),
    two("binary_cross_entropy"),
    two("mse"),
    regression(),
    regression(range=(0, 2)),
    regression(range=(0, 2), loss="binary_cross_entropy"),
    task_of(**SEVERAL),
]


def outputs(task, models=3, rows=20, size=4.0):
    count = objective_of(task).outputs(task)
    found = np.random.default_rng(0).normal(0, size, (models, rows, count))
    return -np.sort(-found, axis=2) if task.loss_name == "ordinal" else found


def test_every_objective_is_tried():
    assert {task.loss_name for task in TASKS} == set(OBJECTIVES)


@pytest.mark.parametrize("task", TASKS, ids=lambda t: f"{t.kind} {t.loss_name} {t.range}")
def test_probabilities_and_values_are_the_means_of_the_models(task):
    """Beside the answers of each model alone, averaged as they are printed."""
    found = outputs(task)
    alone = [decode(task, part) for part in found]
    for row, answer in enumerate(decode(task, combine(task, list(found)))):
        answers = [part[row] for part in alone]
        if answer.probabilities is None:
            assert answer.score == pytest.approx(np.mean([a.score for a in answers]), abs=1e-12)
            continue
        for name, probability in answer.probabilities.items():
            mean = np.mean([a.probabilities[name] for a in answers])
            assert probability == pytest.approx(mean, abs=1e-12)


def test_two_models_by_hand():
    logits = np.log([[[0.9, 0.1]], [[0.2, 0.8]]])
    (answer,) = decode(two("cross_entropy"), combine(two("cross_entropy"), list(logits)))
    assert answer.probabilities == pytest.approx({"0": 0.55, "1": 0.45})
    assert answer.value == 0
    (answer,) = decode(regression(range=(0, 2)), combine(regression(range=(0, 2)), [
        np.array([[5.0]]), np.array([[1.0]])]))  # fmt: skip
    assert answer.value == 1.5


def test_one_model_answers_with_its_outputs_as_they_are():
    for task in TASKS:
        found = outputs(task)[0]
        assert combine(task, [found]) is found


def test_probabilities_that_are_nearly_0_or_1_keep_their_logarithms():
    both = mean_of_softmax(np.array([[[0.0, -2000.0]], [[0.0, -2000.0]]]))
    assert both - both[:, :1] == pytest.approx(np.array([[0, -2000]]))
    assert mean_of_sigmoid(np.array([[500.0, -500.0], [500.0, -500.0]])) == pytest.approx(
        np.array([500.0, -500.0])
    )


def test_what_is_no_number_stays_none():
    for task in TASKS:
        found = outputs(task)
        found[1, 3] = np.nan
        combined = combine(task, list(found))
        assert np.isnan(combined[3]).all()
        assert np.isfinite(np.delete(combined, 3, axis=0)).all()
