"""Joining the processes of a distributed run, as torchrun's environment variables describe them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mtbert.distributed.processes import ALONE, Processes
from mtbert.errors import UserError, shown

__all__ = ["join_processes"]


@contextmanager
def join_processes() -> Iterator[Processes]:
    """The processes that torchrun launched together with this one; alone without it.

    Raises:
        UserError: its environment variables are not numbers.
        TrainingError: the other processes cannot be reached.
    """
    rank, size, local_rank = _launched_as(os.environ)
    if size == 1:
        yield ALONE
        return
    from mtbert.distributed.process_group import join_group  # imports torch

    with join_group(rank, size, local_rank) as group:
        yield group


def _launched_as(environment: Mapping[str, str]) -> tuple[int, int, int]:
    """Rank, world size and local rank, from torchrun's variables."""
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
