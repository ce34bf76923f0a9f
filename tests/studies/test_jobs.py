"""Jobs seen from outside: how far they are, and why they failed."""

import os

import pytest

from mtbert.studies.jobs import THREAD_VARIABLES, last_step, shown_scores, why_failed, with_threads


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("", 0),
        ('{"step": 3}\n', 3),
        ('{"step": 3}\n{"step": 4}\n{"st', 4),  # a line that is being written
        ("no JSON\n", 0),
        ('{"kind": "train"}\n', 0),
    ],
)
def test_the_last_whole_line_tells_the_step(tmp_path, text, step):
    (tmp_path / "metrics.jsonl").write_text(text)
    assert last_step(tmp_path) == step


def test_a_run_that_has_not_begun_is_at_step_0(tmp_path):
    assert last_step(tmp_path) == 0


@pytest.mark.parametrize(
    ("log", "code", "reason"),
    [
        ("one\nmtbert: no memory left\nlast\n", 2, "no memory left"),
        ("one\nlast\n\n", 1, "last"),
        ("", 3, "exit code 3"),
        ("mtbert: something else\n", -9, "ended by signal 9"),
    ],
)
def test_the_reason_is_mtberts_own_message_or_the_last_line(tmp_path, log, code, reason):
    (tmp_path / "log.txt").write_text(log)
    assert why_failed(tmp_path, code) == reason


def test_the_environment_is_this_ones_with_the_threads(monkeypatch):
    monkeypatch.setenv("MTBERT_DATA", "/data")
    found = with_threads(3)
    assert {name: found.pop(name) for name in THREAD_VARIABLES} == dict.fromkeys(
        THREAD_VARIABLES, "3"
    )
    assert found == {k: v for k, v in os.environ.items() if k not in THREAD_VARIABLES}


def test_scores_are_told_by_task_and_undefined_ones_named():
    summary = {"dev": {"sst": {"accuracy": 0.5}, "sts": {"pearson": None}}, "seconds": 61.4}
    assert shown_scores(summary) == "sst 0.5000, sts undefined, 61 s"
