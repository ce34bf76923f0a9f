"""What the processes of a run share: one process alone here, several in `process_group`.

Everything that a run does with others goes through a `Processes`; alone it costs nothing. torch is
imported only where there are several, so that the command line stays quick.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from mtbert.errors import UserError, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["ALONE", "Processes", "join_processes"]

_T = TypeVar("_T")


class Processes:
    """One process: it does everything and asks nobody.

    Every method but `share`, `shares` and `everyone` is a meeting: all processes must come to it,
    in the same order.

    Attributes:
        rank: the number of this process, from 0.
        size: how many there are.
        local_rank: the number of this process among those of its machine.
    """

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0) -> None:
        self.rank, self.size, self.local_rank = rank, size, local_rank

    @property
    def first(self) -> bool:
        """Whether this is the one process that writes and talks."""
        return self.rank == 0

    def share(self, items: Any) -> Any:
        """This process's part of the items (a list, an array, a tensor), as in `shares`."""
        return items[self.rank :: self.size]

    def shares(self, items: Any) -> list[Any]:
        """Every `size`-th of the items, from each process's number on.

        They differ in length by one at most and may be empty.
        """
        return [items[rank :: self.size] for rank in range(self.size)]

    # Work that can fail

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is done inside, without a meeting, succeeds everywhere or ends everywhere.

        Raises:
            Exception: what was raised here; on the first process also another's `UserError` or
                `TrainingError`.
            ToldElsewhere: it is told by another process.
        """
        yield

    def from_first(self, action: Callable[[], _T]) -> _T:
        """Let the first process act alone; its error ends all.

        Returns:
            What it returned, which must be a JSON value where there are several processes.
        """
        return action()

    def in_turn(self, action: Callable[[], _T]) -> _T:
        """The first process of each machine acts, then the others, who find what it has cached."""
        return action()

    def everyone(self, error: BaseException) -> BaseException:
        """What this process raises of an error that all of them come to at the same point."""
        return error

    # Values

    def any(self, value: bool) -> bool:
        """Whether it is true anywhere."""
        return value

    def number(self, value: float) -> float:
        """The first process's."""
        return value

    def gather(self, value: Any) -> list[Any]:
        """The JSON values of all processes, by rank."""
        return [value]

    # Tensors, of equal shapes everywhere

    def add_up(self, tensors: list[Tensor]) -> None:
        """Replace each tensor by its sum over the processes; all have one dtype and device.

        The results are the same bits everywhere.
        """

    def largest(self, tensor: Tensor) -> Tensor:
        """The largest value over the processes, element by element."""
        return tensor

    def copy_first(self, tensors: Sequence[Tensor]) -> None:
        """Fill tensors, in place, with the first process's."""

    def agree(self, scalar: Tensor) -> None:
        """Let a scalar that every process has computed in a step be the first one's, in place."""

    def fill(self, rows: Tensor, parts: Sequence[NDArray[np.int64]]) -> None:
        """Complete `[rows, …]`, in place: those that `parts[r]` names come from process r."""


ALONE = Processes()
"""The processes of a run that was not started as several."""


@contextmanager
def join_processes() -> Iterator[Processes]:
    """The processes that torchrun started together with this one; alone without it.

    Raises:
        UserError: its environment variables are no numbers.
        TrainingError: the others cannot be reached.
    """
    rank, size, local_rank = _started_as(os.environ)
    if size == 1:
        yield ALONE
        return
    from mtbert.distributed.process_group import join_group

    with join_group(rank, size, local_rank) as group:
        yield group


def _started_as(environment: Mapping[str, str]) -> tuple[int, int, int]:
    """Rank, size and rank on this machine, as torchrun tells them."""
    if not {"RANK", "WORLD_SIZE"} <= set(environment):
        return 0, 1, 0
    found = []
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        text = environment.get(name, "0")
        if not text.isdecimal():
            raise UserError(f"{name}: found {shown(text)}, expected a number, as torchrun sets it")
        found.append(int(text))
    rank, size, local_rank = found
    if rank >= max(size, 1):
        raise UserError(f"RANK: found {rank}, expected less than WORLD_SIZE, which is {size}")
    return rank, max(size, 1), local_rank
