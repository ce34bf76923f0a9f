"""Answers of several tasks at once: one encoding for all that read a text alike."""

import pytest
import torch

from mtbert import MultitaskModel
from mtbert.config.tasks import TaskSettings
from mtbert.data.inputs import Question
from mtbert.errors import UserError
from mtbert.inference.answering import _CHUNK, Answerer
from mtbert.model.network import MultitaskNetwork

KINDS = {
    "tone": {"kind": "classification", "labels": ["bad", "good"]},
    "mean": {"kind": "regression", "head": "mean"},
    "pooler": {"kind": "regression", "head": "pooled"},
    "both": {"kind": "pair_regression", "pair_encoding": "both_orders", "head": "mean"},
    "both_cls": {"kind": "pair_regression", "pair_encoding": "both_orders"},
    "joint": {"kind": "pair_classification"},
    "apart": {"kind": "pair_regression", "pair_encoding": "separately", "features": "uv"},
}
TEXT, PAIR = ("sentence",), ("sentence1", "sentence2")


@pytest.fixture(scope="module")
def model(finished):
    """A network of many heads on the encoder of a finished run."""
    run = MultitaskModel.from_pretrained(finished)
    tasks = {n: TaskSettings(train="t.csv", dev="d.csv", **t) for n, t in KINDS.items()}
    network = MultitaskNetwork(run.network.encoder, tasks).eval()
    generator = torch.Generator().manual_seed(1)
    for head in network.heads.values():
        head.initialise(generator, std=1.0)
    return MultitaskModel(network, run.tokenizer, run.max_length)


def answers(model, names, questions):
    found = []
    tasks = {name: model.network.tasks[name] for name in names}
    answerer = model.answerer(tasks, lambda q, a: found.append((q.id, dict(a))))
    for question in questions:
        answerer.ask(question)
    answerer.flush()
    return found, answerer


def question(number, first="a cat", second="the sun"):
    return Question(str(number), number, {TEXT: (first,), PAIR: (first, second)})


def test_together_and_alone_the_answers_are_the_same(model):
    questions = [question(0), question(1, "moon", "sea"), question(2, "the " * 30)]
    together, _ = answers(model, KINDS, questions)
    assert [list(row) for _, row in together] == [list(KINDS)] * 3
    for name in KINDS:
        alone, _ = answers(model, [name], questions)
        for (_, row), (_, other) in zip(together, alone, strict=True):
            assert row[name].score == pytest.approx(other[name].score, abs=1e-6)


def test_what_is_read_alike_is_encoded_once(model, monkeypatch):
    calls = []
    encode = type(model.network.trunk).encode

    def counted(self, task, batch, *args, **kwargs):
        calls.append((task, len(batch.lengths)))
        return encode(self, task, batch, *args, **kwargs)

    monkeypatch.setattr(type(model.network.trunk), "encode", counted)
    answers(model, KINDS, [question(0), question(1)])
    # Single texts once; both orders once each way; the joint pair; both texts of the last.
    assert [size for _, size in calls] == [2, 2, 2, 2, 4]


def test_a_bounded_number_waits_and_a_flush_answers_it(model):
    found, answerer = answers(model, ["tone"], [question(i) for i in range(_CHUNK + 1)])
    assert [i for i, _ in found] == [str(i) for i in range(_CHUNK + 1)]
    written = []
    tasks = {"tone": model.network.tasks["tone"]}
    answerer = model.answerer(tasks, lambda q, _: written.append(q.id))
    for number in range(_CHUNK):
        assert written == []
        answerer.ask(question(number))
    assert len(written) == _CHUNK
    answerer.ask(question(1, "x" * (1 << 20)))
    assert len(written) == _CHUNK + 1
    answerer.flush()
    answerer.flush()
    assert answerer.answered == _CHUNK + 1


def test_cut_and_empty_texts_are_counted(model):
    _, answerer = answers(model, ["tone"], [question(0, "the " * 30), question(1, ""), question(2)])
    assert (answerer.answered, answerer.cut, answerer.blank) == (3, 1, 1)


def test_an_answer_that_is_no_number_is_refused(model):
    head = model.network.heads["pooler"]
    before = head.linear.bias.detach().clone()
    with torch.no_grad():
        head.linear.bias.fill_(float("nan"))
    try:
        with pytest.raises(UserError, match="task pooler: the answer for the row in line 4 is nan"):
            answers(model, ["tone", "pooler"], [question(4)])
    finally:
        with torch.no_grad():
            head.linear.bias.copy_(before)
    assert isinstance(model.answerer({}, print), Answerer)
