"""Rows of a file are examples, bad rows or rows without a label, whatever it is written as."""

import csv
import gzip
import io
import itertools
import json
from dataclasses import dataclass, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mtbert.config.tasks import TaskSettings
from mtbert.data.examples import read_examples
from mtbert.data.sources import SeveralFiles

LABELS = {"good": 1.0, "bad": 0.0}
TASK = TaskSettings(kind="classification", train="x", labels=("bad", "good"), on_bad_rows="skip")


@dataclass(frozen=True)
class Record:
    text: str
    label: str


def as_csv(records, separator=",", line_end="\n"):
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=separator, lineterminator=line_end)
    writer.writerow(["sentence", "label"])
    writer.writerows((record.text, record.label) for record in records)
    return stream.getvalue().encode()


def as_objects(records):
    return [{"sentence": r.text, "label": r.label} for r in records]


def as_parquet(records):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    stream = io.BytesIO()
    columns = {key: [getattr(r, name) for r in records] for key, name in
               (("sentence", "text"), ("label", "label"))}  # fmt: skip
    parquet.write_table(pyarrow.table(columns), stream)
    return stream.getvalue()


FORMS = {
    "comma.csv": as_csv,
    "semicolon.csv": lambda records: as_csv(records, ";"),
    "tabs.tsv": lambda records: as_csv(records, "\t"),
    "windows.csv": lambda records: b"\xef\xbb\xbf" + as_csv(records, line_end="\r\n"),
    "lines.jsonl": lambda rs: "\n".join(map(json.dumps, as_objects(rs))).encode() + b"\n",
    "array.json": lambda records: json.dumps(as_objects(records), indent=1).encode(),
    "inside.json": lambda records: json.dumps({"data": as_objects(records)}).encode(),
    "columns.parquet": as_parquet,
}
# Cells hold what the writers above must quote or escape. One that is blank, or no class, is part
# of the data; a row in which both cells are blank is an empty line, which some forms do not count.
TEXTS = st.text(st.sampled_from("ab ,;\t\"'|\n#\u00e9\u4e2d"), max_size=12).map(
    lambda text: text.strip() and f"w{text}w"
)
RECORDS = st.lists(
    st.builds(Record, TEXTS, st.sampled_from(["good", "bad", "", "ugly"])).filter(
        lambda record: record.text or record.label
    ),
    max_size=12,
).map(
    lambda records: [Record("the first", "good"), *records]
)  # a file without an example is refused


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", list(FORMS))
@settings(max_examples=25)
@given(records=RECORDS)
@example(records=[Record('w"', "good"), Record("w", "bad"), Record('"', "good")])
def test_no_row_is_lost_or_altered(tmp_path_factory, name, packed, records):
    if name.endswith(".tsv"):
        # Of lines with tabs that begin and end with a quote each may be a row, as in files that
        # nothing quotes; they are read so, and `format: {quoting: standard}` reads them otherwise.
        records = [replace(r, text=r.text.replace("\n", " ")) for r in records]
    content = FORMS[name](records)
    file = tmp_path_factory.mktemp("rows") / (f"{name}.gz" if packed else name)
    file.write_bytes(gzip.compress(content) if packed else content)
    found = read_examples(file, TASK, blank_is_unlabelled=True)
    usable = [r for r in records if r.text and r.label in LABELS]
    told = found.left_out
    assert [(e.texts, e.label) for e in found.examples] == [
        ((r.text,), LABELS[r.label]) for r in usable
    ]
    assert len(found.examples) + len(told.problems) + told.unlabelled == len(records)


@settings(max_examples=25)
@given(records=RECORDS, cuts=st.lists(st.integers(0, 12), min_size=1, max_size=3))
def test_no_row_is_lost_between_files(tmp_path_factory, records, cuts):
    """The rows in several files, each written in another form."""
    folder = tmp_path_factory.mktemp("parts")
    ends = sorted({min(cut, len(records)) for cut in cuts} | {0, len(records)})
    records = [replace(r, text=r.text.replace("\n", " ")) for r in records]
    paths = []
    for (name, form), (start, end) in zip(FORMS.items(), itertools.pairwise(ends), strict=False):
        paths.append(folder / name)
        paths[-1].write_bytes(form(records[start:end]))
    found = read_examples(SeveralFiles(tuple(paths)), TASK, blank_is_unlabelled=True)
    told = found.left_out
    assert [e.texts[0] for e in found.examples] == [
        r.text for r in records if r.text and r.label in LABELS
    ]
    assert len(found.examples) + len(told.problems) + told.unlabelled == len(records)
