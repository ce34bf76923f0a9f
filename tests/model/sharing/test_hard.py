import pytest
import torch
from torch import Generator

from mtbert.batch import TokenBatch
from mtbert.config.sharing import DEFAULT_SHARING, SHARINGS, Hard
from mtbert.model.attention import Layout
from mtbert.model.sharing.hard import HardTrunk
from mtbert.model.sharing.table import TRUNKS, make_trunk

LENGTHS = (4, 1, 6)


def batch_of(lengths):
    ids = torch.randint(1, 50, (sum(lengths),), generator=Generator().manual_seed(0))
    return TokenBatch(ids, torch.zeros_like(ids), lengths)


@pytest.fixture
def batch():
    return batch_of(LENGTHS)


@pytest.mark.parametrize("first_only", [False, True])
def test_every_task_is_encoded_by_the_one_encoder(tiny_encoder, batch, first_only):
    trunk = HardTrunk(Hard(), tiny_encoder, ["a"])
    layout = Layout(LENGTHS, torch.device("cpu"))
    expected = tiny_encoder.encode(
        batch.token_ids, batch.segment_ids, layout, first_only=first_only
    )
    for task in ("one", "other"):
        found = trunk.encode(task, batch, first_only=first_only)
        assert torch.equal(found.states, expected)
        assert found.layout.lengths == layout.lengths
        assert trunk.encoder_for(task) is tiny_encoder
    assert trunk.encoder_for(None) is tiny_encoder


def test_dropout_follows_the_generator(tiny_encoder, batch):
    trunk = HardTrunk(Hard(), tiny_encoder, ["a"])
    plain = trunk.encode("one", batch).states
    first, again = (trunk.encode("one", batch, Generator().manual_seed(1)).states for _ in "ab")
    assert torch.equal(first, again)
    assert not torch.equal(first, plain)


def test_sequences_lie_as_the_encoder_wants_them(tiny_encoder):
    trunk, batch = HardTrunk(Hard(), tiny_encoder, ["a"]), batch_of((32,) * 34)
    plain = trunk.encode("one", batch)
    tiny_encoder.bucketed = True
    padded = trunk.encode("one", batch)
    assert len(padded.states) > len(plain.states)
    torch.testing.assert_close(padded.states[padded.layout.slots], plain.states[plain.layout.slots])


def test_all_of_the_encoder_is_shared_under_its_name_in_checkpoints(tiny_encoder):
    partition = HardTrunk(Hard(), tiny_encoder, ["a"]).partition()
    assert partition.own == {}
    assert partition.all == partition.shared
    for name, parameter in tiny_encoder.named_parameters():
        assert partition.shared[f"encoder.{name}"] is parameter
    assert len(partition.shared) == len(list(tiny_encoder.parameters()))


def test_the_table_makes_it_of_an_encoder(tiny_encoder):
    trunk = make_trunk(DEFAULT_SHARING, tiny_encoder, ["a"])
    assert isinstance(trunk, HardTrunk)
    pooled = trunk.pool("one", torch.ones(2, 16))
    assert torch.equal(pooled, tiny_encoder.pool(torch.ones(2, 16)))


def test_every_scheme_of_the_configuration_has_a_trunk_and_no_other():
    assert set(TRUNKS) == set(SHARINGS)
