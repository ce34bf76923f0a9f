import io

import pytest

from mtbert.data.readers.base import MAX_LINE, decode_line, has_undecodable, iterate_lines
from mtbert.errors import UserError


def lines(content):
    stream = io.BytesIO(content)
    return list(iterate_lines("rows.txt", stream.readline(), stream))


def test_lines_are_decoded_in_order_with_their_ends():
    assert lines("é\nb\r\nc".encode()) == ["é\n", "b\r\n", "c"]


def test_only_the_first_line_loses_a_byte_order_mark():
    assert lines(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n") == ["a\n", "\ufeffb\n"]


def test_a_line_may_be_as_long_as_the_limit_and_no_longer():
    longest = b"x" * (MAX_LINE - 1) + b"\n"
    assert [len(line) for line in lines(b"a\n" + longest)] == [2, MAX_LINE]
    with pytest.raises(UserError, match=r"rows\.txt:2: a line of more than 2 MiB"):
        lines(b"a\nx" + longest)


@pytest.mark.parametrize("raw", [b"\xff", b"caf\xe9", b"\xed\xa0\x80", b"\xc3"])
def test_bytes_that_are_not_utf_8_are_found_again_in_the_text(raw):
    text = decode_line(raw)
    assert has_undecodable(text)
    assert text.encode("utf-8", "surrogateescape") == raw


@pytest.mark.parametrize("text", ["", "plain", "é 😀 日本", "\ufeff\x00"])
def test_any_utf_8_is_decodable(text):
    assert not has_undecodable(decode_line(text.encode()))
