import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rows import A_B, cells, columns, read

from mtbert.data.readers.table import read_table


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.ndjson", "rows.csv", "-"])
def test_json_lines_are_read_whatever_the_name(name):
    content = '{"a": "1", "b": "x y"}\n{"b": "z", "a": 2}\n'
    assert columns(content, name) is None
    assert read(content, name) == [(1, A_B[0][1]), (2, A_B[1][1])]


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf", b"\n", b"\r\n"])
def test_json_lines_may_start_with_a_mark_or_a_blank_line(prefix):
    (row,) = read(prefix + b'{"a": "1"}\r\n', "rows.jsonl")
    assert row[1] == {"a": "1"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not a JSON object"),
        ("{'a': 1}", "not a JSON object"),
        ('{"a": 1, "a": 2}', "a key occurs twice"),
        ("[1, 2]", "found a JSON list, expected an object"),
        ('"text"', "found a JSON str, expected an object"),
        ("5", "found a JSON int, expected an object"),
        ("null", "expected an object"),
        ("[" * 100_000, "not a JSON object"),
        ('{"a":' * 100_000, "not a JSON object"),
        (f'{{"a": {"9" * 5000}}}', "not a JSON object"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('{"a": Infinity}', "Infinity is no JSON value"),
        ('{"a": 1} {"a": 2}', "not a JSON object"),
    ],
    ids=range(13),
)
def test_a_bad_json_line_is_told_and_the_next_one_read(line, problem):
    line = line if isinstance(line, bytes) else line.encode()
    rows = read(b'{"a": 1}\n' + line + b'\n{"a": 2}\n', "rows.jsonl")
    assert [number for number, _ in rows] == [1, 2, 3]
    assert problem in rows[1][1]
    assert len(rows[1][1]) < 300
    assert rows[2][1] == {"a": "2"}


def test_json_values_become_text_and_those_of_objects_inside_too():
    (row,) = read('{"a": 2.5, "b": null, "c": [1], "d": {"e": 1}, "f": "é\\n", "g": 1}', "x.jsonl")
    assert row[1] == {"a": "2.5", "b": "", "d.e": "1", "f": "é\n", "g": "1"}


def test_a_column_goes_before_a_key_inside_an_object_and_endless_names_are_none():
    deep = '{"k": ' * 400 + "1" + "}" * 400
    ((_, found),) = read(f'{{"a": {{"b": 1}}, "a.b": 2, "deep": {deep}, "e": {{}}}}', "x.jsonl")
    assert found == {"a.b": "2"}


def test_a_lone_surrogate_spelt_in_json_does_not_stop_the_reading():
    r"""JSON can spell \ud800, which no UTF-8 file holds; the tokenizer replaces it."""
    rows = read('{"a": "\\ud800"}\n{"a": "\\ud83d\\ude00"}\n', "rows.jsonl")
    assert rows[0][0] == 1
    assert rows[1] == (2, {"a": "😀"})


@given(rows=st.lists(st.dictionaries(st.sampled_from("abc"), cells, min_size=1), min_size=1))
def test_what_the_json_module_writes_is_read_back_equal(rows):
    for ensure_ascii in (True, False):
        lines = [json.dumps(row, ensure_ascii=ensure_ascii) for row in rows]
        found = read("\n".join(lines), "rows.jsonl")
        assert found == list(enumerate(rows, start=1))


def test_what_is_missing_is_empty_and_no_word():
    """json.dumps writes NaN for a missing value, pandas null."""
    assert read('{"a": NaN, "b": null, "c": "NaN", "d": "null"}', "x.jsonl") == [
        (1, {"a": "", "b": "", "c": "NaN", "d": "null"})
    ]


def test_true_and_false_are_spelled_as_json_spells_them():
    assert read('{"a": true, "b": false, "c": "True"}', "x.jsonl") == [
        (1, {"a": "true", "b": "false", "c": "True"})
    ]


def rows_of(line):
    return list(read_table(io.BytesIO(line.encode()), "x.jsonl").rows)


def test_lists_are_kept_apart_from_text():
    (row,) = rows_of('{"a": ["x", 1, "\\ud800"], "b": [], "c": {"d": [1]}, "e": "f"}')
    assert row.values == {"e": "f"}
    assert row.lists.keys() == {"a", "b", "c.d"}
    assert json.loads(row.lists["a"]) == ["x", 1, "?"]
    assert row.lists["b"] == "[]"
