"""What holds for every sampler of one task a step, and how the drawn ones draw."""

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support.plans import any_spec, named, plan, spec_of, used

from mtbert.methods.sampling.annealed import Annealed
from mtbert.methods.sampling.epoch import plan_epoch
from mtbert.methods.sampling.one_task import drawn_tasks
from mtbert.methods.sampling.temperature import Temperature

ONE_TASK = ["round_robin", "proportional", "temperature", "annealed"]
DRAWN = ONE_TASK[1:]
SIZES = {"sst": 8544, "para": 27507, "sts": 6040}

each = pytest.mark.parametrize("strategy", ONE_TASK)
each_drawn = pytest.mark.parametrize("strategy", DRAWN)


def tasks_of(steps):
    return [task for step in steps for task in step]


@each
@given(spec=any_spec(), epoch=st.integers(0, 5), seed=st.integers(0, 99))
def test_each_step_has_one_task_and_an_epoch_as_many_steps_as_there_are_batches(
    strategy, spec, epoch, seed
):
    steps = plan(strategy, spec, epoch, seed)
    batches = sum(-(-n // spec.batch_size[task]) for task, n in spec.examples.items())
    assert len(steps) == min(batches, spec.max_steps or batches)
    assert all(len(step) == 1 for step in steps)
    assert all(factor == 1 for step in steps for _, factor in step.values())


@each
@given(spec=any_spec(), epoch=st.integers(0, 5), seed=st.integers(0, 99))
def test_every_example_is_used_before_any_is_used_again(strategy, spec, epoch, seed):
    steps = plan(strategy, spec, epoch, seed)
    for task, count in spec.examples.items():
        found = used(steps, task)
        for start in range(0, len(found), count):
            part = found[start : start + count]
            assert len(set(part)) == len(part)
        counts = Counter(found)
        assert all(
            counts[i] in (len(found) // count, -(-len(found) // count)) for i in range(count)
        )


@each
def test_a_task_alone_is_passed_through_once(strategy):
    assert sorted(used(plan(strategy, spec_of(only=30)), "only")) == list(range(30))


@each
@given(spec=any_spec(), epoch=st.integers(0, 5), position=st.integers(0, 60))
def test_a_plan_goes_on_the_same_from_any_step(strategy, spec, epoch, position):
    """As a resumed run does it: the plan anew, without the steps that were trained."""
    rest = itertools.islice(plan_epoch(named(strategy), spec, epoch, 3), position, None)
    again = [{t: b.indices.tolist() for t, b in step.items()} for step in rest]
    whole = [{t: i for t, (i, _) in step.items()} for step in plan(strategy, spec, epoch, 3)]
    assert again == whole[position:]


def shares(exponent, sizes=SIZES):
    powers = {task: n**exponent for task, n in sizes.items()}
    return {task: power / sum(powers.values()) for task, power in powers.items()}


@pytest.mark.parametrize(
    ("sampler", "exponents"),
    [
        (named("proportional"), [1, 1, 1, 1, 1]),
        (Temperature(), [0.5] * 5),
        (Temperature(exponent=0.0), [0] * 5),
        (Annealed(), [1, 0.8, 0.6, 0.4, 0.2]),  # Stickland and Murray's, for E = 5
        (Annealed(decay=0.4), [1, 0.9, 0.8, 0.7, 0.6]),
    ],
    ids=str,
)
def test_tasks_are_drawn_with_the_probabilities_of_the_paper(sampler, exponents):
    """Chi-square over the steps of twenty plans of each epoch."""
    spec = spec_of(batch=16, epochs=5, **SIZES)
    for epoch, exponent in enumerate(exponents):
        found = Counter()
        for seed in range(20):
            found.update(tasks_of(plan_epoch(sampler, spec, epoch, seed)))
        expected = [sum(found.values()) * share for share in shares(exponent).values()]
        observed = [found[task] for task in SIZES]
        assert stats.chisquare(observed, expected).pvalue > 1e-3


def test_draws_do_not_depend_on_those_before():
    """Chi-square of pairs of consecutive draws."""
    spec = spec_of(batch=16, **SIZES)
    drawn = list(itertools.islice(drawn_tasks(spec, 0.5, 0, 1), 20_000))
    pairs = Counter(itertools.pairwise(drawn))
    table = [[pairs[a, b] for b in SIZES] for a in SIZES]
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_a_run_of_one_epoch_draws_by_size():
    spec = spec_of(batch=16, epochs=1, **SIZES)
    annealed, proportional = (tasks_of(plan(name, spec)) for name in ("annealed", "proportional"))
    assert annealed == proportional


@each_drawn
def test_epochs_and_seeds_draw_other_tasks(strategy):
    spec = spec_of(batch=16, **SIZES)
    first = tasks_of(plan(strategy, spec))
    assert tasks_of(plan(strategy, spec, epoch=1)) != first
    assert tasks_of(plan(strategy, spec, seed=2)) != first


@each_drawn
def test_a_task_much_larger_than_the_others_overflows_nothing(strategy):
    spec = replace(spec_of(batch=1000, tiny=1, huge=2_000_000), max_steps=50)
    assert set(tasks_of(plan(strategy, spec))) <= {"tiny", "huge"}


@each
def test_pairs_of_one_task_are_in_either_order(strategy):
    spec = replace(spec_of(batch=8, a=400, b=400), both_orders=frozenset({"b"}))
    turned = [b.swapped for step in plan_epoch(named(strategy), spec, 0, 1) for b in step.values()]
    found = np.concatenate([t for t in turned if t is not None])
    assert 0.35 < found.mean() < 0.65
    assert any(t is None for t in turned)
