import itertools
from dataclasses import replace

import numpy as np
import pytest
import quadprog
import torch
from support.gradient_cases import TASKS, Examples
from torch import Generator
from torch.nn import functional

from mtbert.config.methods import choose
from mtbert.config.sharing import Soft
from mtbert.methods.aggregation.table import AGGREGATORS
from mtbert.methods.sampling.base import TaskBatch
from mtbert.model.network import MultitaskNetwork
from mtbert.model.pooling import View
from mtbert.surgery import pcgrad
from mtbert.training import gram
from mtbert.training.gradients import GradientOptions, compute_gradients, total_norm

STEP = {
    "sst": TaskBatch(np.array([6, 0, 3, 2, 5, 1, 4])),
    "para": TaskBatch(np.array([1, 7, 4]), 2.0, swapped=np.array([True, False, True])),
    "sts": TaskBatch(np.array([0, 9, 8, 2, 5]), loss_factor=0.25),
}
WEIGHTS = {"sst": torch.tensor([0.2, 1.7, 1.1], dtype=torch.float64), "para": None, "sts": None}


class Features(Examples):
    """The same, encoded before."""

    def inputs(self, indices, swapped=None):
        generator = Generator().manual_seed(0)
        features = torch.randn(10, len(self.sides), 16, generator=generator, dtype=torch.float64)
        return features[indices]


def make_sources(kind=Examples):
    return {task: kind(task, torch.float64) for task in TASKS}


@pytest.fixture(params=["dense", "sparse", "one vector"])
def network(tiny_encoder, request, monkeypatch):
    tiny_encoder.token_table.sparse = request.param == "sparse"
    monkeypatch.setattr(gram, "_as_one_vector", lambda device: request.param == "one vector")
    network = MultitaskNetwork(tiny_encoder, TASKS)
    for head in network.heads.values():
        head.initialise(Generator().manual_seed(1), std=0.5)
    return network.double()


def run(network, step=STEP, sources=None, **options):
    """One call on fresh gradients: its result, and the gradients by name."""
    network.zero_grad()
    options["aggregator"] = choose(AGGREGATORS, options.pop("surgery", "none"))
    shared = options.pop("shared", list(network.partition.shared.values()))
    options.setdefault("orders", Generator().manual_seed(5))
    options.setdefault("uniforms", Generator().manual_seed(6))
    result = compute_gradients(
        network, step, sources or make_sources(), class_weights=WEIGHTS, shared=shared,
        options=GradientOptions(**options),
    )  # fmt: skip
    return result, {
        n: None if p.grad is None else p.grad.to_dense().clone()
        for n, p in network.partition.all.items()
    }


def mean_losses(network):
    """The tasks' mean losses, written out, on one joint graph."""
    sources = make_sources()
    outputs, labels = {}, {}
    for name, batch in STEP.items():
        outputs[name] = network(name, sources[name].inputs(batch.indices, batch.swapped))
        labels[name] = sources[name].label_tensor(batch.indices)
    return {
        "sst": functional.cross_entropy(
            outputs["sst"], labels["sst"].long(), weight=WEIGHTS["sst"]
        ),
        "para": functional.binary_cross_entropy(
            torch.sigmoid(outputs["para"][:, 0]), labels["para"]
        ),
        "sts": ((outputs["sts"][:, 0] - labels["sts"]) ** 2).mean(),
    }


FACTORS = {"sst": 0.5, "para": 2.0, "sts": 0.75}  # loss_weight times loss_factor


def autograd(network, tasks=TASKS):
    """Gradients by name of the tasks' weighted sum, by one call to autograd."""
    losses = mean_losses(network)
    total = sum(FACTORS[task] * losses[task] for task in tasks)
    names, parameters = zip(*network.partition.all.items(), strict=True)
    gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    dense = [None if gradient is None else gradient.to_dense() for gradient in gradients]
    return dict(zip(names, dense, strict=True))


def shared_matrix(network):
    """`[tasks, parameters]`: each task's gradient of the encoder, and the encoder's names."""
    by_task = [autograd(network, [task]) for task in TASKS]
    names = [name for name in by_task[0] if name.startswith("encoder.")]
    sizes = {n: p for n, p in network.partition.all.items() if n in names}
    rows = [
        torch.cat([sizes[n].new_zeros(sizes[n].numel()) if g[n] is None else g[n].flatten()
                   for n in names])
        for g in by_task
    ]  # fmt: skip
    return torch.stack(rows), names


def flat(network, gradients, names):
    sizes = dict(network.partition.all.items())
    parts = [sizes[n].new_zeros(sizes[n].shape) if gradients[n] is None else gradients[n]
             for n in names]  # fmt: skip
    return torch.cat([part.flatten() for part in parts]).detach()


def assert_equal_gradients(found, expected, tolerance=1e-12):
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        if gradient is None:
            assert found[name] is None or not found[name].any(), name
        else:
            torch.testing.assert_close(
                found[name], gradient, rtol=tolerance, atol=tolerance, msg=lambda m, n=name: n + m
            )


def heads_only(gradients):
    return {name: g for name, g in gradients.items() if name.startswith("heads.")}


def test_the_plain_sum_is_autograds_of_the_summed_loss(network):
    result, found = run(network)
    assert_equal_gradients(found, autograd(network))
    assert result.gram is None
    assert result.weights is None


@pytest.mark.parametrize("options", [{}, {"surgery": "pcgrad"}, {"accumulate": 2}])
def test_losses_are_the_unweighted_means(network, options):
    result, _ = run(network, **options)
    assert list(result.losses) == list(TASKS)
    for task, expected in mean_losses(network).items():
        assert result.losses[task].item() == pytest.approx(expected.item(), rel=1e-6)
        assert not result.losses[task].requires_grad


def oppose(network):
    """Give the two last tasks conflicting gradients: both read the mean, with opposite signs."""
    with torch.no_grad():
        network.heads["sst"].linear.weight.mul_(3)
        network.heads["para"].linear.weight.copy_(-network.heads["sts"].linear.weight[:, :16])


@pytest.mark.parametrize("seed", range(5))
def test_surgery_gives_shared_parameters_pcgrad_and_heads_their_own(network, seed):
    oppose(network)
    matrix, names = shared_matrix(network)
    gram = matrix @ matrix.T
    assert (gram < 0).any()  # else nothing would be tested
    expected = pcgrad(matrix, Generator().manual_seed(seed))
    result, found = run(network, surgery="pcgrad", orders=Generator().manual_seed(seed))
    torch.testing.assert_close(flat(network, found, names), expected, rtol=1e-10, atol=1e-12)
    assert (expected - matrix.sum(0)).norm() > 1e-3 * expected.norm()
    assert_equal_gradients(heads_only(found), heads_only(autograd(network)))
    torch.testing.assert_close(
        torch.tensor(result.weights, dtype=torch.float64) @ matrix, expected, rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("options", [{}, {"measure": True}, {"watch": True}])
def test_surgery_by_coordinate_gives_shared_parameters_one_sign_of_their_tasks(network, options):
    oppose(network)
    matrix, names = shared_matrix(network)
    result, found = run(network, surgery="graddrop", **options)
    vector = flat(network, found, names)
    positive, negative = matrix.clamp(min=0).sum(0), matrix.clamp(max=0).sum(0)
    near = torch.minimum((vector - positive).abs(), (vector - negative).abs())
    assert near.max() <= 1e-12
    assert ((vector - positive).abs() <= 1e-12).double().mean() > 0.25
    assert_equal_gradients(heads_only(found), heads_only(autograd(network)))
    assert (result.gram is None) == (options == {})
    assert result.weights is None
    again = flat(network, run(network, surgery="graddrop")[1], names)
    assert torch.equal(again, vector)
    other = run(network, surgery="graddrop", uniforms=Generator().manual_seed(7))[1]
    assert not torch.equal(flat(network, other, names), vector)


@pytest.mark.parametrize("surgery", ["none", "pcgrad"])
@pytest.mark.parametrize("accumulate", [2, 3, 4, 7, 100])
def test_parts_of_a_batch_add_up_to_the_whole(network, accumulate, surgery):
    """Also with class weights, and batches of 7, 3 and 5 that do not divide."""
    whole, expected = run(network, surgery=surgery)
    parts, found = run(network, surgery=surgery, accumulate=accumulate)
    assert_equal_gradients(found, expected)
    for task in TASKS:
        torch.testing.assert_close(parts.losses[task], whole.losses[task])


def test_parts_are_really_smaller(network, monkeypatch):
    sizes = []
    forward = MultitaskNetwork.forward

    def spy(self, task, inputs, *rest, **how):
        sizes.append((task, len(inputs.lengths)))
        return forward(self, task, inputs, *rest, **how)

    monkeypatch.setattr(MultitaskNetwork, "forward", spy)
    run(network, accumulate=4)
    assert sizes == [*[("sst", n) for n in (2, 2, 2, 1)], *[("para", 1)] * 3,
                     *[("sts", n) for n in (4, 2, 2, 2)]]  # fmt: skip


@pytest.mark.parametrize("options", [{"measure": True}, {"surgery": "pcgrad"}])
def test_the_gram_matrix_holds_the_dot_products_of_weighted_shared_gradients(network, options):
    matrix, _ = shared_matrix(network)
    result, _ = run(network, **options)
    assert result.gram.dtype == torch.float64
    expected = torch.stack([torch.stack([(a * b).sum() for b in matrix]) for a in matrix])
    torch.testing.assert_close(result.gram, expected, rtol=1e-10, atol=1e-12)


def test_measuring_changes_no_gradient(network):
    _, expected = run(network, dropout=Generator().manual_seed(2))
    result, found = run(network, measure=True, dropout=Generator().manual_seed(2))
    assert result.weights is None
    assert_equal_gradients(found, expected)


def test_dropout_follows_its_generator(network):
    runs = [run(network, dropout=Generator().manual_seed(seed))[1] for seed in (1, 1, 2)]
    name = "encoder.layers.0.attention.qkv.weight"
    assert torch.equal(runs[0][name], runs[1][name])
    assert not torch.equal(runs[0][name], runs[2][name])


@pytest.mark.parametrize("options", [{}, {"measure": True}, {"surgery": "pcgrad"}])
def test_a_pooler_that_no_head_reads_stays_without_gradient(network, options):
    result, found = run(network, **options)
    assert found["encoder.pooler.weight"] is None
    assert found["encoder.pooler.bias"] is None
    assert result.gram is None or result.gram.isfinite().all()


@pytest.mark.parametrize("reader", TASKS)
def test_a_pooler_that_one_head_reads_gets_that_tasks_gradient_times_its_weight(network, reader):
    oppose(network)
    network.heads[reader].view = View("pooled")
    own = autograd(network, [reader])["encoder.pooler.weight"]
    _, plain = run(network)
    assert_equal_gradients(plain, autograd(network))
    result, found = run(network, surgery="pcgrad")
    weight = result.weights[list(TASKS).index(reader)]
    torch.testing.assert_close(found["encoder.pooler.weight"], weight * own)


@pytest.mark.parametrize("options", [{"measure": True}, {"surgery": "pcgrad"}])
def test_a_task_alone_in_its_step_keeps_its_gradient(network, options):
    result, found = run(network, step={"sts": STEP["sts"]}, **options)
    expected = autograd(network, ["sts"])
    assert_equal_gradients(found, expected)
    squares = [g.square().sum() for n, g in expected.items() if "encoder" in n and g is not None]
    torch.testing.assert_close(result.gram, torch.stack(squares).sum().view(1, 1))


def test_tasks_absent_from_the_step_leave_their_heads_without_gradient(network):
    _, found = run(network, step={"sst": STEP["sst"], "sts": STEP["sts"]}, surgery="pcgrad")
    assert found["heads.para.linear.weight"] is None
    assert found["heads.sst.linear.weight"] is not None


def test_features_of_a_frozen_encoder_train_the_heads_alone(network):
    _, found = run(network, sources=make_sources(Features), shared=[], measure=True)
    for name, gradient in found.items():
        assert (gradient is None) == name.startswith("encoder."), name


def test_a_batch_of_classes_without_weight_has_loss_and_gradient_zero(network, monkeypatch):
    monkeypatch.setitem(WEIGHTS, "sst", torch.zeros(3, dtype=torch.float64))
    result, found = run(network, step={"sst": STEP["sst"]})
    assert result.losses["sst"] == 0
    assert not any(g.any() for g in found.values() if g is not None)


def test_ordinary_gradients_are_not_summed_twice(network, monkeypatch):
    monkeypatch.setattr(gram, "_wide_dot", None)
    run(network, surgery="pcgrad")
    run(network.float(), surgery="pcgrad")


def test_total_norm_is_that_of_all_gradients_side_by_side(network):
    _, gradients = run(network)
    expected = torch.cat([g.flatten() for g in gradients.values() if g is not None]).norm()
    torch.testing.assert_close(total_norm(network.parameters()), expected)


CONSTRAINED = {task: replace(batch, reference=task != "para") for task, batch in STEP.items()}
"""Of these gradients, those of `sts` and `para` oppose each other."""


def opposed(network):
    """Make them do so."""
    with torch.no_grad():
        network.heads["para"].linear.weight.copy_(-network.heads["sts"].linear.weight[:, :16])


def test_constraints_turn_the_shared_gradient_and_train_nothing(network):
    opposed(network)
    result, found = run(network, CONSTRAINED, surgery="gem")
    weighted, names = shared_matrix(network)
    g, memories = weighted[1], weighted[[0, 2]] / torch.tensor([[0.5], [0.75]])
    basis = torch.linalg.qr(torch.stack([g, *memories]).T).Q  # the solution lies in their span
    units = memories / memories.norm(dim=1, keepdim=True)
    solution = quadprog.solve_qp(
        np.eye(3), (basis.T @ g).numpy(), (units @ basis).T.numpy(), np.zeros(2)
    )[0]
    expected = basis @ torch.from_numpy(solution)
    assert not torch.allclose(expected, g, rtol=1e-3)
    torch.testing.assert_close(flat(network, found, names), expected, rtol=0, atol=1e-10)
    own = autograd(network, ["para"])
    for name, gradient in found.items():
        if name.startswith("heads."):
            task = name.split(".")[1]
            assert (gradient is None) == (task != "para")
            if task == "para":
                torch.testing.assert_close(gradient, own[name], rtol=0, atol=1e-12)
    assert (list(result.losses), result.gram.shape, len(result.weights)) == (["para"], (1, 1), 1)
    assert result.statistics()["surgery_weights"] == {"para": 1.0}


def test_constraints_cost_an_aggregator_without_use_for_them_nothing(network):
    alone = {"para": CONSTRAINED["para"]}
    for options in ({}, {"measure": True}):
        _, expected = run(network, alone, **options)
        _, found = run(network, CONSTRAINED, **options)
        assert_equal_gradients(found, expected, 0)


def test_a_constraint_that_is_no_number_constrains_nothing(network):
    opposed(network)
    wrong = make_sources()
    wrong["sts"].labels = wrong["sts"].labels * torch.nan
    without = {task: batch for task, batch in CONSTRAINED.items() if task != "sts"}
    _, expected = run(network, without, surgery="gem")
    result, found = run(network, CONSTRAINED, sources=wrong, surgery="gem")
    assert result.losses["para"].isfinite()
    assert_equal_gradients(found, expected, 0)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_what_ties_the_tasks_encoders_is_added_once_a_step(tiny_encoder, sparse, accumulate):
    """Beside the joint loss of all tasks and the squared distances of all pairs, written out."""
    network = MultitaskNetwork(tiny_encoder, TASKS, Soft(strength=0.7)).double()
    generator = Generator().manual_seed(2)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=generator, dtype=torch.float64))
    factors = {"sst": 1.0, "para": 2.0, "sts": 0.25}
    factors = {task: f * TASKS[task].loss_weight for task, f in factors.items()}
    loss = sum(factors[task] * loss for task, loss in mean_losses(network).items())
    encoders = [network.trunk.encoder_for(task) for task in TASKS]
    for pair in itertools.combinations(encoders, 2):
        for a, b in zip(*(encoder.parameters() for encoder in pair), strict=True):
            loss = loss + 0.7 / 2 * (a - b).pow(2).sum()
    parameters = network.partition.all
    expected = torch.autograd.grad(loss, list(parameters.values()))
    for encoder in encoders:
        encoder.token_table.sparse = sparse
    _, found = run(network, accumulate=accumulate, measure=True)
    for name, wanted in zip(parameters, expected, strict=True):
        torch.testing.assert_close(found[name], wanted, rtol=1e-9, atol=1e-11, msg=name)
