import json
import logging
import pickle
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, load_file
from support.toy import model_bytes

from mtbert.errors import UserError
from mtbert.inference.evaluate import Evaluation
from mtbert.io.hashing import file_sha256
from mtbert.runs import checkpoint
from mtbert.runs.checkpoint import (
    Checkpoint,
    check_fit,
    load_newest,
)

FILES = ["weights.safetensors", "moments.safetensors", "best.safetensors", "state.json"]


def content(step, best=True):
    """A small checkpoint that differs from step to step."""
    tensors = {"a": torch.full((3,), float(step)), "b": torch.arange(6.0).view(2, 3).t()}
    moments = {f"a.{m}": torch.rand(3) for m in ("exp_avg", "exp_avg_sq")}
    state = {"step": step, "best_score": 0.1 + step, "updates": {"a": step}}
    return Checkpoint(state, tensors, moments, {"a": torch.zeros(3)} if best else None)


def save(folder, *steps, keep=9):
    for step in steps:
        checkpoint.save(folder, step, content(step), keep)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def flip(file):
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)


def cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def remove(file):
    file.unlink()


def empty(file):
    file.write_bytes(b"")


def damaged_ways():
    ways = [(name, way) for name in FILES for way in (flip, cut, remove, empty)]
    return [*ways, ("manifest.json", cut), ("manifest.json", remove), ("manifest.json", empty)]


@pytest.mark.parametrize("best", [True, False])
def test_what_was_saved_is_loaded(tmp_path, best):
    saved = content(7, best)
    checkpoint.save(tmp_path, 7, saved, 1)
    found = load_newest(tmp_path)
    assert found.state == saved.state
    for ours, theirs in (
        (found.weights, saved.weights),
        (found.moments, saved.moments),
        (found.best or {}, saved.best or {}),
    ):
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert (found.best is None) == (not best)


def test_without_a_checkpoint_there_is_nothing_to_load(tmp_path):
    assert load_newest(tmp_path) is None
    assert load_newest(tmp_path / "missing") is None


def test_a_checkpoint_is_safetensors_and_json_only(tmp_path):
    save(tmp_path, 7)
    assert names(tmp_path) == ["step-00000007"]
    folder = tmp_path / "step-00000007"
    assert names(folder) == sorted([*FILES, "manifest.json"])
    for file in folder.iterdir():
        raw = file.read_bytes()
        header = raw if file.suffix == ".json" else raw[8 : 8 + int.from_bytes(raw[:8], "little")]
        assert isinstance(json.loads(header), dict)


def test_the_newest_is_loaded_and_the_newest_are_kept_in_the_order_of_numbers(tmp_path):
    save(tmp_path, 9_998, 9_999, 10_000, keep=2)
    assert names(tmp_path) == ["step-00009999", "step-00010000"]
    assert load_newest(tmp_path).state["step"] == 10_000
    save(tmp_path, 99_999_999, 100_000_000, keep=2)
    assert sorted(names(tmp_path), key=len) == ["step-99999999", "step-100000000"]
    assert load_newest(tmp_path).state["step"] == 100_000_000


def test_folders_of_other_names_are_neither_loaded_nor_removed(tmp_path):
    for name in ("step-x", ".step-00000009.ab.partial", "step-", "other"):
        (tmp_path / name).mkdir()
    save(tmp_path, 1, 2, keep=1)
    assert load_newest(tmp_path).state["step"] == 2
    assert {"step-x", ".step-00000009.ab.partial", "step-", "other"} < set(names(tmp_path))


@pytest.mark.parametrize(("name", "damage"), damaged_ways())
def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_is_loaded(
    tmp_path, caplog, name, damage
):
    save(tmp_path, 1, 2)
    damage(tmp_path / "step-00000002" / name)
    with caplog.at_level(logging.WARNING):
        found = load_newest(tmp_path)
    assert found.state["step"] == 1
    assert "passed over" in caplog.text
    assert str(tmp_path / "step-00000002") in caplog.text
    assert name in caplog.text or name == "manifest.json"


@pytest.mark.parametrize(
    "manifest", ["[]", "{}", "3", '{"state.json": 3}', '{"state.json": [1]}', '"x"', "null"]
)
def test_a_manifest_of_another_form_counts_as_damage(tmp_path, caplog, manifest):
    save(tmp_path, 1, 2)
    (tmp_path / "step-00000002" / "manifest.json").write_text(manifest)
    assert load_newest(tmp_path).state["step"] == 1
    assert "passed over" in caplog.text


def test_only_damaged_checkpoints_are_refused_by_name(tmp_path):
    save(tmp_path, 1, 2)
    for step in (1, 2):
        flip(tmp_path / f"step-0000000{step}" / "weights.safetensors")
    with pytest.raises(UserError, match="no whole checkpoint") as error:
        load_newest(tmp_path)
    assert str(error.value).count("weights.safetensors is missing or damaged") == 2
    assert f"remove {tmp_path} to start this run again" in str(error.value)


def test_the_checkpoint_of_another_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    save(tmp_path, 1)
    monkeypatch.undo()
    with pytest.raises(UserError, match="checkpoint format 2, this mtbert reads 1"):
        load_newest(tmp_path)


def test_a_damaged_checkpoint_is_replaced_when_its_step_comes_again(tmp_path):
    save(tmp_path, 1, 2)
    flip(tmp_path / "step-00000002" / "weights.safetensors")
    assert load_newest(tmp_path).state["step"] == 1
    save(tmp_path, 2)
    assert load_newest(tmp_path).state["step"] == 2


def test_a_damaged_checkpoint_does_not_push_a_whole_one_out(tmp_path):
    save(tmp_path, 1, 8)
    flip(tmp_path / "step-00000008" / "weights.safetensors")
    save(tmp_path, 2, keep=1)
    assert load_newest(tmp_path).state["step"] == 2


def test_a_save_that_fails_leaves_the_checkpoints_before_it(tmp_path, monkeypatch):
    save(tmp_path, 1)
    calls = []

    def fail_second(*args):
        calls.append(args)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", fail_second)
    with pytest.raises(UserError, match="No space left on device"):
        save(tmp_path, 2, keep=1)
    assert names(tmp_path) == ["step-00000001"]
    assert load_newest(tmp_path).state["step"] == 1


def test_an_old_checkpoint_that_cannot_be_removed_is_reported(tmp_path, monkeypatch, caplog):
    save(tmp_path, 1)
    rmtree = shutil.rmtree

    def refuse(path, *args, **kwargs):
        if "step-00000001" in path.name:
            raise PermissionError(13, "Permission denied", str(path))
        rmtree(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.atomic.shutil, "rmtree", refuse)
        save(tmp_path, 2, keep=1)
    assert "step-00000001: an old checkpoint that cannot be removed: Permission" in caplog.text
    assert load_newest(tmp_path).state["step"] == 2


def rewrite(folder, **files):
    """Other contents under a manifest that vouches for them."""
    for name, raw in files.items():
        (folder / name.replace("__", ".")).write_bytes(raw)
    found = [p for p in sorted(folder.iterdir()) if p.name != "manifest.json"]
    sums = {p.name: [p.stat().st_size, file_sha256(p)] for p in found}
    (folder / "manifest.json").write_text(json.dumps(sums))


@pytest.mark.parametrize(
    "files",
    [
        {"weights__safetensors": pickle.dumps({"a": 1})},
        {"moments__safetensors": b"\xff" * 64},
        {"best__safetensors": b""},
        {"state__json": b"[]"},
        {"state__json": b"3"},
        {"state__json": b"{"},
    ],
)
def test_a_file_of_another_kind_is_damage_though_its_hash_fits(tmp_path, caplog, files):
    save(tmp_path, 1, 2)
    rewrite(tmp_path / "step-00000002", **files)
    assert load_newest(tmp_path).state["step"] == 1
    assert "step-00000002: cannot be read" in caplog.text


@pytest.mark.parametrize("name", ["../state.json", "/etc/hostname", "a/../state.json", "x\0", ""])
def test_a_manifest_names_files_of_its_folder_only(tmp_path, caplog, name):
    save(tmp_path, 1, 2)
    file = tmp_path / "step-00000002" / "manifest.json"
    shutil.copy(tmp_path / "step-00000002" / "state.json", tmp_path)
    digest = json.loads(file.read_text())["state.json"]
    file.write_text(json.dumps({**json.loads(file.read_text()), name: digest}))
    assert load_newest(tmp_path).state["step"] == 1
    assert "passed over" in caplog.text


def test_a_file_that_the_manifest_does_not_list_is_never_opened(tmp_path):
    checkpoint.save(tmp_path, 1, content(1, best=False), 1)
    (tmp_path / "step-00000001" / "best.safetensors").write_bytes(pickle.dumps({"a": 1}))
    assert load_newest(tmp_path).best is None


HISTORIES = st.lists(
    st.tuples(st.integers(1, 40), st.integers(1, 4), st.sampled_from(["", "flip", "cut", "kill"])),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("examples", [50, pytest.param(1000, marks=pytest.mark.long, id="long")])
def test_rotation_never_takes_the_newest_whole_checkpoint(
    tmp_path_factory, examples, monkeypatch, record_property
):
    """Histories of saves, with damage and partial folders between them, as a run makes them."""
    monkeypatch.setattr(checkpoint.atomic.os, "fsync", lambda handle: None)  # half of the time
    starts = st.sampled_from([0, 9_980, 99_999_970])

    @settings(max_examples=examples)
    @given(start=starts, history=HISTORIES, data=st.data())
    def rotate(start, history, data):
        folder = tmp_path_factory.mktemp("history")
        go_through(folder, start, history, data.draw)
        shutil.rmtree(folder)

    rotate()
    record_property("histories", examples)


def go_through(folder, step, history, draw):
    """Save, look, and have an accident; a run goes on from its newest whole checkpoint."""
    whole: set[int] = set()
    for ahead, keep, accident in history:
        step += ahead
        save(folder, step, keep=keep)
        present = {int(p.name[5:]) for p in folder.glob("step-*")}
        whole = (whole & present) | {step}
        assert len(present) <= keep
        assert load_newest(folder).state["step"] == step == max(present)
        if accident == "kill":
            (folder / f".step-{step + 1:08d}.0123abcd.partial").mkdir()
        elif accident:
            victim = draw(st.sampled_from(sorted(whole)))
            damaged = folder / f"step-{victim:08d}" / draw(st.sampled_from(FILES))
            {"flip": flip, "cut": cut}[accident](damaged)
            whole.discard(victim)
            if not whole:
                with pytest.raises(UserError, match="no whole checkpoint"):
                    load_newest(folder)
                return
            step = max(whole)
            found = load_newest(folder)
            assert found.state["step"] == step
            assert found.best is not None  # the best weights are in every checkpoint


def test_the_best_weights_stay_however_long_ago_they_were(toy, tmp_path, monkeypatch):
    """The first evaluation is the best; its weights are in the only checkpoint that is left."""
    scores = iter([0.9, 0.1, 0.2, 0.3])
    monkeypatch.setattr(Evaluation, "selection_score", lambda self, select: next(scores))
    toy.train(tmp_path / "run", "sst", training={"epochs": 4, "keep_checkpoints": 1})
    (last,) = (tmp_path / "run" / "checkpoints").iterdir()
    best, heads = load_file(last / "best.safetensors"), model_bytes(tmp_path / "run")
    assert json.loads((last / "state.json").read_text())["best_step"] == 4
    saved = load(heads["heads.safetensors"])
    assert all(torch.equal(best[f"heads.{name}"], saved[name]) for name in saved)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"a": torch.zeros(3)}, "b: missing"),
        ({"a": torch.zeros(3), "b": torch.zeros(2), "c": torch.zeros(1)}, "c: unexpected"),
        ({"a": torch.zeros(3), "b": torch.zeros(2, 1)}, r"b: shape \[2, 1\], expected \[2\]"),
    ],
)
def test_tensors_of_another_model_are_refused_by_name(found, told):
    with pytest.raises(UserError, match=f"x: not of this model: {told}"):
        check_fit("x", found, {"a": torch.zeros(3), "b": torch.zeros(2)})
