"""What holds for every aggregator."""

import json

import numpy as np
import pytest

from mtbert.methods.aggregation.sum import Sum
from mtbert.methods.aggregation.table import AGGREGATORS, DEFAULT_AGGREGATOR

each = pytest.mark.parametrize("kind", AGGREGATORS)


def gram_of(tasks, parameters=5, seed=0):
    gradients = np.random.default_rng(seed).normal(size=(tasks, parameters))
    return gradients @ gradients.T


def permute(count):
    return list(range(count))[::-1]


@each
@pytest.mark.parametrize("tasks", [1, 2, 4])
def test_it_gives_a_weight_a_task_and_a_state_of_json_values(kind, tasks):
    aggregator = kind()
    state = aggregator.start([f"t{i}" for i in range(tasks)])
    weights, later = aggregator.weights(gram_of(tasks), "abcd"[:tasks], state, permute)
    assert len(weights) == tasks
    assert all(type(weight) is float for weight in weights)
    assert np.isfinite(weights).all()
    assert json.loads(json.dumps(later)) == later


@each
def test_it_changes_neither_the_gram_matrix_nor_the_state(kind):
    gram, aggregator = gram_of(3), kind()
    state = aggregator.start(["a", "b", "c"])
    before = gram.copy(), json.dumps(state)
    aggregator.weights(gram, "abc", state, permute)
    assert np.array_equal(gram, before[0])
    assert json.dumps(state) == before[1]


@each
def test_what_remembers_nothing_is_a_function_of_its_arguments(kind):
    aggregator = kind()
    found = [
        aggregator.weights(gram_of(4), "abcd", aggregator.start("abcd"), permute) for _ in "ab"
    ]
    assert found[0] == found[1]


def test_the_sum_follows_every_gradient_but_references():
    assert Sum().weights(gram_of(3), "abc", {}, permute) == ([1.0] * 3, {})
    assert Sum().weights(gram_of(3), "a", {}, permute) == ([1.0, 0.0, 0.0], {})


def test_names_differ_and_nothing_is_done_by_default():
    names = [kind().name for kind in AGGREGATORS]
    assert len(set(names)) == len(names)
    assert Sum() == DEFAULT_AGGREGATOR
    assert not DEFAULT_AGGREGATOR.needs_gram
