"""Names of classes: which labels mean the same, and their order."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbert.config.labels import canonical_names, label_value, values_of


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("1.0", 1), ("01", 1), ("-2.5", -2.5), ("True", 1), ("FALSE", 0), ("1e2", 100)],
)
def test_numbers_and_booleans_have_a_value(text, value):
    assert label_value(text) == value


@pytest.mark.parametrize("text", ["", "yes", "1_0", "nan", "inf", "-Infinity", "1,5", "0x1"])
def test_words_have_none(text):
    assert math.isnan(label_value(text))


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (["10", "9", "2"], ("2", "9", "10")),
        (["1", "0", "1.0", "0.0"], ("0", "1")),
        (["0.5", ".50", "-1"], ("-1", "0.5")),
        (["True", "False"], ("false", "true")),
        (["true", "0", "1"], ("0", "1")),
        (["beta", "Alpha", "alpha"], ("Alpha", "alpha", "beta")),
        (["10", "9", "none"], ("10", "9", "none")),
        (["ja", "nein", "Übung"], ("ja", "nein", "Übung")),
        ([], ()),
    ],
)
def test_labels_of_a_file_become_classes_in_order(found, names):
    assert canonical_names(found) == names


def test_names_have_values_only_together_and_each_its_own():
    assert values_of(["2", "1.0"]) == (2, 1)
    assert values_of(["1", "1.0"]) is None
    assert values_of(["1", "one"]) is None


labels = st.text(max_size=6) | st.floats(width=32).map(str) | st.integers().map(str)


@given(st.lists(labels, max_size=8))
def test_classes_do_not_depend_on_the_order_of_the_rows_and_stay_as_they_are(found):
    names = canonical_names(found)
    assert canonical_names(reversed(found)) == names
    assert canonical_names(names) == names
    assert len(set(names)) == len(names)
