import pytest
import torch
from torch import Generator

from mtbert.batch import TokenBatch
from mtbert.config.sharing import Soft
from mtbert.model.sharing.soft import SoftTrunk


@pytest.fixture
def batch():
    ids = torch.randint(1, 50, (11,), generator=Generator().manual_seed(0))
    return TokenBatch(ids, torch.zeros_like(ids), (4, 1, 6))


def made(encoder, tasks=("a", "b", "c"), **options):
    """A trunk whose encoders have moved apart."""
    trunk = SoftTrunk(Soft(**options), encoder, tasks).double()
    generator = Generator().manual_seed(1)
    with torch.no_grad():
        for own in trunk.partition().all_own.values():
            own.add_(0.1 * torch.randn(own.shape, generator=generator, dtype=torch.float64))
    return trunk


def test_all_encoders_begin_as_the_pretrained_one(tiny_encoder, batch):
    trunk = SoftTrunk(Soft(), tiny_encoder, ["a", "b"])
    plain = tiny_encoder.encode(batch.token_ids, batch.segment_ids, tiny_encoder.layout(batch))
    assert torch.equal(trunk.encode("b", batch).states, plain)
    assert trunk.penalty() == 0


def test_nothing_is_shared(tiny_encoder):
    partition = SoftTrunk(Soft(), tiny_encoder, ["a", "b"]).partition()
    assert partition.shared == {}
    names = [name for name, _ in tiny_encoder.named_parameters()]
    assert list(partition.own["b"]) == [f"own.b.{name}" for name in names]
    assert len({id(p) for p in partition.all.values()}) == 2 * len(names)


def test_the_squared_distance_is_duongs(tiny_encoder):
    trunk = made(tiny_encoder, ("a", "b"), strength=0.3)
    one, other = trunk.by_task.values()
    pairs = list(zip(one.parameters(), other.parameters(), strict=True))
    expected = 0.3 * sum((a - b).pow(2).sum() / 2 for a, b in pairs)
    torch.testing.assert_close(trunk.penalty(), expected, rtol=1e-12, atol=0)
    trunk.penalty().backward()
    for a, b in pairs:
        torch.testing.assert_close(a.grad, 0.3 * (a - b).detach(), rtol=1e-10, atol=1e-14)
        torch.testing.assert_close(b.grad, -a.grad, rtol=1e-10, atol=1e-14)


def test_the_trace_norm_is_that_of_each_parameters_stacked_weights(tiny_encoder):
    trunk = made(tiny_encoder, by="trace_norm", strength=0.3)
    stacked = [
        torch.stack([p.flatten() for p in weights])
        for weights in zip(*(e.parameters() for e in trunk.by_task.values()), strict=True)
    ]
    expected = 0.3 * sum(torch.linalg.matrix_norm(matrix, ord="nuc") for matrix in stacked)
    torch.testing.assert_close(trunk.penalty(), expected, rtol=1e-10, atol=0)


@pytest.mark.parametrize("by", ["l2", "trace_norm"])
def test_the_tie_alone_draws_the_encoders_together(tiny_encoder, by):
    trunk = made(tiny_encoder, by=by, strength=1.0)
    parameters = list(trunk.partition().all_own.values())
    start, optimizer = apart(trunk), torch.optim.SGD(parameters, lr=0.05)
    for _ in range(20):
        optimizer.zero_grad()
        trunk.penalty().backward()
        optimizer.step()
    assert apart(trunk) < 0.5 * start


@torch.no_grad()
def apart(trunk):
    one, other, _ = trunk.by_task.values()
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return float(sum((a - b).pow(2).sum() for a, b in pairs))


def test_there_is_no_penalty_where_nothing_is_tied_or_nothing_learns(tiny_encoder):
    assert SoftTrunk(Soft(), tiny_encoder, ["a"]).penalty() is None
    trunk = made(tiny_encoder)
    trunk.requires_grad_(False)
    assert trunk.penalty() is None


def test_an_encoder_that_does_not_learn_is_left_alone(tiny_encoder):
    trunk = made(tiny_encoder)
    trunk.by_task["a"].requires_grad_(False)
    trunk.penalty().backward()
    assert all(p.grad is None for p in trunk.by_task["a"].parameters())
    assert all(p.grad is not None for p in trunk.by_task["b"].parameters())


def test_what_all_share_is_the_mean_of_their_encoders(tiny_encoder):
    trunk = made(tiny_encoder)
    assert trunk.encoder_for("b") is trunk.by_task["b"]
    mean = trunk.encoder_for(None)
    for name, parameter in mean.named_parameters():
        found = torch.stack([e.get_parameter(name) for e in trunk.by_task.values()])
        torch.testing.assert_close(parameter, found.mean(0), rtol=1e-12, atol=1e-15)
