import pytest
import torch
from torch import Generator
from torch.nn import functional

from mtbert.batch import TokenBatch
from mtbert.config.tasks import TaskSettings
from mtbert.model.heads import Head, pool_sequences, side_vectors

W = 6


def task(kind="classification", **changes):
    labels = {"labels": ("a", "b", "c")} if kind == "classification" else {}
    return TaskSettings(kind=kind, train="train.csv", **(labels | changes))


def separate(features, kind="pair_regression", **changes):
    return task(kind, pair_encoding="separately", features=features, **changes)


def head_of(settings, seed=0):
    head = Head(W, settings)
    head.initialise(Generator().manual_seed(seed), std=0.5)
    return head


def vectors(sides, seed=1):
    return torch.randn(5, sides, W, generator=Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("settings", "outputs"),
    [
        (task(), 3),
        (task("pair_classification"), 2),
        (task("pair_classification", loss="binary_cross_entropy"), 1),
        (task("regression"), 1),
        (task("pair_regression"), 1),
        (task("pair_regression", loss="binary_cross_entropy", range=(0, 5)), 1),
    ],
)
def test_a_head_of_one_sequence_is_linear(settings, outputs):
    head, x = head_of(settings), vectors(1)
    with torch.no_grad():
        head.linear.bias.fill_(0.25)
    expected = x[:, 0] @ head.linear.weight.T + 0.25
    assert expected.shape == (5, outputs)
    torch.testing.assert_close(head(x), expected)


def test_two_sides_are_concatenated():
    head, x = head_of(separate("uv")), vectors(2)
    expected = torch.cat((x[:, 0], x[:, 1]), 1) @ head.linear.weight.T
    torch.testing.assert_close(head(x), expected)


def test_two_sides_with_difference_and_product():
    head, x = head_of(separate("uv_absdiff_product")), vectors(2)
    u, v = x[:, 0], x[:, 1]
    blocks = head.linear.weight.split(W, dim=1)
    parts = zip((u, v, abs(u - v), u * v), blocks, strict=True)
    torch.testing.assert_close(head(x), sum(p @ b.T for p, b in parts))


def test_features_mean_nothing_for_a_pair_encoded_jointly():
    assert Head(W, task("pair_regression", features="uv_absdiff_product")).linear.in_features == W


@pytest.mark.parametrize(
    ("settings", "at_zero", "at_one"),
    [
        (separate("cosine", range=(1, 5)), 1, 5),
        (separate("cosine"), 0, 1),
        (separate("cosine", kind="pair_classification", loss="mse"), 0, 1),
        (separate("cosine", range=(0, 5), loss="binary_cross_entropy"), -5, 5),
    ],
)
def test_a_cosine_head_starts_across_its_tasks_range(settings, at_zero, at_one):
    head = head_of(settings)
    u = functional.one_hot(torch.tensor([0, 0]), W).float()
    v = functional.one_hot(torch.tensor([1, 0]), W).float()
    found = head(torch.stack((u, 3 * v), dim=1)).flatten().tolist()
    assert found == pytest.approx([at_zero, at_one], abs=1e-5)


def test_a_cosine_head_survives_a_zero_vector():
    x = vectors(2)
    x[0] = 0
    x.requires_grad_()
    head_of(separate("cosine"))(x).sum().backward()
    assert x.grad.isfinite().all()


def test_dropout_falls_on_the_features_when_a_generator_is_given():
    head = Head(W, task(dropout=0.5))
    with torch.no_grad():
        head.linear.weight.fill_(1)
        head.linear.bias.zero_()
    x = torch.ones(4000, 1, W)
    assert torch.equal(head(x), torch.full((4000, 3), float(W)))
    dropped = head(x, Generator().manual_seed(0))
    assert set(dropped[:, 0].tolist()) <= {2.0 * k for k in range(W + 1)}
    assert dropped.mean().item() == pytest.approx(W, abs=0.2)
    assert torch.equal(dropped, head(x, Generator().manual_seed(0)))


def test_a_cosine_is_not_dropped():
    head, x = head_of(separate("cosine", dropout=0.9)), vectors(2)
    assert torch.equal(head(x), head(x, Generator().manual_seed(0)))


def test_a_head_answers_bf16_vectors_in_float32():
    assert head_of(task())(vectors(1).bfloat16()).dtype == torch.float32


def test_initialise_is_normal_with_zero_bias_and_repeats_with_the_seed():
    wide = Head(2000, task())
    wide.initialise(Generator().manual_seed(1))
    assert wide.linear.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not wide.linear.bias.any()
    assert torch.equal(head_of(task(), 1).linear.weight, head_of(task(), 1).linear.weight)
    assert not torch.equal(head_of(task(), 1).linear.weight, head_of(task(), 2).linear.weight)


def batch_of(lengths):
    generator = Generator().manual_seed(0)
    ids = torch.randint(1, 50, (sum(lengths),), generator=generator)
    return TokenBatch(ids, torch.zeros_like(ids), lengths)


def test_pooling_takes_the_first_token_the_pooler_or_the_mean(tiny_encoder):
    batch = batch_of((3, 1, 4))
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
        torch.testing.assert_close(pool_sequences(tiny_encoder, batch, pooling), wanted)


def test_a_mean_over_bf16_tokens_is_added_up_in_float32(tiny_encoder, monkeypatch):
    hidden = torch.full((1000, 16), 1.0).bfloat16()
    hidden[0] = 1000

    def encode(ids, segments, layout, generator, first_only):
        assert not first_only
        return layout.place(hidden)

    monkeypatch.setattr(tiny_encoder, "encode", encode)
    found = pool_sequences(tiny_encoder, batch_of((1000,)), "mean")
    torch.testing.assert_close(found, torch.full((1, 16), 1.999))


def test_sides_that_lie_one_after_the_other_come_side_by_side():
    pooled = torch.arange(12.0).view(6, 2)  # a1 a2 a3 b1 b2 b3
    found = side_vectors(pooled, 2)
    assert found.shape == (3, 2, 2)
    assert found[1].tolist() == [[2, 3], [8, 9]]
    assert side_vectors(pooled, 1).squeeze(1).tolist() == pooled.tolist()
