import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Generator

from mtbert.model.attention import Layout
from mtbert.model.encoders.base import Encoder
from mtbert.model.encoders.bert import BertEncoder
from mtbert.model.encoders.config import EncoderConfig

PADDINGS = ("none", "right", "left", "middle")


def padded_batch(padding, batch=4, length=11, vocabulary=50, seed=0):
    """Random ids (never [PAD]), mask and token_type_ids; the first row is never padded."""
    generator = Generator().manual_seed(seed)
    shape = (batch, length)
    ids = torch.randint(1, vocabulary, shape, generator=generator)
    column = torch.arange(length)
    types = (column >= torch.randint(length + 1, (batch, 1), generator=generator)).long()
    sizes = torch.randint(1, length + 1, (batch, 1), generator=generator)
    mask = {
        "none": torch.ones(shape),
        "right": column < sizes,
        "left": column >= length - sizes,
        "middle": torch.rand(shape, generator=generator) < 0.6,
    }[padding].long()
    mask[0] = 1
    if padding == "middle":
        mask[:, 0] = 1
    return ids, mask, types


def reference(model, ids, mask, types):
    """transformers' hidden states, and its pooler at each row's first real token."""
    output = model(input_ids=ids, attention_mask=mask, token_type_ids=types)
    hidden = output.last_hidden_state
    pooled = model.pooler(hidden[torch.arange(len(ids)), mask.argmax(1)].unsqueeze(1))
    unpadded = mask[:, 0] == 1
    torch.testing.assert_close(pooled[unpadded], output.pooler_output[unpadded])
    return hidden, pooled


def assert_same_outputs(encoder, model, ids, mask, types, tolerance=1e-5):
    hidden, pooled = reference(model, ids, mask, types)
    found = encoder(ids, mask, types)
    real = mask.bool()
    assert (found.last_hidden_state[real] - hidden[real]).abs().max() <= tolerance
    assert (found.pooler_output - pooled).abs().max() <= tolerance
    assert not found.last_hidden_state[~real].any()
    return (hidden, pooled), found


def assert_same_gradients(encoder, model, ids, mask, types, folder, tolerance=1e-4):
    """The gradients of a random function of all outputs, compared under transformers' names."""
    theirs, ours = assert_same_outputs(encoder, model, ids, mask, types)
    generator = Generator().manual_seed(9)
    factors = [torch.randn(t.shape, generator=generator) for t in theirs]
    factors[0] *= mask.unsqueeze(-1)
    for outputs in (theirs, ours):
        sum((f * t).sum() for f, t in zip(factors, outputs, strict=True)).backward()
    for parameter in encoder.parameters():
        parameter.data = parameter.grad
    encoder.save_pretrained(folder)
    found = load_file(folder / "model.safetensors")
    expected = {name: p.grad for name, p in model.named_parameters()}
    assert found.keys() == expected.keys()
    # The true gradient of the keys' bias is zero, so what is there is rounding: hence the floor.
    floor = 1e-6 * torch.stack([g.norm() for g in expected.values()]).norm()
    for name, gradient in expected.items():
        error = (found[name] - gradient).norm()
        assert error <= tolerance * gradient.norm() + floor, name


@given(
    hidden=st.sampled_from([16, 32, 64]),
    heads=st.sampled_from([1, 2, 4]),
    layers=st.integers(1, 3),
    inner=st.sampled_from([24, 64]),
    activation=st.sampled_from(["gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu"]),
    attention=st.sampled_from(["eager", "sdpa"]),
    padding=st.sampled_from(PADDINGS),
    length=st.integers(1, 32),
    seed=st.integers(0, 1000),
)
@settings(max_examples=30)
def test_outputs_and_gradients_equal_transformers(
    make_bert,
    tmp_path_factory,
    hidden,
    heads,
    layers,
    inner,
    activation,
    attention,
    padding,
    length,
    seed,
):
    model, folder = make_bert(
        seed,
        hidden_size=hidden,
        num_attention_heads=heads,
        num_hidden_layers=layers,
        intermediate_size=inner,
        hidden_act=activation,
        attn_implementation=attention,
    )
    assert model.config._attn_implementation == attention
    batch = padded_batch(padding, length=length, seed=seed)
    target = tmp_path_factory.mktemp("gradients")
    assert_same_gradients(Encoder.from_pretrained(str(folder)), model, *batch, target)


@pytest.mark.parametrize("padding", PADDINGS)
def test_training_mode_equals_transformers_when_nothing_is_dropped(make_bert, tmp_path, padding):
    model, folder = make_bert(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    encoder = Encoder.from_pretrained(str(folder))
    batch = padded_batch(padding)
    assert_same_gradients(encoder.train(), model.train(), *batch, tmp_path)


@pytest.mark.parametrize("padding", PADDINGS)
def test_float64_equals_transformers_to_the_last_digits(make_bert, padding):
    model, folder = make_bert(attn_implementation="eager")
    encoder = Encoder.from_pretrained(str(folder)).double()
    assert_same_outputs(encoder, model.double(), *padded_batch(padding), tolerance=1e-11)


@pytest.mark.parametrize("length", [1, 512])
def test_shortest_and_longest_sequences_equal_transformers(make_bert, tmp_path, length):
    model, folder = make_bert(max_position_embeddings=512)
    batch = padded_batch("right", batch=2, length=length)
    assert_same_gradients(Encoder.from_pretrained(str(folder)), model, *batch, tmp_path)


def test_a_pad_token_at_a_real_position_learns_nothing_as_in_transformers(make_bert, tmp_path):
    model, folder = make_bert()
    ids, mask, types = padded_batch("right")
    ids[:, 3] = model.config.pad_token_id
    encoder = Encoder.from_pretrained(str(folder))
    assert_same_gradients(encoder, model, ids, mask, types, tmp_path)


def test_the_packaged_checkpoint_equals_transformers(tmp_path):
    from transformers import AutoModel

    from mtbert.model.hub import locate

    model = AutoModel.from_pretrained(locate("packaged")).eval()
    encoder = Encoder.from_pretrained("packaged")
    batch = padded_batch("right", batch=3, length=24, vocabulary=30522)
    assert_same_gradients(encoder, model, *batch, tmp_path)


def test_mask_and_token_types_default_to_all_real_and_zero(tiny_encoder):
    ids, mask, types = padded_batch("none")
    given = tiny_encoder(ids, mask, torch.zeros_like(types))
    for expected, found in zip(given, tiny_encoder(ids), strict=True):
        assert torch.equal(expected, found)


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32, torch.int32])
def test_a_mask_of_another_dtype_means_the_same(tiny_encoder, dtype):
    ids, mask, types = padded_batch("right")
    expected = tiny_encoder(ids, mask, types).last_hidden_state
    assert torch.equal(tiny_encoder(ids, mask.to(dtype), types).last_hidden_state, expected)


def test_what_stands_at_masked_positions_changes_nothing(tiny_encoder):
    ids, mask, types = padded_batch("middle")
    before = tiny_encoder(ids, mask, types)
    after = tiny_encoder(torch.where(mask.bool(), ids, 7), mask, types)
    assert torch.equal(before.last_hidden_state, after.last_hidden_state)


def test_a_row_masked_from_end_to_end_is_refused(tiny_encoder):
    ids, mask, types = padded_batch("right")
    mask[2] = 0
    with pytest.raises(ValueError, match="row 2"):
        tiny_encoder(ids, mask, types)


def test_more_positions_than_the_table_has_are_refused(tiny_encoder):
    with pytest.raises(ValueError, match="33 positions, but the model has 32"):
        tiny_encoder(torch.zeros(1, 33, dtype=torch.int64))


def test_a_packed_batch_equals_its_sequences_alone_in_any_order(tiny_encoder):
    ids, mask, types = padded_batch("right", batch=6, length=30)
    lengths = mask.sum(1).tolist()
    alone = [
        tiny_encoder(ids[i : i + 1, :n], None, types[i : i + 1, :n]).last_hidden_state[0]
        for i, n in enumerate(lengths)
    ]
    for order in ([0, 1, 2, 3, 4, 5], [5, 2, 0, 4, 1, 3]):
        layout = Layout([lengths[i] for i in order], ids.device)
        token_ids, segment_ids = (
            torch.cat([t[i, : lengths[i]] for i in order]) for t in (ids, types)
        )
        found = tiny_encoder.encode(token_ids, segment_ids, layout)[layout.slots]
        expected = [alone[i] for i in order]
        torch.testing.assert_close(found, torch.cat(expected), rtol=1e-5, atol=1e-5)
        found = tiny_encoder.encode(token_ids, segment_ids, layout, first_only=True)
        first = torch.stack([states[0] for states in expected])
        torch.testing.assert_close(found, first, rtol=1e-5, atol=1e-5)


def test_gradients_through_the_first_tokens_alone_are_those_through_all(tiny_encoder):
    encoder = tiny_encoder.double()
    ids, _, types = padded_batch("none")
    layout = Layout([11] * 4, ids.device)
    factors = torch.randn(4, 16, generator=Generator().manual_seed(4), dtype=torch.float64)

    def gradients(first_only):
        encoder.zero_grad()
        hidden = encoder.encode(ids.flatten(), types.flatten(), layout, first_only=first_only)
        ((hidden if first_only else hidden[layout.starts]) * factors).sum().backward()
        return {n: p.grad for n, p in encoder.named_parameters() if p.grad is not None}

    found, expected = gradients(True), gradients(False)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-10, atol=1e-14, msg=name)


def test_dropout_is_on_in_training_mode_and_follows_torchs_seed(tiny_encoder):
    ids, mask, types = padded_batch("right")

    def hidden(seed):
        torch.manual_seed(seed)
        return tiny_encoder(ids, mask, types).last_hidden_state

    assert torch.equal(hidden(1), hidden(2))
    tiny_encoder.train()
    assert torch.equal(hidden(1), hidden(1))
    assert not torch.equal(hidden(1), hidden(2))


def test_the_gradient_with_dropout_is_the_slope(tiny_encoder):
    """A finite difference along a random direction of all parameters, in float64."""
    encoder = tiny_encoder.double()
    ids, _, types = padded_batch("none")
    layout = Layout([11] * 4, ids.device)
    draws = Generator().manual_seed(4)
    factors = torch.randn(44, 16, generator=draws, dtype=torch.float64)
    directions = [
        torch.randn(p.shape, generator=draws, dtype=torch.float64) for p in encoder.parameters()
    ]

    def loss():
        generator = Generator().manual_seed(1)
        slots = encoder.encode(ids.flatten(), types.flatten(), layout, generator)
        hidden = slots[layout.slots]
        return (hidden * factors).sum() + encoder.pool(hidden).sum()

    def moved(distance):
        with torch.no_grad():
            for parameter, direction in zip(encoder.parameters(), directions, strict=True):
                parameter += distance * direction
            result = loss().item()
            for parameter, direction in zip(encoder.parameters(), directions, strict=True):
                parameter -= distance * direction
        return result

    loss().backward()
    slope = sum(
        (p.grad * d).sum().item() for p, d in zip(encoder.parameters(), directions, strict=True)
    )
    assert (moved(1e-6) - moved(-1e-6)) / 2e-6 == pytest.approx(slope, rel=1e-6)


def test_bf16_computes_in_bf16_and_keeps_float32_parameters(tiny_encoder):
    batch = padded_batch("right")
    expected = tiny_encoder(*batch).last_hidden_state
    tiny_encoder.compute_dtype = torch.bfloat16
    found = tiny_encoder(*batch)
    assert found.last_hidden_state.dtype == found.pooler_output.dtype == torch.bfloat16
    assert (found.last_hidden_state - expected).abs().max() < 0.1
    found.last_hidden_state.float().square().sum().backward()
    assert all(p.dtype == torch.float32 for p in tiny_encoder.parameters())
    assert tiny_encoder.layers[0].attention.qkv.weight.grad.dtype == torch.float32


def test_initialise_draws_as_berts_authors_did_and_repeats_with_the_seed(tiny_config):
    first, second = BertEncoder(tiny_config), BertEncoder(tiny_config)
    for encoder in (first, second):
        encoder.initialise(Generator().manual_seed(3))
    for (name, a), b in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
        if ".norm." in name:
            assert bool((a == name.endswith("weight")).all()), name
        elif name.endswith("bias"):
            assert not a.any(), name
        else:
            deviation = a.std().item() / 0.02
            assert abs(deviation - 1) < 5 / math.sqrt(2 * a.numel()), name


def test_the_default_config_is_bert_base():
    with torch.device("meta"):
        encoder = BertEncoder(EncoderConfig())
    assert sum(p.numel() for p in encoder.parameters()) == 109_482_240


RATES = [
    ("embeddings", "rate"),
    *(
        (f"layers.{layer}.attention", name)
        for layer in (0, 1)
        for name in ("attention_rate", "rate")
    ),
    ("layers.0.feed_forward", "rate"),
    ("layers.1.feed_forward", "rate"),
]


@pytest.mark.parametrize("place", RATES, ids=".".join)
def test_dropout_falls_on_each_place_of_the_architecture(tiny_encoder, place):
    """Devlin et al. 2018, appendix A.2: on all layers; transformers has it in the same places."""
    ids, mask, types = padded_batch("right")
    plain = tiny_encoder(ids, mask, types).last_hidden_state
    tiny_encoder.train()
    for module, name in RATES:
        setattr(tiny_encoder.get_submodule(module), name, 0.0)
    torch.testing.assert_close(tiny_encoder(ids, mask, types).last_hidden_state, plain)
    setattr(tiny_encoder.get_submodule(place[0]), place[1], 0.5)
    assert (tiny_encoder(ids, mask, types).last_hidden_state - plain).abs().max() > 1e-3


def test_the_places_of_dropout_are_all_that_have_a_rate(tiny_encoder):
    found = {
        (name, rate)
        for name, module in tiny_encoder.named_modules()
        for rate in ("rate", "attention_rate")
        if hasattr(module, rate)
    }
    assert found == set(RATES)
