"""Files that are no text with one row a line: what they are, and what to do."""

from __future__ import annotations

__all__ = ["what_it_is"]

_STARTS = {
    b"\x1f\x8b": "is compressed by gzip twice; unpack it (gunzip)",
    b"PK\x03\x04": "is an Excel file or a zip archive; save the table as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "is an old Excel file; save the table as CSV",
    b"ARROW1": "is an Arrow file; save it as CSV or JSONL",
    b"%PDF": "is a PDF; expected a table as CSV, TSV or JSONL",
    b"SQLite format 3": "is a database of SQLite; export the table as CSV",
    b"\xff\xfe": "is UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)",
    b"\xfe\xff": "is UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)",
}


def what_it_is(name: str, first: bytes) -> str | None:
    """What a file with this first line is, and what to do; None if it may be a table of text."""
    for start, told in _STARTS.items():
        if first.startswith(start):
            return told
    text = first.removeprefix(b"\xef\xbb\xbf").strip()
    if b"\r" in text and not first.endswith(b"\n"):
        return "has old Mac line ends (carriage returns alone); save it with line feeds"
    if first[1:2] == b"\0" and first[3:4] == b"\0":
        return "looks like UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"
    return None
