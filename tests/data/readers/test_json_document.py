import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rows import cells, read

from mtbert.data.readers import json_document
from mtbert.data.readers.table import read_table
from mtbert.errors import UserError

ROWS = [{"text": "a fine, long film", "label": "1"}, {"text": 'é\n"x"', "label": "0"}]
NUMBERED = list(enumerate(ROWS, start=1))
COLUMNS = {key: [row[key] for row in ROWS] for key in ("text", "label")}
BY_NUMBER = {key: {str(i): v for i, v in enumerate(vs)} for key, vs in COLUMNS.items()}


@pytest.mark.parametrize(
    "document",
    [
        ROWS,
        {"data": ROWS},
        {"version": "1.1", "rows": ROWS, "tags": ["x"], "of": {"whom": "me"}},
        {"schema": {"fields": []}, "data": ROWS},
        {"columns": ["text", "label"], "index": [0, 1], "data": [list(r.values()) for r in ROWS]},
        COLUMNS,
        BY_NUMBER,
        {"7": ROWS[0], "3": ROWS[1]},
    ],
    ids=["array", "data", "any-key", "table", "split", "lists", "columns", "index"],
)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_documents_of_the_usual_forms_are_read(document, indent, mark):
    raw = mark + json.dumps(document, indent=indent).encode()
    assert read(raw, "rows.json") == NUMBERED
    assert read(raw + b"\n \n", "rows.json") == NUMBERED


def test_an_array_is_read_whatever_the_name():
    for name in ("rows.jsonl", "rows.txt", "standard input"):
        assert read(json.dumps(ROWS), name) == NUMBERED


def test_json_lines_under_the_name_json_stay_json_lines():
    lines = "\n".join(map(json.dumps, ROWS))
    assert read(lines, "rows.json") == NUMBERED
    one_then_blank = json.dumps(ROWS[0]) + "\n\n" + json.dumps(ROWS[1])
    assert read(one_then_blank, "rows.json") == [(1, ROWS[0]), (3, ROWS[1])]
    assert read(json.dumps({"data": [ROWS[0]]}) + "\n" + json.dumps(ROWS[1]), "rows.json")[1] == (
        2,
        ROWS[1],
    )


def test_a_single_record_is_a_row():
    assert read(json.dumps(ROWS[0]), "rows.json") == NUMBERED[:1]
    assert read(json.dumps(ROWS[0], indent=1), "rows.json") == NUMBERED[:1]


def test_rows_that_are_lists_have_their_places_as_columns():
    assert read('[["good film", "yes"], ["bad", "no"]]', "rows.json") == [
        (1, {"1": "good film", "2": "yes"}),
        (2, {"1": "bad", "2": "no"}),
    ]


def test_a_row_that_is_none_is_told_by_its_number_and_the_next_one_read():
    found = read('[{"a": 1}, 5, "x", {"a": 1, "a": 2}, {"a": Infinity}, null, {"a": 2}]', "r.json")
    assert [number for number, _ in found] == list(range(1, 8))
    told = ["JSON int", "JSON str", "twice", "Infinity", "None"]
    assert all(part in problem for part, (_, problem) in zip(told, found[1:-1], strict=True))
    assert found[-1] == (7, {"a": "2"})


def test_bytes_that_are_no_utf_8_are_a_bad_row():
    found = read(b'[{"a": "\xff"}, {"a": "b"}]', "r.json")
    assert "not UTF-8" in found[0][1]
    assert found[1] == (2, {"a": "b"})


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ('[\n{"a": 1},\n{"a": 2}\n', r"r\.json:4: broken JSON array, row 2: expected `,` or `\]`"),
        ('[\n{"a": 1}\n{"a": 2}]', r"r\.json:3: broken JSON array, row 1: expected `,`"),
        ('[\n{"a": 1},\n{"a": }]', r"r\.json:3: broken JSON array, row 2: Expecting value"),
        ('[{"a": 1},]', "row 2"),
        ('[{"a": "b', "row 1: Unterminated string"),
        ('[{"a": 1}] {"a": 2}', "something behind the array"),
        ("[" * 100_000, "broken JSON array"),
        ('{\n"data": [{"a": 1}\n', r"r\.json:3: broken JSON"),
        ('{"data": [{"a": 1}], "data": 1}', "a key occurs twice"),
        (b'{\n"a": "\xff"}', "not UTF-8"),
        ('{"train": [{"a": 1}], "test": [{"a": 2}]}', "several lists of rows: 'train', 'test'"),
        ('{"x": {"a": 1}, "y": 2}', "without rows; expected a list of rows"),
        ('{"a": ["x", "y"], "b": ["z"]}', "without rows"),
        ("{}", "without rows"),
    ],
    ids=range(14),
)
def test_what_cannot_be_read_is_told_and_where(document, told):
    with pytest.raises(UserError, match=told):
        read(document, "r.json")


def test_a_row_and_an_object_are_of_bounded_size(monkeypatch):
    long = '[{"a": "' + "x" * (5 << 20) + '"}]'
    with pytest.raises(UserError, match="a row of more than 2 MiB"):
        read(long, "r.json")
    monkeypatch.setattr(json_document, "_LARGEST", 1000)
    with pytest.raises(UserError, match="more than 0 MiB"):
        read(json.dumps({"data": ROWS * 100}, indent=1), "r.json")


def test_an_array_is_not_held_in_memory():
    """Of an endless one the first rows are read."""

    class Endless(io.RawIOBase):
        start = b"["

        def readable(self):
            return True

        def readinto(self, buffer):
            part = (self.start + b'{"a": "b"},' * 100)[: len(buffer)]
            part = part[: part.rindex(b",") + 1]
            Endless.start = b""
            buffer[: len(part)] = part
            return len(part)

    rows = read_table(io.BufferedReader(Endless()), "r.json").rows
    assert [next(rows).values for _ in range(20_000)][-1] == {"a": "b"}


@given(
    rows=st.lists(st.dictionaries(st.sampled_from("abc"), cells, min_size=1), min_size=1),
    indent=st.sampled_from([None, 0, 3]),
    ascii_only=st.booleans(),
    chunk=st.integers(1, 40),
)
def test_what_the_json_module_writes_is_read_back_equal(rows, indent, ascii_only, chunk):
    text = json.dumps(rows, ensure_ascii=ascii_only, indent=indent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_document, "_CHUNK", chunk)
        assert read(text, "rows.json") == list(enumerate(rows, start=1))
