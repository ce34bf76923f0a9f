"""Rows are counted on standard error."""

import io
import logging

from mtbert.console import counting


def test_a_line_from_time_to_time_where_there_is_no_terminal(monkeypatch, caplog):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    monkeypatch.setattr(counting, "_LINE_EVERY_SECONDS", -1.0)
    counter = counting.RowCounter()
    with caplog.at_level(logging.INFO):
        counter.advance()
        counter.advance()
    counter.close()
    assert [line.split(",")[0] for line in caplog.messages] == ["1 rows", "2 rows"]


def test_a_counter_on_a_terminal_goes_away(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr", stream)
    logging.getLogger("mtbert.console.counting").setLevel(logging.INFO)
    counter = counting.RowCounter()
    counter.advance()
    counter.close()
    assert "rows" in stream.getvalue()
    logging.getLogger("mtbert.console.counting").setLevel(logging.NOTSET)
