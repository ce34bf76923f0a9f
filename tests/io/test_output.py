"""Where commands write what a user asked for by name."""

import os
import threading

import pytest

from mtbert.errors import UserError
from mtbert.io.output import STANDARD, output_to


@pytest.mark.parametrize("path", [None, STANDARD])
def test_without_a_name_and_by_a_dash_it_is_standard_output(path, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with output_to(path) as stream:
        stream.write("é\n")
    assert capsys.readouterr().out == "é\n"
    assert list(tmp_path.iterdir()) == []


def test_a_file_appears_when_it_is_complete(tmp_path):
    with output_to(tmp_path / "a.csv") as stream:
        stream.write("é\n")
        assert not (tmp_path / "a.csv").exists()
    assert (tmp_path / "a.csv").read_bytes() == "é\n".encode()


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path):
    real = tmp_path / "disk" / "real.csv"
    real.parent.mkdir()
    (tmp_path / "link.csv").symlink_to(real)
    for text in ("first", "second"):
        with output_to(tmp_path / "link.csv") as stream:
            stream.write(text)
        assert (tmp_path / "link.csv").is_symlink()
        assert real.read_text() == text


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    """As a device is: a file in the place of /dev/null would break the machine."""
    pipe, found = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_text("utf-8")), daemon=True)
    reader.start()
    with output_to(pipe) as stream:
        stream.write("é\n")
    reader.join(10)
    assert found == ["é\n"]
    assert pipe.is_fifo()


def test_what_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"), output_to(tmp_path / "file" / "a"):
        pass
