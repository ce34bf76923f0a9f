import json

import pytest

from mtbert import MultitaskModel
from mtbert.errors import UserError


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
    ],
)
def test_wrong_tasks_and_texts_are_refused(model, task, texts, told):
    with pytest.raises(UserError, match=told):
        model.predict(task, texts)


def test_what_is_no_model_is_refused(toy, tmp_path):
    with pytest.raises(UserError, match=r"no mtbert\.json; is this a run's model folder\?"):
        MultitaskModel.from_pretrained(toy.encoder)
    with pytest.raises(UserError, match="missing"):
        MultitaskModel.from_pretrained(tmp_path / "missing")
