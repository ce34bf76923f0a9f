"""Files that are no text with one row a line: what they are, and what to do."""

from __future__ import annotations

__all__ = ["what_it_is"]

_STARTS = {
    b"\x1f\x8b": "is compressed by gzip twice; unpack it (gunzip)",
    b"PK\x03\x04": "is an Excel file or a zip archive; save the table as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "is an old Excel file; save the table as CSV",
    b"ARROW1\0": "is an Arrow file; save it as Parquet, CSV or JSONL",
    b"\xff\xff\xff\xff": "is an Arrow stream, as `datasets` keeps them; save it by ds.to_parquet",
    b"%PDF": "is a PDF; expected a table as CSV, TSV or JSONL",
    b"SQLite format 3": "is a database of SQLite; export the table as CSV",
    b"BZh91AY": "is compressed by bzip2; unpack it (bunzip2), or compress it by gzip",
    b"\xfd7zXZ\0": "is compressed by xz; unpack it (unxz), or compress it by gzip",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd; unpack it (unzstd), or compress it by gzip",
    b"7z\xbc\xaf": "is a 7z archive; unpack it",
    b"Rar!": "is a RAR archive; unpack it",
    b"\x93NUMPY": "is a NumPy array; expected a table as CSV, TSV or JSONL",
    b"\x89HDF": "is an HDF5 file; save the table as CSV or Parquet",
    b"Obj\x01": "is an Avro file; save it as Parquet, CSV or JSONL",
    b"{\\rtf": "is a text of a word processor (RTF); expected a table as CSV, TSV or JSONL",
    b"\x89PNG": "is a picture; expected a table as CSV, TSV or JSONL",
    b"\xff\xd8\xff": "is a picture; expected a table as CSV, TSV or JSONL",
    b"\xff\xfe": "is UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)",
    b"\xfe\xff": "is UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)",
}


def what_it_is(name: str, first: bytes) -> str | None:
    """What a file with this first line is, and what to do; None if it may be a table of text."""
    for start, told in _STARTS.items():
        if first.startswith(start):
            return told
    if first[:1] == b"\x80" and first[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return "is a Python pickle, which could run code; save the table as CSV, JSONL or Parquet"
    if first[257:262] == b"ustar":
        return "is a tar archive; unpack it"
    text = first.removeprefix(b"\xef\xbb\xbf").strip()
    if text[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "is a web page, perhaps of a failed download; fetch the file itself"
    if text.startswith(b"<?xml"):
        return "is XML; save the table as CSV or JSONL"
    if b"\r" in text and not first.endswith(b"\n"):
        return "has old Mac line ends (carriage returns alone); save it with line feeds"
    if first[1:2] == b"\0" and first[3:4] == b"\0":
        return "looks like UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"
    return None
