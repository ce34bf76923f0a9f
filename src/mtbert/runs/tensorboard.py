"""Logged records → TensorBoard files (extra `tensorboard`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtbert.errors import UserError

__all__ = ["require_tensorboard", "tensorboard_log"]


def require_tensorboard() -> None:
    """Refuse early.

    Raises:
        UserError: the extra is not installed.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        raise UserError(
            "training.tensorboard: not installed; run: pip install 'mtbert[tensorboard]'"
        ) from None


@contextmanager
def tensorboard_log(folder: Path) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A function that writes every number of a record under `kind/path/to/number`."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder))

    def log(record: Mapping[str, Any]) -> None:
        for tag, value in _numbers(str(record["kind"]), record):
            writer.add_scalar(tag, value, record["step"])

    try:
        yield log
    finally:
        writer.close()


def _numbers(prefix: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key not in ("kind", "step"):
                yield from _numbers(f"{prefix}/{key}", item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield prefix, float(value)
