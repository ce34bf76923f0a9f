import io
import logging
import sys

import pytest

from mtbert.console import board
from mtbert.console.board import Line

LINES = [Line("one-s1", 3, 12, 65.0), Line("two-s1", 1, 4, 5.0)]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def times(monkeypatch):
    """A clock that is set by hand."""
    now = [0.0]
    monkeypatch.setattr(board.time, "monotonic", lambda: now[0])
    return now


def make(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    name = next(n for n in ("StudyBoard", "Board") if hasattr(board, n))
    return getattr(board, name)()


def test_elsewhere_than_on_a_terminal_there_is_a_line_a_minute(monkeypatch, times, caplog):
    with caplog.at_level(logging.INFO):
        shown = make(monkeypatch, io.StringIO())
        for now in (1.0, 59.0, 61.0, 62.0):
            times[0] = now
            shown.show("1 of 3 runs", 90.0, LINES)
    assert [r.message for r in caplog.records] == [
        "1 of 3 runs, 1:30 left; one-s1 step 3 of 12; two-s1 step 1 of 4"
    ]


def test_on_a_terminal_the_table_is_drawn_over_the_last_one(monkeypatch, times, caplog):
    terminal = Terminal()
    with caplog.at_level(logging.INFO):
        shown = make(monkeypatch, terminal)
        monkeypatch.setattr(board.shutil, "get_terminal_size", lambda: (80, 24))
        times[0] = 1.5
        shown.show("1 of 3 runs", None, LINES)
        first = terminal.getvalue()
        assert "one-s1" in first and "3 of 12" in first and "25%" in first and "1:05" in first
        times[0] = 3.0
        shown.show("2 of 3 runs", None, LINES[:1])
        count = first.count("\n")
        assert terminal.getvalue()[len(first) :].startswith(f"\x1b[{count}F\x1b[J2 of 3 runs")
        shown.close()
    assert terminal.getvalue().endswith("\x1b[J")


def test_a_table_is_cut_to_the_terminal(monkeypatch, times, caplog):
    terminal = Terminal()
    with caplog.at_level(logging.INFO):
        shown = make(monkeypatch, terminal)
        monkeypatch.setattr(board.shutil, "get_terminal_size", lambda: (20, 4))
        times[0] = 1.5
        shown.show("a head that is longer than the terminal is wide", None, LINES)
    lines = terminal.getvalue().splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= 19


def test_a_line_that_stays_takes_the_table_away_first(monkeypatch, times, caplog):
    terminal = Terminal()
    monkeypatch.setattr(logging.root, "handlers", [caplog.handler])  # none that writes here too
    with caplog.at_level(logging.INFO):
        shown = make(monkeypatch, terminal)
        times[0] = 1.5
        shown.show("head", None, [])
        shown.say("one-s1: finished")
    assert terminal.getvalue().endswith("\x1b[J")
    assert caplog.records[-1].message == "one-s1: finished"
