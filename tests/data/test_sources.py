"""Several files of one task: read one behind the other, each named by its own name and lines."""

import gzip
from pathlib import Path

import pytest

from mtbert.config.load import parse_settings
from mtbert.data.cache import Cache
from mtbert.data.completion import completed
from mtbert.data.datasets import load_data_set
from mtbert.data.examples import LeftOut, iterate_examples, read_examples
from mtbert.data.held_out import rows_of
from mtbert.data.sources import SeveralFiles, form_of, locate, paths_of, source_digest
from mtbert.data.tasks import read_set
from mtbert.errors import UserError
from mtbert.studies.fingerprint import Fingerprints
from mtbert.training.setup import _named

TASK = {"kind": "classification", "labels": ["bad", "good"]}
HEAD = "sentence,label\n"


@pytest.fixture
def folder(tmp_path):
    """Three parts in three dresses, five rows in all."""
    (tmp_path / "dev.csv").write_text(HEAD + "six,good\n")
    (tmp_path / "part-1.csv").write_text(HEAD + "one,good\ntwo,bad\n")
    (tmp_path / "part-2.csv").write_text("label;sentence\ngood;three\n")
    (tmp_path / "part-3.jsonl.gz").write_bytes(
        gzip.compress(b'{"sentence": "four", "label": 1}\n\n{"label": 0, "sentence": "five"}\n')
    )
    return tmp_path


@pytest.fixture
def make(folder):
    def settings(files, **more):
        task = {**TASK, "train": files, "dev": "dev.csv", **more}
        tree = {"data": {"dir": str(folder), "cache": False}, "tasks": {"t": task}}
        return parse_settings(tree, "test")

    return settings


@pytest.mark.parametrize(
    "files",
    [
        ["part-1.csv", "part-2.csv", "part-3.jsonl.gz"],
        "part-*",
        ["part-*.csv", "part-3*"],
        ["part-[1-2].csv", "part*"],
        "**/part-*",
    ],
)
def test_several_files_are_read_in_order_each_in_its_own_form(make, folder, files):
    settings = make(files)
    source = locate(settings, settings.tasks["t"].train)
    assert [path.name[:6] for path in paths_of(source)] == ["part-1", "part-2", "part-3"]
    found = read_examples(source, settings.tasks["t"])
    assert [(e.id, e.texts, e.label) for e in found.examples] == [
        (str(i), (text,), label)
        for i, (text, label) in enumerate(
            [("one", 1), ("two", 0), ("three", 1), ("four", 1), ("five", 0)], start=1
        )
    ]
    assert len({e.line for e in found.examples}) == 5
    assert str(source) == f"{folder}/part-1.csv and 2 more files"


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(make, folder):
    (folder / "a[1].csv").write_text(HEAD + "x,good\n")
    (folder / "a1.csv").write_text(HEAD + "y,good\n")
    assert locate(make("a[1].csv"), "a[1].csv") == folder / "a[1].csv"
    assert locate(make("x"), "a?.csv") == folder / "a1.csv"


def test_a_pattern_that_matches_nothing_is_named(make, folder):
    (folder / "empty-folder.csv").mkdir()
    for pattern in ("other-*.csv", "empty-*"):
        with pytest.raises(UserError, match=r"no file matches the pattern '(other|empty)-"):
            locate(make(pattern), pattern)


def test_a_file_meant_from_the_current_folder_is_told(make, folder, tmp_path, monkeypatch):
    here = tmp_path / "here" / "data"
    here.mkdir(parents=True)
    (here / "train.csv").write_text(HEAD + "one,good\n")
    monkeypatch.chdir(here.parent)
    with pytest.raises(
        UserError, match=r"no such file; there is one in the current .*data\.dir=\."
    ):
        locate(make("data/train.csv"), "data/train.csv")
    (folder / "data").mkdir()
    (folder / "data" / "train.csv").write_text(HEAD + "one,good\n")
    assert locate(make("data/train.csv"), "data/train.csv") == folder / "data" / "train.csv"


def test_a_problem_names_the_file_and_its_own_line(make, folder):
    (folder / "part-2.csv").write_text(HEAD + "three,good\nfour,great\n,bad\n")
    settings = make(["part-1.csv", "part-2.csv"])
    with pytest.raises(UserError) as error:
        read_examples(locate(settings, ("part-1.csv", "part-2.csv")), settings.tasks["t"])
    assert f"{folder}/part-2.csv:3: column 'label': label 'great'" in str(error.value)
    assert f"{folder}/part-2.csv:4: empty text" in str(error.value)


def test_a_file_that_lacks_a_column_or_is_missing_is_named(make, folder):
    (folder / "part-2.csv").write_text("text,label\nthree,good\n")
    settings = make(["part-1.csv", "part-2.csv"])
    with pytest.raises(UserError, match=r"part-2\.csv:1: no column 'sentence'"):
        read_examples(locate(settings, ("part-1.csv", "part-2.csv")), settings.tasks["t"])
    with pytest.raises(UserError, match=r"gone\.csv: no such file"):
        read_examples(locate(settings, ("part-1.csv", "gone.csv")), settings.tasks["t"])


def test_ids_that_files_share_get_the_name_of_theirs(make, folder):
    (folder / "sub").mkdir()
    names = ["a.csv", "b.csv", "sub/b.csv"]
    for name in names:
        (folder / name).write_text(f"id,sentence,label\n1,{name},good\n2,y {name},bad\n")
    settings = make(names)
    source = locate(settings, tuple(names))
    found = read_examples(source, settings.tasks["t"]).examples
    assert [e.id for e in found] == ["1", "2", "b.csv:1", "b.csv:2"] + [
        f"{folder}/sub/b.csv:{i}" for i in "12"
    ]
    (folder / "b.csv").write_text("id,sentence,label\n1,x,good\n1,y,bad\n")
    with pytest.raises(UserError, match=r"b\.csv:3: id '1' is also in line 2"):
        read_examples(source, settings.tasks["t"])


def test_every_row_is_an_example_bad_or_of_another_task(make, folder):
    (folder / "a.csv").write_text(HEAD + "x,good\n,bad\nz,\nw,what\n")
    (folder / "b.csv").write_text(HEAD)
    settings = make("[ab].csv", on_bad_rows="skip")
    left_out = LeftOut()
    rows = iterate_examples(
        locate(settings, "[ab].csv"), settings.tasks["t"], left_out, blank_is_unlabelled=True
    )
    assert (len(list(rows)), len(left_out.problems), left_out.unlabelled) == (1, 2, 1)


def test_the_cache_knows_the_files_and_tells_the_same_problems(make, folder, tokenizer):
    (folder / "part-2.csv").write_text(HEAD + "three,good\nfour,great\n")
    settings = make(["part-1.csv", "part-2.csv"], on_bad_rows="skip")
    source = locate(settings, ("part-1.csv", "part-2.csv"))
    cache, task = Cache(folder / "cache"), settings.tasks["t"]
    first = load_data_set(source, task, tokenizer, 8, cache=cache)
    again = load_data_set(source, task, tokenizer, 8, cache=cache)
    assert list(again.ids) == list(first.ids) == ["1", "2", "3"]
    assert again.left_out == first.left_out
    assert again.left_out.problems[0].startswith(f"{folder}/part-2.csv:3: ")
    (folder / "part-2.csv").write_text(HEAD + "three,good\nfour,bad\n")
    assert len(load_data_set(source, task, tokenizer, 8, cache=cache)) == 4


def test_the_digest_and_the_form_are_those_of_all_files(folder):
    one = folder / "part-1.csv"
    both = SeveralFiles((one, folder / "part-3.jsonl.gz"))
    assert form_of(both) == [[".csv"], [".jsonl"]]
    assert source_digest(SeveralFiles((folder / "gone", one))) is None
    digests = {source_digest(one), source_digest(both), source_digest(SeveralFiles((one, one)))}
    assert len(digests) == 3


def test_rows_are_held_out_of_all_files(make, folder, tokenizer):
    for part in (1, 2):
        rows = "".join(f"the film {part} {i},{'good' if i % 2 else 'bad'}\n" for i in range(20))
        (folder / f"part-{part}.csv").write_text(HEAD + rows)
    settings = make("part-*.csv", dev="20%")
    rows = rows_of(settings, "t", "20%")
    assert len(rows.lines) == 8
    assert {line > 21 for line in rows.lines} == {True, False}
    train, dev = (
        read_set(settings, "t", file, tokenizer, cache=None) for file in ("part-*.csv", "20%")
    )
    assert (len(train), len(dev)) == (32, 8)
    assert not {*train.ids} & {*dev.ids}


def test_labels_are_looked_up_in_all_files(make, folder):
    (folder / "part-2.csv").write_text(HEAD + "three,awful\n")
    settings = make(["part-1.csv", "part-2.csv"], labels=None)
    assert completed(settings).tasks["t"].labels == ("awful", "bad", "good")


def test_the_key_of_a_run_knows_every_file(make, folder):
    settings = make(["part-1.csv", "part-2.csv"])
    before = Fingerprints().key(settings)
    assert Fingerprints().batches(settings) == {"t": 1}
    (folder / "part-2.csv").write_text(HEAD + "other,bad\n")
    assert Fingerprints().key(settings) != before


def test_every_file_is_an_input_of_the_run(make, tokenizer):
    settings = make(["part-1.csv", "part-2.csv"])
    found = read_set(settings, "t", settings.tasks["t"].train, tokenizer, cache=None)
    assert list(_named("tasks.t.train", found)) == [
        "tasks.t.train[1] part-1.csv",
        "tasks.t.train[2] part-2.csv",
    ]
    one = read_set(settings, "t", "part-1.csv", tokenizer, cache=None)
    assert {key: type(path) for key, path in _named("k", one).items()} == {"k": type(Path())}
