import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbert.data.ragged import Ragged, Texts, spans

ROWS = st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=5), max_size=6)


def rows(ragged):
    return [row.tolist() for row in ragged]


@given(ROWS)
def test_rows_come_back_as_they_went_in(lists):
    ragged = Ragged.from_rows(lists)
    assert rows(ragged) == lists
    assert ragged.lengths.tolist() == [len(row) for row in lists]
    assert ragged.values.dtype == np.int32
    assert len(ragged.values) == sum(map(len, lists))


@given(st.lists(ROWS, min_size=1, max_size=4))
def test_joined_rows_are_those_of_the_parts_in_order(parts):
    joined = Ragged.join([Ragged.from_rows(part) for part in parts])
    assert rows(joined) == [row for part in parts for row in part]


@given(ROWS.filter(len), st.data())
def test_chosen_rows_stand_in_the_order_asked_for(lists, data):
    chosen = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8))
    found = Ragged.from_rows(lists).take(np.array(chosen, dtype=np.int64))
    assert rows(found) == [lists[i] for i in chosen]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), max_size=8))
def test_spans_are_the_positions_one_after_another(pairs):
    starts, lengths = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    assert spans(starts, lengths).tolist() == [s + i for s, n in pairs for i in range(n)]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=8))
def test_texts_come_back_as_they_went_in(texts):
    found = Texts.from_list(texts)
    assert list(found) == texts
    assert len(found) == len(texts)
    with pytest.raises(IndexError):
        found[len(texts)]
