import io

import pytest
from support.rows import read

from mtbert.data.readers import csv, json_document, jsonl
from mtbert.data.readers.table import READERS, open_table, read_table
from mtbert.errors import UserError


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_a_megabyte_of_text_in_one_cell_is_read(name):
    long = "x" * 1_000_000
    content = f'{{"a": "{long}"}}\n' if name.endswith("jsonl") else f"a,b\n{long},1\n"
    assert read(content, name)[0][1]["a"] == long


def test_a_line_that_never_ends_is_refused_and_not_held_in_memory():
    class Endless(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            buffer[:] = b"x" * len(buffer)
            return len(buffer)

    with pytest.raises(UserError, match=r"rows\.csv:1: a line of more than 2 MiB"):
        read_table(io.BufferedReader(Endless()), "rows.csv")


def test_a_missing_file_and_a_folder_are_user_errors(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        open_table(tmp_path / "nothing.csv")
    with pytest.raises(UserError, match="cannot be read"):
        open_table(tmp_path)


@pytest.mark.parametrize(
    ("name", "first", "reader"),
    [
        ("rows.jsonl", b"a,b\n", jsonl),
        ("rows.ndjson", b"\n", jsonl),
        ("-", b'{"a": 1}\n', jsonl),
        ("rows.csv", b'\xef\xbb\xbf  {"a": 1}\n', jsonl),
        ("rows.JSONL.gz", b"a,b\n", jsonl),
        ("rows.json", b'{"a": 1}\n', json_document),
        ("rows.json.gz", b'{"a": 1}\n', json_document),
        ("rows.txt", b"{\n", json_document),
        ("rows.txt", b"[\n", json_document),
        ("rows.txt", b'{"data": [{"a": 1},\n', json_document),
        ("rows.txt", b'{"a": "b\n', jsonl),
        ("rows.jsonl", b"{\n", jsonl),
        ("rows.csv", b"[a],b\n", csv),
        ("rows.csv", b"PAR1,PAR2\n", csv),
        ("rows.csv", b"PAR1\n", csv),
        ("rows.csv", b"a,b\n", csv),
        ("rows.tsv", b"a\tb\n", csv),
        ("rows.txt", b"\xff\n", csv),
    ],
)
def test_the_first_reader_that_recognises_a_file_reads_it(name, first, reader):
    assert next(r for r in READERS if r.recognises(name, first)) is reader


def test_any_file_has_a_reader():
    assert READERS[-1].recognises("", b"\x00")


def test_an_empty_stream_is_refused():
    with pytest.raises(UserError, match=r"rows\.jsonl: empty file"):
        read_table(io.BytesIO(b""), "rows.jsonl")
