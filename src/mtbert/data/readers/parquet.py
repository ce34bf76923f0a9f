"""Parquet: columns in row groups, read a batch of rows at a time (extra `parquet`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from mtbert.config.format import FormatSettings
from mtbert.data.readers.base import MAX_LINE, Row, Table
from mtbert.data.readers.compressed import from_start
from mtbert.data.readers.records import row_of
from mtbert.errors import UserError

__all__ = ["read", "recognises"]

_BATCH = 1024
"""Rows that Arrow decodes at a time."""

_SLICE = 32
"""Rows of these that are Python values at a time: repeated texts are one in Arrow, not there."""

_INDEX = "__index_level_0__"
"""What pandas calls the numbers of its rows."""


def recognises(name: str, first: bytes) -> bool:
    """How a Parquet file begins, whatever its name; a header may begin with the same letters."""
    return first.startswith(b"PAR1") and first[4:5] < b" " and first[4:5] not in b"\t\r\n"


def read(name: str, first: bytes, stream: BinaryIO, form: FormatSettings) -> Table:
    """Rows are numbered from 1. Values are read as those of JSON, see `records.row_of`.

    Columns that `datasets` knows as classes hold numbers; their names are `Table.class_names`.

    Raises:
        UserError: pyarrow is not installed, the stream is a pipe, or the file is damaged; also
            while it is read.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError(
            f"{name}: is a Parquet file, which needs pyarrow: pip install 'mtbert[parquet]'; or "
            "save it as CSV or JSONL"
        ) from None
    if not stream.seekable():
        raise UserError(
            f"{name}: is a Parquet file, which cannot be read from a pipe; give its name"
        )
    try:
        file = pyarrow.parquet.ParquetFile(from_start(first, stream), pre_buffer=False)
        schema = file.schema_arrow
        texts = [f.name for f in schema if _is_text(f.type)]
        file = pyarrow.parquet.ParquetFile(
            _rewound(stream), read_dictionary=texts, pre_buffer=False
        )
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise _damaged(name, error) from None
    columns = tuple(column for part in schema if part.name != _INDEX for column in _leaves(part))
    chosen = [column for column in schema.names if column != _INDEX]
    rows = _rows(name, file, chosen if _INDEX in schema.names else None)
    names = _class_names(schema.metadata or {})
    return Table(name, columns, rows, unit="row", class_names=names)


def _rewound(stream: BinaryIO) -> BinaryIO:
    stream.seek(0)
    return stream


def _is_text(kind: Any) -> bool:
    """Whether equal values of a column are to be held once."""
    import pyarrow

    return bool(pyarrow.types.is_string(kind) or pyarrow.types.is_binary(kind))


def _leaves(part: Any, prefix: str = "") -> Iterator[str]:
    """Names of a column, or of those inside it."""
    import pyarrow

    if not pyarrow.types.is_struct(part.type):
        yield prefix + part.name
        return
    for place in range(part.type.num_fields):
        yield from _leaves(part.type.field(place), f"{prefix}{part.name}.")


def _rows(name: str, file: Any, columns: list[str] | None) -> Iterator[Row]:
    import pyarrow

    number = 0
    try:
        for batch in file.iter_batches(batch_size=_BATCH, columns=columns, use_threads=False):
            for start in range(0, batch.num_rows, _SLICE):
                for record in batch.slice(start, _SLICE).to_pylist():
                    number += 1
                    yield _row(number, record)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise _damaged(f"{name}: row {number + 1}", error) from None


def _row(number: int, record: dict[str, Any]) -> Row:
    try:
        record = {column: _decoded(value) for column, value in record.items()}
    except UnicodeDecodeError:
        return Row(number, problem="not UTF-8, expected text in UTF-8")
    row = row_of(number, record)
    if sum(map(len, row.values.values())) + sum(map(len, row.lists.values())) > MAX_LINE:
        return Row(number, problem=f"a row of more than {MAX_LINE >> 20} Mi characters")
    return row


def _decoded(value: Any) -> Any:
    """Text that was written as bytes, as older programs do."""
    return value.decode("utf-8") if isinstance(value, bytes) else value


def _damaged(place: str, error: Exception) -> UserError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return UserError(f"{place}: damaged Parquet, it cannot be read ({reason}); fetch it again")


def _class_names(metadata: dict[bytes, bytes]) -> dict[str, tuple[str, ...]]:
    """Names of the classes that numbers in a column stand for, as `datasets` writes them down.

    A feature is {"_type": "ClassLabel", "names": […]}, of lists inside {"feature": …}, [feature].
    """
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {name: names for name, of in features.items() if (names := _names(of)) is not None}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _names(feature: Any) -> tuple[str, ...] | None:
    if isinstance(feature, list) and len(feature) == 1:
        return _names(feature[0])
    if not isinstance(feature, dict):
        return None
    if feature.get("_type") == "ClassLabel":
        names = feature.get("names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return None
        return tuple(names)
    return _names(feature["feature"]) if "feature" in feature else None
