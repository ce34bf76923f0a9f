"""The course's data, where it is at hand: counts only, no sentence of it stands here.

Looked for in the folder named by MTBERT_DATA, else in ../shared/data beside the repository.
"""

import os
from functools import cache
from pathlib import Path

import pytest

from mtbert.config.tasks import TaskSettings
from mtbert.data.batches import tokenize
from mtbert.data.examples import read_examples
from mtbert.data.leaks import leaked, text_keys
from mtbert.errors import UserError

DEFAULT = Path(__file__).parents[3] / "shared" / "data"
FOLDER = Path(os.environ.get("MTBERT_DATA") or DEFAULT)

pytestmark = pytest.mark.skipif(
    not (FOLDER / "ids-sst-train.csv").is_file(),
    reason=f"no course data in {FOLDER}; set MTBERT_DATA to its folder",
)

SST = {"kind": "classification", "labels": list("01234"), "columns": {"label": "sentiment"}}
CFIMDB = {**SST, "labels": ["negative", "positive"]}
QUORA = {"kind": "pair_classification", "columns": {"label": "is_duplicate"}}
STS = {"kind": "pair_regression", "range": [0, 5], "columns": {"label": "similarity"}}
TASKS = {"ids-sst": SST, "ids-cfimdb": CFIMDB, "quora": QUORA, "sts": STS}


def task_of(name, **changes):
    task = {"train": "t", "on_bad_rows": "skip", **TASKS[name], **changes}
    return TaskSettings.model_validate(task)


@cache
def read(name, part):
    test = part == "test-student"
    return read_examples(FOLDER / f"{name}-{part}.csv", task_of(name), labelled=not test)


@pytest.mark.parametrize(
    ("name", "train", "dev", "test"),
    [
        ("ids-sst", 8544, 1101, 2210),
        ("ids-cfimdb", 1707, 245, 488),
        ("quora", 27507, 4000, 2214),
        ("sts", 6040, 863, 1725),
    ],
)
def test_every_row_of_every_file_is_read_or_told(name, train, dev, test):
    for part, rows in (("train", train), ("dev", dev), ("test-student", test)):
        found = read(name, part)
        assert len(found.examples) + len(found.left_out.problems) == rows
        bad = name == "quora" and part != "test-student"
        assert len(found.left_out.problems) == (1 if bad else 0)
        assert len({e.id for e in found.examples}) == len(found.examples)


@pytest.mark.parametrize("part", ["train", "dev"])
def test_the_bad_row_of_quora_is_told_by_file_and_line(part):
    path = FOLDER / f"quora-{part}.csv"
    (problem,) = read("quora", part).left_out.problems
    place, line, found = problem.split(":", 2)
    assert place == str(path)
    cells = path.read_text("utf-8").split("\n")[int(line) - 1].rstrip("\r").split("\t")
    assert cells[-1] == ""  # the line in the file has no label
    assert (cells[-2] == "") == (part == "dev")
    assert ("blank label" if part == "train" else "empty text") in found
    with pytest.raises(UserError, match="on_bad_rows: skip"):
        read_examples(path, task_of("quora", on_bad_rows="error"))


def test_labels_are_what_the_readme_says():
    assert {e.label for e in read("ids-sst", "train").examples} == {0, 1, 2, 3, 4}
    assert {e.label for e in read("ids-cfimdb", "dev").examples} == {0, 1}
    assert {e.label for e in read("quora", "train").examples} == {0, 1}
    sts = [e.label for e in read("sts", "train").examples]
    assert (min(sts), max(sts)) == (0, 5)
    assert round(100 * sum(label % 1 != 0 for label in sts) / len(sts)) == 69
    assert all(e.label is None for e in read("sts", "test-student").examples)


def test_quotes_of_reviews_are_decoded_once_and_a_second_layer_left():
    texts = [e.texts[0] for e in read("ids-cfimdb", "train").examples]
    assert sum(t.startswith('"') and t.endswith('"') and '""' in t for t in texts) == 692


@pytest.mark.parametrize(
    ("name", "part", "count"),
    [("sts", "dev", 16), ("sts", "test-student", 18), ("ids-sst", "dev", 2)],
)
def test_examples_that_stand_in_train_too_are_counted(name, part, count):
    train, evaluation = (text_keys(read(name, split).examples) for split in ("train", part))
    assert len(leaked(train, evaluation)) == count


@pytest.mark.parametrize(("name", "mean"), [("ids-sst", 25.0), ("sts", 28.4), ("quora", 30.6)])
def test_mean_tokens_of_a_training_example(tokenizer, name, mean):
    tokenized = tokenize(read(name, "train").examples, task_of(name), tokenizer, 512)
    assert round(float(tokenized.lengths.mean()), 1) == mean
    assert tokenized.truncated == 0
