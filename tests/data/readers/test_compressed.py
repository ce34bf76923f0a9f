import gzip
import io
import zlib

import pytest
from support.rows import A_B, read

from mtbert.data.readers import compressed
from mtbert.data.readers.compressed import from_start, unpacked
from mtbert.data.readers.table import read_table
from mtbert.errors import UserError

CSV = b"a,b\n1,x y\n2,z\n"


class Pipe(io.RawIOBase):
    """Bytes that can be read once, a few at a time."""

    def __init__(self, content):
        self.rest = content

    def readable(self):
        return True

    def readinto(self, buffer):
        part, self.rest = self.rest[:7], self.rest[7:]
        buffer[: len(part)] = part
        return len(part)


@pytest.mark.parametrize("name", ["rows.csv.gz", "rows.csv", "rows", "rows.CSV.GZ"])
def test_a_compressed_table_is_told_by_its_content(name):
    assert read(gzip.compress(CSV), name) == A_B


def test_compressed_json_lines_are_told_by_their_name_too():
    assert read(gzip.compress(b'\n{"a": "1"}\n'), "rows.jsonl.gz") == [(2, {"a": "1"})]


def test_members_behind_each_other_are_one_file():
    """As `cat a.gz b.gz` makes them."""
    assert read(gzip.compress(CSV[:9]) + gzip.compress(CSV[9:]), "rows.csv.gz") == A_B


def test_quotes_that_are_text_are_seen_in_a_compressed_table_too():
    """It is read twice."""
    content = b'a\tb\n1\t"x\n2\ty\n3\t"z\n'
    assert read(gzip.compress(content)) == read(content)
    assert len(read(content)) == 3


def test_a_pipe_is_unpacked_as_it_comes():
    stream = io.BufferedReader(Pipe(gzip.compress(CSV)))
    rows = read_table(stream, "standard input").rows
    assert [row.values["b"] for row in rows] == ["x y", "z"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[:-9],
        lambda raw: raw[:15],
        lambda raw: raw[:-5] + b"\0" + raw[-4:],
        lambda raw: raw[:20] + b"\xff\xff\xff" + raw[23:],
        lambda raw: raw + b"rubbish",
    ],
    ids=["cut", "cut-early", "other-sum", "altered", "something-behind"],
)
def test_damage_is_named_and_no_row_is_lost_untold(damage):
    lines = b"".join(b"%d,%d\n" % (i, i * i) for i in range(3000))
    with pytest.raises(UserError, match=r"^rows\.csv\.gz: damaged, it cannot be unpacked"):
        read(damage(gzip.compress(b"a,b\n" + lines)), "rows.csv.gz")


def test_an_empty_file_inside_is_told():
    with pytest.raises(UserError, match=r"rows\.csv\.gz: holds an empty file"):
        read(gzip.compress(b""), "rows.csv.gz")


def test_a_line_without_end_is_not_held_in_memory():
    with pytest.raises(UserError, match="a line of more than 2 MiB"):
        read(gzip.compress(b"x" * (8 << 20)), "rows.csv.gz")


def test_what_unpacks_to_far_more_than_it_holds_is_refused(monkeypatch):
    monkeypatch.setattr(compressed, "_FREE", 1 << 20)
    assert len(zlib.compress(b"\n" * (4 << 20))) * 200 < 4 << 20
    with pytest.raises(UserError, match="unpacks to more than 200 times its size"):
        read(gzip.compress(b"a,b\n" + b"\n" * (4 << 20)), "rows.csv.gz")


def test_a_stream_is_as_it_was_before():
    for stream in (io.BytesIO(CSV), io.BufferedReader(Pipe(CSV))):
        first = stream.readline()
        assert from_start(first, stream).read() == CSV


def test_an_unpacked_file_can_be_read_again():
    stream = unpacked("x", io.BytesIO(gzip.compress(CSV)))
    assert stream.readline() == b"a,b\n"
    place = stream.tell()
    assert [stream.read(), stream.seek(place), stream.read()] == [CSV[4:], 4, CSV[4:]]
