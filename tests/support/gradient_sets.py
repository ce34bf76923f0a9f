"""Sets of a few small gradients, ordinary and degenerate, and what an aggregator makes of them."""

import numpy as np

from mtbert.config.methods import choose
from mtbert.methods.aggregation.table import AGGREGATORS

NAMES = "abcdefgh"


def random(tasks, parameters, seed, spread=1.0):
    """Gradients in random directions, of lengths that differ by about the factor e^spread."""
    generator = np.random.default_rng(seed)
    lengths = np.exp(spread * generator.normal(size=(tasks, 1)))
    return lengths * generator.normal(size=(tasks, parameters))


REGULAR = {
    f"{tasks} tasks, seed {seed}": random(tasks, tasks + 3, seed)
    for tasks in (2, 3, 4, 6)
    for seed in range(6)
}
"""As many dimensions as tasks, and more: no gradient depends on the others."""

X = np.array([1.0, -2.0, 0.5])
Y = np.array([0.5, 1.0, 1.0])
DEPENDENT = {
    "one task": np.array([X]),
    "equal": np.array([X, X]),
    "equal, and another": np.array([X, X, Y]),
    "multiples": np.array([X, 3 * X, 0.1 * X]),
    "opposite": np.array([X, -X]),
    "opposite, not as long": np.array([X, -3 * X]),
    "opposite, and another": np.array([X, -X, Y]),
    "in a plane": random(4, 2, 1),
    "on a line": random(3, 1, 2),
    "around zero": np.array([[1.0, 0.0], [-0.5, 0.8], [-0.5, -0.8]]),
    "nearly equal": np.array([X, X + 1e-9 * Y]),
    "nearly opposite": np.array([X, -X + 1e-9 * Y]),
}
ZERO = {
    "one zero": np.array([X, 0 * X, Y]),
    "zero beside opposite": np.array([X, -X, 0 * X]),
    "all zero": np.zeros((3, 4)),
    "one task, zero": np.zeros((1, 4)),
}
SIZES = {
    "tiny": 1e-150 * random(3, 5, 3),
    "huge": 1e150 * random(3, 5, 3),
    "of every size": random(3, 5, 3) * np.array([[1e-150], [1.0], [1e150]]),
    "below what has a square": 1e-170 * random(3, 5, 3),
    "one far longer": random(3, 5, 4) * np.array([[1.0], [1e12], [1.0]]),
}
ALL = {**REGULAR, **DEPENDENT, **ZERO, **SIZES}
SEEN = {
    name: gradients
    for name, gradients in ALL.items()
    if name not in ("of every size", "below what has a square")
}
"""Those whose inner products, and what remains of them beside each other, are numbers."""


def gram_of(gradients):
    return gradients @ gradients.T


def in_order(count):
    return list(range(count))


def factors(name, gradients, state=None, permute=in_order, **options):
    """Factors of a new aggregator's first step; `state` comes before it."""
    aggregator = choose(AGGREGATORS, {"name": name, **options})
    tasks = NAMES[: len(gradients)]
    before = aggregator.start(tasks) if state is None else state
    found, _ = aggregator.weights(gram_of(gradients), tasks, before, permute)
    return np.array(found)


def direction(name, gradients, **options):
    return factors(name, gradients, **options) @ gradients


def rounding(gradients, weights=1.0):
    """What rounding may do to a sum of the gradients with such weights."""
    lengths = np.linalg.norm(gradients, axis=1)
    return 1e-9 * float((np.abs(weights) * lengths).sum()) + 1e-300


def assert_close(found, expected, gradients, weights=1.0):
    """Equal but for 1e-9 of the lengths that were summed."""
    assert np.abs(found - expected).max(initial=0) <= rounding(gradients, weights)
