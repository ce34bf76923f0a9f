import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as FastTokenizer

from mtbert.data.batches import FeatureSet, TokenizedSet, token_budget_batches, tokenize
from mtbert.data.examples import Example

PAIRS = [
    ("A man sings.", "A man is singing."),
    ("", "an empty first text"),
    ("an empty second text", ""),
    ("Ünïcode 😀", "שלום"),
    ("one " * 30, "two"),
    ("one", "two " * 30),
    ("one " * 20, "two " * 25),
]

WORDS = st.lists(st.sampled_from(["one", "two", "unlikely"]), max_size=5).map(" ".join)


@pytest.fixture(scope="module")
def reference(packaged_folder):
    """The tokenizers library itself, with its own special tokens, types and truncation."""
    return FastTokenizer.from_file(str(packaged_folder / "tokenizer.json"))


@pytest.fixture(scope="module")
def transformers_tokenizer(packaged_folder):
    from transformers import AutoTokenizer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return AutoTokenizer.from_pretrained(packaged_folder)


def unpack(batch):
    """(ids, segments) of each sequence of a packed batch."""
    assert batch.token_ids.dtype == batch.segment_ids.dtype == torch.int64
    assert batch.token_ids.shape == batch.segment_ids.shape == (sum(batch.lengths),)
    ids, segments = batch.token_ids.split(batch.lengths), batch.segment_ids.split(batch.lengths)
    return [(i.tolist(), s.tolist()) for i, s in zip(ids, segments, strict=True)]


def everything(dataset):
    return unpack(dataset.inputs(range(len(dataset))))


def test_single_texts_equal_transformers(
    tokenizer, transformers_tokenizer, make_task, make_examples
):
    texts = [text for pair in PAIRS for text in pair]
    found = everything(tokenize(make_examples(texts), make_task(), tokenizer, 512))
    expected = [transformers_tokenizer(text)["input_ids"] for text in texts]
    assert found == [(ids, [0] * len(ids)) for ids in expected]


def test_joint_pairs_equal_transformers(
    tokenizer, transformers_tokenizer, make_task, make_examples
):
    pairs = [pair for pair in PAIRS if pair[1]]  # transformers takes "" for no second text
    task = make_task(kind="pair_regression")
    found = everything(tokenize(make_examples(pairs), task, tokenizer, 512))
    encoded = [transformers_tokenizer(a, b, return_token_type_ids=True) for a, b in pairs]
    assert found == [(e["input_ids"], e["token_type_ids"]) for e in encoded]


def test_joint_pairs_equal_the_tokenizers_library(tokenizer, reference, make_task, make_examples):
    task = make_task(kind="pair_regression")
    found = everything(tokenize(make_examples(PAIRS), task, tokenizer, 512))
    reference.no_truncation()
    reference.no_padding()
    assert found == [(e.ids, e.type_ids) for e in (reference.encode(a, b) for a, b in PAIRS)]


def test_separate_pairs_are_all_first_then_all_second_texts(
    tokenizer, transformers_tokenizer, make_task, make_examples
):
    task = make_task(kind="pair_regression", pair_encoding="separately")
    dataset = tokenize(make_examples(PAIRS), task, tokenizer, 512)
    found = unpack(dataset.inputs([4, 0]))
    order = [PAIRS[4][0], PAIRS[0][0], PAIRS[4][1], PAIRS[0][1]]
    expected = [transformers_tokenizer(text)["input_ids"] for text in order]
    assert found == [(ids, [0] * len(ids)) for ids in expected]
    both = [len(expected[0]) + len(expected[2]), len(expected[1]) + len(expected[3])]
    assert dataset.lengths[[4, 0]].tolist() == both


@given(
    pairs=st.lists(st.tuples(WORDS, WORDS, st.booleans()), min_size=1, max_size=6),
    data=st.data(),
)
def test_a_swapped_pair_is_the_pair_with_its_texts_the_other_way_round(
    tokenizer, reference, make_task, make_examples, pairs, data
):
    task = make_task(kind="pair_regression", pair_encoding="both_orders")
    dataset = tokenize(make_examples([(a, b) for a, b, _ in pairs]), task, tokenizer, 512)
    indices = data.draw(st.permutations(range(len(pairs))))
    swapped = np.array([pairs[i][2] for i in indices])
    found = dataset.inputs(indices, swapped)
    reference.no_truncation()
    reference.no_padding()
    expected = [
        reference.encode(*((b, a) if swap else (a, b)))
        for a, b, swap in (pairs[i] for i in indices)
    ]
    assert unpack(found) == [(e.ids, e.type_ids) for e in expected]
    assert everything(dataset) == everything(  # nothing of the set itself is changed
        tokenize(make_examples([(a, b) for a, b, _ in pairs]), task, tokenizer, 512)
    )


@pytest.mark.parametrize("max_length", [4, 5, 16, 31, 32, 33, 512])
def test_single_texts_are_cut_at_the_end_as_by_transformers(
    tokenizer, transformers_tokenizer, make_task, make_examples, max_length
):
    texts = ["a b", "word " * 29, "word " * 30, "word " * 31, ""]
    dataset = tokenize(make_examples(texts), make_task(), tokenizer, max_length)
    expected = [
        transformers_tokenizer(t, truncation=True, max_length=max_length)["input_ids"]
        for t in texts
    ]
    assert [ids for ids, _ in everything(dataset)] == expected
    assert dataset.truncated == sum(words + 2 > max_length for words in (2, 29, 30, 31, 0))


@settings(max_examples=60)
@given(first=st.integers(0, 30), second=st.integers(0, 30), max_length=st.integers(4, 40))
@example(first=18, second=18, max_length=39)  # just fits
@example(first=18, second=19, max_length=39)  # one token too long
def test_joint_pairs_are_cut_as_by_the_tokenizers_library(
    tokenizer, reference, make_task, first, second, max_length
):
    """Totals, balance and the odd token: only which text keeps that one may differ."""
    a, b = " ".join(["one"] * first), " ".join(["two"] * second)
    task = make_task(kind="pair_regression")
    dataset = tokenize([Example("0", (a, b), None, 1)], task, tokenizer, max_length)
    ((ids, segments),) = everything(dataset)
    reference.enable_truncation(max_length, strategy="longest_first")
    reference.no_padding()
    expected = reference.encode(a, b)
    assert len(ids) == len(expected.ids) <= max_length
    assert abs(sum(segments) - sum(expected.type_ids)) <= 1
    assert dataset.truncated == (first + second + 3 > max_length)
    one, two = reference.token_to_id("one"), reference.token_to_id("two")
    m, n = ids.count(one), ids.count(two)
    assert ids == [tokenizer.cls_id] + [one] * m + [tokenizer.sep_id] + [two] * n + [
        tokenizer.sep_id
    ]
    assert segments == [0] * (m + 2) + [1] * (n + 1)


def test_separate_pairs_are_cut_each_alone_and_counted_once(tokenizer, make_task, make_examples):
    task = make_task(kind="pair_regression", pair_encoding="separately")
    texts = [("a " * 50, "b " * 50), ("a", "b " * 50), ("a", "b")]
    dataset = tokenize(make_examples(texts), task, tokenizer, 16)
    assert dataset.inputs(range(3)).lengths == (16, 3, 3, 16, 16, 3)
    assert dataset.truncated == 2


@pytest.mark.parametrize("encoding", ["jointly", "separately"])
@given(chosen=st.lists(st.integers(0, len(PAIRS) - 1), min_size=1, max_size=8))
def test_a_batch_is_its_single_examples_one_after_another(
    tokenizer, make_task, make_examples, encoding, chosen
):
    task = make_task(kind="pair_regression", pair_encoding=encoding)
    dataset = tokenize(make_examples(PAIRS), task, tokenizer, 24)
    alone = [unpack(dataset.inputs([i])) for i in chosen]
    expected = [sides[s] for s in range(task.sequences_per_example) for sides in alone]
    assert unpack(dataset.inputs(chosen)) == expected
    assert unpack(dataset.inputs(np.array(chosen))) == expected


def test_labels_are_float_and_nan_where_there_is_none(tokenizer, make_task):
    examples = [Example("a", ("x",), 1, 1), Example("b", ("y",), None, 2)]
    dataset = tokenize(examples, make_task(), tokenizer, 512)
    assert dataset.label_tensor([0, 0]).tolist() == [1.0, 1.0]
    assert dataset.label_tensor([0]).dtype == torch.float32
    assert math.isnan(dataset.label_tensor([1]).item())
    assert len(dataset) == 2


def test_the_same_text_gives_the_same_sequence_wherever_it_stands(
    tokenizer, make_task, make_examples
):
    dataset = tokenize(make_examples(["b", "a b c", "b", "a b c"]), make_task(), tokenizer, 512)
    rows = everything(dataset)
    assert rows[0] == rows[2]
    assert rows[1] == rows[3]


def test_features_are_picked_by_index_with_their_labels(tokenizer, make_task):
    examples = [Example(str(i), ("x " * i,), i % 2, i) for i in range(4)]
    tokenized = tokenize(examples, make_task(), tokenizer, 512)
    features = torch.arange(24.0).reshape(4, 1, 6)
    dataset = FeatureSet(features, tokenized)
    assert torch.equal(dataset.inputs([3, 1]), features[[3, 1]])
    assert torch.equal(dataset.inputs(np.array([2])), features[[2]])
    assert torch.equal(dataset.inputs(np.array([2]), np.array([True])), features[[2]])
    assert dataset.label_tensor([3, 2]).tolist() == [1.0, 0.0]
    assert dataset.lengths.tolist() == [2, 3, 4, 5]
    assert len(dataset) == 4


@given(st.lists(st.integers(2, 600), max_size=40), st.integers(1, 1000))
def test_budget_batches_hold_every_index_once_within_the_budget(lengths, budget):
    batches = token_budget_batches(np.array(lengths, dtype=np.int64), budget)
    assert sorted(int(i) for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        tokens = sum(lengths[i] for i in batch)
        assert len(batch) == 1 or (len(batch) > 1 and tokens <= budget)


def test_budget_batches_are_full_and_of_similar_length():
    lengths = np.array([10, 100, 10, 100, 10, 100, 10, 100])
    batches = token_budget_batches(lengths, 200)
    assert [lengths[b].tolist() for b in batches] == [[10, 10, 10, 10, 100], [100, 100], [100]]


LONG = ["word " * 61, "", "a b", "one two " * 20, "x " * 9]


@pytest.mark.parametrize("max_length", [4, 5, 8, 32])
def test_windows_are_those_of_transformers(
    tokenizer, transformers_tokenizer, make_task, make_examples, max_length
):
    task = make_task(long_texts="windows", max_windows=1000)
    dataset = tokenize(make_examples(LONG), task, tokenizer, max_length)
    encoded = transformers_tokenizer(
        LONG, truncation=True, max_length=max_length, return_overflowing_tokens=True
    )
    counts = np.bincount(encoded["overflow_to_sample_mapping"])
    found = dataset.inputs(range(len(LONG)))
    assert [ids for ids, _ in unpack(found)] == encoded["input_ids"]
    assert found.windows == tuple(counts)
    assert dataset.truncated == 0
    by_text = np.split(list(map(len, encoded["input_ids"])), np.cumsum(counts)[:-1])
    assert dataset.lengths.tolist() == [part.sum() for part in by_text]


def test_windows_of_chosen_texts_follow_one_another(tokenizer, make_task, make_examples):
    task = make_task(long_texts="windows", max_windows=3)
    dataset = tokenize(make_examples(LONG), task, tokenizer, 16)
    alone = [dataset.inputs([i]) for i in range(5)]
    found = dataset.inputs([3, 1, 0])
    assert unpack(found) == [row for i in (3, 1, 0) for row in unpack(alone[i])]
    assert found.windows == (3, 1, 3)
    assert dataset.inputs([1, 2]).windows is None  # nothing to average
    assert dataset.truncated == 1  # 61 words need five windows of 14; 40 have room in three
    assert dataset.lengths.tolist() == [48, 2, 4, 46, 11]


def test_windows_of_pairs_are_all_of_the_first_then_all_of_the_second_texts(
    tokenizer, make_task, make_examples
):
    task = make_task(kind="pair_regression", pair_encoding="separately", long_texts="windows")
    pairs = [("a " * 20, "b"), ("c", "d " * 30)]
    dataset = tokenize(make_examples(pairs), task, tokenizer, 16)
    found = dataset.inputs([1, 0])
    assert found.windows == (1, 2, 3, 1)
    assert found.lengths == (3, 16, 8, 16, 16, 4, 3)
    assert dataset.lengths.tolist() == [24 + 3, 3 + 36]


def test_joined_sets_of_windows_are_the_set_of_all_texts(tokenizer, make_task, make_examples):
    task = make_task(long_texts="windows")
    parts = [tokenize(make_examples(texts), task, tokenizer, 8) for texts in (LONG[:2], LONG[2:])]
    joined = TokenizedSet.join(parts)
    whole = tokenize(make_examples(LONG), task, tokenizer, 8)
    assert joined.lengths.tolist() == whole.lengths.tolist()
    assert joined.truncated == whole.truncated == 1
    assert unpack(joined.inputs([4, 0])) == unpack(whole.inputs([4, 0]))


def test_head_and_tail_of_a_text(tokenizer, make_task, make_examples):
    words = " ".join("abcdefghijklmnopqrstuvwxyz")
    task = make_task(long_texts="head_tail")
    dataset = tokenize(make_examples([words, "a b"]), task, tokenizer, 16)
    (ids, _), short = everything(dataset)
    expected = tokenizer.encode(["a b c d q r s t u v w x y z".replace("p ", "")])[0].tolist()
    assert ids == [tokenizer.cls_id, *expected, tokenizer.sep_id]
    assert short == everything(tokenize(make_examples(["a b"]), make_task(), tokenizer, 16))[0]
    assert dataset.truncated == 1


@pytest.mark.parametrize("encoding", ["jointly", "both_orders"])
def test_of_a_long_pair_each_text_keeps_head_and_tail(
    tokenizer, make_task, make_examples, encoding
):
    kind = {"kind": "pair_regression", "pair_encoding": encoding}
    pair = (" ".join("abcdefghij"), " ".join("klmnopqrst"))
    dataset = tokenize(
        make_examples([pair]), make_task(**kind, long_texts="head_tail"), tokenizer, 11
    )
    plain = tokenize(make_examples([pair]), make_task(**kind), tokenizer, 11)
    ((ids, segments),) = everything(dataset)
    one, two = (tokenizer.encode([t])[0].tolist() for t in ("a h i j", "k r s t"))
    cls, sep = tokenizer.cls_id, tokenizer.sep_id
    assert ids == [cls, *one, sep, *two, sep]
    assert segments == everything(plain)[0][1]
    assert dataset.truncated == plain.truncated == 1
    swapped = dataset.inputs([0], np.array([True])).token_ids.tolist()
    assert swapped == [cls, *two, sep, *one, sep]


@pytest.mark.parametrize("mode", ["head", "head_tail", "windows"])
def test_the_shortest_sequences_hold_one_or_two_tokens(tokenizer, make_task, make_examples, mode):
    dataset = tokenize(make_examples(LONG), make_task(long_texts=mode), tokenizer, 4)
    assert max(dataset.inputs(range(5)).lengths) == 4
    assert min(dataset.inputs(range(5)).lengths) == 2


def test_labels_of_several_kinds_have_a_row_each(tokenizer, make_task):
    task = make_task(kind="multilabel_classification", labels=["a", "b", "c"])
    examples = [Example("0", ("x",), (1.0, 0.0, 1.0), 1), Example("1", ("y",), None, 2)]
    dataset = tokenize(examples, task, tokenizer, 8)
    assert dataset.label_tensor([0, 0]).tolist() == [[1, 0, 1], [1, 0, 1]]
    assert dataset.label_tensor([0]).dtype == torch.float32
    assert dataset.label_tensor([1]).isnan().tolist() == [[True] * 3]
    features = FeatureSet(torch.zeros(2, 1, 4), dataset)
    assert features.label_tensor([0]).tolist() == [[1, 0, 1]]
    assert TokenizedSet.join([dataset, dataset]).labels.shape == (4, 3)


@given(pairs=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=6), room=st.integers(5, 9))
def test_a_cut_pair_is_the_same_in_either_order_but_for_one_token_of_equal_texts(
    tokenizer, make_task, make_examples, pairs, room
):
    task = make_task(kind="pair_regression", pair_encoding="both_orders")
    for a, b in pairs:
        given_order = tokenize(make_examples([(a, b)]), task, tokenizer, room)
        other_order = tokenize(make_examples([(b, a)]), task, tokenizer, room)
        found = unpack(given_order.inputs([0], np.array([True])))
        expected = unpack(other_order.inputs([0]))
        first, second = tokenizer.encode([a, b]).lengths.tolist()
        excess = first + second - (room - 3)
        even = (
            excess <= 0 or (excess - abs(first - second)) % 2 == 0 or excess < abs(first - second)
        )
        if even:
            assert found == expected
        else:
            (one, segments), (other, others) = found[0], expected[0]
            assert len(one) == len(other) == room
            assert abs(sum(segments) - sum(others)) == 1
