import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rows import A_B, cells, columns, read

from mtbert.config.format import FormatSettings
from mtbert.errors import UserError


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("a,b\n1,x y\n2,z\n", "rows.csv"),
        ("a,b\n1,x y\n2,z", "rows.csv"),
        ("a\tb\n1\tx y\n2\tz\n", "rows.tsv"),
        ("a\tb\n1\tx y\n2\tz\n", "rows.csv"),
        ("a,b\r\n1,x y\r\n2,z\r\n", "rows.csv"),
        (b"\xef\xbb\xbfa,b\n1,x y\n2,z\n", "rows.csv"),
        ('"a","b"\n"1","x y"\n"2","z"\n', "rows.csv"),
    ],
    ids=["csv", "no-last-newline", "tsv", "tab-in-csv", "crlf", "bom", "quoted"],
)
def test_a_table_is_read_in_every_usual_dress(content, name):
    assert columns(content, name) == ("a", "b")
    assert read(content, name) == A_B


def test_a_tab_inside_a_comma_file_is_text():
    assert read("a,b\nx\ty,2\n") == [(2, {"a": "x\ty", "b": "2"})]


def test_a_comma_inside_a_tab_file_is_text():
    assert read("a\tb\nx,y\t2\n") == [(2, {"a": "x,y", "b": "2"})]


def test_quoted_newlines_keep_later_line_numbers_right():
    content = 'a,b\n1,"x\ny\n\nz"\n2,w\n\n"3\n",v\nbad\n'
    assert [line for line, _ in read(content)] == [2, 6, 8, 10]
    assert read(content)[0][1] == {"a": "1", "b": "x\ny\n\nz"}


def test_quoted_windows_newlines_stay_as_they_are():
    assert read('a,b\r\n1,"x\r\ny"\r\n2,z\r\n') == [
        (2, {"a": "1", "b": "x\r\ny"}),
        (4, {"a": "2", "b": "z"}),
    ]


def test_doubled_quotes_are_decoded_once():
    once = '"say ""hi"""'
    twice = '"""say """"hi"""""""'
    assert read(f"a,b\n{once},{twice}\n") == [(2, {"a": 'say "hi"', "b": '"say ""hi"""'})]


def test_a_quote_inside_an_unquoted_cell_is_text():
    assert read('a\tb\n5" nail\tx\n') == [(2, {"a": '5" nail', "b": "x"})]


def test_blank_lines_are_no_rows():
    assert read("a,b\n\n1,x y\n\n\n2,z\n\n") == [(3, A_B[0][1]), (6, A_B[1][1])]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("1", "found 1 columns, expected 2"),
        ("1,2,3", "found 3 columns, expected 2"),
        (b"1,\xff", "not UTF-8"),
        (b"1,\xed\xa0\x80", "not UTF-8"),
    ],
)
def test_a_bad_row_is_told_and_the_next_one_read(line, problem):
    line = line if isinstance(line, bytes) else line.encode()
    rows = read(b"a,b\n1,x y\n" + line + b"\n2,z\n")
    assert [number for number, _ in rows] == [2, 3, 4]
    assert problem in rows[1][1]
    assert (rows[0][1], rows[2][1]) == (A_B[0][1], A_B[1][1])


@pytest.mark.parametrize("broken", ['2,"z\n3,w\n', '2,"x"y\n3,w\n'])
def test_where_quotes_are_quoting_a_broken_one_is_told_at_its_row_and_no_line_is_lost(broken):
    rows = read(f"a,b\n1,x y\n{broken}", form=FormatSettings(quoting="standard"))
    assert rows[0] == A_B[0]
    assert [line for line, _ in rows] == [2, 3, 4]
    assert "broken quoting" in rows[1][1]
    assert "joined to line 3" in rows[2][1] or rows[2][1] == {"a": "3", "b": "w"}


@pytest.mark.parametrize("line", ['2,"z', '2,"x"y', '2,z"', '"2",a "z" b'])
def test_where_quoting_would_lose_a_row_quotes_are_text(line):
    first, second = line.split(",")
    assert read(f"a,b\n1,x y\n{line}\n3,w\n")[1:] == [
        (3, {"a": first.strip('"'), "b": second}), (4, {"a": "3", "b": "w"})
    ]  # fmt: skip


def test_nul_and_control_characters_do_no_harm():
    assert read(b"a,b\n\x001\x00,\x01\x07\x1b\x7f\n2,z\n") == [
        (2, {"a": "\x001\x00", "b": "\x01\x07\x1b\x7f"}),
        A_B[1],
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty file"),
        (b"\n1,2\n", ":1: no column names"),
        (b"\xef\xbb\xbf", ":1: no column names"),
        (b'a,"b\n', ":1: broken header"),
        (b"a,\xff\n1,2\n", ":1: not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "is UTF-16; save it as UTF-8"),
        (b"PK\x03\x04\x14\x00\x08\x08\xff\xfe", "Excel file or a zip"),
    ],
)
def test_an_unusable_header_is_refused(content, expected):
    with pytest.raises(UserError, match=r"rows\.csv") as error:
        read(content)
    assert expected in str(error.value)


@given(
    rows=st.lists(st.lists(cells, min_size=3, max_size=3), max_size=6),
    delimiter=st.sampled_from([",", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_the_csv_module_writes_is_read_back_equal(rows, delimiter, end, quoting):
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([["a", "b", "c"], *rows])
    if quoting == csv.QUOTE_MINIMAL and end == "\n" and any("\r" in c for r in rows for c in r):
        return  # then Python's writer leaves a lone \r unquoted, which its reader refuses
    found = [values for _, values in read(stream.getvalue())]
    kept = [row for row in rows if any(map(str.strip, row))]
    assert found == [dict(zip("abc", row, strict=True)) for row in kept]
