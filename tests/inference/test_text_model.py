"""Texts in, predictions out, in Python."""

from functools import partial

import numpy as np
import pytest

from mtbert import MultitaskModel
from mtbert.errors import UserError


@pytest.fixture(scope="module")
def model(finished):
    return MultitaskModel.from_pretrained(finished / "model")


def rows(file):
    return [line.split(",") for line in file.read_text("utf-8").splitlines()[1:]]


def test_white_space_around_texts_does_not_matter_and_pairs_may_be_lists(model):
    assert model.predict("sst", ["  a cat\n"]) == model.predict("sst", ["a cat"])
    assert model.predict("para", [["a cat", "a dog"]]) == model.predict(
        "para", [("a cat", " a dog ")]
    )


def test_texts_of_all_kinds_are_answered(model):
    texts = ["", "\ud800", "film " * 1000, "\x00\x01", "電影", "🎬"]
    assert len(model.predict("sst", texts)) == 6
    assert model.predict("sst", []) == []


@pytest.mark.parametrize(
    ("task", "texts", "told"),
    [
        ("sts", ["one text"], "task 'sts' takes pairs of texts, found 'one text' at 0"),
        ("sst", ["ok", ("a", "b")], r"task 'sst' takes texts, found \('a', 'b'\) at 1"),
        ("para", [("a", "b", "c")], "takes pairs of texts"),
        ("para", [("a", 3)], "takes pairs of texts"),
        ("film", ["a"], "no task 'film'; this model has: sst, para, sts"),
        ("sst", "one bare text", r"found one text, 'one bare text', expected a list of them"),
        ("sst", b"bytes", "found one text"),
        ("sst", [None], "takes texts, found None at 0"),
        ("sst", ["a", float("nan")], "takes texts, found nan at 1"),
        ("sst", [3], "takes texts, found 3 at 0"),
        ("sst", [{"text": "a"}], "takes texts, found {'text': 'a'} at 0"),
        ("sst", {"text": "a"}, "found dict, expected a list of texts"),
        ("sst", {"a", "b"}, "found set, expected a list"),
        ("sst", None, "found NoneType, expected a list"),
        ("para", "ab", "found one text"),
        ("para", ["ab"], "takes pairs of texts, found 'ab' at 0"),
        ("para", [("a", None)], "takes pairs of texts"),
    ],
)
def test_wrong_tasks_and_texts_are_refused(model, task, texts, told):
    with pytest.raises(UserError, match=told):
        model.predict(task, texts)


def test_texts_may_come_in_anything_that_has_an_order(model):
    expected = model.predict("sst", ["a cat", "the sun"])
    assert model.predict("sst", ("a cat", "the sun")) == expected
    assert model.predict("sst", (text for text in ["a cat", "the sun"])) == expected
    series = pytest.importorskip("pandas").Series(["a cat", "the sun"], index=[7, 3])
    assert model.predict("sst", series) == expected
    pairs = [("a cat", "a dog"), ("sun", "moon")]
    assert model.predict("para", zip(*zip(*pairs, strict=True), strict=True)) == model.predict(
        "para", pairs
    )


def test_arrays_and_frames(model):
    """A frame's items are the names of its columns; they are not what is to be answered."""
    pairs = [("a cat", "a dog"), ("sun", "moon")]
    assert model.predict("para", np.array(pairs)) == model.predict("para", pairs)
    assert model.predict("para", np.array(pairs, object)) == model.predict("para", pairs)
    texts = np.array(["a cat", "the sun"])
    assert model.predict("sst", texts) == model.predict("sst", texts.tolist())

    class DataFrame(list):
        columns, itertuples = ["text"], None

    for ask in (partial(model.predict, "sst"), model.predict_all):
        with pytest.raises(UserError, match=r"found a DataFrame.*frame\['text'\]"):
            ask(DataFrame(["text"]))


def test_all_tasks_that_fit_answer_at_once(model):
    texts, pairs = ["a cat", "the good film"], [("a cat", "a dog")]
    assert model.predict_all(texts) == [{"sst": a} for a in model.predict("sst", texts)]
    (found,) = model.predict_all(iter(pairs))
    assert list(found) == ["para", "sts"]
    for task, answer in found.items():
        assert answer.score == pytest.approx(model.predict(task, pairs)[0].score, abs=1e-6)
    assert model.predict_all([]) == []
    with pytest.raises(UserError, match="found one text"):
        model.predict_all("a cat")
    with pytest.raises(UserError, match="takes texts, found None at 1"):
        model.predict_all(["a", None])
