"""Conversion of an old pickled `pytorch_model.bin` to safetensors."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from mtbert.errors import UserError
from mtbert.io import atomic
from mtbert.io.bounded import open_regular

__all__ = ["convert_legacy"]


def convert_legacy(file: Path, output: Path) -> int:
    """Write the tensors of a `pytorch_model.bin` as safetensors; returns their number.

    The pickle is read by torch's restricted unpickler, which builds tensors and nothing else.

    Raises:
        UserError: it holds anything else, or cannot be read.
    """
    try:
        size = _refuse_compressed(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{file}: no such file") from None
    except Exception as error:  # the unpickler raises many kinds, all meaning "not safe or broken"
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{file}: refused, not a plain file of tensors: {reason}") from None
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise UserError(f"{file}: expected tensors by name")
    _check_dense(file, size, list(state.values()))
    tensors = {str(name): tensor.clone().contiguous() for name, tensor in state.items()}
    with atomic.new_folder(output.with_name(output.name + ".parts")) as part:
        save_file(tensors, part / "tensors", {"format": "pt"})
        (part / "tensors").replace(output)
    output.with_name(output.name + ".parts").rmdir()
    return len(tensors)


def _refuse_compressed(file: Path) -> int:
    """The size of a file; torch writes parts uncompressed, so they are no larger than the whole."""
    with open_regular(file) as stream:
        size = stream.seek(0, 2)
        if zipfile.is_zipfile(stream):
            with zipfile.ZipFile(stream) as archive:
                if sum(part.file_size for part in archive.infolist()) > size:
                    raise UserError(f"{file}: refused, its parts are larger than the file")
    return size


def _check_dense(file: Path, size: int, tensors: Sequence[Tensor]) -> None:
    """Refuse tensors that would fill memory when they are written out.

    One with a stride of zero shows a few stored numbers as if they were billions; tied weights
    are met twice, which four times the file's size leaves room for.
    """
    if any(tensor.layout != torch.strided or tensor.is_quantized for tensor in tensors):
        raise UserError(f"{file}: refused, expected dense tensors")
    if sum(tensor.numel() * tensor.element_size() for tensor in tensors) > 4 * size:
        raise UserError(f"{file}: refused, its tensors are far larger than the file")
