import torch
from torch import Generator

from mtbert.batch import TokenBatch
from mtbert.config.sharing import Hard
from mtbert.model.pooling import mean_of_windows, pool_sequences, side_vectors
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


def test_a_texts_vector_is_the_mean_of_its_windows_by_their_tokens():
    pooled = torch.randn(5, 4, dtype=torch.float64, generator=Generator().manual_seed(3))
    found = mean_of_windows(pooled, (10, 10, 5, 7, 3), (3, 1, 1))
    first = (10 * pooled[0] + 10 * pooled[1] + 5 * pooled[2]) / 25
    torch.testing.assert_close(found, torch.stack([first, pooled[3], pooled[4]]))
    assert torch.equal(found[1:], pooled[3:])  # bit for bit where there is one window


def test_the_gradient_of_a_mean_of_windows_is_shared_out_by_tokens():
    pooled = torch.randn(3, 2, dtype=torch.float64, generator=Generator().manual_seed(3))
    pooled.requires_grad_()
    weights = torch.tensor([[1.0, 2], [3, 4]], dtype=torch.float64)
    (mean_of_windows(pooled, (6, 2, 9), (2, 1)) * weights).sum().backward()
    expected = torch.tensor([[0.75, 1.5], [0.25, 0.5], [3, 4]], dtype=torch.float64)
    torch.testing.assert_close(pooled.grad, expected)


def test_windows_of_bf16_vectors_are_added_up_in_float32():
    pooled = torch.ones(1000, 2).bfloat16()
    found = mean_of_windows(pooled, (3,) * 1000, (1000,))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.ones(1, 2))
