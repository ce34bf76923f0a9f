import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from mtbert.config.tasks import TaskSettings
from mtbert.model.heads import Head
from mtbert.model.thresholds import OrderedThresholds


def layer(*bias, features=2):
    found = OrderedThresholds(features, len(bias))
    with torch.no_grad():
        found.weight.copy_(torch.linspace(1, 2, features))
        found.bias.copy_(torch.tensor(bias))
    return found


@given(st.lists(st.floats(-15, 15, width=32), min_size=2, max_size=6))
def test_outputs_fall_whatever_the_parameters_are(bias):
    outputs = layer(*bias)(torch.tensor([[0.5, -1.0], [3.0, 2.0]]))
    assert (outputs.diff(dim=1) <= 0).all()


def test_outputs_by_hand():
    found = layer(1.0, 0.0, -1.0)(torch.tensor([[1.0, 0.5]]))  # a score of 2
    first, second = functional.softplus(torch.tensor([0.0, -1.0])).tolist()
    expected = torch.tensor([[3.0, 3 - first, 3 - first - second]])
    torch.testing.assert_close(found, expected)


def test_all_thresholds_share_one_slope():
    found = layer(1.0, 0.0, -1.0)
    x = torch.tensor([[0.5, -1.0], [3.0, 2.0]])
    torch.testing.assert_close(
        found(x)[0] - found(x)[1], ((x[0] - x[1]) @ found.weight[0]).repeat(3)
    )


def test_a_fresh_head_gives_every_class_about_the_same_probability():
    for classes in (2, 3, 5, 77):
        names = tuple(map(str, range(classes)))
        task = TaskSettings(kind="classification", labels=names, loss="ordinal", train="t")
        head = Head(16, task)
        head.initialise(torch.Generator().manual_seed(1), std=0.0)
        at_least = torch.sigmoid(head(torch.randn(3, 1, 16)))
        expected = torch.arange(classes - 1, 0, -1) / classes
        torch.testing.assert_close(at_least, expected.expand(3, -1), rtol=1e-4, atol=1e-5)


def test_parameters_are_named_as_those_of_other_heads():
    task = TaskSettings(kind="classification", labels=("a", "b", "c"), loss="ordinal", train="t")
    shapes = {name: tuple(p.shape) for name, p in Head(16, task).named_parameters()}
    assert shapes == {"linear.weight": (1, 16), "linear.bias": (2,)}
