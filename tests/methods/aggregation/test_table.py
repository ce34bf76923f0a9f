"""What holds for every aggregator."""

import json

import numpy as np
import pytest
from support.gradient_sets import ALL, NAMES, REGULAR, gram_of, in_order, rounding

from mtbert.config.methods import choose
from mtbert.methods.aggregation.base import CoordinateAggregator, GramAggregator
from mtbert.methods.aggregation.sum import Sum
from mtbert.methods.aggregation.table import AGGREGATORS, DEFAULT_AGGREGATOR

GRAM = [kind for kind in AGGREGATORS if issubclass(kind, GramAggregator)]
each = pytest.mark.parametrize("kind", GRAM)


def random_gram(tasks, parameters=5, seed=0):
    return gram_of(np.random.default_rng(seed).normal(size=(tasks, parameters)))


def permute(count):
    return list(range(count))[::-1]


@each
@pytest.mark.parametrize("tasks", [1, 2, 4])
def test_it_gives_a_weight_a_task_and_a_state_of_json_values(kind, tasks):
    aggregator = kind()
    state = aggregator.start([f"t{i}" for i in range(tasks)])
    weights, later = aggregator.weights(random_gram(tasks), "abcd"[:tasks], state, permute)
    assert len(weights) == tasks
    assert all(type(weight) is float for weight in weights)
    assert np.isfinite(weights).all()
    assert json.loads(json.dumps(later)) == later


@each
def test_it_changes_neither_the_gram_matrix_nor_the_state(kind):
    gram, aggregator = random_gram(3), kind()
    state = aggregator.start(["a", "b", "c"])
    before = gram.copy(), json.dumps(state)
    aggregator.weights(gram, "abc", state, permute)
    assert np.array_equal(gram, before[0])
    assert json.dumps(state) == before[1]


@each
def test_what_remembers_nothing_is_a_function_of_its_arguments(kind):
    aggregator = kind()
    found = [
        aggregator.weights(random_gram(4), "abcd", aggregator.start("abcd"), permute) for _ in "ab"
    ]
    assert found[0] == found[1]


@each
@pytest.mark.parametrize("gradients", ALL.values(), ids=ALL)
@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_any_gradients_give_numbers(kind, gradients, precision):
    """In float32 the inner products are rounded, and may be those of no gradients."""
    scale = np.abs(gradients).max(initial=0.0)
    if precision is np.float32 and scale > 0:
        gradients = (gradients / scale).astype(np.float32)
    gram = gram_of(gradients).astype(np.float64)
    tasks = NAMES[: len(gram)]
    aggregator = kind()
    weights, state = aggregator.weights(gram, tasks, aggregator.start(tasks), in_order)
    assert np.isfinite(weights).all()
    again, _ = aggregator.weights(gram, tasks, state, in_order)
    assert np.isfinite(again).all()


@each
@pytest.mark.parametrize("gradients", REGULAR.values(), ids=REGULAR)
def test_the_tasks_order_plays_no_role(kind, gradients):
    """But for the random one in which conflicts are looked at, which is permuted as well."""
    order = np.random.default_rng(1).permutation(len(gradients))
    place = np.argsort(order).tolist()
    tasks = NAMES[: len(gradients)]
    permuted = [tasks[i] for i in order]
    expected, _ = kind().weights(gram_of(gradients), tasks, kind().start(tasks), in_order)
    found, _ = kind().weights(
        gram_of(gradients[order]), permuted, kind().start(permuted), lambda _: place
    )
    assert np.abs(found @ gradients[order] - expected @ gradients).max() <= rounding(gradients, 10)


@pytest.mark.parametrize("name", ["pcgrad", "gradvac", "nash_mtl", "upgrad"])
@pytest.mark.parametrize("references", [1, 2])
def test_gradients_that_only_constrain_are_not_followed(name, references):
    """Nothing conflicts with them, so they change nothing."""
    gradients = np.abs(np.random.default_rng(0).normal(size=(3 + references, 6)))
    method = choose(AGGREGATORS, name)
    expected, _ = method.weights(gram_of(gradients[:3]), "abc", {}, in_order)
    found, _ = method.weights(gram_of(gradients), "abc", {}, in_order)
    assert found == pytest.approx([*expected, *[0.0] * references])


def test_the_sum_follows_every_gradient_but_references():
    assert Sum().weights(random_gram(3), "abc", {}, permute) == ([1.0] * 3, {})
    assert Sum().weights(random_gram(3), "a", {}, permute) == ([1.0, 0.0, 0.0], {})


@pytest.mark.parametrize("kind", AGGREGATORS)
def test_it_is_of_one_kind_and_sets_gradients_aside_if_it_looks_at_them(kind):
    assert issubclass(kind, GramAggregator) != issubclass(kind, CoordinateAggregator)
    assert kind().sets_aside == (kind().name != "none")


def test_names_differ_and_nothing_is_done_by_default():
    names = [kind().name for kind in AGGREGATORS]
    assert len(set(names)) == len(names)
    assert Sum() == DEFAULT_AGGREGATOR
    assert not DEFAULT_AGGREGATOR.needs_gram
