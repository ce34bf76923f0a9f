"""Modules by task name, whatever the names are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar, cast

from torch import nn

__all__ = ["ByTask"]

_M = TypeVar("_M", bound=nn.Module)


class ByTask(nn.Module, Generic[_M]):
    """One module a task.

    `nn.ModuleDict` refuses names that it has as attributes, such as `type` or `train`; a task may
    have any name.
    """

    def __init__(self, modules: Mapping[str, _M]) -> None:
        super().__init__()
        self._modules.update(modules)

    def __getitem__(self, task: str) -> _M:
        return cast(_M, self._modules[task])

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def values(self) -> list[_M]:
        """The modules, in the order of their tasks."""
        return [self[task] for task in self]

    def items(self) -> list[tuple[str, _M]]:
        """Task names and modules."""
        return [(task, self[task]) for task in self]
