"""Safetensors files, read within bounds, and strict checks of tensors against those expected."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from mtbert.errors import UserError
from mtbert.io.bounded import open_regular

__all__ = ["float32_copies", "mismatches", "read_tensors", "unusable"]

_LARGEST_HEADER = 4 << 20  # bytes; BERT-large needs 40,000
_READABLE = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def read_tensors(file: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file.

    Raises:
        UserError: missing or damaged.
    """
    try:
        with open_regular(file) as stream:
            header = int.from_bytes(stream.read(8), "little")
        if header > _LARGEST_HEADER:
            raise ValueError(f"a header of {header} bytes, expected at most {_LARGEST_HEADER}")
        return load_file(file)
    except FileNotFoundError:
        raise UserError(f"{file}: no such file") from None
    except UserError:
        raise
    except Exception as error:  # torch raises many kinds for shapes that cannot be
        raise UserError(f"{file}: not a valid safetensors file: {error}") from None


def float32_copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies in float32, in memory that is aligned and not the file's.

    Some kernels round otherwise for memory that is aligned otherwise, so the same weights from
    another place in a file would give other last digits.
    """
    return {name: tensor.to(torch.float32, copy=True) for name, tensor in tensors.items()}


def mismatches(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Names that are missing or unexpected, and shapes that differ; the order does not matter."""
    problems = [f"{name}: missing" for name in expected if name not in found]
    problems += [f"{name}: unexpected" for name in found if name not in expected]
    return problems + [
        f"{name}: shape {list(found[name].shape)}, expected {list(tensor.shape)}"
        for name, tensor in expected.items()
        if name in found and found[name].shape != tensor.shape
    ]


def unusable(tensors: Mapping[str, Tensor]) -> list[str]:
    """Tensors that cannot be weights: not floating point, or not finite."""
    problems = []
    for name, tensor in tensors.items():
        if tensor.dtype not in _READABLE:
            problems.append(f"{name}: {tensor.dtype}, expected floating point")
        elif not torch.isfinite(tensor.to(torch.float32)).all():
            problems.append(f"{name}: holds NaN or infinity")
    return problems
