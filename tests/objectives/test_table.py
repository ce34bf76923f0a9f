import numpy as np
import pytest
import torch
from support.objectives import classes, normal, regression, two

from mtbert.config.targets import LOSSES
from mtbert.objectives.table import OBJECTIVES, decode, example_losses, objective_of


@pytest.mark.parametrize(
    "task", [classes(), two("binary_cross_entropy"), regression(range=(0, 5), loss="mse")]
)
def test_there_is_one_finite_loss_an_example_however_large_the_output(task):
    outputs = torch.full((3, objective_of(task).outputs(task)), 1e4)
    losses = example_losses(task, outputs, torch.tensor([0.0, 1.0, 1.0]))
    assert losses.shape == (3,)
    assert losses.isfinite().all()


def test_every_loss_of_the_settings_has_an_objective_and_no_other():
    assert set(OBJECTIVES) == set(LOSSES)


@pytest.mark.parametrize(
    ("task", "name"),
    [
        (classes(), "cross_entropy"),
        (two(None), "cross_entropy"),
        (two("mse"), "mse"),
        (regression(), "mse"),
        (regression(range=(0, 5), loss="binary_cross_entropy"), "binary_cross_entropy"),
    ],
)
def test_a_task_has_the_objective_it_names_or_its_kinds(task, name):
    objective = objective_of(task)
    assert objective is OBJECTIVES[name]
    outputs, labels = normal(4, objective.outputs(task)), torch.tensor([0.0, 1, 1, 0])
    found = example_losses(task, outputs, labels)
    assert torch.equal(found, objective.losses(task, outputs, labels))
    answers = decode(task, outputs.double().numpy())
    assert answers == objective.decode(task, outputs.double().numpy())
    assert len(answers) == 4


@pytest.mark.parametrize(
    "task", [two("binary_cross_entropy"), two("mse"), regression(), two("cross_entropy")]
)
def test_the_loss_is_least_where_the_prediction_is_the_label(task):
    """Losses and decoding agree on what an output means."""
    grid = torch.linspace(-4, 4, 81)
    columns = [grid] if objective_of(task).outputs(task) == 1 else [-grid, grid]
    outputs = torch.stack(columns, dim=1)
    losses = example_losses(task, outputs, torch.ones(len(grid)))
    best = outputs[losses.argmin()].double().numpy()
    assert decode(task, best[np.newaxis])[0].value == pytest.approx(1)
