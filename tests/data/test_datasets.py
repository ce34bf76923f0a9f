"""A file as a data set: the same read at once, in pieces, or from the cache."""

import os

import numpy as np
import pytest

from mtbert.data import datasets
from mtbert.data.batches import tokenize
from mtbert.data.cache import Cache
from mtbert.data.datasets import load_data_set
from mtbert.data.examples import read_examples
from mtbert.data.leaks import text_keys
from mtbert.data.tokenizer import Tokenizer
from mtbert.errors import UserError

HEADER = "id\tsentence1\tsentence2\tlabel\tnote\n"
ROWS = [f"é{i}\tone {'two ' * (i % 7)}\tthree {i}\t{i % 2}\t\n" for i in range(30)]
BAD = ["x\ta\tb\n", "y\ta\tb\t7\t\n", "z\ta\tb\t\t\n", "é3\ta\tb\t1\t\n"]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text(HEADER + "".join(ROWS[:20] + BAD + ROWS[20:]), encoding="utf-8")
    return path


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


@pytest.fixture
def pairs(make_task):
    return make_task(kind="pair_classification", on_bad_rows="skip")


def contents(found):
    inputs = found.inputs
    return {
        "path": found.path,
        "ids": list(found.ids),
        "keys": found.keys.tolist(),
        "left out": found.left_out,
        "sides": [[row.tolist() for row in side] for side in inputs.sequences],
        "types": [side.values.dtype for side in inputs.sequences],
        "first": inputs.first_lengths.tolist(),
        "labels": inputs.labels.tolist(),
        "truncated": inputs.truncated,
        "windows": inputs.windows and [side.tolist() for side in inputs.windows],
    }


@pytest.mark.parametrize("encoding", ["jointly", "separately"])
@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_in_pieces_it_is_what_it_is_at_once(
    file, pairs, tokenizer, cache, monkeypatch, chunk, encoding
):
    monkeypatch.setattr(datasets, "_CHUNK", chunk)
    task = pairs.model_copy(update={"pair_encoding": encoding})
    whole = read_examples(file, task)
    expected = tokenize(whole.examples, task, tokenizer, 8)
    first = load_data_set(file, task, tokenizer, 8, cache=cache)
    assert list(first.ids) == [e.id for e in whole.examples]
    assert len(first) == 30
    assert first.left_out == whole.left_out
    assert first.left_out.unused_columns == ("note",)
    assert [p.split(": ")[0] for p in first.left_out.problems] == [
        f"{file}:{line}" for line in (22, 23, 24, 25)
    ]
    np.testing.assert_array_equal(first.keys, text_keys(whole.examples))
    again = load_data_set(file, task, tokenizer, 8, cache=cache)
    for found in (first, again):
        assert contents(found) == contents(first)
        assert found.inputs.truncated == expected.truncated > 0
        for index in ([0], range(30), [29, 3, 3]):
            ours, theirs = found.inputs.inputs(index), expected.inputs(index)
            assert ours.lengths == theirs.lengths
            assert ours.token_ids.tolist() == theirs.token_ids.tolist()
            assert ours.segment_ids.tolist() == theirs.segment_ids.tolist()
        np.testing.assert_array_equal(found.inputs.labels, expected.labels)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_windows_and_sets_of_labels_are_kept_too(
    tmp_path, make_task, tokenizer, cache, monkeypatch, chunk
):
    monkeypatch.setattr(datasets, "_CHUNK", chunk)
    file = tmp_path / "tags.csv"
    rows = [f"{'word ' * (5 * i)}x,{['a', 'a;b', '', '[]'][i % 4]}\n" for i in range(9)]
    file.write_text("sentence,label\n" + "".join(rows), encoding="utf-8")
    task = make_task(
        kind="multilabel_classification", labels=["a", "b"], long_texts="windows", max_windows=3
    )
    expected = tokenize(read_examples(file, task).examples, task, tokenizer, 10)
    first = load_data_set(file, task, tokenizer, 10, cache=cache)
    again = load_data_set(file, task, tokenizer, 10, cache=cache)
    assert contents(again) == contents(first)
    assert first.inputs.windows[0].tolist() == expected.windows[0].tolist()
    assert max(first.inputs.windows[0]) == 3
    assert first.inputs.labels.tolist() == expected.labels.tolist()
    assert again.inputs.inputs(range(9)).lengths == expected.inputs(range(9)).lengths
    assert again.inputs.lengths.tolist() == expected.lengths.tolist()
    assert again.inputs.truncated == expected.truncated > 0


def reads(monkeypatch):
    """How often a file is read in earnest from now on."""
    seen = []
    read = datasets._read

    def counted(*args, **kwargs):
        seen.append(args[0])
        return read(*args, **kwargs)

    monkeypatch.setattr(datasets, "_read", counted)
    return seen


def test_a_hit_reads_nothing_and_names_the_file_as_it_is_called_now(
    file, pairs, tokenizer, cache, monkeypatch
):
    first = load_data_set(file, pairs, tokenizer, 64, cache=cache)
    seen = reads(monkeypatch)
    moved = file.rename(file.with_name("moved.csv"))
    again = load_data_set(moved, pairs, tokenizer, 64, cache=cache)
    assert seen == []
    assert again.left_out.problems == [
        p.replace(str(file), str(moved)) for p in first.left_out.problems
    ]
    # What the head does with the examples is no matter of the file.
    other = pairs.model_copy(update={"head": "mean", "loss_weight": 2.0, "train": "elsewhere"})
    load_data_set(moved, other, tokenizer, 64, cache=cache)
    assert seen == []


@pytest.mark.parametrize(
    "change",
    [
        {"labels": ("1", "0")},
        {"pair_encoding": "separately"},
        {"kind": "pair_regression"},
        {"columns": {"text2": "note"}},
        {"columns": {"id": "sentence2"}},
        {"long_texts": "head_tail"},
        {"pair_encoding": "separately", "long_texts": "windows"},
        {"pair_encoding": "separately", "long_texts": "windows", "max_windows": 2},
        {"kind": "pair_multilabel_classification", "labels": ["0", "1"]},
    ],
)
def test_whatever_decides_the_result_is_part_of_the_key(
    file, pairs, tokenizer, cache, make_task, monkeypatch, change
):
    load_data_set(file, pairs, tokenizer, 12, cache=cache)
    task = make_task(**({"kind": "pair_classification", "on_bad_rows": "skip"} | change))
    try:
        fresh = contents(load_data_set(file, task, tokenizer, 12))
    except UserError as error:
        with pytest.raises(UserError, match=str(error)[-20:]):
            load_data_set(file, task, tokenizer, 12, cache=cache)
        return
    seen = reads(monkeypatch)
    assert contents(load_data_set(file, task, tokenizer, 12, cache=cache)) == fresh
    assert seen == [file]


def test_length_labels_and_reading_are_part_of_the_key(
    file, pairs, tokenizer, cache, monkeypatch, tmp_path
):
    seen = reads(monkeypatch)
    ways = [
        (64, {}),
        (12, {}),
        (64, {"labelled": False}),
        (64, {"blank_is_unlabelled": True}),
    ]
    for max_length, how in ways * 2:
        load_data_set(file, pairs, tokenizer, max_length, cache=cache, **how)
    assert len(seen) == len(ways)


def test_another_tokenizer_gives_other_ids(file, pairs, tokenizer, cache, toy, monkeypatch):
    load_data_set(file, pairs, tokenizer, 64, cache=cache)
    other = Tokenizer.from_folder(toy.encoder)
    fresh = contents(load_data_set(file, pairs, other, 64))
    assert contents(load_data_set(file, pairs, other, 64, cache=cache)) == fresh
    assert tokenizer.digest != other.digest
    assert Tokenizer.from_folder(toy.encoder).digest == other.digest


def test_a_changed_file_is_read_again_though_its_size_and_time_are_the_same(
    file, pairs, tokenizer, cache
):
    before = file.stat()
    load_data_set(file, pairs, tokenizer, 64, cache=cache)
    file.write_bytes(file.read_bytes().replace(b"three 5\t1", b"three 6\t0"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    found = load_data_set(file, pairs, tokenizer, 64, cache=cache)
    assert found.inputs.labels[5] == 0


def test_a_file_that_changes_while_it_is_read_is_not_kept(
    file, pairs, tokenizer, cache, monkeypatch
):
    read = datasets._read

    def meanwhile(*args, **kwargs):
        found = read(*args, **kwargs)
        file.write_text(HEADER + ROWS[0], encoding="utf-8")
        return found

    monkeypatch.setattr(datasets, "_read", meanwhile)
    before = file.read_bytes()
    assert len(load_data_set(file, pairs, tokenizer, 64, cache=cache)) == 30
    monkeypatch.setattr(datasets, "_read", read)
    assert len(load_data_set(file, pairs, tokenizer, 64, cache=cache)) == 1
    seen = reads(monkeypatch)
    file.write_bytes(before)
    assert len(load_data_set(file, pairs, tokenizer, 64, cache=cache)) == 30
    assert seen == [file]


def test_bad_rows_that_stop_a_run_stop_it_every_time(file, pairs, tokenizer, cache, monkeypatch):
    monkeypatch.setattr(datasets, "_CHUNK", 3)
    task = pairs.model_copy(update={"on_bad_rows": "error"})
    messages = []
    for _ in range(2):
        with pytest.raises(UserError) as error:
            load_data_set(file, task, tokenizer, 64, cache=cache)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    assert "4 problems" in messages[0]
    assert not cache.folder.exists()


def test_a_missing_file_is_told_with_and_without_a_cache(tmp_path, pairs, tokenizer, cache):
    for kept in (None, cache):
        with pytest.raises(UserError, match="no such file"):
            load_data_set(tmp_path / "absent.csv", pairs, tokenizer, 64, cache=kept)


@pytest.mark.parametrize(
    ("kept", "asked", "told"),
    [
        ({"on_bad_rows": "skip"}, {"on_bad_rows": "error"}, "bad rows|bad row|label"),
        ({"range": [0, 5]}, {"range": [0, 1]}, "label"),
    ],
)
def test_what_makes_a_row_bad_is_part_of_the_key(
    tmp_path, tokenizer, cache, make_task, kept, asked, told
):
    path = tmp_path / "scores.csv"
    path.write_text("sentence,label\none,1\ntwo,4\nthree,0\n" + "four,9\n" * ("range" not in kept))
    base = {"kind": "regression", "range": [0, 5]}
    for _ in range(2):
        assert len(load_data_set(path, make_task(**base | kept), tokenizer, 16, cache=cache)) == 3
    with pytest.raises(UserError, match=told):
        load_data_set(path, make_task(**base | asked), tokenizer, 16, cache=cache)
