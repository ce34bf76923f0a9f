from mtbert.data.leaks import leaked


def test_a_text_of_the_training_data_is_found(make_examples):
    train = make_examples(["a b", "c"])
    dev = make_examples(["x", "c", "a b", "a  b"])
    assert [e.texts for e in leaked(train, dev)] == [("c",), ("a b",)]


def test_a_pair_is_found_in_either_order_but_not_by_one_text(make_examples):
    train = make_examples([("a", "b"), ("c", "c")])
    dev = make_examples([("a", "b"), ("b", "a"), ("a", "c"), ("c", "c"), ("a", "a")])
    assert [e.id for e in leaked(train, dev)] == ["0", "1", "3"]


def test_each_evaluation_row_is_reported_once_however_often_it_stands_in_train(make_examples):
    assert len(leaked(make_examples(["a"] * 5), make_examples(["a", "a"]))) == 2


def test_case_is_told_apart(make_examples):
    assert leaked(make_examples(["A film."]), make_examples(["a film."])) == []


def test_nothing_leaks_from_or_into_nothing(make_examples):
    assert leaked([], make_examples(["a"])) == []
    assert leaked(make_examples(["a"]), []) == []
