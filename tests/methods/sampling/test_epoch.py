import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.plans import STRATEGIES, any_spec, named, plan, spec_of, used

from mtbert.methods.sampling.epoch import TaskPlan, epoch_length, plan_epoch, task_plans

FIXED_SIZE = ["method2", "method3", "continued"]


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(spec=any_spec(), epoch=st.integers(0, 5), seed=st.integers(0, 2**31 - 1))
def test_an_epoch_is_as_long_as_announced_and_its_indices_exist(strategy, spec, epoch, seed):
    steps = plan(strategy, spec, epoch, seed)
    assert len(steps) == epoch_length(named(strategy), spec)
    assert spec.max_steps is None or len(steps) <= spec.max_steps
    for step in steps:
        assert step
        for task, (indices, _) in step.items():
            assert 0 < len(indices) == len(set(indices))
            assert all(0 <= i < spec.examples[task] for i in indices)


@pytest.mark.parametrize("strategy", FIXED_SIZE)
@given(spec=any_spec())
def test_every_step_has_every_task_with_factor_one_and_its_batch_size(strategy, spec):
    for step in plan(strategy, spec):
        assert set(step) == set(spec.examples)
        for task, (indices, factor) in step.items():
            assert len(indices) <= spec.batch_size[task]
            assert factor == 1


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(spec=any_spec(), epoch=st.integers(0, 3), seed=st.integers(0, 99))
def test_the_same_seed_gives_the_same_plan_whatever_the_global_state(strategy, spec, epoch, seed):
    np.random.seed(0)
    random.seed(0)
    first = plan(strategy, spec, epoch, seed)
    state = np.random.get_state()[1].tolist(), random.getstate()
    np.random.seed(1)
    random.seed(1)
    assert plan(strategy, spec, epoch, seed) == first
    np.random.seed(0)
    random.seed(0)
    assert (np.random.get_state()[1].tolist(), random.getstate()) == state


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("grouped", [False, True])
def test_epoch_seed_and_task_each_change_the_order(strategy, grouped):
    lengths = {t: np.arange(64) % 9 for t in "ab"} if grouped else None
    spec = spec_of(a=64, b=64, lengths=lengths)
    first = plan(strategy, spec)
    assert used(first, "a") != sorted(used(first, "a"))
    assert used(first, "a") != used(first, "b")
    assert plan(strategy, spec, epoch=1) != first
    assert plan(strategy, spec, seed=2) != first
    one_pass = used(plan(strategy, spec, epoch=1), "a")[:64]
    assert len(one_pass) == len(set(one_pass)) > 30


def test_the_paper_has_189_batches_of_sts():
    for examples in (6040, 6041):
        spec = spec_of(batch=32, sst=8544, para=27507, sts=examples)
        assert epoch_length(named("method3"), spec) == 189
        assert len(plan("method3", spec)) == 189
    assert epoch_length(named("method2"), spec) == 860  # 27,507 / 32 = 859.6
    assert epoch_length(named("method1"), spec) == 860


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(spec=any_spec(), epoch=st.integers(0, 3), seed=st.integers(0, 99), data=st.data())
def test_pairs_in_both_orders_are_drawn_beside_the_plan_and_change_nothing_else(
    strategy, spec, epoch, seed, data
):
    chosen = frozenset(data.draw(st.sets(st.sampled_from(sorted(spec.examples)))))
    both = replace(spec, both_orders=chosen)
    assert plan(strategy, both, epoch, seed) == plan(strategy, spec, epoch, seed)
    again = list(plan_epoch(named(strategy), both, epoch, seed))
    for step, other in zip(plan_epoch(named(strategy), both, epoch, seed), again, strict=True):
        for task, batch in step.items():
            if task in chosen:
                assert batch.swapped.shape == batch.indices.shape
                assert np.array_equal(batch.swapped, other[task].swapped)
            else:
                assert batch.swapped is None


def test_half_of_the_pairs_are_swapped_and_others_each_epoch():
    spec = replace(spec_of(batch=40, a=4000, b=4000), both_orders=frozenset({"a", "b"}))

    def orders(task, epoch, seed=1):
        """Whether each example of a task is swapped, by its index."""
        steps = [step[task] for step in plan_epoch(named("method3"), spec, epoch, seed)]
        pairs = ((i, s) for b in steps for i, s in zip(b.indices, b.swapped, strict=True))
        return np.array([swapped for _, swapped in sorted(pairs)])

    draws = [orders("a", 0), orders("a", 1), orders("b", 0), orders("a", 0, seed=2)]
    for i, one in enumerate(draws):
        assert abs(one.mean() - 0.5) < 0.04  # five standard deviations of 4000 coins
        for other in draws[:i]:
            assert abs((one == other).mean() - 0.5) < 0.04


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_cap_keeps_the_first_steps(strategy):
    whole = plan(strategy, spec_of(a=40, b=60))
    assert plan(strategy, spec_of(a=40, b=60, max_steps=3)) == whole[:3]
    assert plan(strategy, spec_of(a=40, b=60, max_steps=1000)) == whole


def test_a_plan_is_made_lazily():
    steps = plan_epoch(named("continued"), spec_of(a=1_000_000, b=1_000_000), 0, 1)
    assert next(steps)["a"].indices.shape == (4,)


SPEC = spec_of(batch=4, sst=10, para=3, sts=7)


@pytest.mark.parametrize(
    ("batching", "expected"),
    [
        # Method 3: as many steps as the smallest task has batches, one.
        (
            "method3",
            {
                "sst": TaskPlan(10, 1, 4, 4, 1.0),
                "para": TaskPlan(3, 1, 3, 3, 1.0),
                "sts": TaskPlan(7, 1, 4, 4, 1.0),
            },
        ),
        # Method 2: three steps of the largest; sts gives 4 + 3 + 4, para 3 three times.
        (
            "method2",
            {
                "sst": TaskPlan(10, 3, 10, 4, 1.0),
                "para": TaskPlan(3, 3, 9, 3, 1.0),
                "sts": TaskPlan(7, 3, 11, 4, 1.0),
            },
        ),
        # Method 1: three steps; batches of 4, 1 and 3; factors (1 + 3) / 4, 7 / 1 and 5 / 3.
        (
            "method1",
            {
                "sst": TaskPlan(10, 3, 10, 4, 1.0),
                "para": TaskPlan(3, 3, 3, 1, 7.0),
                "sts": TaskPlan(7, 3, 7, 3, 5 / 3),
            },
        ),
    ],
)
def test_the_plan_counts_what_an_epoch_does(batching, expected):
    assert task_plans(named(batching), SPEC, seed=1) == expected


def test_a_task_without_a_batch_under_the_cap_counts_nothing():
    plans = task_plans(named("method2"), replace(SPEC, max_steps=1), seed=1)
    assert {task: plan.batches for task, plan in plans.items()} == dict.fromkeys(SPEC.examples, 1)
