import math

import pytest
import torch
from torch import Generator
from torch.nn import functional

from mtbert.batch import TokenBatch
from mtbert.config.sharing import PALs
from mtbert.errors import UserError
from mtbert.model.encoders.bert import BertEncoder
from mtbert.model.encoders.config import EncoderConfig
from mtbert.model.sharing.pals import PALsTrunk

LENGTHS = (4, 1, 6)


@pytest.fixture
def batch():
    ids = torch.randint(1, 50, (11,), generator=Generator().manual_seed(0))
    return TokenBatch(ids, torch.zeros_like(ids), LENGTHS)


@pytest.fixture
def trunk(tiny_encoder):
    trunk = PALsTrunk(PALs(hidden_size=6, heads=3), tiny_encoder, ["a", "b"])
    generator = Generator().manual_seed(3)
    trunk.initialise(generator)
    with torch.no_grad():
        for own in trunk.partition().all_own.values():
            own.add_(0.3 * torch.randn(own.shape, generator=generator))
    return trunk


def linear(x, weights, name):
    return x @ weights[f"{name}.weight"].t() + weights[f"{name}.bias"]


def norm(x, weights, name, eps):
    centred = x - x.mean(-1, keepdim=True)
    unit = centred / (centred.pow(2).mean(-1, keepdim=True) + eps).sqrt()
    return unit * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def attention(qkv, heads):
    """Of one sequence, `[L, 3 P]` → `[L, P]`, a head at a time."""
    q, k, v = qkv.chunk(3, dim=1)
    width = q.shape[1] // heads
    found = []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        scores = q[:, part] @ k[:, part].t() / math.sqrt(width)
        found.append(scores.softmax(1) @ v[:, part])
    return torch.cat(found, dim=1)


def dense_layer(h, encoder, own, layer, eps):
    """BERT's layer of a sequence h `[L, W]`, with the paper's TS(h) added before its last norm."""
    at = f"layers.{layer}"
    context = linear(attention(linear(h, encoder, f"{at}.attention.qkv"), 2), encoder,
                     f"{at}.attention.output")  # fmt: skip
    x = norm(h + context, encoder, f"{at}.attention.norm", eps)
    inner = functional.gelu(linear(x, encoder, f"{at}.feed_forward.inner"))
    first = "own.b.projections"
    low = linear(linear(h, own, f"{first}.down"), own, f"own.b.{at}.pal.qkv")
    addend = functional.gelu(linear(attention(low, 3), own, f"{first}.up"))
    total = x + linear(inner, encoder, f"{at}.feed_forward.outer") + addend
    return norm(total, encoder, f"{at}.feed_forward.norm", eps)


def test_a_task_is_encoded_as_by_a_dense_computation_of_the_paper(tiny_encoder, trunk, batch):
    """In float64, one sequence at a time, with the names of the parameters in files."""
    trunk.double()
    own, encoder = trunk.partition().own["b"], dict(tiny_encoder.named_parameters())
    config = tiny_encoder.config
    expected = []
    for ids in batch.token_ids.split(LENGTHS):
        h = (
            encoder["embeddings.token.weight"][ids]
            + encoder["embeddings.position.weight"][: len(ids)]
            + encoder["embeddings.segment.weight"][0]
        )
        h = norm(h, encoder, "embeddings.norm", config.layer_norm_eps)
        for layer in (0, 1):
            h = dense_layer(h, encoder, own, layer, config.layer_norm_eps)
        expected.append(h)
    encoded = trunk.encode("b", batch)
    found = encoded.states[encoded.layout.slots]
    torch.testing.assert_close(found, torch.cat(expected), rtol=0, atol=1e-12)
    first = trunk.encode("b", batch, first_only=True).states
    torch.testing.assert_close(first, torch.stack([h[0] for h in expected]), rtol=0, atol=1e-12)
    plain = tiny_encoder.encode(batch.token_ids, batch.segment_ids, encoded.layout)
    assert not torch.allclose(plain, encoded.states, atol=1e-3)


def test_gradients_are_those_of_the_dense_computation(tiny_encoder, trunk, batch):
    trunk.double()
    own, encoder = trunk.partition().own["b"], dict(tiny_encoder.named_parameters())
    generator = Generator().manual_seed(5)
    h = torch.randn(4, 16, generator=generator, dtype=torch.float64)
    dense_layer(h, encoder, own, 1, tiny_encoder.config.layer_norm_eps).pow(3).sum().backward()
    expected = {n: p.grad for n, p in (own | encoder).items() if p.grad is not None}
    for parameter in trunk.parameters():
        parameter.grad = None
    alone = TokenBatch(torch.ones(4, dtype=torch.int64), torch.zeros(4, dtype=torch.int64), (4,))
    layout = tiny_encoder.layout(alone)
    slots = torch.zeros(layout.size, 16, dtype=torch.float64).index_copy(0, layout.slots, h)
    states = trunk.by_task["b"].layers[1](slots, layout, None)
    states[layout.slots].pow(3).sum().backward()
    assert {n for n, p in (own | encoder).items() if p.grad is not None} == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close((own | encoder)[name].grad, gradient, rtol=1e-9, atol=1e-10)


def test_the_two_projections_are_the_same_at_all_layers_of_a_task(trunk):
    layers = trunk.by_task["a"].layers
    assert layers[0].pal.down is layers[1].pal.down
    assert layers[0].pal.up is layers[1].pal.up
    assert layers[0].pal.qkv is not layers[1].pal.qkv
    other = trunk.by_task["b"].layers
    assert layers[0].pal.down is not other[0].pal.down
    assert layers[0].layer is other[0].layer is trunk.encoder.layers[0]
    assert list(trunk.partition().own["a"]) == [
        f"own.a.{name}.{kind}"
        for name in ("projections.down", "projections.up", "layers.0.pal.qkv", "layers.1.pal.qkv")
        for kind in ("weight", "bias")
    ]


def test_dropout_of_the_attention_follows_the_generator(trunk, batch):
    first, again = (trunk.encode("a", batch, Generator().manual_seed(1)).states for _ in "ab")
    assert torch.equal(first, again)
    assert not torch.equal(first, trunk.encode("a", batch).states)


def test_a_kernel_is_chosen_for_all_attention_of_a_task(trunk):
    encoder = trunk.by_task["a"]
    encoder.use_attention("sdpa")
    assert {layer.pal.kernel for layer in encoder.layers} == {"sdpa"}
    assert {layer.layer.attention.kernel for layer in encoder.layers} == {"sdpa"}


def test_eight_tasks_on_bert_base_have_the_papers_1_13_times_its_parameters():
    """Stickland and Murray 2019 count 1.13 x for PALs of width 204."""
    with torch.device("meta"):
        encoder = BertEncoder(EncoderConfig(
            vocab_size=30522, hidden_size=768, num_hidden_layers=12, num_attention_heads=12,
            intermediate_size=3072, max_position_embeddings=512,
        ))  # fmt: skip
        trunk = PALsTrunk(PALs(), encoder, [str(task) for task in range(8)])
    counts = trunk.partition().counts()
    own = (768 * 204 + 204) + (204 * 768 + 768) + 12 * 3 * (204 * 204 + 204)
    assert counts["own"] == 8 * own
    assert counts["shared"] == 109_482_240
    assert round((counts["shared"] + counts["own"]) / counts["shared"], 2) == 1.13


def test_a_width_that_the_heads_do_not_divide_is_refused(tiny_encoder):
    told = r"found pals \(hidden_size 10\); expected a `hidden_size` that `heads` divides"
    with pytest.raises(UserError, match=told):
        PALsTrunk(PALs(hidden_size=10), tiny_encoder, ["a"])


@pytest.mark.parametrize(("width", "expected"), [(768, 204), (384, 102), (16, 6), (1024, 270)])
def test_the_default_width_is_the_papers_share(width, expected):
    assert PALs().width_in(width) == expected


def test_a_tasks_encoder_cannot_be_exported_and_this_is_said(trunk, tiny_encoder):
    assert trunk.encoder_for(None) is tiny_encoder
    with pytest.raises(UserError, match="task a: no plain encoder has its attention layers"):
        trunk.encoder_for("a")
