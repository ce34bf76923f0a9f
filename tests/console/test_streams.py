"""Standard streams that are closed, full, or of another encoding than UTF-8."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from mtbert import cli
from mtbert.console.streams import prepare_streams

FULL = Path("/dev/full")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_json_stays_json_in_every_encoding(monkeypatch, encoding):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding=encoding))
    prepare_streams()
    row = {"id": "é", "label": "ελ 😀 \ud800" if encoding != "utf-8" else "ελ 😀"}
    print(json.dumps(row, ensure_ascii=False), flush=True)
    assert json.loads(raw.getvalue().decode(encoding)) == row


def test_closed_streams_read_and_write_nothing(monkeypatch):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    prepare_streams()
    with sys.stdin, sys.stdout, sys.stderr:
        assert sys.stdin.buffer.read() == b""
        print("a")
        print("b", file=sys.stderr)


def test_a_console_that_replaces_characters_keeps_doing_so(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, "ascii", errors="replace"))
    prepare_streams()
    print("é", end="", flush=True)
    assert raw.getvalue() == b"?"


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_full_disk_behind_standard_output_is_one_message():
    """Also where all fits into a buffer that is written at the very end."""
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", _PRINTS], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (
        2,
        "mtbert: cannot be written: No space left on device\n",
    )


_PRINTS = "import sys; from mtbert.cli import exit_code; sys.exit(exit_code(lambda: print('a')))"


def test_other_errors_of_the_system_are_not_hidden():
    def fails():
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        cli.exit_code(fails)
