import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, nn

from mtbert.objectives.popart import STEP_SIZE, RunningScale, rescale
from mtbert.objectives.target_scale import RAW, TargetScale

batches = st.lists(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=6).map(np.array), min_size=1, max_size=8
)


@given(batches)
def test_moments_are_those_of_the_paper(found):
    """Beside m and n, the moments themselves, in plain numbers."""
    first, second, running = 0.0, 0.0, RunningScale()
    for t, labels in enumerate(found, start=1):
        share = STEP_SIZE / (1 - (1 - STEP_SIZE) ** t)
        first = (1 - share) * first + share * np.mean(labels)
        second = (1 - share) * second + share * np.mean(labels**2)
        running = running.after(labels)
        assert running.mean == pytest.approx(first, rel=1e-9, abs=1e-9)
        assert running.variance == pytest.approx(second - first**2, rel=1e-6, abs=1e-6)
        assert running.variance >= 0
        assert running.updates == t


def test_the_first_batch_leaves_nothing_of_the_start():
    labels = np.array([3.0, 5.0, 10.0])
    found = RunningScale(mean=1e6, variance=1e12).after(labels)
    assert (found.mean, found.variance) == pytest.approx((labels.mean(), labels.var()))


def test_early_updates_are_about_the_mean_of_all_labels():
    labels = np.random.default_rng(0).normal(1950, 30, (20, 8))
    found = RunningScale()
    for batch in labels:
        found = found.after(batch)
    assert found.mean == pytest.approx(labels.mean(), rel=1e-4)
    assert found.scale.deviation == pytest.approx(labels.std(), rel=1e-2)


def test_later_updates_have_the_step_size():
    before = RunningScale(mean=2.0, variance=3.0, updates=10**6)
    assert before.after(np.array([12.0])).mean == pytest.approx(2 + 10 * STEP_SIZE)


def test_labels_that_do_not_differ_have_the_deviation_one():
    for label in (0.0, 0.1, 7.0, -1e9):
        found = RunningScale()
        for _ in range(3):
            found = found.after(np.full(3, label))
        assert found.scale.deviation == 1
        assert found.mean == pytest.approx(label)


def test_seconds_since_1970_keep_their_digits():
    """Where the difference of the moments would be a few hundred, or negative."""
    labels = 1.7e9 + np.arange(8.0)
    assert RunningScale().after(labels).variance == pytest.approx(labels.var())


@given(batches, st.integers(0, 2**31 - 1))
def test_answers_do_not_move_when_the_scale_does(found, seed):
    """Outputs in the labels' unit, before and after each of a number of updates, to 1e-12."""
    generator = Generator().manual_seed(seed)
    layer = nn.Linear(5, 1).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, generator=generator)
    x = torch.randn(7, 5, dtype=torch.float64, generator=generator)
    running = RunningScale()
    for labels in found:
        scale, after = running.scale, running.after(labels)
        before = scale.restore(layer(x).detach().numpy())
        rescale(layer.weight, layer.bias, scale, after.scale)
        again = after.scale.restore(layer(x).detach().numpy())
        size = max(1.0, np.abs(labels).max(), np.abs(before).max(), after.scale.deviation)
        assert np.abs(again - before).max() <= 1e-12 * size
        running = after


def test_a_change_of_scale_by_hand():
    weight, bias = torch.tensor([[2.0, -4.0]]), torch.tensor([1.0])
    rescale(weight, bias, RAW, TargetScale(mean=5.0, deviation=2.0))
    assert weight.tolist() == [[1.0, -2.0]]
    assert bias.tolist() == [-2.0]  # (1 - 5) / 2
