"""Small tables of many kinds, as strangers have them."""

import pytest

WORDS = [
    "the",
    "train",
    "was",
    "late",
    "again",
    "and",
    "nobody",
    "told",
    "us",
    "why",
    "we",
    "love",
    "this",
    "place",
    "cold",
    "staff",
    "kind",
]


@pytest.fixture
def sentence():
    """The i-th of many different sentences."""

    def made(i, words=8):
        return (
            " ".join(WORDS[(i * 7 + j * (3 + i % 5)) % len(WORDS)] for j in range(words)) + f" {i}"
        )

    return made


@pytest.fixture
def write(tmp_path):
    """Write a file: its text, or a header and a function of the row's number."""

    def written(name, content, row=None, rows=40, encoding="utf-8"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if row is not None:
            content += "".join(row(i) + "\n" for i in range(rows))
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return written
