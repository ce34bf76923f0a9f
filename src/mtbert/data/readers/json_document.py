"""JSON that is one document: an array of rows, of any length, or an object that holds the rows.

Of objects these forms are known, which pandas, `datasets` and annotation tools write:

    {"data": [{"text": …}, …], …}              one list of rows, whatever its key
    {"columns": ["text", …], "data": [[…], …]}  pandas, orient="split"
    {"text": {"0": …, "1": …}, "label": {…}}    pandas, orient="columns", its default
    {"0": {"text": …}, "1": {…}}                pandas, orient="index"
    {"text": […], "label": […]}                 columns as lists, `Dataset.to_dict`
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from mtbert.config.format import FormatSettings
from mtbert.data.readers import jsonl
from mtbert.data.readers.base import MAX_LINE, Row, Table, decode_line, has_undecodable, kinds
from mtbert.data.readers.compressed import from_start
from mtbert.data.readers.records import no_constant, row_of
from mtbert.errors import UserError, shown
from mtbert.io.bounded import unique_keys

__all__ = ["read", "recognises"]

_LARGEST = 64 << 20
"""Bytes of a document that is an object, which is held in memory as a whole."""

_CHUNK = 1 << 16

_BLANK = re.compile(r"[ \t\r\n]*")

_FORMS = (
    'expected a list of rows, [{"text": …}, …], or an object with one ("data": […]); JSON lines '
    "(pandas: to_json(FILE, orient='records', lines=True)) are always understood"
)


def recognises(name: str, first: bytes) -> bool:
    """An array of rows, or an object that does not end in its first line; .json may be either."""
    text = _text(first)
    json_name = kinds(name)[-1:] == (".json",)
    if text.startswith("["):
        return json_name or re.match(r"\[\s*([{[\]]|$)", text) is not None
    if not text.startswith("{") or kinds(name)[-1:] in ((".jsonl",), (".ndjson",)):
        return False
    if len(first) > MAX_LINE:
        return json_name
    return (json_name and _is_value(text)) or _goes_on(text)


def read(name: str, first: bytes, stream: BinaryIO, form: FormatSettings) -> Table:
    """Rows are numbered from 1, for a document need not have lines. See `records.row_of`.

    Raises:
        UserError: no JSON; an object of more than 64 MiB, or one in which no rows are found. While
            an array is read: it breaks off, or a row is too long.
    """
    text = _text(first)
    if text.startswith("["):
        elements = _elements(name, from_start(first, stream))
        return Table(name, None, elements, unit="row")
    if _is_value(text):  # one object in a line: one of many lines, unless nothing follows
        rest = stream.readline(MAX_LINE + 1)
        rest += b"" if rest.strip() else stream.read(_CHUNK)
        if rest.strip():
            return jsonl.read(name, first, from_start(rest, stream), form)
    whole = first + stream.read(_LARGEST + 1 - len(first))
    if len(whole) > _LARGEST:
        raise UserError(
            f"{name}: a JSON object of more than {_LARGEST >> 20} MiB, which would be held in "
            "memory; write it as JSON lines (pandas: to_json(FILE, orient='records', lines=True))"
        )
    return Table(name, None, _numbered(_rows_of_object(name, whole)), unit="row")


def _text(first: bytes) -> str:
    return decode_line(first).removeprefix("\ufeff").strip()


def _is_value(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _goes_on(text: str) -> bool:
    """Whether a text is the beginning of a JSON value, broken off between two of its parts."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(text)
    except (ValueError, RecursionError):
        return False
    return False


def _numbered(records: Iterable[object]) -> Iterator[Row]:
    return (_row(number, record) for number, record in enumerate(records, start=1))


def _row(number: int, record: object) -> Row:
    """An object by its keys; a list by the places of its values, as a table without a header."""
    if isinstance(record, list):
        record = {str(place): value for place, value in enumerate(record, start=1)}
    if not isinstance(record, dict):
        return Row(number, problem=f"found a JSON {type(record).__name__}, expected an object")
    return row_of(number, record)


def _rows_of_object(name: str, raw: bytes) -> Iterable[object]:
    """The rows that an object holds.

    Raises:
        UserError: it is no JSON, or there are none, or several lists of them.
    """
    try:
        text = raw.decode("utf-8-sig")
        found = json.loads(text, object_pairs_hook=unique_keys, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        raise UserError(f"{name}:{error.lineno}: broken JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        raise UserError(f"{name}: broken JSON: {reason}") from None
    lists: dict[str, list[Any]] = {k: v for k, v in found.items() if _is_rows(v)}
    if len(lists) > 1:
        raise UserError(
            f"{name}: holds several lists of rows: {', '.join(map(shown, lists))}; write each into "
            f"a file of its own (jq '.{next(iter(lists))}' FILE > NEW.json)"
        )
    if lists:
        names = found.get("columns")
        (rows,) = lists.values()
        if isinstance(names, list) and isinstance(rows[0], list):
            return [_named(row, names) for row in rows]
        return rows
    if by_columns := _rows_of_columns(found):
        return by_columns
    if found and not any(isinstance(value, (dict, list)) for value in found.values()):
        return [found]  # a single record
    keys = ", ".join(map(shown, list(found)[:6]))
    raise UserError(f"{name}: is a JSON object of {keys or 'nothing'} without rows; {_FORMS}")


def _is_rows(value: object) -> bool:
    """Whether it is a list of objects, or of lists."""
    if not isinstance(value, list) or not value:
        return False
    return any(all(isinstance(row, kind) for row in value) for kind in (dict, list))


def _named(row: list[Any], names: list[Any]) -> object:
    return dict(zip(map(str, names), row, strict=True)) if len(row) == len(names) else len(row)


def _rows_of_columns(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of an object whose values are columns, or rows by their number; else none."""
    values = list(found.values())
    if values and all(isinstance(value, dict) for value in values):
        keys = list(values[0])
        if keys and all(key.isdecimal() for key in keys) and all(list(v) == keys for v in values):
            return [{name: found[name][key] for name in found} for key in keys]
        return values if all(key.isdecimal() for key in found) else []
    if values and all(isinstance(value, list) for value in values):
        lengths = {len(value) for value in values}
        if len(lengths) == 1:
            return [dict(zip(found, row, strict=True)) for row in zip(*values, strict=True)]
    return []


class _Text:
    """The text of a stream from where it is read on, a piece at a time; lines are counted."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        self._lines = 1
        self.text, self.at = "", 0
        self.more()
        self.text = self.text.removeprefix("\ufeff")

    def more(self) -> bool:
        """Read on; what lies behind is forgotten. False at the end."""
        raw = self._stream.read(max(_CHUNK, len(self.text) - self.at))
        self._lines += self.text.count("\n", 0, self.at)
        self.text, self.at = self.text[self.at :] + self._decode(raw, not raw), 0
        return bool(raw)

    def line(self, at: int) -> int:
        """The line of a place in `text`."""
        return self._lines + self.text.count("\n", 0, at)

    def next(self) -> str:
        """The next character that is none of white space, which stays; empty at the end."""
        while True:
            found = _BLANK.match(self.text, self.at)
            assert found is not None  # it may be empty
            self.at = found.end()
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""


def _elements(name: str, stream: BinaryIO) -> Iterator[Row]:
    """The rows of an array, one after the other."""
    source = _Text(stream)
    source.next()
    source.at += 1  # the bracket
    number = 0
    while (sign := source.next()) != "]":
        if number:
            if sign != ",":
                raise _broken(name, source, number, "expected `,` or `]`")
            source.at += 1
            source.next()
        number += 1
        yield _element(name, source, number)
    source.at += 1
    if source.next():
        raise _broken(name, source, number, "there is something behind the array")


def _element(name: str, source: _Text, number: int) -> Row:
    """The value at this place, which is read on to if it does not end here."""
    strict = json.JSONDecoder(object_pairs_hook=unique_keys, parse_constant=no_constant)
    while True:
        if len(source.text) - source.at > 2 * MAX_LINE:
            raise _broken(name, source, number, f"a row of more than {MAX_LINE >> 20} MiB")
        problem = None
        try:
            try:
                value, end = strict.raw_decode(source.text, source.at)
            except json.JSONDecodeError:
                raise
            except ValueError as error:  # a key twice, an infinity: it can be read past
                problem = f"not a JSON object ({error}), expected one"
                value, end = json.JSONDecoder().raw_decode(source.text, source.at)
        except (ValueError, RecursionError) as error:
            if not isinstance(error, json.JSONDecodeError):
                raise _broken(name, source, number, str(error)) from None
            at = error.pos
            if not source.more():
                raise _broken(name, source, number, error.msg, at) from None
            continue
        if end == len(source.text) and source.more():
            continue  # a number may go on
        break
    raw, source.at = source.text[source.at : end], end
    if len(raw) > MAX_LINE:
        problem = f"a row of more than {MAX_LINE >> 20} MiB"
    elif has_undecodable(raw):
        problem = "not UTF-8, expected a file saved as UTF-8"
    return _row(number, value) if problem is None else Row(number, problem=problem)


def _broken(name: str, source: _Text, number: int, what: str, at: int | None = None) -> UserError:
    line = source.line(source.at if at is None else at)
    return UserError(
        f"{name}:{line}: broken JSON array, row {number}: {what}; what follows cannot be read"
    )
