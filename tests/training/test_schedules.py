import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbert.training.schedules import rate_factor


@pytest.mark.parametrize(
    ("schedule", "warmup", "total", "factors"),
    [
        ("constant", 0.0, 4, [1, 1, 1, 1]),
        ("linear", 0.0, 4, [1, 0.75, 0.5, 0.25]),
        ("cosine", 0.0, 4, [1, 0.5 + 0.125**0.5, 0.5, 0.5 - 0.125**0.5]),
        ("constant", 0.5, 4, [0.5, 1, 1, 1]),
        ("linear", 0.5, 8, [0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25]),
        ("cosine", 0.5, 4, [0.5, 1, 1, 0.5]),
        ("linear", 0.9, 1, [1]),
        ("cosine", 0.0, 1, [1]),
    ],
)
def test_rate_factors_by_hand(schedule, warmup, total, factors):
    found = [rate_factor(schedule, warmup, step, total) for step in range(total)]
    assert found == pytest.approx(factors, abs=1e-12)


@given(
    schedule=st.sampled_from(["constant", "linear", "cosine"]),
    warmup=st.floats(0, 1, exclude_max=True),
    total=st.integers(1, 300),
)
def test_rate_factors_rise_to_one_then_never_rise_again(schedule, warmup, total):
    factors = [rate_factor(schedule, warmup, step, total) for step in range(total)]
    assert all(0 < factor <= 1 for factor in factors)
    assert max(factors) == 1
    top = factors.index(1)
    assert factors[:top] == sorted(factors[:top])
    assert factors[top:] == sorted(factors[top:], reverse=True)
