"""What is kept on disk between runs: never stale, never half written, never in the way."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from mtbert.data.cache import Cache, content_key, file_digest, open_cache

KEY = content_key({"a": 1})


@pytest.fixture
def arrays():
    return {
        "ids": np.arange(7, dtype=np.int32),
        "labels": np.array([0.5, np.nan]),
        "none": np.zeros(0, np.uint8),
    }


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "new" / "cache")


def entry(cache):
    (path,) = cache.folder.iterdir()
    return path


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_what_was_put_in_comes_out(cache, arrays):
    assert cache.get(KEY) is None
    cache.put(KEY, dict(arrays))
    same(cache.get(KEY), arrays)
    assert cache.get(content_key({"a": 2})) is None
    assert cache.folder.stat().st_mode & 0o077 == 0, "texts can be read off token ids"


def test_keys_are_of_the_values_and_not_of_their_order():
    assert content_key({"a": 1, "b": [2]}) == content_key({"b": [2], "a": 1})
    assert len({content_key({"a": value}) for value in (1, 2, "1", None, [1], True)}) == 6


def test_every_damaged_byte_is_found(cache, arrays, caplog):
    cache.put(KEY, dict(arrays))
    path = entry(cache)
    whole = path.read_bytes()
    for position in range(len(whole)):
        broken = bytearray(whole)
        broken[position] ^= 0x10
        path.write_bytes(broken)
        found = cache.get(KEY)
        if found is not None:  # white space that the format allows
            same(found, arrays)
            assert whole[position : position + 1] == b" "
    assert "rebuilt" in caplog.text
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert cache.get(KEY) is None
    cache.put(KEY, dict(arrays))
    same(cache.get(KEY), arrays)


def test_an_entry_under_another_name_is_not_taken(cache, arrays):
    cache.put(KEY, arrays)
    other = content_key({"a": 2})
    entry(cache).rename(cache.folder / entry(cache).name.replace(KEY, other))
    assert cache.get(other) is None


def test_many_who_write_at_once_leave_one_whole_entry(cache):
    arrays = {"values": np.arange(200_000)}
    seen = []

    def work():
        cache.put(KEY, dict(arrays))
        seen.append(cache.get(KEY))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    for found in seen:
        same(found, arrays)
    assert entry(cache).is_file()


def test_the_longest_unused_go_when_the_cache_is_full(cache):
    keys = [content_key({"a": i}) for i in range(4)]
    cache.limit = 3 * 9000
    for age, key in enumerate(keys[:3]):
        cache.put(key, {"values": np.zeros(1000)})
        os.utime(cache._path(key), (age, age))
    stranger = cache.folder / "thesis.txt"
    stranger.write_bytes(b"x" * 50_000)
    os.utime(stranger, (0, 0))
    assert cache.get(keys[0]) is not None  # used just now
    cache.put(keys[3], {"values": np.zeros(1000)})
    assert [cache.get(key) is not None for key in keys] == [True, False, True, True]
    assert stranger.exists()


@pytest.mark.skipif(os.name == "nt", reason="folders have no modes there")
def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path, arrays, caplog):
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "cache")
    assert cache.get(KEY) is None
    cache.put(KEY, arrays)
    assert "the cache cannot be written" in caplog.text


def test_the_folder_is_the_one_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("MTBERT_CACHE", str(tmp_path / "own"))
    assert open_cache(False) is None
    assert open_cache("off") is None
    assert open_cache("~/here").folder == tmp_path / "home" / "here"
    assert open_cache(True).folder == tmp_path / "own"
    monkeypatch.setenv("MTBERT_CACHE", "off")
    assert open_cache(True) is None
    monkeypatch.delenv("MTBERT_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    assert open_cache(True).folder == tmp_path / "xdg" / "mtbert"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/to/be/ignored")
    assert open_cache(True).folder == tmp_path / "home" / ".cache" / "mtbert"
    monkeypatch.setattr("sys.platform", "darwin")
    assert open_cache(True).folder == tmp_path / "home" / "Library" / "Caches" / "mtbert"


def test_without_a_home_there_is_no_cache(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("MTBERT_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert open_cache(True) is None


def test_a_file_that_cannot_be_read_has_no_digest(tmp_path):
    assert file_digest(tmp_path / "absent") is None
    (tmp_path / "empty").write_bytes(b"")
    assert file_digest(tmp_path / "empty").startswith("e3b0c44298fc1c14")
