import copy

import pytest
import torch
from torch import Generator

from mtbert.batch import TokenBatch
from mtbert.config.sharing import TopLayers
from mtbert.errors import UserError
from mtbert.model.sharing.top_layers import TopLayersTrunk


@pytest.fixture
def batch():
    ids = torch.randint(1, 50, (11,), generator=Generator().manual_seed(0))
    return TokenBatch(ids, torch.zeros_like(ids), (4, 1, 6))


def random(parameters, seed):
    generator = Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))


def test_tasks_begin_with_the_pretrained_encoder(tiny_encoder, batch):
    trunk = TopLayersTrunk(TopLayers(layers=1), tiny_encoder, ["a", "b"])
    plain = tiny_encoder.encode(batch.token_ids, batch.segment_ids, tiny_encoder.layout(batch))
    for task in ("a", "b"):
        assert torch.equal(trunk.encode(task, batch).states, plain)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_last_layers_and_the_pooler_are_the_tasks_own(tiny_encoder, layers):
    trunk = TopLayersTrunk(TopLayers(layers=layers), tiny_encoder, ["a", "b"])
    partition = trunk.partition()
    own = [f"layers.{i}." for i in range(2 - layers, 2)] + ["pooler."]
    names = [name for name, _ in tiny_encoder.named_parameters()]
    above = [name for name in names if name.startswith(tuple(own))]
    assert list(partition.own["b"]) == [f"own.b.{name}" for name in above]
    assert list(partition.shared) == [f"encoder.{name}" for name in names if name not in above]
    assert len({id(p) for p in partition.all.values()}) == len(partition.all)


def test_a_task_is_encoded_as_by_a_plain_encoder_that_holds_its_layers(tiny_encoder, batch):
    """Beside an encoder that is copied as a whole, after all numbers have moved, in float64."""
    trunk = TopLayersTrunk(TopLayers(layers=1), tiny_encoder, ["a", "b"]).double()
    random(trunk.partition().all.values(), 3)
    reference = copy.deepcopy(trunk.encoder_for(None))
    with torch.no_grad():
        for name, own in trunk.partition().own["b"].items():
            reference.get_parameter(name.removeprefix("own.b.")).copy_(own)
    layout = reference.layout(batch)
    expected = reference.encode(batch.token_ids, batch.segment_ids, layout)
    found = trunk.encode("b", batch).states
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    first = found[layout.starts]
    torch.testing.assert_close(trunk.pool("b", first), reference.pool(first), rtol=0, atol=1e-12)
    others = trunk.encode("a", batch).states
    assert not torch.allclose(others, found)


def test_a_tasks_loss_reaches_what_is_shared_and_its_own_alone(tiny_encoder, batch):
    trunk = TopLayersTrunk(TopLayers(layers=1), tiny_encoder, ["a", "b"])
    trunk.pool("a", trunk.encode("a", batch, first_only=True).states).sum().backward()
    partition = trunk.partition()
    assert all(p.grad is not None for p in partition.own["a"].values())
    assert all(p.grad is None for p in partition.own["b"].values())
    assert all(p.grad is not None for p in partition.shared.values())
    kept = dict(tiny_encoder.layers[1].named_parameters())
    assert all(p.grad is None for p in kept.values())


def test_more_layers_than_there_are_are_refused(tiny_encoder):
    told = r"found top_layers \(layers 3\), but the encoder has 2 layers; expected `layers` from 1"
    with pytest.raises(UserError, match=told):
        TopLayersTrunk(TopLayers(layers=3), tiny_encoder, ["a"])
