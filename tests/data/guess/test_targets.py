import pytest

from mtbert.data.guess.columns import Column
from mtbert.data.guess.targets import is_count, target_of


def column_of(name, cells):
    column = Column(name)
    for cell in cells:
        column.add(str(cell), is_list=False)
    return column


def target(name, cells):
    cells = list(cells)
    return target_of(column_of(name, cells), len(cells))


def cycle(values, rows=120):
    values = list(values)
    return [values[(i * 7 + i // 5) % len(values)] for i in range(rows)]


@pytest.mark.parametrize(
    ("name", "values", "classes"),
    [
        ("label", ["pos", "neg"], ("neg", "pos")),
        ("spam", ["True", "False"], ("false", "true")),
        ("spam", [0, 1], ("0", "1")),
        ("polarity", [-1, 1], ("-1", "1")),
        ("label", [0, 1, 2], ("0", "1", "2")),
        ("3", [1, 2, 3, 4], ("1", "2", "3", "4")),
        ("label", ["1.0", "0.0", "1"], ("0", "1")),
        (
            "intent",
            [f"intent_{i:02}" for i in range(77)],
            tuple(f"intent_{i:02}" for i in range(77)),
        ),
        ("Recommended?", ["yes", "no", ""], ("no", "yes")),
    ],
)
def test_classes_are_recognised(name, values, classes):
    found = target(name, cycle(values, 400))
    assert found.kind == "classification"
    assert tuple(found.counts) == classes
    assert sum(found.counts.values()) == sum(v != "" for v in cycle(values, 400))


@pytest.mark.parametrize(
    ("name", "values", "limits"),
    [
        ("stars", range(1, 6), (1, 5)),
        ("Urgency", range(11), (0, 10)),
        ("politeness", [i / 100 for i in range(101)], (0, 1)),
        ("sentiment", [i / 50 - 1 for i in range(101)], (-1, 1)),
        ("score", [i / 10 for i in range(51)], (0, 5)),
        ("Note", ["1,3", "2,0", "3", "4,7"], (1, 5)),
        ("year", range(1900, 2020), None),
        ("income", [1.5, 99.25, 1000.0, 3.75], None),
    ],
)
def test_numbers_have_a_range_only_on_a_usual_scale(name, values, limits):
    found = target(name, cycle(values))
    assert (found.kind, found.range) == ("regression", limits)
    assert found.decimal_comma == ("," in str(next(iter(values))))


@pytest.mark.parametrize("separator", [";", "|", ",", "; "])
def test_lists_of_labels_are_recognised_by_what_divides_them(separator):
    cells = [separator.join(part) for part in cycle([("a", "b"), ("a",), ("b", "c"), ("c", "a")])]
    found = target("tags", cells)
    assert (found.kind, found.separator) == ("multilabel_classification", separator.strip())
    assert list(found.counts) == ["a", "b", "c"]


@pytest.mark.parametrize("cells", [['["a", "b"]', "[]", "['b']"], ["[a, b]", "[b, a]", "[a]"]])
def test_lists_in_brackets_are_lists_of_labels(cells):
    found = target("tags", cycle(cells))
    assert (found.kind, found.separator, sorted(found.counts)) == (
        "multilabel_classification", None, ["a", "b"]
    )  # fmt: skip


@pytest.mark.parametrize(
    "cells",
    [
        ["x"] * 40,  # one value alone
        [f"author {i}" for i in range(40)],  # as many as rows
        range(40),  # counts the rows
        [],
    ],
)
def test_what_cannot_be_learned_is_no_target(cells):
    assert target("x", cells) is None


def test_a_comma_in_names_of_classes_divides_no_lists():
    assert target("city", cycle(["Paris, France", "Bonn, Germany", "Rome"])).kind in (
        "classification", "multilabel_classification"
    )  # fmt: skip
    assert target("department", cycle(["R&D", "sales"])).kind == "classification"


def test_counts_are_told_from_labels_by_their_width_and_name():
    likes = [(i * 37) % 901 for i in range(120)]
    for name, expected in (("likes", True), ("price", False), ("score", False)):
        column = column_of(name, likes)
        assert is_count(column, target_of(column, 120)) is expected
