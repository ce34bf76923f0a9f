import pytest
import torch
from torch import nn

from mtbert.training.growth import GradientGrowth


@pytest.mark.parametrize("sparse", [False, True])
def test_each_tasks_norm_is_that_of_its_gradient_alone(sparse):
    torch.manual_seed(1)
    table, layer = nn.Embedding(7, 3, sparse=sparse), nn.Linear(3, 2)
    parameters = [table.weight, layer.weight, layer.bias]
    batches = [torch.tensor([0, 1, 1]), torch.tensor([1, 5]), torch.tensor([5, 5, 0, 2])]

    def loss(batch):
        return layer(table(batch)).pow(3).sum()

    alone = [torch.autograd.grad(loss(b), parameters) for b in batches]
    expected = [
        sum(float(g.to_dense().double().square().sum()) for g in found) ** 0.5 for found in alone
    ]
    growth, norms = GradientGrowth(parameters), []
    for batch in batches:
        loss(batch).backward()
        norms.append(float(growth.norm()))
    assert norms == pytest.approx(expected, rel=1e-5)
    watched = [p.grad.to_dense() for p in parameters]
    for parameter in parameters:
        parameter.grad = None
    for batch in batches:
        loss(batch).backward()
    assert all(torch.equal(a, p.grad.to_dense()) for a, p in zip(watched, parameters, strict=True))


def test_a_task_that_touches_nothing_has_no_length():
    assert float(GradientGrowth([nn.Parameter(torch.ones(2))]).norm()) == 0
