import torch
from torch import Generator

from mtbert.batch import TokenBatch
from mtbert.config.encoder import Hard
from mtbert.model.pooling import pool_sequences, side_vectors
from mtbert.model.sharing.hard import HardTrunk


def batch_of(lengths):
    generator = Generator().manual_seed(0)
    ids = torch.randint(1, 50, (sum(lengths),), generator=generator)
    return TokenBatch(ids, torch.zeros_like(ids), lengths)


def test_pooling_takes_the_first_token_the_pooler_or_the_mean(tiny_encoder):
    batch = batch_of((3, 1, 4))
    trunk = HardTrunk(Hard(), tiny_encoder, ["a"])
    parts = [
        tiny_encoder(ids.unsqueeze(0)).last_hidden_state[0]
        for ids in batch.token_ids.split(batch.lengths)
    ]
    first = torch.stack([part[0] for part in parts])
    pooler = tiny_encoder.pooler
    expected = {
        "cls": first,
        "pooled": torch.tanh(first @ pooler.weight.T + pooler.bias),
        "mean": torch.stack([part.mean(0) for part in parts]),
    }
    for pooling, wanted in expected.items():
        torch.testing.assert_close(pool_sequences(trunk, "any", batch, pooling), wanted)


def test_a_mean_over_bf16_tokens_is_added_up_in_float32(tiny_encoder, monkeypatch):
    hidden = torch.full((1000, 16), 1.0).bfloat16()
    hidden[0] = 1000

    def encode(ids, segments, layout, generator, first_only):
        assert not first_only
        return layout.place(hidden)

    monkeypatch.setattr(tiny_encoder, "encode", encode)
    found = pool_sequences(HardTrunk(Hard(), tiny_encoder, ["a"]), "any", batch_of((1000,)), "mean")
    torch.testing.assert_close(found, torch.full((1, 16), 1.999))


def test_sides_that_lie_one_after_the_other_come_side_by_side():
    pooled = torch.arange(12.0).view(6, 2)  # a1 a2 a3 b1 b2 b3
    found = side_vectors(pooled, 2)
    assert found.shape == (3, 2, 2)
    assert found[1].tolist() == [[2, 3], [8, 9]]
    assert side_vectors(pooled, 1).squeeze(1).tolist() == pooled.tolist()
