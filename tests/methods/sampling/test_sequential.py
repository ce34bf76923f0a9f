import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.plans import any_spec, spec_of

from mtbert.methods.sampling.base import followed
from mtbert.methods.sampling.epoch import plan_epoch, task_plans
from mtbert.methods.sampling.sequential import Sequential


def whole(spec, sampler=None, seed=1):
    """The steps of all epochs."""
    plans = (plan_epoch(sampler or Sequential(), spec, e, seed) for e in range(spec.epochs))
    return list(itertools.chain.from_iterable(plans))


def trained(steps):
    return [task for step in steps for task in followed(step)]


def test_stages_follow_the_tasks_order_with_every_example_once_an_epoch():
    spec = spec_of(batch=4, epochs=2, sst=10, para=3, sts=7)  # 3 + 1 + 2 batches an epoch
    steps = whole(spec)
    assert trained(steps) == 6 * ["sst"] + 2 * ["para"] + 4 * ["sts"]
    assert [t for step in steps for t, b in step.items() if b.ends_stage] == ["sst", "para", "sts"]
    assert [n for n, step in enumerate(steps) if any(b.ends_stage for b in step.values())] == [
        5, 7, 11,
    ]  # fmt: skip


@given(spec=any_spec(), seed=st.integers(0, 99))
def test_every_example_is_trained_on_once_for_every_epoch(spec, seed):
    spec = replace(spec, max_steps=None)
    counts = Counter(
        (task, i)
        for step in whole(spec, seed=seed)
        for task, batch in followed(step).items()
        for i in batch.indices.tolist()
    )
    assert counts == {(t, i): spec.epochs for t, n in spec.examples.items() for i in range(n)}


@given(spec=any_spec(), memory=st.integers(1, 20), seed=st.integers(0, 99))
def test_constraints_come_from_the_same_few_examples_of_every_earlier_task(spec, memory, seed):
    spec = replace(spec, max_steps=None)
    tasks, seen = list(spec.examples), {}
    for step in whole(spec, Sequential(memory=memory), seed):
        (task,) = followed(step)
        assert list(step) == [task, *tasks[: tasks.index(task)]]
        for earlier, batch in step.items():
            if batch.reference:
                assert 0 < len(batch.indices) <= spec.batch_size[earlier]
                assert not batch.ends_stage
                seen.setdefault(earlier, Counter()).update(batch.indices.tolist())
    for task, counts in seen.items():
        assert len(counts) <= min(memory, spec.examples[task])
        assert max(counts.values()) - min(counts.values()) <= 2 or len(counts) < memory


def test_the_memory_is_drawn_at_random_by_seed_and_gone_through_evenly():
    spec = spec_of(batch=10, epochs=1, a=1000, b=2000)

    def remembered(seed):
        steps = whole(spec, Sequential(memory=50), seed)
        return Counter(i for s in steps if "b" in followed(s) for i in s["a"].indices.tolist())

    first = remembered(1)
    assert len(first) == 50
    assert set(first.values()) == {200 * 10 // 50}
    assert remembered(1) == first != remembered(2)
    assert abs(np.mean(list(first)) - 500) < 5 * 1000 / 12**0.5 / 50**0.5


@given(spec=any_spec(), epoch=st.integers(0, 5), position=st.integers(0, 60))
def test_a_plan_goes_on_the_same_from_any_epoch_and_step(spec, epoch, position):
    def plain(steps):
        return [{t: (b.indices.tolist(), b.ends_stage) for t, b in s.items()} for s in steps]

    length = len(list(plan_epoch(Sequential(), spec, 0, 1)))
    rest = itertools.islice(plan_epoch(Sequential(), spec, epoch, 1), position, None)
    begun = epoch * length + position
    # A memory is gone through from where the epoch began it: the same whole batches.
    assert plain(rest) == plain(whole(spec))[begun : (epoch + 1) * length]


@given(spec=any_spec())
def test_a_limit_of_steps_shortens_all_stages_alike(spec):
    steps = trained(whole(spec))
    batches = {task: spec.batches(task) for task in spec.examples}
    for task, count in Counter(steps).items():
        share = len(steps) * batches[task] / sum(batches.values())
        assert abs(count - share) < 1
    assert steps == sorted(steps, key=list(spec.examples).index)


def test_a_task_alone_is_passed_through_once_an_epoch():
    steps = whole(spec_of(only=30, epochs=2))
    assert trained(steps) == ["only"] * 16
    assert [step["only"].ends_stage for step in steps] == [False] * 15 + [True]


def test_the_plan_counts_what_is_trained_on_over_all_epochs():
    plans = task_plans(Sequential(), spec_of(batch=4, epochs=2, sst=10, para=3, sts=7), seed=1)
    assert {task: (p.batches, p.examples) for task, p in plans.items()} == {
        "sst": (3, 10), "para": (1, 3), "sts": (2, 7),
    }  # fmt: skip


def test_the_memory_holds_an_example_at_least():
    with pytest.raises(ValueError, match="memory"):
        Sequential(memory=0)
