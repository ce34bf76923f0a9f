"""A step's gradients are the same whether one process computes them or several."""

import math

import pytest
import torch
from safetensors.torch import load_file
from support import gradient_cases, ranks
from support.gradient_cases import CASES
from support.ranks import Ranks
from torch import Generator
from torch.nn import functional

from mtbert.distributed.all_reduce import sum_gradients
from mtbert.distributed.processes import ALONE
from mtbert.surgery import pcgrad

SIZES = (2, 3)


@pytest.fixture(scope="module", params=SIZES)
def gradients_of(request, tmp_path_factory):
    """A function: case → the gradients that each process has."""
    folder = tmp_path_factory.mktemp("gradients")
    cases = {**CASES, "wrong": {"step": "uneven", "surgery": "pcgrad", "wrong": True}}
    Ranks(request.param, folder, ranks.gradients, cases).finish()
    return lambda name: [load_file(folder / f"{r}-{name}.safetensors")
                         for r in range(request.param)]  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_step_has_the_gradients_of_one_process(gradients_of, name):
    """In float64 within 1e-12; in float32 within 1e-6 of the whole gradient's norm."""
    case = {key: value for key, value in CASES[name].items() if key != "bucket"}
    expected = gradient_cases.compute(ALONE, **case)
    first, *others = gradients_of(name)
    assert first.keys() == expected.keys()
    for key, value in expected.items():
        if case.get("dtype") == "float32":
            whole = value.norm() if key == "gram" else _whole(expected)
            assert (first[key] - value).norm() <= 1e-6 * whole, key
        else:
            torch.testing.assert_close(first[key], value, rtol=1e-12, atol=1e-12, msg=key)
    for other in others:
        assert other.keys() == first.keys()
        assert all(torch.equal(other[key], first[key]) for key in first)


def _whole(values):
    parts = [v for name, v in values.items() if name.startswith(("encoder.", "heads."))]
    return math.sqrt(sum(float(v.double().square().sum()) for v in parts))


def by_hand(step):
    """The step's gradients in float64 by autograd on whole batches, PCGrad on whole vectors."""
    network = gradient_cases.make_network(torch.float64, sparse=False)
    sources = gradient_cases.sources(torch.float64)
    names, parameters = zip(*network.partition.all.items(), strict=True)
    rows, heads = [], {}
    for task, batch in gradient_cases.batches(step).items():
        outputs = network(task, sources[task].inputs(batch.indices, batch.swapped))
        labels = sources[task].label_tensor(batch.indices)
        weights = gradient_cases.class_weights(torch.float64)[task]
        loss = {
            "sst": lambda: functional.cross_entropy(outputs, labels.long(), weight=weights),  # noqa: B023
            "para": lambda: functional.binary_cross_entropy_with_logits(outputs[:, 0], labels),  # noqa: B023
            "sts": lambda: ((outputs[:, 0] - labels) ** 2).mean(),  # noqa: B023
        }[task]()
        loss = loss * batch.loss_factor * gradient_cases.TASKS[task].loss_weight
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        row = dict(zip(names, found, strict=True))
        heads |= {n: g for n, g in row.items() if n.startswith(f"heads.{task}.")}
        shared = [(p, row[n]) for n, p in network.partition.all.items() if n.startswith("encoder.")]
        rows.append(torch.cat([(torch.zeros_like(p) if g is None else g).flatten()
                               for p, g in shared]))  # fmt: skip
    return torch.stack(rows), heads


@pytest.mark.parametrize("step", ["uneven", "empty shares"])
@pytest.mark.parametrize("surgery", ["none", "pcgrad"])
def test_a_step_has_the_gradients_computed_by_hand(gradients_of, step, surgery):
    matrix, heads = by_hand(step)
    assert (matrix @ matrix.T < 0).any()  # else nothing would be tested
    expected = pcgrad(matrix, Generator().manual_seed(5)) if surgery == "pcgrad" else matrix.sum(0)
    found = gradients_of(f"{step}-{surgery}-sparse-float64")[0]
    torch.testing.assert_close(_flat(found), expected, rtol=1e-10, atol=1e-12)
    for name, gradient in heads.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-10, atol=1e-12)


def _flat(found):
    shared = gradient_cases.make_network(torch.float64).partition.shared
    return torch.cat([found.get(n, torch.zeros_like(p)).flatten() for n, p in shared.items()])


def test_projecting_before_the_summation_is_found(gradients_of):
    """The comparison would see it."""
    right = _flat(gradient_cases.compute(ALONE, **CASES["uneven-pcgrad-sparse-float64"]))
    wrong = _flat(gradients_of("wrong")[0])
    assert (wrong - right).norm() > 1e-3 * right.norm()


def test_the_sum_over_one_process_is_its_own():
    gradients = [torch.ones(2), None]
    found = sum_gradients(ALONE, [torch.zeros(2)] * 2, gradients, may_lack=True)
    assert torch.equal(found[0], torch.ones(2))
    assert found[1] is None
