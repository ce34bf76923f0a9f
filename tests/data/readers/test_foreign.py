import gzip
import pickle

import pytest

from mtbert.data.readers.foreign import what_it_is

ROWS = b"sentence,label\nx,1\n"


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (gzip.compress(ROWS), "gzip"),
        (b"PK\x03\x04", "Excel"),
        (ROWS.decode().encode("utf-16")[:20], "UTF-16"),
        (ROWS.decode().encode("utf-16-le")[:20], "UTF-16"),
        (pickle.dumps(["x"]), "pickle"),
        (b"ARROW1\0\0", "Arrow file"),
        (b"\xff\xff\xff\xff\x10", "Arrow stream"),
        (b"SQLite format 3\0", "SQLite"),
        (b"%PDF-1.7\n", "PDF"),
        (b"BZh91AY", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"a.csv".ljust(257, b"\0") + b"ustar\x0000", "tar archive"),
        (b"<!DOCTYPE html>\n", "web page"),
        (b'<?xml version="1.0"?>', "XML"),
        (b"a,b\r1,2\r3,4", "Mac line ends"),
    ],
)
def test_a_file_that_is_no_table_of_text_is_told_as_what_it_is(first, told):
    assert told in what_it_is("rows.csv", first)


@pytest.mark.parametrize(
    "first",
    [
        b"a,b\r\n",
        b"\xef\xbb\xbfa\n",
        b"[text],label\n",
        b"{}\n",
        b"\xff\n",
        b"ORCID,a\n",
        b"ARROW1,b\n",
    ],
)
def test_a_table_of_text_is_none_of_these(first):
    assert what_it_is("rows.csv", first) is None
