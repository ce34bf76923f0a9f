import torch
from torch import Generator
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from mtbert.model.attention_pooling import AttentionPooling
from mtbert.model.layer_mix import LayerMix

W, LENGTHS = 6, (3, 1, 5, 2)


def random(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=Generator().manual_seed(seed))


def packed():
    return random(sum(LENGTHS), W), torch.repeat_interleave(torch.tensor(LENGTHS))


def pooling(layers=1):
    module = AttentionPooling(W, layers).double()
    module.start()
    with torch.no_grad():
        module.query.copy_(3 * random(W, seed=1))
    return module


def test_it_is_torchs_attention_by_one_query_over_padded_sequences():
    """Forward and backward, beside `scaled_dot_product_attention` with a mask, in float64."""
    module, (tokens, sequence_of) = pooling(), packed()
    dense = tokens.clone().requires_grad_()
    tokens.requires_grad_()
    found = module(tokens, sequence_of, len(LENGTHS))
    padded = pad_sequence(dense.split(LENGTHS), batch_first=True)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)
    query = module.query.detach().clone().requires_grad_()
    queries = query.expand(len(LENGTHS), 1, W)
    expected = functional.scaled_dot_product_attention(
        queries, padded, padded, attn_mask=mask.unsqueeze(1)
    ).squeeze(1)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    weights = random(len(LENGTHS), W, seed=2)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(tokens.grad, dense.grad, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(module.query.grad, query.grad, rtol=1e-12, atol=1e-12)


def test_fresh_it_is_the_mean_and_learns_from_there():
    module, (tokens, sequence_of) = AttentionPooling(W).double(), packed()
    module.start()
    found = module(tokens, sequence_of, len(LENGTHS))
    expected = torch.stack([part.mean(0) for part in tokens.split(LENGTHS)])
    torch.testing.assert_close(found, expected)
    found.square().sum().backward()
    assert module.query.grad.abs().min() > 0


def test_several_layers_are_mixed_before():
    module, sequence_of = pooling(layers=3), packed()[1]
    states = random(sum(LENGTHS), 3, W)
    with torch.no_grad():
        module.mix.scores.copy_(random(3, seed=4))
    mix = LayerMix(3).double()
    mix.load_state_dict(module.mix.state_dict())
    alone = pooling()
    expected = alone(mix(states), sequence_of, len(LENGTHS))
    torch.testing.assert_close(module(states, sequence_of, len(LENGTHS)), expected)


def test_large_scores_neither_overflow_nor_leave_a_sequence_without_weights():
    module, (tokens, sequence_of) = pooling(), packed()
    with torch.no_grad():
        module.query.mul_(1e4)
    found = module(tokens.float(), sequence_of, len(LENGTHS))
    assert found.isfinite().all()
    for row, part in enumerate(tokens.split(LENGTHS)):  # a softmax that has become the maximum
        best = part[(part @ module.query).argmax()]
        torch.testing.assert_close(found[row], best.to(found.dtype), atol=1e-6, rtol=1e-6)


def test_half_precision_is_added_up_in_float32():
    module = AttentionPooling(2)
    module.start()
    tokens = torch.ones(1000, 2).bfloat16()
    found = module(tokens, torch.zeros(1000, dtype=torch.int64), 1)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.ones(1, 2))
