import json
import shutil
from functools import partial

import numpy as np
import pytest
import torch

from mtbert import MultitaskModel
from mtbert.errors import UserError
from mtbert.hardware.device import compute_dtype
from mtbert.model.layers import keep_casts


@pytest.fixture(scope="module")
def model(finished):
    return MultitaskModel.from_pretrained(finished / "model")


def rows(file):
    return [line.split(",") for line in file.read_text("utf-8").splitlines()[1:]]


@pytest.mark.parametrize("task", ["sst", "para", "sts"])
def test_answers_are_those_of_the_runs_own_prediction_files(toy, finished, model, task):
    cells = rows(toy.folder / f"{task}-dev.csv")
    texts = [c[1] if task == "sst" else (c[1], c[2]) for c in cells]
    lines = (finished / "predictions" / f"{task}-dev.jsonl").read_text("utf-8").splitlines()
    answers = model.predict(task, texts)
    for answer, stored in zip(answers, map(json.loads, lines), strict=True):
        found = answer.as_json()
        assert found.keys() == stored.keys() - {"id", "gold"}
        assert found["prediction"] == pytest.approx(stored["prediction"], rel=1e-4)
        assert found["score"] == pytest.approx(stored["score"], rel=1e-4)
        assert found.get("label") == stored.get("label")
        if "probabilities" in found:
            assert found["probabilities"] == pytest.approx(stored["probabilities"], rel=1e-4)


def test_an_answer_has_label_score_and_probabilities(model):
    (answer,) = model.predict("sst", ["the good film"])
    assert set(answer.probabilities) == {"bad", "good"}
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert answer.score == max(answer.probabilities.values()) == answer.probabilities[answer.label]
    assert ["bad", "good"][answer.value] == answer.label
    (value,) = model.predict("sts", [("a film", "the film")])
    assert (value.label, value.probabilities) == (None, None)
    assert value.score == value.value


def test_a_run_folder_and_its_model_folder_are_the_same_model(finished, model):
    other = MultitaskModel.from_pretrained(str(finished))
    assert other.tasks == model.tasks == ("sst", "para", "sts")
    assert other.max_length == model.max_length == 16
    assert other.predict("sst", ["a cat"]) == model.predict("sst", ["a cat"])


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


def test_what_is_no_model_is_refused(toy, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"no mtbert\.json; is this a run's model folder\?"):
        MultitaskModel.from_pretrained(toy.encoder)
    with pytest.raises(UserError, match="missing"):
        MultitaskModel.from_pretrained(tmp_path / "missing")
    for file in (toy.encoder / "config.json", toy.encoder.relative_to(toy.folder) / "config.json"):
        monkeypatch.chdir(toy.folder)
        with pytest.raises(UserError, match=r"^'.*' is a file; give the folder that it is in"):
            MultitaskModel.from_pretrained(file)


def test_a_model_in_the_users_folder_is_found(finished, monkeypatch):
    monkeypatch.setenv("HOME", str(finished.parent))
    assert MultitaskModel.from_pretrained(f"~/{finished.name}").tasks == ("sst", "para", "sts")


def test_precision_and_threads_are_what_is_asked_for(finished):
    texts = ["the good film", "a cat", "a bad dog and a cat"]
    threads = torch.get_num_threads()
    found = {}
    for precision in ("fp32", "bf16", "auto"):
        model = MultitaskModel.from_pretrained(finished, precision=precision, threads=threads + 1)
        assert torch.get_num_threads() == threads + 1
        found[precision] = [answer.score for answer in model.predict("sst", texts)]
        # The same without weights that are cast once.
        keep_casts(model.network.trunk, torch.float32)
        assert [answer.score for answer in model.predict("sst", texts)] == found[precision]
    assert found["fp32"] != found["bf16"]
    assert found["fp32"] == pytest.approx(found["bf16"], abs=0.02)
    assert found["auto"] == found["fp32"]  # what the run asked for


def test_a_model_that_leaves_its_precision_open_takes_the_faster_one(finished, tmp_path):
    folder = shutil.copytree(finished / "model", tmp_path / "model")
    meta = json.loads((folder / "mtbert.json").read_text())
    assert meta.pop("precision") == "fp32"
    (folder / "mtbert.files.json").unlink()
    (folder / "mtbert.json").write_text(json.dumps(meta))
    open_one = MultitaskModel.from_pretrained(folder).network.encoder
    assert open_one.compute_dtype == compute_dtype("auto", torch.device("cpu"))
    (folder / "mtbert.json").write_text(json.dumps(meta | {"precision": "fp8"}))
    with pytest.raises(UserError, match=r"mtbert\.json: damaged: precision 'fp8'"):
        MultitaskModel.from_pretrained(folder)


def test_the_parameters_of_a_model_that_answers_in_bf16_stay_float32(finished):
    exact = MultitaskModel.from_pretrained(finished, precision="fp32").network.state_dict()
    other = MultitaskModel.from_pretrained(finished, precision="bf16").network.state_dict()
    assert exact.keys() == other.keys()
    assert all(torch.equal(exact[name], other[name]) for name in exact)


@pytest.mark.parametrize(
    "wrong", [{"precision": "fp16"}, {"precision": None}, {"threads": 0}, {"threads": "two"}]
)
def test_precisions_and_threads_that_there_are_not_are_told(finished, wrong):
    with pytest.raises(UserError, match=f"^{next(iter(wrong))}: found .*, expected"):
        MultitaskModel.from_pretrained(finished, **wrong)
