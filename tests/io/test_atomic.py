import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mtbert.errors import UserError
from mtbert.io import atomic


def entries(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_text_is_written_as_it_is_in_utf8_without_newline_translation(tmp_path):
    atomic.write_text(tmp_path / "a.txt", "é\r\n\n😀")
    assert (tmp_path / "a.txt").read_bytes() == "é\r\n\n😀".encode()


def test_missing_parent_folders_are_made(tmp_path):
    atomic.write_text(tmp_path / "x" / "y" / "a.txt", "1")
    assert (tmp_path / "x" / "y" / "a.txt").read_text() == "1"


def test_a_file_is_invisible_until_complete_and_nothing_else_stays(tmp_path):
    file = tmp_path / "a.txt"
    with atomic.new_file(file) as stream:
        stream.write("new")
        assert not file.exists()
    assert entries(tmp_path) == ["a.txt"]


def test_a_failure_while_writing_keeps_the_old_file(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic.new_file(file) as stream:
        stream.write("half")
        raise ZeroDivisionError
    assert file.read_text() == "old"
    assert entries(tmp_path) == ["a.txt"]


def test_json_reads_back_and_keeps_characters(tmp_path):
    value = {"b": [1, 2.5, None, "é😀"], "a": {"x": True}}
    atomic.write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text("utf-8")
    assert json.loads(text) == value
    assert "é😀" in text
    assert text.endswith("}\n")


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_json_refuses_numbers_that_json_does_not_know_and_keeps_the_old_file(tmp_path, number):
    file = tmp_path / "a.json"
    atomic.write_json(file, 1)
    with pytest.raises(ValueError):
        atomic.write_json(file, {"x": number})
    assert file.read_text() == "1\n"
    assert entries(tmp_path) == ["a.json"]


@pytest.mark.parametrize("name", ["file/a.txt", "file/b/a.txt", pytest.param("x" * 250, id="long")])
def test_a_file_that_cannot_be_written_is_a_user_error(tmp_path, name):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        atomic.write_text(tmp_path / name, "1")


@pytest.mark.parametrize("name", ["file/a", pytest.param("x" * 250, id="long")])
def test_a_folder_that_cannot_be_written_is_a_user_error(tmp_path, name):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"), atomic.new_folder(tmp_path / name):
        pass


def test_a_folder_replaces_the_old_one_as_a_whole(tmp_path):
    folder = tmp_path / "model"
    for generation in ("one", "two"):
        with atomic.new_folder(folder) as partial:
            (partial / generation).write_text(generation)
            (partial / "sub").mkdir()
            (partial / "sub" / "x").write_text("x")
            assert not (folder / generation).exists()
    assert entries(folder) == ["sub", "two"]
    assert entries(tmp_path) == ["model"]


def test_a_failure_while_filling_keeps_the_old_folder(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "old").write_text("old")
    with pytest.raises(ZeroDivisionError), atomic.new_folder(folder) as partial:
        (partial / "half").write_text("half")
        raise ZeroDivisionError
    assert entries(folder) == ["old"]
    assert entries(tmp_path) == ["model"]


def test_the_old_folder_is_complete_somewhere_while_it_is_replaced(tmp_path, monkeypatch):
    """Look at the disk before and after every rename and removal."""
    folder = tmp_path / "model"
    with atomic.new_folder(folder) as partial:
        (partial / "a").write_text("old")
    seen = []

    def complete_folders() -> list[str]:
        files = [p / "a" for p in tmp_path.iterdir()]
        return sorted(f.read_text() for f in files if f.exists())

    def watched(original):
        def call(*args, **kwargs):
            seen.append(complete_folders())
            result = original(*args, **kwargs)
            seen.append(complete_folders())
            return result

        return call

    monkeypatch.setattr(Path, "replace", watched(Path.replace))
    monkeypatch.setattr(atomic.shutil, "rmtree", watched(atomic.shutil.rmtree))
    with atomic.new_folder(folder) as partial:
        (partial / "a").write_text("new")
    assert len(seen) >= 6
    assert all(seen)
    assert seen[-1] == ["new"]


def test_a_killed_writer_leaves_the_old_content(tmp_path):
    file, folder = tmp_path / "a.txt", tmp_path / "model"
    atomic.write_text(file, "old")
    with atomic.new_folder(folder) as partial:
        (partial / "a").write_text("old")
    code = """
import os, pathlib, signal, sys
from mtbert.io import atomic
root = pathlib.Path(sys.argv[1])
with atomic.new_file(root / "a.txt") as stream, atomic.new_folder(root / "model") as partial:
    stream.write("new")
    stream.flush()
    (partial / "a").write_text("new")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert result.returncode == -signal.SIGKILL
    assert file.read_text() == "old"
    assert (folder / "a").read_text() == "old"


def test_a_folder_is_gone_under_its_name_before_anything_in_it_is(tmp_path, monkeypatch):
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "b").write_text("")
    rmtree, seen = atomic.shutil.rmtree, []

    def watched(path):
        seen.append((folder.exists(), entries(path)))
        rmtree(path)

    monkeypatch.setattr(atomic.shutil, "rmtree", watched)
    atomic.remove_folder(folder)
    assert seen == [(False, ["b"])]
    assert entries(tmp_path) == []


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path):
    left = [".a.txt.0123abcd.partial", ".model.ffffffff.partial"]
    (tmp_path / left[0]).write_text("half")
    (tmp_path / left[1]).mkdir()
    (tmp_path / left[1] / "a").write_text("half")
    others = ["a.partial", ".a.partial", ".a.0123abcdef.partial", "0123abcd.partial", ".a"]
    for name in others:
        (tmp_path / name).write_text("mine")
    atomic.remove_partials(tmp_path)
    assert entries(tmp_path) == sorted(others)
    atomic.remove_partials(tmp_path / "missing")


def test_every_new_folder_is_on_disk_as_an_entry_of_its_parent(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(atomic, "_sync", synced.append)
    atomic.write_text(tmp_path / "a" / "b" / "c.txt", "1")
    assert {tmp_path, tmp_path / "a", tmp_path / "a" / "b"} <= set(synced)


def test_a_file_in_a_folder_is_named_where_it_would_have_been(tmp_path):
    name = "x" * 250
    with (
        pytest.raises(UserError, match=f"{tmp_path}/model/{name}: cannot be written"),
        atomic.new_folder(tmp_path / "model") as partial,
    ):
        atomic.write_text(partial / name, "1")


def test_everything_is_synced_before_it_takes_its_name(tmp_path, monkeypatch):
    events = []
    fsync, replace = atomic.os.fsync, Path.replace
    monkeypatch.setattr(
        atomic.os, "fsync", lambda handle: (events.append("sync"), fsync(handle))[1]
    )
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (events.append("rename"), replace(self, to))[1]
    )
    atomic.write_text(tmp_path / "a.txt", "1")
    assert events == ["sync", "rename", "sync"]
    events.clear()
    with atomic.new_folder(tmp_path / "model") as partial:
        (partial / "a").write_bytes(b"1")
        (partial / "b").write_bytes(b"2")
    assert events == ["sync", "sync", "sync", "rename", "sync"]
