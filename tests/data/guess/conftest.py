"""Small tables of many kinds, as strangers have them."""

import pytest
from support.sentences import sentence


@pytest.fixture(name="sentence")
def sentence_of():
    """The i-th of many different sentences."""
    return sentence


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
