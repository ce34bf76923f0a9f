import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbert.data.long_texts import cut_into_windows, head, head_and_tail, longest_first
from mtbert.data.ragged import Ragged

ROWS = st.lists(st.integers(0, 40).map(lambda n: list(range(n))), min_size=1, max_size=6)


def lists(rows):
    return [row.tolist() for row in rows]


def kept_of(rows, room):
    return np.minimum([len(row) for row in rows], room)


@given(ROWS, st.integers(1, 30))
def test_the_head_is_the_beginning(rows, room):
    assert lists(head(Ragged.from_rows(rows), kept_of(rows, room))) == [r[:room] for r in rows]


@given(ROWS, st.integers(1, 30))
def test_head_and_tail_are_a_quarter_from_the_beginning_and_the_rest_from_the_end(rows, room):
    found = head_and_tail(Ragged.from_rows(rows), kept_of(rows, room))
    begin = (room + 2) // 4
    expected = [r if len(r) <= room else r[:begin] + r[len(r) - (room - begin) :] for r in rows]
    assert lists(found) == expected


def test_of_512_tokens_128_are_the_beginning_and_382_the_end_as_in_the_paper():
    (found,) = lists(head_and_tail(Ragged.from_rows([list(range(1000))]), np.array([510])))
    assert found == [*range(128), *range(1000 - 382, 1000)]


@given(ROWS, st.integers(1, 30), st.integers(1, 5))
def test_windows_are_consecutive_pieces(rows, room, limit):
    windows, counts, left_out = cut_into_windows(Ragged.from_rows(rows), room, limit)
    expected = [[r[i : i + room] for i in range(0, max(len(r), 1), room)] for r in rows]
    assert lists(windows) == [w for text in expected for w in text[:limit]]
    assert counts.tolist() == [min(len(text), limit) for text in expected]
    assert left_out.tolist() == [len(text) > limit for text in expected]


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 80))
def test_longest_first_takes_from_the_longer_text_one_token_at_a_time(first, second, room):
    m, n = first, second
    while m + n > room:  # the definition, step by step; a tie may go either way
        if m > n:
            m -= 1
        else:
            n -= 1
    found = longest_first(first, second, room)
    assert sum(found) == m + n
    assert abs(found[0] - m) <= 1
    assert 0 <= found[0] <= first
    assert 0 <= found[1] <= second


@pytest.mark.parametrize("cut", [head, head_and_tail])
def test_no_texts_are_no_rows(cut):
    assert lists(cut(Ragged.from_rows([]), np.zeros(0, np.int64))) == []


@pytest.mark.parametrize(
    ("first", "second", "room", "expected"),
    [
        (10, 10, 17, (9, 8)),  # of equal texts the first keeps the odd token
        (12, 9, 20, (11, 9)),
        (12, 9, 17, (9, 8)),
        (3, 30, 20, (3, 17)),
        (5, 6, 11, (5, 6)),
    ],
)
def test_tokens_are_taken_from_the_longer_text_first(first, second, room, expected):
    kept = longest_first(np.array([first]), np.array([second]), room)
    assert (int(kept[0][0]), int(kept[1][0])) == expected
