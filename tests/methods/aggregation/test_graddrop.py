import numpy as np
import pytest
import torch
from torch import Generator

from mtbert.methods.aggregation.graddrop import GradDrop


def gradients_of(seed, tasks=4, shape=(30, 20)):
    return torch.randn(tasks, *shape, dtype=torch.float64, generator=Generator().manual_seed(seed))


def uniform_of(seed, shape=(30, 20)):
    return torch.rand(shape, dtype=torch.float64, generator=Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("tasks", [1, 2, 5])
def test_it_is_torchjds_with_the_same_random_numbers(monkeypatch, seed, tasks):
    from torchjd.aggregation import GradDrop as Theirs

    gradients, uniform = gradients_of(seed, tasks), uniform_of(seed + 1)
    monkeypatch.setattr(torch, "rand", lambda *_, **__: uniform.flatten())
    expected = Theirs()(gradients.flatten(1))
    found = GradDrop().combine(list(gradients), uniform)
    torch.testing.assert_close(found.flatten(), expected, rtol=1e-12, atol=1e-12)


def test_by_hand():
    """P is 3/4: of 3 and -1 the positive one stays below it, the negative one above."""
    gradients = [np.array([3.0, 3.0, 2.0, -2.0, 0.0]), np.array([-1.0, -1.0, 1.0, -1.0, 0.0])]
    uniform = np.array([0.74, 0.76, 0.999, 0.001, 0.5])
    assert GradDrop().combine(gradients, uniform).tolist() == [3.0, -1.0, 3.0, -3.0, 0.0]


def test_arrays_and_tensors_give_the_same_bits():
    gradients, uniform = gradients_of(0), uniform_of(1)
    found = GradDrop().combine([g.numpy() for g in gradients], uniform.numpy())
    assert np.array_equal(found, GradDrop().combine(list(gradients), uniform).numpy())


def test_where_all_tasks_agree_it_is_the_plain_sum():
    gradients = gradients_of(0).abs() * torch.randn(30, 20).sign()
    found = GradDrop().combine(list(gradients), uniform_of(1))
    assert torch.equal(found, sum(gradients))


def test_a_coordinate_follows_one_sign_with_the_probability_of_its_share():
    gradients = gradients_of(0)
    positive, negative = gradients.clamp(min=0).sum(0), gradients.clamp(max=0).sum(0)
    drawn = torch.stack([GradDrop().combine(list(gradients), uniform_of(s)) for s in range(400)])
    near = torch.minimum((drawn - positive).abs(), (drawn - negative).abs())
    assert near.max() < 1e-12
    share = positive / (positive - negative)
    frequency = ((drawn - positive).abs() < 1e-12).double().mean(0)
    assert (frequency - share).abs().max() < 5 * 0.5 / 20  # 5 standard errors
    assert (frequency - share).mean().abs() < 5 * 0.5 / 20 / 600**0.5


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_what_is_not_finite_stays_so(bad):
    gradients = gradients_of(0)
    gradients[1, 3, 4] = bad
    found = GradDrop().combine(list(gradients), uniform_of(1))
    assert not found[3, 4].isfinite()
    assert (~found.isfinite()).sum() == 1


def test_the_gradients_stay_as_they_are_and_nothing_is_remembered():
    gradients = gradients_of(0)
    before = gradients.clone()
    GradDrop().combine(list(gradients), uniform_of(1))
    assert torch.equal(gradients, before)
    assert GradDrop().start("ab") == {}
    assert GradDrop().sets_aside
    assert not GradDrop().needs_gram
