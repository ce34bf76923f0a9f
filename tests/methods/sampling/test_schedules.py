import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbert.methods.sampling.schedules import SCHEDULES, Sizes, epoch_length, plan_epoch, seed_from

STRATEGIES = sorted(SCHEDULES)
FIXED_SIZE = ["method2", "method3", "continued"]


@st.composite
def any_sizes(draw, same_batch=False):
    tasks = [f"t{i}" for i in range(draw(st.integers(1, 4)))]
    one = draw(st.integers(1, 9))
    examples = {task: draw(st.integers(1, 60)) for task in tasks}
    batch = {task: one if same_batch else draw(st.integers(1, 9)) for task in tasks}
    lengths = None
    if draw(st.booleans()):
        lengths = {t: np.arange(n, dtype=np.int64) * 7 % 13 + 2 for t, n in examples.items()}
    return Sizes(examples, batch, lengths, draw(st.none() | st.integers(1, 12)))


def sizes_of(batch=4, lengths=None, cap=None, **examples):
    return Sizes(examples, dict.fromkeys(examples, batch), lengths, cap)


def plan(strategy, sizes, epoch=0, seed=1):
    """An epoch as plain values: for each step, task → (indices, factor)."""
    steps = plan_epoch(strategy, sizes, epoch, seed)
    return [{t: (b.indices.tolist(), round(b.loss_factor, 9)) for t, b in s.items()} for s in steps]


def used(steps, task):
    """Indices of one task in the order in which they are trained on."""
    return [i for step in steps if task in step for i in step[task][0]]


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(sizes=any_sizes(), epoch=st.integers(0, 5), seed=st.integers(0, 2**31 - 1))
def test_an_epoch_is_as_long_as_announced_and_its_indices_exist(strategy, sizes, epoch, seed):
    steps = plan(strategy, sizes, epoch, seed)
    assert len(steps) == epoch_length(strategy, sizes)
    assert sizes.cap is None or len(steps) <= sizes.cap
    for step in steps:
        assert step
        for task, (indices, _) in step.items():
            assert 0 < len(indices) == len(set(indices))
            assert all(0 <= i < sizes.examples[task] for i in indices)


@pytest.mark.parametrize("strategy", FIXED_SIZE)
@given(sizes=any_sizes())
def test_every_step_has_every_task_with_factor_one_and_its_batch_size(strategy, sizes):
    for step in plan(strategy, sizes):
        assert set(step) == set(sizes.examples)
        for task, (indices, factor) in step.items():
            assert len(indices) <= sizes.batch[task]
            assert factor == 1


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(sizes=any_sizes(), epoch=st.integers(0, 3), seed=st.integers(0, 99))
def test_the_same_seed_gives_the_same_plan_whatever_the_global_state(strategy, sizes, epoch, seed):
    np.random.seed(0)
    random.seed(0)
    first = plan(strategy, sizes, epoch, seed)
    state = np.random.get_state()[1].tolist(), random.getstate()
    np.random.seed(1)
    random.seed(1)
    assert plan(strategy, sizes, epoch, seed) == first
    np.random.seed(0)
    random.seed(0)
    assert (np.random.get_state()[1].tolist(), random.getstate()) == state


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("grouped", [False, True])
def test_epoch_seed_and_task_each_change_the_order(strategy, grouped):
    lengths = {t: np.arange(64) % 9 for t in "ab"} if grouped else None
    sizes = sizes_of(a=64, b=64, lengths=lengths)
    first = plan(strategy, sizes)
    assert used(first, "a") != sorted(used(first, "a"))
    assert used(first, "a") != used(first, "b")
    assert plan(strategy, sizes, epoch=1) != first
    assert plan(strategy, sizes, seed=2) != first
    assert sorted(used(plan(strategy, sizes, epoch=1), "a")) == list(range(64))


def test_a_task_is_ordered_the_same_whoever_trains_beside_it():
    alone, beside = sizes_of(a=40), sizes_of(b=44, a=40)
    assert used(plan("method3", alone), "a") == used(plan("method3", beside), "a")


def test_the_paper_has_189_batches_of_sts():
    for examples in (6040, 6041):
        sizes = sizes_of(batch=32, sst=8544, para=27507, sts=examples)
        assert epoch_length("method3", sizes) == 189
        assert len(plan("method3", sizes)) == 189
    assert epoch_length("method2", sizes) == 860  # 27,507 / 32 = 859.6
    assert epoch_length("method1", sizes) == 860


def test_method_1_has_the_papers_numbers():
    """1,000 / 32 -> 32 batches; 1,000 / 32 -> 32, 100 / 32 -> 4, 50 / 32 -> 2 examples each."""
    steps = plan("method1", sizes_of(batch=32, big=1000, middle=100, small=50))
    assert len(steps) == 32
    assert {t: len(i) for t, (i, _) in steps[0].items()} == {"big": 32, "middle": 4, "small": 2}
    assert steps[0]["big"][1] == round((4 + 2) / 32, 9)
    assert steps[0]["middle"][1] == (32 + 2) / 4
    assert steps[0]["small"][1] == (32 + 4) / 2
    assert [sum(task in s for s in steps) for task in ("big", "middle", "small")] == [32, 25, 25]
    assert set(steps[-1]) == {"big"}
    assert steps[-1]["big"][1] == steps[0]["big"][1]


def test_method_1_leaves_a_task_alone_unweighted():
    steps = plan("method1", sizes_of(batch=4, a=10))
    assert [len(step["a"][0]) for step in steps] == [4, 4, 2]
    assert {step["a"][1] for step in steps} == {1.0}


@given(any_sizes())
def test_method_1_uses_each_example_of_each_task_at_most_once_and_all_without_a_cap(sizes):
    steps = plan("method1", sizes)
    for task, count in sizes.examples.items():
        indices = used(steps, task)
        assert len(indices) == len(set(indices))
        if sizes.cap is None:
            assert len(indices) == count


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(sizes=any_sizes(), epoch=st.integers(0, 3), seed=st.integers(0, 99), data=st.data())
def test_pairs_in_both_orders_are_drawn_beside_the_plan_and_change_nothing_else(
    strategy, sizes, epoch, seed, data
):
    chosen = frozenset(data.draw(st.sets(st.sampled_from(sorted(sizes.examples)))))
    both = replace(sizes, both_orders=chosen)
    assert plan(strategy, both, epoch, seed) == plan(strategy, sizes, epoch, seed)
    again = list(plan_epoch(strategy, both, epoch, seed))
    for step, other in zip(plan_epoch(strategy, both, epoch, seed), again, strict=True):
        for task, batch in step.items():
            if task in chosen:
                assert batch.swapped.shape == batch.indices.shape
                assert np.array_equal(batch.swapped, other[task].swapped)
            else:
                assert batch.swapped is None


def test_half_of_the_pairs_are_swapped_and_others_each_epoch():
    sizes = replace(sizes_of(batch=40, a=4000, b=4000), both_orders=frozenset({"a", "b"}))

    def orders(task, epoch, seed=1):
        """Whether each example of a task is swapped, by its index."""
        steps = [step[task] for step in plan_epoch("method3", sizes, epoch, seed)]
        pairs = ((i, s) for b in steps for i, s in zip(b.indices, b.swapped, strict=True))
        return np.array([swapped for _, swapped in sorted(pairs)])

    draws = [orders("a", 0), orders("a", 1), orders("b", 0), orders("a", 0, seed=2)]
    for i, one in enumerate(draws):
        assert abs(one.mean() - 0.5) < 0.04  # five standard deviations of 4000 coins
        for other in draws[:i]:
            assert abs((one == other).mean() - 0.5) < 0.04


@given(any_sizes(same_batch=True))
def test_method_2_uses_the_largest_data_set_once_and_cycles_the_others(sizes):
    sizes = Sizes(sizes.examples, sizes.batch, sizes.lengths)
    steps = plan("method2", sizes)
    largest = max(sizes.examples, key=lambda task: sizes.examples[task])
    assert sorted(used(steps, largest)) == list(range(sizes.examples[largest]))
    for task, count in sizes.examples.items():
        per_round = -(-count // sizes.batch[task])
        for start in range(0, len(steps), per_round):
            indices = used(steps[start : start + per_round], task)
            assert len(indices) == len(set(indices))
            if start + per_round <= len(steps):
                assert sorted(indices) == list(range(count))


def test_method_2_shuffles_a_cycled_data_set_anew_each_round():
    steps = plan("method2", sizes_of(batch=8, large=320, small=60))
    rounds = [tuple(used(steps[start : start + 8], "small")) for start in range(0, 40, 8)]
    assert [len(r) for r in rounds] == [60] * 5
    assert len(set(rounds)) == 5
    sizes = [len(step["small"][0]) for step in steps]
    assert sizes == ([8] * 7 + [4]) * 5  # the short batch ends the round


@given(any_sizes(same_batch=True))
def test_method_3_stops_with_the_smallest_and_repeats_nothing(sizes):
    sizes = Sizes(sizes.examples, sizes.batch, sizes.lengths)
    steps = plan("method3", sizes)
    smallest = min(sizes.examples, key=lambda task: sizes.examples[task])
    assert sorted(used(steps, smallest)) == list(range(sizes.examples[smallest]))
    for task in sizes.examples:
        assert len(used(steps, task)) == len(set(used(steps, task)))


def test_method_3_draws_other_examples_of_the_larger_set_each_epoch():
    epochs = [set(used(plan("method3", sizes_of(small=20, large=200), e), "large")) for e in (0, 1)]
    assert epochs[0] != epochs[1]


@given(sizes=any_sizes(), epochs=st.integers(1, 6), seed=st.integers(0, 9))
def test_continued_uses_every_example_once_before_any_again(sizes, epochs, seed):
    steps = [step for e in range(epochs) for step in plan("continued", sizes, e, seed)]
    for task, count in sizes.examples.items():
        stream = used(steps, task)
        for start in range(0, len(stream), count):
            part = stream[start : start + count]
            assert len(part) == len(set(part))
            assert len(part) < count or sorted(part) == list(range(count))


def test_continued_reaches_all_of_the_larger_data_set_in_a_new_order_each_round():
    sizes = sizes_of(small=20, large=100)
    stream = [i for e in range(10) for i in used(plan("continued", sizes, e), "large")]
    assert sorted(stream[:100]) == sorted(stream[100:]) == list(range(100))
    assert stream[:100] != stream[100:]


def test_continued_starts_at_any_epoch_as_if_the_earlier_ones_had_been_run():
    """A plan of one long epoch, cut by hand, is the reference."""
    short = sizes_of(batch=4, small=12, large=50)
    long = sizes_of(batch=4, small=50, large=50)
    whole = [step["large"] for e in range(2) for step in plan("continued", long, e)]
    for epoch in (7, 0, 3):
        found = [step["large"] for step in plan("continued", short, epoch)]
        assert found == whole[3 * epoch : 3 * epoch + 3]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_cap_keeps_the_first_steps(strategy):
    whole = plan(strategy, sizes_of(a=40, b=60))
    assert plan(strategy, sizes_of(a=40, b=60, cap=3)) == whole[:3]
    assert plan(strategy, sizes_of(a=40, b=60, cap=1000)) == whole


def test_grouping_by_length_keeps_the_examples_and_lessens_the_differences():
    lengths = {"a": np.random.default_rng(0).integers(2, 100, 1003)}
    plain, grouped = sizes_of(batch=8, a=1003), sizes_of(batch=8, a=1003, lengths=lengths)

    def spread(steps):
        return sum(np.ptp(lengths["a"][step["a"][0]]) for step in steps)

    before, after = plan("method2", plain), plan("method2", grouped)
    assert Counter(used(before, "a")) == Counter(used(after, "a"))
    assert len(before) == len(after) == epoch_length("method2", grouped)
    assert spread(after) < spread(before) / 10
    means = [np.mean(lengths["a"][step["a"][0]]) for step in after]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.3  # not from short to long


def test_a_plan_is_made_lazily():
    steps = plan_epoch("continued", sizes_of(a=1_000_000, b=1_000_000), 0, 1)
    assert next(steps)["a"].indices.shape == (4,)


def test_a_seed_depends_on_every_part_and_its_place():
    parts = [(1, 2), (2, 1), (12,), (1, "2 "), (1, 2, 0), ("order", 1, 2)]
    seeds = {seed_from(*p) for p in parts}
    assert len(seeds) == len(parts)
    assert all(0 <= s < 2**63 for s in seeds)
    assert seed_from("a", 1) == seed_from("a", 1)
