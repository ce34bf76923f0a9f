"""Files of several tasks: read as their owners read them, and checked against each other."""

import logging

import pytest

from mtbert.config.load import parse_settings
from mtbert.data.cache import Cache
from mtbert.data.tasks import load_tasks, read_set, skipping_bad_rows
from mtbert.errors import UserError

SHARED = "id,sentence,tone,length\na,one,good,\nb,two,,2\nc,three,bad,3\n"
TONE = {
    "kind": "classification",
    "labels": ["bad", "good"],
    "columns": {"label": "tone"},
}
LENGTH = {"kind": "regression", "columns": {"label": "length"}}


@pytest.fixture
def settings(tmp_path):
    """A function: settings of two tasks on files of the test's folder."""
    (tmp_path / "both.csv").write_text(SHARED)

    def make(tone, length, **rest):
        tasks = {"tone": TONE | tone, "length": LENGTH | length}
        tree = {"data": {"dir": str(tmp_path), "cache": False}, "tasks": tasks, **rest}
        return parse_settings(tree, "test")

    return make


def ids(found):
    return list(found.ids)


@pytest.mark.parametrize("spelling", ["both.csv", "./both.csv", "../{folder}/both.csv", "{path}"])
def test_a_blank_label_in_a_file_of_several_tasks_is_left_to_the_other(
    settings, tmp_path, tokenizer, spelling
):
    other = spelling.format(folder=tmp_path.name, path=tmp_path / "both.csv")
    both = settings({"train": "both.csv", "dev": "both.csv"}, {"train": other, "dev": other})
    tone = read_set(both, "tone", "both.csv", tokenizer, cache=None)
    length = read_set(both, "length", other, tokenizer, cache=None)
    assert (ids(tone), tone.left_out.unlabelled) == (["a", "c"], 1)
    assert (ids(length), length.left_out.unlabelled) == (["b", "c"], 1)


def test_a_link_to_a_file_is_that_file(settings, tmp_path, tokenizer):
    (tmp_path / "link.csv").symlink_to(tmp_path / "both.csv")
    both = settings({"train": "both.csv", "dev": "both.csv"}, {"train": "link.csv"})
    assert ids(read_set(both, "length", "link.csv", tokenizer, cache=None)) == ["b", "c"]


def test_a_test_file_of_several_tasks_may_have_labels_too(settings, tmp_path, tokenizer):
    (tmp_path / "tone.csv").write_text("sentence,tone\none,good\n")
    (tmp_path / "length.csv").write_text("sentence,length\none,1\n")
    both = settings(
        {"train": "tone.csv", "dev": "tone.csv", "test": "both.csv"},
        {"train": "length.csv", "test": "both.csv"},
    )
    assert ids(read_set(both, "tone", "both.csv", tokenizer, cache=None)) == ["a", "c"]
    found = read_set(both, "tone", "both.csv", tokenizer, cache=None, labelled=False)
    assert ids(found) == ["a", "b", "c"]


def test_in_a_file_of_one_task_a_blank_label_is_a_mistake(settings, tmp_path, tokenizer):
    (tmp_path / "copy.csv").write_text(SHARED)
    alone = settings({"train": "both.csv", "dev": "both.csv"}, {"train": "copy.csv"})
    with pytest.raises(UserError, match=r"^task tone: .*both\.csv:3: blank label"):
        read_set(alone, "tone", "both.csv", tokenizer, cache=None)
    found = read_set(skipping_bad_rows(alone), "tone", "both.csv", tokenizer, cache=None)
    assert ids(found) == ["a", "c"]
    assert (len(found.left_out.problems), found.left_out.unlabelled) == (1, 0)


def test_a_relative_name_needs_a_folder_and_the_task_is_named(settings, tmp_path, tokenizer):
    absolute = str(tmp_path / "both.csv")
    both = settings(
        {"train": absolute, "dev": absolute},
        {"train": absolute, "test": "somewhere.csv"},
        data={"cache": False},
    )
    assert ids(read_set(both, "tone", absolute, tokenizer, cache=None)) == ["a", "c"]
    with pytest.raises(UserError, match=r"^task length: somewhere\.csv: no folder to look in"):
        read_set(both, "length", "somewhere.csv", tokenizer, cache=None)


def test_the_cache_keeps_apart_what_is_shared_and_what_is_not(settings, tmp_path, tokenizer):
    cache = Cache(tmp_path / "cache")
    (tmp_path / "copy.csv").write_text(SHARED)
    both = settings({"train": "both.csv", "dev": "both.csv"}, {"train": "both.csv"})
    alone = settings({"train": "both.csv", "dev": "both.csv"}, {"train": "copy.csv"})
    for _ in range(2):
        assert len(read_set(both, "tone", "both.csv", tokenizer, cache=cache)) == 2
    with pytest.raises(UserError, match="blank label"):
        read_set(alone, "tone", "both.csv", tokenizer, cache=cache)


def test_all_tasks_are_loaded_and_told_what_was_left_out(settings, tokenizer, caplog):
    both = settings({"train": "both.csv", "dev": "both.csv"}, {"train": "both.csv"})
    with caplog.at_level(logging.INFO, "mtbert"):
        found = load_tasks(both, tokenizer)
    assert list(found) == ["tone", "length"]
    assert ids(found["tone"].train) == ids(found["tone"].dev["dev"]) == ["a", "c"]
    assert found["length"].dev == {}
    assert "1 rows not labelled" in caplog.text
    assert "unused" not in caplog.text  # what one task does not read the other one does


def test_classes_without_an_example_and_one_number_alone_are_said(
    settings, tmp_path, tokenizer, caplog
):
    (tmp_path / "few.csv").write_text("sentence,tone,length\none,good,7\ntwo,good,7.0\n")
    (tmp_path / "all.csv").write_text("sentence,tone\nthree,good\nfour,bad\n")
    two = settings({"train": "few.csv", "dev": "all.csv"}, {"train": "few.csv", "dev": "few.csv"})
    load_tasks(two, tokenizer)
    told = [
        r.message
        for r in caplog.records
        if r.levelname == "WARNING" and " also in " not in r.message
    ]
    assert told == [
        "task tone: no training example of bad: it cannot learn this",
        "task length: every training label is 7: nothing can be learned",
    ]
    caplog.clear()
    load_tasks(settings({"train": "both.csv", "dev": "few.csv"}, {"train": "both.csv"}), tokenizer)
    assert "task tone: no row in dev of bad: no score tells" in caplog.text


def test_examples_that_stand_in_train_too_are_counted_by_set(settings, tmp_path, tokenizer, caplog):
    (tmp_path / "dev.csv").write_text("id,sentence,tone\n1,three,good\n2,new,good\n")
    (tmp_path / "odd.csv").write_text("id,sentence,tone\n1,newer,good\n")
    (tmp_path / "test.csv").write_text("id,sentence\nx,one\ny,\nx,new\n")
    dev = {"main": "dev.csv", "odd": "odd.csv"}
    both = settings({"train": "both.csv", "dev": dev, "test": "test.csv"}, {"train": "both.csv"})
    found = load_tasks(both, tokenizer)
    assert found["tone"].leaks == {"main": 1, "odd": 0, "test": 1}
    assert found["length"].leaks == {}
    assert "task tone: 1 of 2 main examples are also in train: 1" in caplog.text


def test_a_task_without_training_data_is_only_evaluated(settings, tmp_path, tokenizer):
    (tmp_path / "copy.csv").write_text("sentence,tone\none,good\n")
    tasks = settings({"train": "copy.csv", "dev": "copy.csv"}, {"train": "both.csv"})
    other = {**TONE, "dev": "copy.csv", "uses": "tone"}
    tree = tasks.model_dump(mode="json", exclude_none=True)
    tree["tasks"]["other"] = other
    tree["training"]["select"] = "tone.accuracy"
    tree["tasks"]["length"]["on_bad_rows"] = "skip"
    found = load_tasks(parse_settings(tree, "test"), tokenizer)
    assert found["other"].train is None
    assert found["other"].leaks == {}
    assert len(found["other"].dev["dev"]) == 1
