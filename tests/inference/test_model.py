import json
import shutil

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
    "wrong",
    [
        {"precision": "fp16"},
        {"precision": None},
        {"threads": 0},
        {"threads": "two"},
        {"threads": True},
    ],
)
def test_precisions_and_threads_that_there_are_not_are_told(finished, wrong):
    with pytest.raises(UserError, match=f"^{next(iter(wrong))}: found .*, expected"):
        MultitaskModel.from_pretrained(finished, **wrong)


def test_a_device_that_there_is_not_is_told(finished):
    with pytest.raises(UserError, match="device: 'toaster' cannot be used here"):
        MultitaskModel.from_pretrained(finished, device="toaster")
