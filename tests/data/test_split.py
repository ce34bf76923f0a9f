"""The split of a file: the share of each stratum, groups on one side, and what changes it."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbert.data.examples import Example
from mtbert.data.split import Stratified, held_out_lines, strata_of_numbers


def rows_of(*columns, texts=None):
    """Rows of one text each and a stratum of a task for each column."""
    texts = texts or [f"text {i}" for i in range(len(columns[0]))]
    return [
        Stratified(Example(str(line), (text,), None, line), str(task), stratum)
        for task, column in enumerate(columns)
        for line, (text, stratum) in enumerate(zip(texts, column, strict=True), 2)
        if stratum is not None
    ]


def counts(rows, lines):
    return Counter((row.task, row.stratum) for row in rows if row.example.line in lines)


@given(
    sizes=st.lists(st.integers(2, 60), min_size=1, max_size=8),
    share=st.sampled_from([0.05, 0.1, 0.25, 0.5]),
    seed=st.integers(0, 5),
)
def test_every_class_gives_its_share_and_keeps_the_rest(sizes, share, seed):
    rows = rows_of([c for c, size in enumerate(sizes) for _ in range(size)])
    found = counts(rows, held_out_lines(rows, share, seed))
    for c, size in enumerate(sizes):
        assert found["0", c] >= 1
        assert abs(found["0", c] - share * size) < 1 or found["0", c] == 1
    few = sum(share * size < 1 for size in sizes)
    assert abs(found.total() - share * sum(sizes)) <= max(0.5, few)


def test_a_class_of_one_row_is_trained_on():
    rows = rows_of([0] * 10 + [1])
    lines = held_out_lines(rows, 0.1, 1)
    assert counts(rows, lines) == {("0", 0): 1}


def test_another_seed_holds_out_other_rows():
    rows = rows_of([0, 1] * 50)
    assert held_out_lines(rows, 0.2, 1) == held_out_lines(rows, 0.2, 1)
    assert held_out_lines(rows, 0.2, 1) != held_out_lines(rows, 0.2, 2)


def test_the_order_of_the_rows_does_not_matter():
    rng = np.random.default_rng(0)
    texts = [f"text {i % 70}" for i in range(100)]
    labels = [i % 3 for i in range(100)]

    def held_out(order):
        rows = rows_of([labels[i] for i in order], texts=[texts[i] for i in order])
        lines = held_out_lines(rows, 0.2, 1)
        return {row.example.texts[0] for row in rows if row.example.line in lines}

    assert held_out(range(100)) == held_out(rng.permutation(100))


def test_rows_that_are_added_move_few_others():
    labels = [0, 1, 1, 2] * 100
    before = held_out_lines(rows_of(labels[:360]), 0.1, 1)
    after = held_out_lines(rows_of(labels), 0.1, 1)
    assert len(before - after) <= 4  # of 36
    assert {line for line in after if line < 362} - before == set()


@given(
    pairs=st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 1)),
        min_size=2,
        max_size=60,
    )
)
def test_no_text_is_on_both_sides_not_even_of_a_pair(pairs):
    rows = [
        Stratified(Example(str(line), (str(a), str(b)), None, line), "t", label)
        for line, (a, b, label) in enumerate(pairs)
    ]
    lines = held_out_lines(rows, 0.3, 1)
    sides = defaultdict(set)
    for row in rows:
        for text in row.example.texts:
            sides[text].add(row.example.line in lines)
    assert all(len(found) == 1 for found in sides.values())
    for stratum, total in Counter((row.task, row.stratum) for row in rows).items():
        assert counts(rows, lines)[stratum] < total


def test_a_text_that_stands_in_many_rows_does_not_swallow_the_share():
    texts = ["the same"] * 40 + [f"text {i}" for i in range(60)]
    rows = rows_of([0] * 100, texts=texts)
    for seed in range(5):
        assert len(held_out_lines(rows, 0.1, seed)) == 10


def test_where_every_group_is_large_the_smallest_is_held_out():
    rows = rows_of([0] * 12, texts=["x"] * 7 + ["y"] * 5)
    assert held_out_lines(rows, 0.1, 1) == set(range(9, 14))


def test_tasks_of_a_file_share_the_split_and_each_has_its_share():
    rng = np.random.default_rng(3)
    topic = rng.choice(6, 400, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.05])
    tone = rng.integers(0, 3, 400)
    urgency = strata_of_numbers(rng.normal(size=400).tolist(), 0.1)
    rows = rows_of(topic.tolist(), tone.tolist(), urgency)
    lines = held_out_lines(rows, 0.1, 1)
    assert 38 <= len(lines) <= 46
    total = Counter((row.task, row.stratum) for row in rows)
    for stratum, found in counts(rows, lines).items():
        assert abs(found - 0.1 * total[stratum]) <= 2


def test_tasks_whose_rows_are_others_split_as_they_would_alone():
    first = [0, 1] * 50 + [None] * 100
    second = [None] * 100 + [1, 2, 3, 4] * 25
    both = held_out_lines(rows_of(first, second), 0.1, 1)
    assert {n for n in both if n < 102} == held_out_lines(rows_of(first), 0.1, 1)


@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize(
    "values", [np.linspace(0, 1, 200), np.repeat([0.0, 2.5, 5.0], 50), np.exp(np.arange(100) / 9)]
)
def test_a_regression_is_held_out_over_its_whole_range(values, share):
    strata = strata_of_numbers(values.tolist(), share)
    rows = rows_of(strata)
    lines = held_out_lines(rows, share, 1)
    held_out = values[[line - 2 for line in lines]]
    assert abs(np.median(held_out) - np.median(values)) <= np.ptp(values) / 10
    assert len(lines) == pytest.approx(share * len(values), abs=3)
    for value in np.unique(values):  # equal labels are not told apart
        assert len({s for s, v in zip(strata, values, strict=True) if v == value}) == 1


def test_a_few_numbers_are_one_stratum():
    assert set(strata_of_numbers([1.0, 5.0, 3.0], 0.1)) == {0}
