import pytest
import torch
from torch import Generator

from mtbert.batch import TokenBatch
from mtbert.config.sharing import Hard
from mtbert.model.attention_pooling import AttentionPooling
from mtbert.model.encoders.base import load_encoder
from mtbert.model.pooling import View, mean_of_windows, pool, side_vectors
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
        view = View(pooling)
        torch.testing.assert_close(pool(trunk, "any", batch, [view])[view], wanted)
    together = pool(trunk, "any", batch, [*map(View, expected), View("mean")])
    for pooling, wanted in expected.items():
        torch.testing.assert_close(together[View(pooling)], wanted)


@pytest.mark.parametrize("pooling", ["cls", "mean", "attention"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_several_layers_are_those_that_transformers_gives(make_bert, pooling, layers):
    """Beside its hidden states, pooled one sequence at a time, in float64."""
    reference, folder = make_bert(num_hidden_layers=4)
    encoder, batch = load_encoder(str(folder)).double(), batch_of((3, 1, 4))
    attention = AttentionPooling(16, layers).double() if pooling == "attention" else None
    if attention is not None:
        for parameter in attention.parameters():
            torch.nn.init.normal_(parameter, generator=Generator().manual_seed(2))
    view, other = View(pooling, layers, attention), View("mean")
    found = pool(HardTrunk(Hard(), encoder, ["a"]), "a", batch, [view, other])
    for row, ids in enumerate(batch.token_ids.split(batch.lengths)):
        told = reference.double()(ids.unsqueeze(0), output_hidden_states=True).hidden_states
        states = torch.stack([states[0] for states in told[-layers:]], 1)  # [length, layers, W]
        torch.testing.assert_close(found[other][row], states[:, -1].mean(0))
        states = states[:, 0] if layers == 1 else states
        if attention is not None:
            whole = torch.zeros(len(ids), dtype=torch.int64)
            expected = attention(states, whole, 1)[0]
        else:
            expected = states[0] if pooling == "cls" else states.mean(0)
        torch.testing.assert_close(found[view][row], expected)


def test_the_first_tokens_alone_give_the_same_of_several_layers(tiny_encoder):
    trunk, batch = HardTrunk(Hard(), tiny_encoder, ["a"]), batch_of((3, 1, 4))
    view = View("cls", 2)
    alone = pool(trunk, "a", batch, [view])[view]
    assert alone.shape == (3, 2, 16)
    torch.testing.assert_close(alone, pool(trunk, "a", batch, [view, View("mean")])[view])


def test_a_mean_over_bf16_tokens_is_added_up_in_float32(tiny_encoder, monkeypatch):
    hidden = torch.full((1000, 16), 1.0).bfloat16()
    hidden[0] = 1000

    def encode(ids, segments, layout, generator, first_only, last_layers):
        assert (first_only, last_layers) == (False, 1)
        return layout.place(hidden)

    monkeypatch.setattr(tiny_encoder, "encode", encode)
    trunk, view = HardTrunk(Hard(), tiny_encoder, ["a"]), View("mean")
    found = pool(trunk, "any", batch_of((1000,)), [view])
    torch.testing.assert_close(found[view], torch.full((1, 16), 1.999))


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


def test_windows_of_several_layers_are_averaged_layer_by_layer():
    pooled = torch.randn(3, 2, 4, dtype=torch.float64, generator=Generator().manual_seed(3))
    found = mean_of_windows(pooled, (6, 2, 9), (2, 1))
    for layer in range(2):
        alone = mean_of_windows(pooled[:, layer], (6, 2, 9), (2, 1))
        torch.testing.assert_close(found[:, layer], alone)
    assert side_vectors(found, 2).shape == (1, 2, 2, 4)


def test_windows_of_bf16_vectors_are_added_up_in_float32():
    pooled = torch.ones(1000, 2).bfloat16()
    found = mean_of_windows(pooled, (3,) * 1000, (1000,))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.ones(1, 2))
