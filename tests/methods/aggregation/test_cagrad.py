import numpy as np
import pytest
from scipy.optimize import minimize
from support.gradient_sets import ALL, DEPENDENT, REGULAR, SEEN, direction, factors, rounding

each = pytest.mark.parametrize("gradients", SEEN.values(), ids=SEEN)


def dual(gradients, c, weights):
    """The objective of Algorithm 1 for the summed gradients: an upper bound of the worst gain."""
    total, point = gradients.sum(0), weights @ gradients
    return point @ total + c * np.linalg.norm(total) * np.linalg.norm(point)


@pytest.mark.parametrize("c", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", [*REGULAR, *DEPENDENT, "one zero"])
def test_the_duality_gap_is_zero(name, c):
    """The worst gain equals the upper bound that its own factors prove, so nothing is better."""
    gradients = ALL[name] / np.linalg.norm(ALL[name], axis=1).max()
    weights = factors("cagrad", gradients, c=c)
    change = weights - 1
    assert (change >= -1e-12).all()
    worst = (gradients @ (weights @ gradients)).min()
    simplex = change / change.sum() if change.sum() > 0 else np.full(len(change), 1 / len(change))
    shortest = np.linalg.norm(direction("mgda", gradients))
    if worst < -1e-9 or shortest > 1e-10:
        assert worst == pytest.approx(dual(gradients, c, simplex), abs=1e-9 * len(gradients) ** 2)
    else:  # an average of the gradients is zero: no direction improves all of them
        assert worst == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("gradients", list(REGULAR.values())[::3], ids=list(REGULAR)[::3])
def test_scipy_finds_no_better_minimum_of_the_dual(gradients):
    weights = factors("cagrad", gradients) - 1
    found = dual(gradients, 0.5, weights / weights.sum())
    start = np.full(len(gradients), 1 / len(gradients))
    theirs = minimize(
        lambda w: dual(gradients, 0.5, w), start, bounds=[(0, 1)] * len(gradients), tol=1e-14,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1}, options={"maxiter": 1000},
    )  # fmt: skip
    assert found == pytest.approx(theirs.fun, rel=1e-5)
    assert found <= theirs.fun + rounding(gradients) * np.abs(gradients).max()


@each
@pytest.mark.parametrize("c", [0.0, 0.5, 0.99])
def test_it_stays_in_the_ball(gradients, c):
    scaled = gradients / (np.abs(gradients).max() or 1.0)
    weights, total = factors("cagrad", gradients, c=c), scaled.sum(0)
    distance = np.linalg.norm((weights - 1) @ scaled)
    assert distance <= c * np.linalg.norm(total) + rounding(scaled, weights)


@each
def test_the_worst_task_gains_no_less_than_by_the_plain_sum(gradients):
    scaled = gradients / (np.abs(gradients).max() or 1.0)
    weights = factors("cagrad", gradients)
    worst = (scaled @ (weights @ scaled)).min()
    assert worst >= (scaled @ scaled.sum(0)).min() - rounding(scaled, weights)


@each
def test_a_ball_of_no_radius_leaves_the_plain_sum(gradients):
    assert factors("cagrad", gradients, c=0).tolist() == [1.0] * len(gradients)


@pytest.mark.parametrize("gradients", REGULAR.values(), ids=REGULAR)
def test_it_grows_with_the_gradients(gradients):
    expected = direction("cagrad", gradients)
    found = direction("cagrad", 1000 * gradients)
    assert found == pytest.approx(1000 * expected, rel=1e-9, abs=1e-6)


def test_two_orthogonal_tasks_by_hand():
    """g = (2, 0), (0, 1) gain 4 and 1 by their sum: all of the radius goes to the second."""
    found = direction("cagrad", np.array([[2.0, 0.0], [0.0, 1.0]]))
    assert found == pytest.approx([2, 1 + np.sqrt(5) / 2])


def test_where_tasks_are_opposed_it_resolves_the_conflict_if_the_ball_holds_that():
    gradients = np.array([[1.0, 0.1], [-1.0, 0.1], [0.0, 1.0], [0.0, -0.5]])
    assert np.linalg.norm(gradients.sum(0)) == pytest.approx(0.7)
    found = direction("cagrad", gradients, c=0.99)
    assert (gradients @ found).min() < 0  # the ball is too small
    opposed = np.array([[1.0, 0.0], [-1.0, 0.0], [0.1, 1.0]])
    assert direction("cagrad", opposed) == pytest.approx([0.0, 1.0])
