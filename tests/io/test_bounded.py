import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from mtbert.errors import UserError
from mtbert.io import bounded
from mtbert.io.bounded import (
    is_file,
    is_folder,
    open_regular,
    read_bytes,
    read_json,
    read_lines,
    unique_keys,
    why_invalid,
)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "file"


def test_a_regular_file_is_opened(file):
    file.write_bytes(b"content")
    with open_regular(file) as stream:
        assert stream.read() == b"content"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (os.mkdir, "Is a directory"),
        (os.mkfifo, "not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda path: path.symlink_to(path), "symbolic links"),
    ],
    ids=["folder", "pipe", "device", "loop"],
)
def test_what_is_no_regular_file_is_refused_and_not_waited_for(file, make, told):
    make(file)
    with pytest.raises(UserError, match=f"file: cannot be read: .*{told}"):
        open_regular(file)


def test_a_missing_file_is_left_to_the_caller(file):
    for read in (open_regular, read_json, lambda path: read_bytes(path, 1)):
        with pytest.raises(FileNotFoundError):
            read(file)
    with pytest.raises(UserError, match="no such file"):
        next(read_lines(file))


def test_a_name_that_no_file_can_have_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        open_regular(tmp_path / ("x" * 300))
    with pytest.raises(UserError, match="cannot be read"):
        open_regular(tmp_path / "a\0b")


def test_a_file_may_be_as_large_as_the_limit_and_no_larger(file):
    file.write_bytes(b"12345")
    assert read_bytes(file, 5) == b"12345"
    with pytest.raises(UserError, match="5 bytes, expected at most 4"):
        read_bytes(file, 4)


def test_a_file_without_a_size_is_read_to_the_limit():
    """As those below /proc, whose size is given as 0."""
    path = Path("/proc/self/status")
    if not path.exists():
        pytest.skip("no /proc here")
    assert path.stat().st_size == 0
    with pytest.raises(UserError, match="11 bytes, expected at most 10"):
        read_bytes(path, 10)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=st.dictionaries(st.text(), values, max_size=4))
def test_an_object_is_read_back_equal(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "object.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    assert read_json(path) == value


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "damaged"),
        (b"{", "damaged"),
        (b"[1]", "expected a JSON object, found list"),
        (b'{"a": 1, "a": 2}', "a key occurs twice"),
        (b'{"a": {"b": 1, "b": 2}}', "a key occurs twice"),
        (b"\xff", "damaged"),
        (b"[" * 100_000, "damaged"),
    ],
)
def test_what_is_no_object_of_unique_keys_is_refused(file, content, told):
    file.write_bytes(content)
    with pytest.raises(UserError, match=told) as error:
        read_json(file)
    assert str(file) in str(error.value)


def test_lines_are_read_one_at_a_time_up_to_the_damaged_one(file):
    file.write_bytes(b'{"a": 1}\n{"a": 2}\n[]\n{"a": 3}\n')
    lines = read_lines(file)
    assert [next(lines), next(lines)] == [{"a": 1}, {"a": 2}]
    with pytest.raises(UserError, match=":3: damaged: expected a JSON object"):
        next(lines)


def test_a_last_line_without_an_end_is_read(file):
    file.write_bytes(b'{"a": 1}\n{"a": 2}')
    assert list(read_lines(file)) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("limit", ["_LONGEST", "_LARGEST_LOG"])
def test_lines_are_bounded_each_and_together(file, monkeypatch, limit):
    file.write_bytes(b'{"a": 1}\n' * 3)
    monkeypatch.setattr(bounded, limit, 8 if limit == "_LONGEST" else 20)
    with pytest.raises(UserError, match="longer than a file of this kind can be"):
        list(read_lines(file))


def test_unique_keys_keep_their_order():
    assert list(unique_keys([("b", 1), ("a", 2)]).items()) == [("b", 1), ("a", 2)]
    with pytest.raises(ValueError, match="a key occurs twice"):
        unique_keys([("a", 1), ("a", 1)])


def test_the_first_thing_that_is_invalid_is_told_on_one_line():
    class Inner(BaseModel):
        number: int

    class Outer(BaseModel):
        inner: Inner

    with pytest.raises(ValidationError) as error:
        Outer.model_validate({"inner": {"number": "x"}})
    told = why_invalid(error.value)
    assert told.startswith("inner.number: input should be a valid integer")
    assert "\n" not in told


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_name_that_nothing_can_have_is_there_neither_as_file_nor_as_folder(tmp_path, name):
    assert not is_file(tmp_path / name)
    assert not is_folder(tmp_path / name)


def test_files_and_folders_are_told_apart(tmp_path, file):
    file.touch()
    assert (is_file(file), is_folder(file)) == (True, False)
    assert (is_file(tmp_path), is_folder(tmp_path)) == (False, True)
