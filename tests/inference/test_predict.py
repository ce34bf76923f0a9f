from itertools import pairwise

import numpy as np
import pytest
import torch
from support.objectives import task_of

from mtbert.data.batches import tokenize
from mtbert.data.examples import Example
from mtbert.data.tokenizer import Tokenizer
from mtbert.inference import predict
from mtbert.inference.predict import compute_features, compute_outputs, predict_stream
from mtbert.model.encoders.base import Encoder
from mtbert.model.network import MultitaskNetwork


@pytest.fixture
def network(toy):
    tasks = {
        "one": task_of(),
        "pair": task_of(kind="pair_regression", pair_encoding="separately"),
        "both": task_of(kind="pair_regression", pair_encoding="both_orders", head="mean"),
        "joint": task_of(kind="pair_regression", head="mean"),
    }
    network = MultitaskNetwork(Encoder.from_pretrained(str(toy.encoder)), tasks)
    for head in network.heads.values():
        head.initialise(torch.Generator().manual_seed(2), std=1.0)
    return network.eval()


@pytest.fixture
def tokenizer(toy):
    return Tokenizer.from_folder(toy.encoder)


def examples_of(count, texts=1):
    words = ["film", "actor", "cat", "dog", "moon"]
    return [
        Example(
            f"r{i}", tuple(" ".join(words[: 1 + (i * 3 + t) % 5]) for t in range(texts)), None, i
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("task", ["one", "pair", "both"])
@pytest.mark.parametrize("budget", [1, 20, 8192])
def test_outputs_stand_in_the_order_of_the_input_whatever_the_batches(
    network, tokenizer, monkeypatch, task, budget
):
    examples = examples_of(13, texts=1 + (task != "one"))
    whole = tokenize(examples, network.tasks[task], tokenizer, 16)
    batches = predict.token_budget_batches(whole.lengths, budget)
    monkeypatch.setattr(predict, "token_budget_batches", lambda lengths, budget: batches)
    found = compute_outputs(network, task, whole)
    monkeypatch.undo()
    for example, row in zip(examples, found, strict=True):
        alone = tokenize([example], network.tasks[task], tokenizer, 16)
        expected = compute_outputs(network, task, alone)[0]
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-6)


def test_a_pair_in_both_orders_has_the_mean_of_the_answers_for_each(network, tokenizer):
    network.heads["joint"].load_state_dict(network.heads["both"].state_dict())
    examples = examples_of(9, texts=2)
    swapped = [Example(e.id, e.texts[::-1], None, e.line) for e in examples]

    def outputs(task, given):
        return compute_outputs(network, task, tokenize(given, network.tasks[task], tokenizer, 16))

    one, other = outputs("joint", examples), outputs("joint", swapped)
    assert np.abs(one - other).max() > 1e-3  # else nothing would be tested
    expected = (one + other) / 2
    np.testing.assert_allclose(outputs("both", examples), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outputs("both", swapped), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("task", ["one", "pair", "both"])
def test_features_computed_once_give_the_same_outputs(network, tokenizer, task):
    examples = examples_of(7, texts=1 + (task != "one"))
    tokenized = tokenize(examples, network.tasks[task], tokenizer, 16)
    features = compute_features(network, task, tokenized)
    assert features.features.shape == (7, 1 + (task == "pair"), 16)
    assert not features.features.requires_grad
    np.testing.assert_allclose(
        compute_outputs(network, task, features),
        compute_outputs(network, task, tokenized),
        rtol=1e-5,
        atol=1e-6,
    )


def test_a_stream_is_read_a_chunk_at_a_time_and_equals_all_at_once(network, tokenizer, monkeypatch):
    examples = examples_of(11)
    at_once = list(predict_stream(network, "one", examples, tokenizer, 16))
    monkeypatch.setattr(predict, "_STREAM_CHUNK", 4)
    read = []

    def source():
        for example in examples:
            read.append(example)
            yield example

    answers, ahead = [], []
    for answer in predict_stream(network, "one", source(), tokenizer, 16):
        answers.append(answer)
        ahead.append(len(read))
    assert ahead == [4] * 4 + [8] * 4 + [11] * 3
    assert [example for example, _ in answers] == examples
    for (_, a), (_, b) in zip(answers, at_once, strict=True):
        assert (a.value, a.label) == (b.value, b.label)
        assert a.score == pytest.approx(b.score, rel=1e-5)


def test_an_endless_stream_is_answered_as_it_comes(network, tokenizer, monkeypatch):
    monkeypatch.setattr(predict, "_STREAM_CHUNK", 2)
    endless = (Example(str(i), ("a film",), None, i) for i in iter(int, 1))
    stream = predict_stream(network, "one", endless, tokenizer, 16)
    first = [next(stream)[1] for _ in range(5)]
    assert all(a == b for a, b in pairwise(first))


def test_an_empty_stream_has_no_answers(network, tokenizer):
    assert list(predict_stream(network, "one", [], tokenizer, 16)) == []
