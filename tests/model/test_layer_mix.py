import torch
from torch import Generator

from mtbert.model.layer_mix import LayerMix


def states(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=Generator().manual_seed(0))


def test_it_is_the_scaled_sum_by_softmax():
    """Beside ELMo's formula in plain numbers, with its gradients."""
    mix, x = LayerMix(4).double(), states(3, 4, 5).requires_grad_()
    with torch.no_grad():
        mix.scores.copy_(scores := torch.tensor([0.3, -1.0, 0.0, 2.0], dtype=torch.float64))
        mix.scale.fill_(1.7)
    exponentials = scores.exp()
    shares = exponentials / exponentials.sum()
    expected = 1.7 * sum(share * x[:, layer] for layer, share in enumerate(shares))
    found = mix(x)
    torch.testing.assert_close(found, expected, rtol=1e-14, atol=1e-14)
    found.sum().backward()
    means = x.detach().sum((0, 2))  # of each layer; d softmax_i / d score_j = s_i (1[i = j] - s_j)
    by_scores = 1.7 * shares * (means - (shares * means).sum())
    torch.testing.assert_close(mix.scores.grad, by_scores)
    torch.testing.assert_close(mix.scale.grad, (shares * means).sum().view(1))
    torch.testing.assert_close(x.grad, (1.7 * shares).view(1, 4, 1).expand_as(x))


def test_fresh_it_is_the_mean():
    mix, x = LayerMix(3).double(), states(2, 2, 3, 4)
    mix.start()
    torch.testing.assert_close(mix(x), x.mean(2))


def test_half_precision_is_mixed_in_float32():
    mix = LayerMix(2)
    mix.start()
    assert mix(states(3, 2, 4).bfloat16()).dtype == torch.float32
