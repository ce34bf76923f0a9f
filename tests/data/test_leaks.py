import itertools

from hypothesis import given
from hypothesis import strategies as st

from mtbert.data.examples import Example
from mtbert.data.leaks import leaked, text_keys

TEXT = st.text("ab 1\0", max_size=4)


def found(make_examples, train, evaluation):
    positions = leaked(text_keys(make_examples(train)), text_keys(make_examples(evaluation)))
    return [evaluation[i] for i in positions]


def test_a_text_of_the_training_data_is_found(make_examples):
    assert found(make_examples, ["a b", "c"], ["x", "c", "a b", "a  b"]) == ["c", "a b"]


def test_a_pair_is_found_in_either_order_but_not_by_one_text(make_examples):
    dev = [("a", "b"), ("b", "a"), ("a", "c"), ("c", "c"), ("a", "a")]
    assert found(make_examples, [("a", "b"), ("c", "c")], dev) == [dev[0], dev[1], dev[3]]


def test_each_evaluation_row_is_reported_once_however_often_it_stands_in_train(make_examples):
    assert found(make_examples, ["a"] * 5, ["a", "a"]) == ["a", "a"]


def test_case_is_told_apart(make_examples):
    assert found(make_examples, ["A film."], ["a film."]) == []


def test_nothing_leaks_from_or_into_nothing(make_examples):
    assert found(make_examples, [], ["a"]) == []
    assert found(make_examples, ["a"], []) == []


@given(st.lists(st.tuples(TEXT, TEXT), max_size=12))
def test_keys_are_equal_where_the_texts_are_in_some_order(pairs):
    keys = text_keys(Example(str(i), pair, None, i) for i, pair in enumerate(pairs))
    for (a, first), (b, second) in itertools.combinations(zip(keys, pairs, strict=True), 2):
        assert (a == b) == (sorted(first) == sorted(second))
