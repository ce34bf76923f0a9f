"""A stream that tells its pauses: the same bytes, and a call before each wait."""

import io
import os

from mtbert.io.pausing import telling_pauses


def test_a_pause_is_told_before_more_comes():
    reading, writing = os.pipe()
    told = []

    def on_pause():
        told.append(len(told))
        if len(told) == 1:
            os.write(writing, b"th\xc3\xa9 end")
        else:
            os.close(writing)

    os.write(writing, b"one\ntwo\n")
    with os.fdopen(reading, "rb") as pipe:
        stream = telling_pauses(pipe, on_pause)
        assert stream.readline() == b"one\n"
        assert stream.readline() == b"two\n"
        assert told == []
        assert stream.readline() == b"th\xc3\xa9 end"
        assert told == [0, 1]


def test_files_and_what_is_no_file_are_left_as_they_are(tmp_path):
    (tmp_path / "f").write_bytes(b"x")
    with (tmp_path / "f").open("rb") as stream:
        assert telling_pauses(stream, print) is stream
    memory = io.BytesIO(b"x")
    assert telling_pauses(memory, print) is memory
