"""The processes of one run: an abstract interface, and its implementation for a single process.

Everything that a run does with other processes goes through a `Processes`; for a single process it
costs nothing. `process_group` implements it on torch.distributed; torch is imported only there, so
that the command line stays quick.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar, final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["ALONE", "OneProcess", "Processes"]

_T = TypeVar("_T")


class Processes(ABC):
    """What the processes of a run can do together.

    Every abstract method but `raised_by_all` is a collective: all processes must call it, in the
    same order.

    Attributes:
        rank: of this process, from 0.
        size: how many processes there are.
        local_rank: of this process among those of its machine.
    """

    def __init__(self, rank: int, size: int, local_rank: int) -> None:
        self.rank, self.size, self.local_rank = rank, size, local_rank

    @property
    def is_main(self) -> bool:
        """Whether this is the one process that writes and logs."""
        return self.rank == 0

    def shard(self, items: Any) -> Any:
        """This process's part of the items (a list, an array, a tensor), as in `shards`."""
        return items[self.rank :: self.size]

    def shards(self, items: Any) -> list[Any]:
        """Every `size`-th item, starting at each process's rank.

        They differ in length by one at most and may be empty.
        """
        return [items[rank :: self.size] for rank in range(self.size)]

    # Work that can fail

    @abstractmethod
    def all_or_none(self) -> AbstractContextManager[None]:
        """What is done inside, without a collective, succeeds everywhere or ends everywhere.

        Raises:
            Exception: what was raised here; on the main process also another's `UserError` or
                `TrainingError`.
            ReportedElsewhere: another process reports it.
        """

    @abstractmethod
    def on_main(self, action: Callable[[], _T]) -> _T:
        """Let the main process act alone; its error ends all.

        Returns:
            What it returned, which must be a JSON value where there are several processes.
        """

    @abstractmethod
    def main_first(self, action: Callable[[], _T]) -> _T:
        """The first process of each machine acts, then the others, who find what it has cached."""

    @abstractmethod
    def raised_by_all(self, error: BaseException) -> BaseException:
        """What this process should raise for an error that all of them reach at the same point."""

    # Values

    @abstractmethod
    def any(self, value: bool) -> bool:
        """Whether the value is true in any process."""

    @abstractmethod
    def broadcast_number(self, value: float) -> float:
        """The main process's value."""

    @abstractmethod
    def all_gather(self, value: Any) -> list[Any]:
        """The JSON values of all processes, by rank."""

    # Tensors, of equal shapes everywhere

    @abstractmethod
    def all_reduce_sum(self, tensors: list[Tensor]) -> None:
        """Replace each tensor by its sum over the processes; all have one dtype and device.

        The results are the same bits everywhere.
        """

    @abstractmethod
    def all_reduce_max(self, tensor: Tensor) -> Tensor:
        """The largest value over the processes, element by element."""

    @abstractmethod
    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        """Fill tensors, in place, with the main process's."""

    @abstractmethod
    def broadcast_scalar(self, scalar: Tensor) -> None:
        """Fill a scalar that every process has computed in a step with the main one's, in place."""

    @abstractmethod
    def all_gather_rows(self, rows: Tensor, parts: Sequence[NDArray[np.int64]]) -> None:
        """Complete `[rows, …]`, in place: those that `parts[r]` names come from process r."""


@final
class OneProcess(Processes):
    """A single process: it does everything itself and waits for nobody."""

    def __init__(self) -> None:
        super().__init__(rank=0, size=1, local_rank=0)

    def all_or_none(self) -> AbstractContextManager[None]:
        """See `Processes.all_or_none`."""
        return nullcontext()

    def on_main(self, action: Callable[[], _T]) -> _T:
        """See `Processes.on_main`."""
        return action()

    def main_first(self, action: Callable[[], _T]) -> _T:
        """See `Processes.main_first`."""
        return action()

    def raised_by_all(self, error: BaseException) -> BaseException:
        """See `Processes.raised_by_all`."""
        return error

    def any(self, value: bool) -> bool:
        """See `Processes.any`."""
        return value

    def broadcast_number(self, value: float) -> float:
        """See `Processes.broadcast_number`."""
        return value

    def all_gather(self, value: Any) -> list[Any]:
        """See `Processes.all_gather`."""
        return [value]

    def all_reduce_sum(self, tensors: list[Tensor]) -> None:
        """See `Processes.all_reduce_sum`."""

    def all_reduce_max(self, tensor: Tensor) -> Tensor:
        """See `Processes.all_reduce_max`."""
        return tensor

    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        """See `Processes.broadcast`."""

    def broadcast_scalar(self, scalar: Tensor) -> None:
        """See `Processes.broadcast_scalar`."""

    def all_gather_rows(self, rows: Tensor, parts: Sequence[NDArray[np.int64]]) -> None:
        """See `Processes.all_gather_rows`."""


ALONE = OneProcess()
"""The processes of a run that was not launched as several."""
