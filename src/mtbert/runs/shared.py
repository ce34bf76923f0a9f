"""A run folder as several processes see it: the main one works on it, the others wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from mtbert.distributed.processes import Processes
from mtbert.runs.folder import RunFolder

__all__ = ["SharedRun"]

_T = TypeVar("_T")


class SharedRun:
    """The run folder of a group of processes, of which only the main one has it open."""

    def __init__(self, folder: RunFolder | None, processes: Processes) -> None:
        """Share a folder.

        Args:
            folder: None in every process but the main one.
            processes: that work on the run together.
        """
        self._folder, self._processes = folder, processes

    def on_main(self, action: Callable[[RunFolder], _T]) -> _T:
        """Let the main process do something with the folder, as `Processes.on_main`."""
        return self._processes.on_main(lambda: action(self.folder))

    def log(self, record: Mapping[str, Any]) -> None:
        """Write one record to metrics.jsonl and to whatever else listens to it."""
        self.on_main(lambda folder: folder.log(record))

    @property
    def folder(self) -> RunFolder:
        """The folder, in the main process."""
        assert self._folder is not None
        return self._folder
