"""The processes of a distributed run, on torch.distributed.

Gloo carries CPU tensors, NCCL GPU tensors. Values are sent as JSON; nothing is pickled. The same
processes form two groups:

- `steps`, for what every process reaches at about the same time, with a timeout of `STEP_SECONDS`;
- the default group, for what follows unequal work (one process reads, writes, or has the longer
  part of an evaluation), with a timeout of `PATIENCE`.

A process that ends closes its connections, which the others see at once: the timeouts matter only
for a process that hangs, or for a machine that is gone.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar, final

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from mtbert.distributed.processes import Processes
from mtbert.errors import ReportedElsewhere, TrainingError, UserError, shown

__all__ = ["ProcessGroup", "join_group"]

STEP_SECONDS = 30.0
"""MTBERT_STEP_TIMEOUT, a number of seconds, replaces it."""
PATIENCE = timedelta(hours=1)
_BUCKET = 32 << 20
"""Bytes of small tensors that travel together: fewer, longer messages, in bounded memory."""

_T = TypeVar("_T")
_KINDS: dict[str, type[Exception]] = {"user": UserError, "training": TrainingError}


@final
class ProcessGroup(Processes):
    """This process as one of several."""

    def __init__(self, rank: int, size: int, local_rank: int, step_seconds: float) -> None:
        """Meet the other processes at MASTER_ADDR and MASTER_PORT.

        Raises:
            TrainingError: they cannot be reached.
        """
        super().__init__(rank, size, local_rank)
        self.agreed = False
        """Whether all processes are about to end, and know it."""
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        try:
            with self._answered("within an hour"):
                dist.init_process_group(backend, rank=rank, world_size=size, timeout=PATIENCE)
                self._steps = dist.new_group(timeout=timedelta(seconds=step_seconds))
        except BaseException:
            _destroy()
            raise
        self._step_wait = (
            f"within {step_seconds:g} s (if it is only slow, set MTBERT_STEP_TIMEOUT to more)"
        )

    @contextmanager
    def _answered(self, wait: str = "within an hour") -> Iterator[None]:
        """Explain what a failed collective means."""
        try:
            yield
        except RuntimeError as error:
            reason = re.sub(r"^\[[^]]*\] ?", "", str(error).strip()).split("\n")[0].split(". ")[0]
            raise TrainingError(
                f"process {self.rank} of {self.size}: another process has ended, or does not "
                f"answer {wait}: {reason}; go on from the newest checkpoint with --resume"
            ) from None

    def close(self) -> None:
        """End the connections and their threads, whoever still holds this object.

        A thread of gloo that is left may drop the last hold on a tensor while the interpreter ends,
        which aborts the process after all its work is done.
        """
        del self._steps
        _destroy()

    # Work that can fail

    @contextmanager
    def all_or_none(self) -> Iterator[None]:
        """See `Processes.all_or_none`."""
        mine: Exception | None = None
        try:
            yield
        except Exception as error:
            mine = error
        self._raise_first(mine, self.all_gather(_told(mine)))

    def on_main(self, action: Callable[[], _T]) -> _T:
        """See `Processes.on_main`."""
        mine: Exception | None = None
        value: Any = None
        if self.is_main:
            try:
                value = action()
            except Exception as error:
                mine = error
        found = self.all_gather([_told(mine), value])
        self._raise_first(mine, [told for told, _ in found])
        result: _T = value if self.is_main else found[0][1]
        return result

    def main_first(self, action: Callable[[], _T]) -> _T:
        """See `Processes.main_first`."""
        results = []
        for turn in (True, False):
            with self.all_or_none():
                if (self.local_rank == 0) == turn:
                    results.append(action())
        return results[0]

    def raised_by_all(self, error: BaseException) -> BaseException:
        """See `Processes.raised_by_all`."""
        self.agreed = True
        return error if self.is_main else ReportedElsewhere(_code(error))

    def _raise_first(self, mine: Exception | None, all_told: Sequence[Any]) -> None:
        """Raise what went wrong at the first process at which something did."""
        failed = [rank for rank, told in enumerate(all_told) if told is not None]
        if not failed:
            return
        self.agreed = True
        kind, code, message = all_told[failed[0]]
        if failed[0] == self.rank and (self.is_main or kind not in _KINDS):
            assert mine is not None
            raise mine
        if self.is_main and kind in _KINDS:
            raise _KINDS[kind](f"process {failed[0]}: {message}")
        raise ReportedElsewhere(code)

    # Values

    def any(self, value: bool) -> bool:
        """See `Processes.any`."""
        return bool(self.all_reduce_max(torch.tensor([int(value)])).item())

    def broadcast_number(self, value: float) -> float:
        """See `Processes.broadcast_number`."""
        found = torch.tensor([value], dtype=torch.float64)
        with self._answered(self._step_wait):
            dist.broadcast(found, 0, group=self._steps)
        return found.item()

    def all_gather(self, value: Any) -> list[Any]:
        """See `Processes.all_gather`."""
        data = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        sizes = self._all(torch.tensor([len(data)]))
        longest = int(torch.cat(sizes).max())
        padded = torch.zeros(longest, dtype=torch.uint8)
        padded[: len(data)] = data
        return [
            json.loads(bytes(found[: int(size)].tolist()))
            for found, size in zip(self._all(padded), sizes, strict=True)
        ]

    def _all(self, tensor: Tensor) -> list[Tensor]:
        found = [torch.empty_like(tensor) for _ in range(self.size)]
        with self._answered():
            dist.all_gather(found, tensor)
        return found

    # Tensors

    def all_reduce_sum(self, tensors: list[Tensor]) -> None:
        """See `Processes.all_reduce_sum`; tensors become views of the buckets they were sent in."""
        for places in _buckets(tensors):
            parts = [tensors[k] for k in places]
            whole = parts[0].contiguous().view(-1)
            if len(parts) > 1:
                whole = torch.cat([part.flatten() for part in parts])
            with self._answered(self._step_wait):
                dist.all_reduce(whole, group=self._steps)
            sizes = [part.numel() for part in parts]
            for k, part, summed in zip(places, parts, whole.split(sizes), strict=True):
                tensors[k] = summed.view(part.shape)

    def all_reduce_max(self, tensor: Tensor) -> Tensor:
        """See `Processes.all_reduce_max`."""
        found = tensor.clone()
        with self._answered(self._step_wait):
            dist.all_reduce(found, dist.ReduceOp.MAX, group=self._steps)
        return found

    @torch.no_grad()
    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        """See `Processes.broadcast`."""
        for tensor in tensors:
            whole = tensor.contiguous()
            with self._answered():
                dist.broadcast(whole, 0)
            if whole is not tensor:
                tensor.copy_(whole)

    def broadcast_scalar(self, scalar: Tensor) -> None:
        """See `Processes.broadcast_scalar`."""
        with self._answered(self._step_wait):
            dist.broadcast(scalar, 0, group=self._steps)

    def all_gather_rows(self, rows: Tensor, parts: Sequence[NDArray[np.int64]]) -> None:
        """See `Processes.all_gather_rows`."""
        for source, part in enumerate(parts):
            places = torch.from_numpy(part)
            block = rows[places]
            with self._answered():
                dist.broadcast(block, source)
            if source != self.rank:
                rows[places] = block


@contextmanager
def join_group(rank: int, size: int, local_rank: int) -> Iterator[ProcessGroup]:
    """The group of all processes, for as long as the run lasts; only the main one logs.

    Raises:
        UserError: MTBERT_STEP_TIMEOUT is not a number of seconds.
        TrainingError: the others cannot be reached.
    """
    seconds = _step_seconds()
    if rank:
        logging.disable(logging.WARNING)
    try:
        with closing(ProcessGroup(rank, size, local_rank, seconds)) as group:
            try:
                yield group
                with group.all_or_none():
                    pass  # nobody leaves while another still needs it
            except BaseException as error:
                _leave(group)
                if rank and isinstance(error, KeyboardInterrupt):
                    raise ReportedElsewhere(_code(error)) from None
                raise
    finally:
        logging.disable(logging.NOTSET)


def _destroy() -> None:
    if dist.is_initialized():
        with suppress(RuntimeError):  # what is wrong has been told
            dist.destroy_process_group()


def _leave(group: ProcessGroup) -> None:
    """End without being ended: torchrun stops the others as soon as one process has failed.

    The main one may have a message to write yet. Where all end together, none does so before all
    are deaf to that signal.
    """
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
    if group.agreed:
        with suppress(TrainingError):
            group.all_gather(None)


def _step_seconds() -> float:
    text = os.environ.get("MTBERT_STEP_TIMEOUT", str(STEP_SECONDS))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise UserError(f"MTBERT_STEP_TIMEOUT: found {shown(text)}, expected a number of seconds")
    return seconds


def _told(error: Exception | None) -> list[Any] | None:
    """Kind, exit code and message, as they are sent to the others."""
    if error is None:
        return None
    kind = next((name for name, cls in _KINDS.items() if isinstance(error, cls)), "other")
    return [kind, _code(error), str(error)]


def _code(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return 130
    return 2 if isinstance(error, UserError) else 1


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[int]]:
    """Places of tensors that travel together; one larger than a bucket goes alone."""
    places: list[int] = []
    used = 0
    for k, tensor in enumerate(tensors):
        size = tensor.numel() * tensor.element_size()
        if places and used + size > _BUCKET:
            yield places
            places, used = [], 0
        places.append(k)
        used += size
    if places:
        yield places
