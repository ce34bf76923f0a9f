import pytest
import torch
from torch import Generator
from torch.nn import functional

from mtbert.config.tasks import TaskSettings
from mtbert.model.dropout import dropout
from mtbert.model.heads import Head

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
    # Each of the W ones becomes 0 or 2: mean W, variance W; over 4,000 rows within five deviations.
    assert dropped[:, 0].mean().item() == pytest.approx(W, abs=5 * (W / 4000) ** 0.5)
    assert dropped[:, 0].var().item() == pytest.approx(W, rel=0.12)
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


def test_a_hidden_layer_is_the_head_that_transformers_puts_on_roberta():
    from transformers.models.roberta.modeling_roberta import (
        RobertaClassificationHead,
        RobertaConfig,
    )

    theirs = RobertaClassificationHead(RobertaConfig(hidden_size=W, num_labels=3)).eval().double()
    head, x = head_of(task(hidden_size=W)).double(), vectors(1).double()
    head.hidden.load_state_dict(theirs.dense.state_dict())
    head.linear.load_state_dict(theirs.out_proj.state_dict())
    torch.testing.assert_close(head(x), theirs(x), rtol=1e-12, atol=1e-12)


def test_a_hidden_layer_by_hand_with_two_sides_and_gelu():
    settings = separate("uv", hidden_size=7, hidden_activation="gelu")
    head, x = head_of(settings).double(), vectors(2).double()
    features = torch.cat((x[:, 0], x[:, 1]), 1)
    inner = features @ head.hidden.weight.T
    inner = inner * (1 + torch.erf(inner / 2**0.5)) / 2
    torch.testing.assert_close(head(x), inner @ head.linear.weight.T, rtol=1e-12, atol=1e-12)


def test_dropout_falls_before_both_linear_layers():
    head, x = Head(W, task(hidden_size=3, dropout=0.5)), vectors(1)
    head.initialise(Generator().manual_seed(0), std=0.5)
    generator = Generator().manual_seed(9)
    first = dropout(x[:, 0], 0.5, generator)
    second = dropout(torch.tanh(head.hidden(first)), 0.5, generator)
    torch.testing.assert_close(head(x, Generator().manual_seed(9)), head.linear(second))


def test_a_hidden_layer_below_ordered_thresholds():
    head = head_of(task(loss="ordinal", hidden_size=4))
    assert head.linear.weight.shape == (1, 4)
    found = head(vectors(1))
    assert (found.diff(dim=1) < 0).all()


def test_layers_are_mixed_before_the_features():
    head, x = head_of(separate("uv_absdiff_product", layers=3)), torch.randn(5, 2, 3, W)
    mixed = head.mix(x)
    plain = head_of(separate("uv_absdiff_product"))
    torch.testing.assert_close(head(x), plain(mixed))
    assert head.vector_shape == (2, 3, W)
    assert plain.vector_shape == (2, W)


def test_new_parts_of_a_head_leave_the_draw_of_its_linear_layer():
    plain, rich = head_of(task()), head_of(task(layers=2, head="attention"))
    assert torch.equal(plain.linear.weight, rich.linear.weight)
    assert rich.mix is None
    assert rich.vector_shape == (1, W)
