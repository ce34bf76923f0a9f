import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbert.data.label_lists import label_numbers, list_items, list_names, yes_or_no

NAMES = ["sport", "politics", "art and craft", "it's"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sport;politics", (0, 1)),
        ("politics, sport", (0, 1)),
        (" sport | art and craft ", (0, 2)),
        ("sport,", (0,)),
        ("art and craft", (2,)),
        ('["sport", "it\'s"]', (0, 3)),
        ("['sport', 'art and craft']", (0, 2)),
        ("""['sport', "it's"]""", (0, 3)),
        (r"['it\'s']", (3,)),
        ("[sport, politics]", (0, 1)),
        ("['sport',]", (0,)),
        ("[]", ()),
        (" [ ] ", ()),
        ("0;3", (0, 3)),
        ("[1, 2]", (1, 2)),
        ("2", (2,)),
    ],
)
def test_labels_as_people_write_them(text, expected):
    assert label_numbers(NAMES, text, None) == expected


@pytest.mark.parametrize(
    ("names", "text", "separator", "expected"),
    [
        (["a;b", "c"], '["a;b", "c"]', ";", (0, 1)),
        (["a, b", "c"], "a, b", None, (0,)),
        (["a, b", "c"], "a, b;c", None, (0, 1)),
        (["a", "b"], "a / b", "/", (0, 1)),
        (["a", "b"], "a b", " ", (0, 1)),
        (["1", "2"], "1;2", None, (0, 1)),
        (["0", "5"], "[5]", None, (1,)),
        (["true", "false"], "[true]", None, (0,)),
    ],
)
def test_names_and_separators_of_other_kinds(names, text, separator, expected):
    assert label_numbers(names, text, separator) == expected


@pytest.mark.parametrize(
    ("names", "text", "separator", "told"),
    [
        (NAMES, "sport;tennis", None, "label 'tennis', expected some of sport, politics"),
        (NAMES, "sport tennis", None, "label 'sport tennis', expected some of"),
        (NAMES, '["sport", "tennis"]', None, "label 'tennis', expected"),
        (NAMES, "sport;sport", None, "label 'sport' twice, expected each once"),
        (NAMES, "sport;politics", ",", "label 'sport;politics', expected"),
        (NAMES, "4", None, "label '4', expected"),
        (NAMES, "[1, 0, 0, 1]", None, "twice"),
        (NAMES, "['sport' 'politics']", None, 'expected a list such as \\["a", "b"\\]'),
        (NAMES, "[['sport']]", None, "expected a list"),
        (NAMES, "[null]", None, "expected a list"),
        (NAMES, "['sport]", None, "expected a list"),
        (NAMES, "[sport,,politics]", None, "expected a list"),
        (["a", "b", "a;b"], "a;b", None, "can be read in two ways"),
        (["1", "3"], "0", None, "label '0', expected some of 1, 3"),
    ],
)
def test_what_is_no_list_of_the_tasks_labels_is_refused(names, text, separator, told):
    with pytest.raises(ValueError, match=told):
        label_numbers(names, text, separator)


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="[]"), min_size=1).filter(str.strip)


@given(st.lists(WORDS, unique=True, max_size=5))
def test_lists_of_json_and_python_give_back_any_names(names):
    assert list_items(json.dumps(names), None) == names
    assert list_items(json.dumps(names, ensure_ascii=False), ";") == names
    if all(name.isprintable() for name in names):
        assert list_items(repr(names), ",") == names


@given(st.text(st.sampled_from("[]'\",;\\ ab0"), max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        found = label_numbers(["a", "b"], text or "a", None)
    except ValueError:
        return
    assert set(found) <= {0, 1}


def test_a_long_cell_is_read_in_linear_time():
    started = time.process_time()
    for hostile in ("[a" + " " * 1_000_000 + "'", "[" + "'a " * 300_000 + "]", "[" * 500_000):
        with pytest.raises(ValueError, match="expected"):
            label_numbers(["a", "b"], hostile, None)
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    ("cells", "separator", "expected"),
    [
        (["b;a", "", "c"], None, ["a", "b", "c"]),
        (["b, a", "['x, y']"], None, ["a", "b", "x, y"]),
        (["one label", "other"], None, ["one label", "other"]),
        (["a/b"], "/", ["a", "b"]),
        (["[]", '["z"]'], None, ["z"]),
        ([], None, []),
    ],
)
def test_the_labels_of_a_column_are_found(cells, separator, expected):
    assert list_names(cells, separator) == expected


def test_a_column_that_may_be_divided_in_two_ways_is_not_guessed():
    with pytest.raises(ValueError, match="separated by ';' or ','; say which with `label_sep"):
        list_names(["a;b", "c, d"])


@pytest.mark.parametrize("text", ["1", "1.0", "true", "True", "TRUE", " yes "])
def test_yes(text):
    assert yes_or_no("toxic", text)
    assert not yes_or_no(
        "toxic", {"1": "0", "1.0": "0.0"}.get(text, "No" if "y" in text else "f" + "alse")
    )


@pytest.mark.parametrize("text", ["", "-1", "2", "0.5", "maybe", "nan"])
def test_what_is_neither_yes_nor_no_is_refused(text):
    with pytest.raises(ValueError, match=f"column 'toxic': found '{text}', expected 1 or 0"):
        yes_or_no("toxic", text)
