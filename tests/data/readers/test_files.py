import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtbert.data.readers.files import open_table, read_table
from mtbert.errors import UserError


def read(content, name="rows.csv"):
    """(line, values or problem) of every row."""
    raw = content if isinstance(content, bytes) else content.encode()
    table = read_table(io.BytesIO(raw), name)
    return [(row.line, row.problem or row.values) for row in table.rows]


def columns(content, name="rows.csv"):
    raw = content if isinstance(content, bytes) else content.encode()
    return read_table(io.BytesIO(raw), name).columns


A_B = [(2, {"a": "1", "b": "x y"}), (3, {"a": "2", "b": "z"})]


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


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.ndjson", "rows.csv", "-"])
def test_json_lines_are_read_whatever_the_name(name):
    content = '{"a": "1", "b": "x y"}\n{"b": "z", "a": 2}\n'
    assert columns(content, name) is None
    assert read(content, name) == [(1, A_B[0][1]), (2, A_B[1][1])]


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf", b"\n", b"\r\n"])
def test_json_lines_may_start_with_a_mark_or_a_blank_line(prefix):
    (row,) = read(prefix + b'{"a": "1"}\r\n', "rows.jsonl")
    assert row[1] == {"a": "1"}


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
        ('1,"x"y', "broken quoting"),
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


def test_a_quote_that_is_never_closed_is_told_at_its_row():
    rows = read('a,b\n1,x y\n2,"z\n3,w\n')
    assert rows[0] == A_B[0]
    assert rows[1][0] == 3
    assert "broken quoting" in rows[1][1]


def test_nul_and_control_characters_do_no_harm():
    assert read(b"a,b\n\x001\x00,\x01\x07\x1b\x7f\n2,z\n") == [
        (2, {"a": "\x001\x00", "b": "\x01\x07\x1b\x7f"}),
        A_B[1],
    ]


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


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty file"),
        (b"\n1,2\n", ":1: no column names"),
        (b"\xef\xbb\xbf", ":1: no column names"),
        (b'a,"b\n', ":1: broken header"),
        (b"a,\xff\n1,2\n", ":1: not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), ":1: not UTF-8"),
        (b"PK\x03\x04\x14\x00\x08\x08\xff\xfe", ":1: not UTF-8"),
    ],
)
def test_an_unusable_header_is_refused(content, expected):
    with pytest.raises(UserError, match=r"rows\.csv") as error:
        read(content)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not a JSON object"),
        ("{'a': 1}", "not a JSON object"),
        ('{"a": 1, "a": 2}', "a key stands twice"),
        ("[1, 2]", "found a JSON list, expected an object"),
        ('"text"', "found a JSON str, expected an object"),
        ("5", "found a JSON int, expected an object"),
        ("null", "expected an object"),
        ("[" * 100_000, "not a JSON object"),
        ('{"a":' * 100_000, "not a JSON object"),
        (f'{{"a": {"9" * 5000}}}', "not a JSON object"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('{"a": 1} {"a": 2}', "not a JSON object"),
    ],
    ids=range(12),
)
def test_a_bad_json_line_is_told_and_the_next_one_read(line, problem):
    line = line if isinstance(line, bytes) else line.encode()
    rows = read(b'{"a": 1}\n' + line + b'\n{"a": 2}\n', "rows.jsonl")
    assert [number for number, _ in rows] == [1, 2, 3]
    assert problem in rows[1][1]
    assert len(rows[1][1]) < 300
    assert rows[2][1] == {"a": "2"}


def test_json_values_become_text_and_nested_ones_no_columns():
    (row,) = read('{"a": 2.5, "b": null, "c": [1], "d": {"e": 1}, "f": "é\\n", "g": 1}', "x.jsonl")
    assert row[1] == {"a": "2.5", "b": "", "f": "é\n", "g": "1"}


def test_a_lone_surrogate_spelt_in_json_does_not_stop_the_reading():
    r"""JSON can spell \ud800, which no UTF-8 file holds; the tokenizer replaces it."""
    rows = read('{"a": "\\ud800"}\n{"a": "\\ud83d\\ude00"}\n', "rows.jsonl")
    assert rows[0][0] == 1
    assert rows[1] == (2, {"a": "😀"})


def test_a_missing_file_and_a_folder_are_user_errors(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        open_table(tmp_path / "nothing.csv")
    with pytest.raises(UserError, match="cannot be read"):
        open_table(tmp_path)


cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.text(
    '\n\r",\t a', max_size=6
)


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
    assert found == [dict(zip("abc", row, strict=True)) for row in rows]


@given(rows=st.lists(st.dictionaries(st.sampled_from("abc"), cells, min_size=1), min_size=1))
def test_what_the_json_module_writes_is_read_back_equal(rows):
    for ensure_ascii in (True, False):
        lines = [json.dumps(row, ensure_ascii=ensure_ascii) for row in rows]
        found = read("\n".join(lines), "rows.jsonl")
        assert found == list(enumerate(rows, start=1))
