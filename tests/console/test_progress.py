import io
import itertools
import logging

import pytest

from mtbert.console import progress
from mtbert.console.progress import ProgressBar


@pytest.fixture(autouse=True)
def _talkative(caplog):
    caplog.set_level(logging.INFO, "mtbert")


@pytest.fixture
def clock(monkeypatch):
    """Each look at the clock is ten seconds after the one before."""
    ticks = itertools.count(0, 10)
    monkeypatch.setattr(progress.time, "perf_counter", lambda: float(next(ticks)))


def test_without_a_terminal_a_plain_line_comes_now_and_then(clock, caplog):
    with ProgressBar("all", 1000, done=100) as shown:
        for _ in range(6):
            shown.advance(50)
    # After 30 and 60 s: 3 and 6 steps of 10 s, 897 and 894 left; 5 tokens a second.
    assert caplog.messages == [
        "all: step 103 of 1000, 5 tokens/s, 2:29:30 left",
        "all: step 106 of 1000, 5 tokens/s, 2:29:00 left",
    ]


def test_short_times_are_minutes_and_seconds(clock, caplog):
    with ProgressBar("heads", 8) as shown:
        for _ in range(3):
            shown.advance(1)
        shown.say("a line")
    assert caplog.messages == ["heads: step 3 of 8, 0 tokens/s, 0:50 left", "a line"]


def test_a_terminal_gets_a_bar_on_standard_error(monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", terminal)
    with ProgressBar("all", 4, done=2) as shown:
        shown.advance(50)
        shown.say("epoch 1 is done")
        shown.advance(50)
    text = terminal.getvalue()
    assert "epoch 1 is done\n" in text
    assert "2/4" in text
    assert capsys.readouterr().out == ""
