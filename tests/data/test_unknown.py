import logging

import pytest
from support.toy import write_encoder

from mtbert.data.batches import tokenize
from mtbert.data.datasets import load_data_set
from mtbert.data.tokenizer import Tokenizer
from mtbert.data.unknown import tell_unknown, unknown_share


@pytest.fixture
def few_words(tmp_path):
    return Tokenizer.from_folder(write_encoder(tmp_path / "encoder", ["good", "film", "##s"]))


@pytest.mark.parametrize(
    ("texts", "share"),
    [
        (["good film", "good films"], 0),
        (["good bad", "worse"], 2 / 3),
        (["bad"], 1),
        ([""], 0),
    ],
)
def test_the_share_counts_the_tokens_of_texts_alone(
    few_words, make_task, make_examples, texts, share
):
    inputs = tokenize(make_examples(texts), make_task(), few_words, 16)
    assert unknown_share(inputs, few_words) == pytest.approx(share)


def test_both_texts_of_a_pair_count(few_words, make_task, make_examples):
    for encoding in ("jointly", "separately"):
        task = make_task(kind="pair_classification", pair_encoding=encoding)
        inputs = tokenize(make_examples([("good", "bad film odd")]), task, few_words, 16)
        assert unknown_share(inputs, few_words) == 0.5


@pytest.mark.parametrize(("text", "told"), [("good film", False), ("gut film", True)])
def test_many_unknown_words_are_said(few_words, make_task, write, caplog, text, told):
    file = write(f"id,sentence,label\na,{text},good\n")
    found = load_data_set(file, make_task(), few_words, 16)
    with caplog.at_level(logging.WARNING):
        tell_unknown("mood", found, few_words)
    assert ("task mood: " in caplog.text) == told
    assert ("50% of the tokens are unknown" in caplog.text) == told
