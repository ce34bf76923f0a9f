"""The journal of a search: Optuna's, a line of JSON for each thing that happened.

Only the process that holds the lock of the search's folder writes it. That lock is the kernel's and
dies with the process, where the files that Optuna locks by would stay.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from mtbert.errors import UserError
from mtbert.io import atomic
from mtbert.io.bounded import is_file

__all__ = ["JOURNAL", "open_journal", "quiet", "read_journal"]

JOURNAL = "journal.jsonl"
_NAME = "search"


class _Held(JournalFileOpenLock):
    """The lock of the folder, which this process holds already."""

    def __init__(self) -> None:
        pass

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def open_journal(
    folder: Path, sampler: BaseSampler, pruner: BasePruner, *, lower_is_better: bool
) -> optuna.Study:
    """The trials so far, to go on with them; the folder is locked by this process.

    Raises:
        UserError: the journal is damaged, or cannot be written.
    """
    file = folder / JOURNAL
    with atomic.writing(file), quiet(), _damage_told(file):
        _cut_unfinished(file)
        storage = JournalStorage(JournalFileBackend(str(file), _Held()))
        return optuna.create_study(
            storage=storage, study_name=_NAME, sampler=sampler, pruner=pruner,
            direction="minimize" if lower_is_better else "maximize", load_if_exists=True,
        )  # fmt: skip


def read_journal(folder: Path) -> optuna.Study:
    """The trials so far, to look at them; another process may be adding to them.

    Raises:
        UserError: there is no journal, or it is damaged.
    """
    file = folder / JOURNAL
    if not is_file(file):
        raise UserError(f"{folder}: no trial of this search has begun, no {JOURNAL} in it")
    with quiet(), _damage_told(file):
        storage = JournalStorage(JournalFileBackend(str(file), _Held()))
        return optuna.load_study(storage=storage, study_name=_NAME)


@contextmanager
def _damage_told(file: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise UserError(f"{file}: damaged: {error}; start the search in another folder") from None


@contextmanager
def quiet() -> Iterator[None]:
    """Let Optuna say nothing but warnings: what happens is told by the search itself."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _cut_unfinished(file: Path) -> None:
    """Remove a last line that was being written when the machine went down."""
    if not is_file(file):
        return
    with file.open("r+b") as stream:
        whole = stream.read()
        end = whole.rfind(b"\n") + 1
        if end < len(whole):
            stream.truncate(end)
            os.fsync(stream.fileno())
