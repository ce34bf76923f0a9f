"""The journal: read and gone on with, a line cut short, damage, and no file of a lock."""

import pytest
from optuna.pruners import NopPruner
from optuna.samplers import RandomSampler

from mtbert.errors import UserError
from mtbert.studies.search.journal import JOURNAL, open_journal, read_journal


def opened(folder, *, lower_is_better=False):
    return open_journal(folder, RandomSampler(seed=1), NopPruner(), lower_is_better=lower_is_better)


def with_trials(folder, number=2):
    study = opened(folder)
    for _ in range(number):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        study.tell(trial, 0.5)
    return study


def test_what_was_told_is_there_again(tmp_path):
    with_trials(tmp_path)
    again = opened(tmp_path)
    assert [t.value for t in again.trials] == [0.5, 0.5]
    assert [t.params for t in again.trials] == [t.params for t in read_journal(tmp_path).trials]
    assert {path.name for path in tmp_path.iterdir()} == {JOURNAL}


def test_the_direction_is_kept(tmp_path):
    opened(tmp_path, lower_is_better=True)
    assert read_journal(tmp_path).direction.name == "MINIMIZE"


def test_a_last_line_that_was_cut_short_is_as_if_it_had_not_been_written(tmp_path):
    with_trials(tmp_path)
    file = tmp_path / JOURNAL
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    assert len(read_journal(tmp_path).trials) == 2  # looking changes nothing
    assert file.read_bytes() == whole[:-5]
    study = opened(tmp_path)
    assert [t.state.name for t in study.trials] == ["COMPLETE", "RUNNING"]
    study.tell(1, 0.25)
    assert [t.value for t in opened(tmp_path).trials] == [0.5, 0.25]


@pytest.mark.parametrize("line", [b"no JSON\n", b"{}\n", b"[]\n", b'{"op_code": 99}\n'])
def test_damage_is_told(tmp_path, line):
    with_trials(tmp_path)
    file = tmp_path / JOURNAL
    whole = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*whole[:2], line, *whole[2:]]))
    for function in (opened, read_journal):
        with pytest.raises(UserError, match=f"{JOURNAL}: damaged: .*another folder"):
            function(tmp_path)


def test_a_folder_without_a_journal_is_told(tmp_path):
    with pytest.raises(UserError, match="no trial of this search has begun"):
        read_journal(tmp_path)
