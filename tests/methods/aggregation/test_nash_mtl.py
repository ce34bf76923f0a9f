import json

import numpy as np
import pytest
from scipy.optimize import root
from support.gradient_sets import (
    DEPENDENT,
    NAMES,
    REGULAR,
    ZERO,
    direction,
    factors,
    gram_of,
    in_order,
)

from mtbert.methods.aggregation.nash_mtl import NashMTL

each = pytest.mark.parametrize("gradients", REGULAR.values(), ids=REGULAR)


@each
def test_the_factors_solve_the_papers_equation(gradients):
    """G a = 1 / a with a > 0, which has one solution."""
    found = factors("nash_mtl", gradients)
    assert (found > 0).all()
    assert gram_of(gradients) @ found * found == pytest.approx(np.ones(len(found)), abs=1e-9)


@each
def test_scipys_root_is_the_same(gradients):
    gram, start = gram_of(gradients), factors("nash_mtl", gradients)
    near = start * np.random.default_rng(0).uniform(0.8, 1.25, size=len(start))
    theirs = root(lambda a: gram @ a - 1 / a, near, jac=lambda a: gram + np.diag(a**-2), tol=1e-14)
    if (theirs.x > 0).all() and theirs.success:
        assert start == pytest.approx(theirs.x, rel=1e-7)


@each
def test_no_other_direction_of_its_length_has_a_larger_product_of_gains(gradients):
    found = direction("nash_mtl", gradients)
    assert np.linalg.norm(found) == pytest.approx(np.sqrt(len(gradients)))
    assert (gradients @ found > 0).all()
    best = np.log(gradients @ found).sum()
    generator = np.random.default_rng(0)
    for size in (1e-3, 0.1, 1.0):
        for noise in size * generator.normal(size=(50, len(found))):
            other = found + noise
            gains = gradients @ (other * np.linalg.norm(found) / np.linalg.norm(other))
            assert (gains <= 0).any() or np.log(gains).sum() <= best + 1e-12


@each
def test_the_lengths_of_the_gradients_have_no_say(gradients):
    """Axiom 2.4."""
    lengths = 10.0 ** np.random.default_rng(0).integers(-50, 50, size=(len(gradients), 1))
    assert direction("nash_mtl", lengths * gradients) == pytest.approx(
        direction("nash_mtl", gradients), rel=1e-7, abs=1e-9
    )


def test_of_orthogonal_gradients_factors_are_the_inverse_lengths():
    assert factors("nash_mtl", np.diag([1.0, 2.0, 4.0])) == pytest.approx([1, 0.5, 0.25])


@pytest.mark.parametrize(
    "name", ["opposite", "opposite, not as long", "opposite, and another", "around zero",
             "nearly opposite"]
)  # fmt: skip
def test_without_agreement_nothing_moves(name):
    assert factors("nash_mtl", DEPENDENT[name]).tolist() == [0.0] * len(DEPENDENT[name])


@pytest.mark.parametrize("angle", [1e-1, 1e-3, 1e-5])
def test_gradients_that_are_almost_opposite_still_agree(angle):
    gradients = np.array([[1.0, angle], [-2.0, 2 * angle]])
    assert direction("nash_mtl", gradients) == pytest.approx([0, np.sqrt(2)], abs=1e-6)


def test_a_zero_gradient_does_not_take_part():
    a, none, b = factors("nash_mtl", ZERO["one zero"])
    assert none == 0
    assert [a, b] == pytest.approx(factors("nash_mtl", ZERO["one zero"][[0, 2]]).tolist())


def steps_of(update_every, grams, tasks="ab", state=None):
    """Factors of a series of steps; the state goes through JSON between them."""
    method = NashMTL(update_every=update_every)
    state, found = method.start(tasks) if state is None else state, []
    for gram in grams:
        weights, state = method.weights(gram, tasks, state, in_order)
        state = json.loads(json.dumps(state))
        found.append(weights)
    return found, state


def test_factors_are_kept_until_the_next_bargain():
    grams = [gram_of(g) for g in list(REGULAR.values())[:5]]
    every, nothing = steps_of(1, grams)
    assert nothing == {}
    found, state = steps_of(2, grams)
    assert found == [every[0], every[0], every[2], every[2], every[4]]
    first, between = steps_of(2, grams[:3])
    rest, after = steps_of(2, grams[3:], state=between)
    assert (first + rest, after) == (found, state)


def test_a_task_that_is_new_to_a_step_asks_for_a_new_bargain():
    method = NashMTL(update_every=5)
    _, state = method.weights(gram_of(REGULAR["2 tasks, seed 0"]), "ab", {}, in_order)
    gram = gram_of(REGULAR["3 tasks, seed 0"])
    weights, later = method.weights(gram, "abc", state, in_order)
    assert weights == factors("nash_mtl", REGULAR["3 tasks, seed 0"]).tolist()
    part, _ = method.weights(gram[:1, :1], "b", later, in_order)
    assert part == [later["factors"]["b"]]
    assert NAMES.startswith("abc")
