import math

import numpy as np
import pytest
import torch
from support.objectives import decode_one, regression, task_of, two

from mtbert.objectives import mse
from mtbert.objectives.base import Prediction
from mtbert.objectives.table import example_losses
from mtbert.objectives.target_scale import TargetScale


@pytest.mark.parametrize("task", [regression(), regression(range=(0, 5)), two("mse")])
def test_mean_squared_error(task):
    outputs, labels = torch.tensor([[0.5], [2.0], [-1.0]]), torch.tensor([1.0, 0.0, 1.0])
    assert example_losses(task, outputs, labels).tolist() == [0.25, 4.0, 4.0]


@pytest.mark.parametrize(
    ("output", "value"), [(0.5, 0), (0.5000001, 1), (0.4999, 0), (-3.0, 0), (7.0, 1)]
)
def test_mse_on_classes_is_one_above_a_half(output, value):
    answer = decode_one(task_of(loss="mse"), output)
    assert answer == Prediction(value, ["no", "yes"][value], output, None)


def test_a_regression_is_its_output():
    assert decode_one(task_of(kind="regression"), -2.5) == Prediction(-2.5, None, -2.5, None)
    task = task_of(kind="regression", range=[0, 5])
    assert decode_one(task, 4.75).value == 4.75


@pytest.mark.parametrize(
    ("output", "value"), [(7.25, 5), (-1e300, 0), (5, 5), (math.inf, math.inf)]
)
def test_an_answer_stays_within_the_range(output, value):
    answer = decode_one(task_of(kind="regression", range=[0, 5]), output)
    assert answer == Prediction(value, None, value, None)


def test_no_number_stays_no_number():
    assert math.isnan(decode_one(task_of(kind="regression", range=[0, 5]), math.nan).value)


def test_a_standardised_cosine_goes_across_the_range_or_four_deviations():
    factor, offset = mse.cosine_start(regression(range=(1, 5)), scale := TargetScale(4.0, 0.5))
    ends = scale.restore(np.array([offset, factor + offset]))
    assert ends.tolist() == [1, 5]
    factor, offset = mse.cosine_start(regression(), scale)
    assert scale.restore(np.array([offset, factor + offset])).tolist() == [3, 5]


def test_a_cosine_goes_across_the_range_and_there_is_one_output():
    assert mse.cosine_start(regression(range=(1, 5))) == (4, 1)
    assert mse.cosine_start(regression()) == (1, 0)
    assert mse.outputs(regression()) == mse.outputs(two("mse")) == 1
