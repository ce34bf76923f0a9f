import pytest
import torch
from torch import Generator

from mtbert.batch import TokenBatch
from mtbert.config.sharing import LoRA
from mtbert.model.encoders.base import load_encoder
from mtbert.model.encoders.bert import BertEncoder
from mtbert.model.encoders.config import EncoderConfig
from mtbert.model.layers import keep_casts
from mtbert.model.sharing.lora import LoRATrunk, LowRank

EVERY = ("query", "key", "value", "output", "inner", "outer")
MAPS = [("query", "value"), ("key",), ("outer", "value", "query"), EVERY]


@pytest.fixture
def batch():
    ids = torch.randint(1, 50, (11,), generator=Generator().manual_seed(0))
    return TokenBatch(ids, torch.zeros_like(ids), (4, 1, 6))


def made(encoder, moved=True, **options):
    """A trunk of two tasks; B has moved away from zero if asked for."""
    trunk = LoRATrunk(LoRA(**options), encoder, ["a", "b"])
    generator = Generator().manual_seed(3)
    trunk.initialise(generator)
    if moved:
        with torch.no_grad():
            for own in trunk.partition().all_own.values():
                own.add_(0.2 * torch.randn(own.shape, generator=generator))
    return trunk


def dense_weights(trunk, task, options):
    """The weights with the changes added, map by map, as the paper writes them: W + alpha/r B A."""
    own = trunk.partition().own[task]
    weights = {name: p.detach().clone() for name, p in trunk.encoder.named_parameters()}
    places = {
        "query": ("attention.qkv", 0), "key": ("attention.qkv", 1), "value": ("attention.qkv", 2),
        "output": ("attention.output", 0), "inner": ("feed_forward.inner", 0),
        "outer": ("feed_forward.outer", 0),
    }  # fmt: skip
    for layer in range(2):
        seen = {}
        for name in sorted(options.maps, key=EVERY.index):
            path, part = places[name]
            path = f"layers.{layer}.{path}"
            number = seen.setdefault(path, 0)
            seen[path] += 1
            a = own[f"own.{task}.{path}.down"][number * options.rank :][: options.rank]
            b = own[f"own.{task}.{path}.up"][number]
            rows = slice(part * len(b), (part + 1) * len(b))
            weights[f"{path}.weight"][rows] += options.alpha / options.rank * (b @ a).detach()
    return weights


@pytest.mark.parametrize("maps", MAPS)
@pytest.mark.parametrize("frozen", [False, True])
def test_a_task_is_encoded_by_the_weights_of_the_paper(tiny_encoder, batch, maps, frozen):
    """In float64, by either path; gradients too, beside those through the dense weights."""
    options = LoRA(rank=3, alpha=5, maps=maps)
    trunk = made(tiny_encoder, rank=3, alpha=5, maps=maps).double()
    tiny_encoder.requires_grad_(not frozen)
    reference = BertEncoder(tiny_encoder.config).double()
    reference.load_state_dict(dense_weights(trunk, "b", options))
    layout = reference.layout(batch)
    expected = reference.encode(batch.token_ids, batch.segment_ids, layout)
    found = trunk.encode("b", batch).states
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert not torch.allclose(found, trunk.encode("a", batch).states)
    for states in (found, expected):
        states.pow(2).sum().backward()
    gradient = reference.layers[0].attention.qkv.weight.grad
    if not frozen:
        own = tiny_encoder.layers[0].attention.qkv.weight.grad
        torch.testing.assert_close(own, gradient, rtol=1e-10, atol=1e-10)
    if "value" in maps:
        part = trunk.by_task["b"].layers[0].attention.qkv
        number = [m for m in EVERY[:3] if m in maps].index("value")
        b, a = part.up[number], part.down[3 * number :][:3]
        dense = gradient[2 * len(b) :] * (5 / 3)
        torch.testing.assert_close(part.up.grad[number], dense @ a.t(), rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(
            part.down.grad[3 * number :][:3], b.t() @ dense, rtol=1e-10, atol=1e-10
        )


def test_a_run_begins_with_the_encoder_as_it_is(tiny_encoder, batch):
    trunk = made(tiny_encoder, moved=False)
    plain = tiny_encoder.encode(batch.token_ids, batch.segment_ids, tiny_encoder.layout(batch))
    assert torch.equal(trunk.encode("a", batch).states, plain)
    parts = [part for part in trunk.by_task["a"].modules() if isinstance(part, LowRank)]
    assert all(part.down.any() and not part.up.any() for part in parts)
    trunk.encode("a", batch).states.sum().backward()
    assert all(part.up.grad is not None for part in parts)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("frozen", [False, True])
def test_the_exported_encoder_computes_the_same(
    tiny_encoder, batch, tmp_path, dtype, tolerance, frozen
):
    trunk = made(tiny_encoder, maps=EVERY).to(dtype)
    tiny_encoder.requires_grad_(not frozen)
    merged = trunk.encoder_for("a")
    assert type(merged) is BertEncoder
    layout = merged.layout(batch)
    expected = merged.encode(batch.token_ids, batch.segment_ids, layout)
    found = trunk.encode("a", batch).states
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)
    torch.testing.assert_close(
        trunk.pool("a", found[:2]), merged.pool(expected[:2]), rtol=0, atol=tolerance
    )
    merged.save_pretrained(tmp_path)
    again = load_encoder(str(tmp_path))
    for name, parameter in merged.named_parameters():
        assert torch.equal(again.get_parameter(name), parameter.float())


def test_the_low_rank_matrices_are_the_tasks_own_and_all_else_is_shared(tiny_encoder):
    partition = made(tiny_encoder, maps=("query", "outer"), rank=2).partition()
    names = [f"encoder.{name}" for name, _ in tiny_encoder.named_parameters()]
    assert list(partition.shared) == names
    shapes = {name: tuple(p.shape) for name, p in partition.own["b"].items()}
    assert shapes == {
        f"own.b.layers.{layer}.{path}": shape
        for layer in (0, 1)
        for path, shape in {
            "attention.qkv.down": (2, 16), "attention.qkv.up": (1, 16, 2),
            "feed_forward.outer.down": (2, 32), "feed_forward.outer.up": (1, 16, 2),
        }.items()
    }  # fmt: skip


def test_a_base_encoder_has_the_papers_0_3_million_numbers():
    """Hu et al. 2021, table 2: RoBERTa base with r = 8 on queries and values, 0.3 M."""
    with torch.device("meta"):
        encoder = BertEncoder(EncoderConfig(
            vocab_size=100, hidden_size=768, num_hidden_layers=12, num_attention_heads=12,
            intermediate_size=3072, max_position_embeddings=512,
        ))  # fmt: skip
        trunk = LoRATrunk(LoRA(), encoder, ["a"])
    assert trunk.partition().counts()["own"] == 12 * 2 * 2 * 8 * 768 == 294_912


@torch.no_grad()
def test_the_exported_encoder_of_a_trunk_that_keeps_casts_has_the_changes(tiny_encoder, batch):
    trunk = made(tiny_encoder, maps=EVERY)
    trunk.compute_in(torch.bfloat16)
    expected = trunk.encode("a", batch).states
    keep_casts(trunk, torch.bfloat16)
    merged = trunk.encoder_for("a")
    found = merged.encode(batch.token_ids, batch.segment_ids, merged.layout(batch))
    plain = tiny_encoder.encode(batch.token_ids, batch.segment_ids, merged.layout(batch))
    torch.testing.assert_close(found, expected, rtol=0, atol=0.05)
    assert (plain - expected).abs().max() > 0.2
