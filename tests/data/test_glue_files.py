"""Files laid out like GLUE's, with sentences of our own and the traps of the real ones.

The reference splits lines at tabs, which is all that those files mean; no row may be lost or
altered.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtbert.config.tasks import TaskSettings
from mtbert.data.examples import read_examples

TRAPS = [
    '"We never said that', 'that is what "they" say .', '"', '""', "it 's ` fine '", 'He said "no"',
    "a, b; c | d", "what\u2028stands\x85here", "naïve — “quoted” 東京", "#hash", "1.0", "nan",
    "NULL", 'ends with "', '" a " b " c', "NA", "back\\slash\\t", "é" * 40,
]  # fmt: skip
NLI = ["promptID", "pairID", "genre", "parse1", "parse2", "sentence1", "sentence2"]
LAYOUTS = {
    # columns, text columns, label column, labels
    "CoLA": (["source", "judgement", "mark", "sentence"], ["sentence"], "judgement", ["0", "1"]),
    "SST-2": (["sentence", "label"], ["sentence"], "label", ["0", "1"]),
    "MRPC": (
        ["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"],
        ["#1 String", "#2 String"], "Quality", ["0", "1"],
    ),
    "QQP": (
        ["id", "qid1", "qid2", "question1", "question2", "is_duplicate"],
        ["question1", "question2"], "is_duplicate", ["0", "1"],
    ),
    "STS-B": (
        ["index", "genre", "filename", "year", "old_index", "s1", "s2", "sentence1", "sentence2",
         "score"],
        ["sentence1", "sentence2"], "score", None,
    ),
    "MNLI": (
        ["index", *NLI, "label1", "gold_label"],
        ["sentence1", "sentence2"], "gold_label", ["contradiction", "entailment", "neutral"],
    ),
    "QNLI": (
        ["index", "question", "sentence", "label"],
        ["question", "sentence"], "label", ["entailment", "not_entailment"],
    ),
    "WNLI": (
        ["index", "sentence1", "sentence2", "label"], ["sentence1", "sentence2"], "label",
        ["0", "1"],
    ),
}  # fmt: skip

TEXTS = st.sampled_from(TRAPS) | st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12
).map(lambda text: f"w{text}w")


ORDINARY = [f"sentence number {i} is as plain as they come ." for i in range(40)]


def task_of(name, **form):
    """The task of a layout; without a header columns are known by their places, from 1."""
    columns, texts, label, labels = LAYOUTS[name]
    kind = "regression" if labels is None else "classification"
    if name == "CoLA":
        texts, label = [columns.index(c) + 1 for c in texts], columns.index(label) + 1
        form |= {"header": False}
    return TaskSettings(
        kind=f"pair_{kind}" if len(texts) == 2 else kind,
        train="train.tsv",
        labels=labels,
        columns={**dict(zip(("text", "text2"), texts, strict=False)), "label": label, "id": False},
        format=form,
    )


def write_file(path, name, rows, end="\n"):
    """A file of these texts; returns the label of each row, as it is read."""
    columns, texts, label, labels = LAYOUTS[name]
    values = [str(i % 6) if labels is None else labels[i % len(labels)] for i in range(len(rows))]
    lines = [] if name == "CoLA" else [columns]
    for i, (row, value) in enumerate(zip(rows, values, strict=True)):
        known = dict(zip(texts, row, strict=True)) | {label: value}
        lines.append([known.get(column, f"x{i}") for column in columns])
    mark = "\ufeff" if name == "MRPC" else ""
    path.write_bytes((mark + end.join(map("\t".join, lines)) + end).encode())
    return [float(v) if labels is None else labels.index(v) for v in values]


def assert_read(path, task, rows, labels):
    found = read_examples(path, task)
    assert not found.left_out.problems
    assert [e.texts for e in found.examples] == [tuple(t.strip() for t in row) for row in rows]
    assert [e.label for e in found.examples] == labels


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("glue") / "train.tsv"


@pytest.mark.parametrize("name", LAYOUTS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_every_row_of_a_file_without_quoting_is_read_as_it_is(path, name, data):
    row = st.tuples(*[TEXTS for _ in LAYOUTS[name][1]])
    rows = data.draw(st.lists(row, min_size=1, max_size=12), label="rows")
    labels = write_file(path, name, rows, data.draw(st.sampled_from(["\n", "\r\n"]), label="end"))
    assert_read(path, task_of(name, separator="tab", quoting="none"), rows, labels)


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("at", [0, 20])
def test_that_quotes_are_text_is_seen(path, name, at):
    """With nothing said of the format; the traps at the file's beginning, or later."""
    texts = [*ORDINARY[:at], *TRAPS, *ORDINARY[at:]]
    width = len(LAYOUTS[name][1])
    rows = [tuple(texts[(i + j) % len(texts)] for j in range(width)) for i in range(len(texts))]
    labels = write_file(path, name, rows)
    assert_read(path, task_of(name), rows, labels)
