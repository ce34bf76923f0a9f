"""The index of weights that are split into several safetensors files. No torch.

model.safetensors.index.json    {"weight_map": {tensor: file}}
"""

from __future__ import annotations

from pathlib import Path

from mtbert.errors import UserError, shown
from mtbert.io.bounded import is_file, read_json

__all__ = ["INDEX", "WEIGHTS", "shards_of", "weight_map"]

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"


def shards_of(folder: Path) -> list[str]:
    """The names of the files of a folder's index, sorted; none where it has no index.

    Raises:
        UserError: the index is damaged, or names files outside the folder.
    """
    if not is_file(folder / INDEX) or is_file(folder / WEIGHTS):
        return []
    return sorted(set(weight_map(folder / INDEX).values()))


def weight_map(index: Path) -> dict[str, str]:
    """Which file of a folder each tensor is in, as its index says.

    Raises:
        UserError: the index is damaged, or names files outside the folder.
    """
    found = read_json(index).get("weight_map")
    if not isinstance(found, dict) or not found:
        raise UserError(f"{index}: damaged: no weight_map")
    for name in found.values():
        plain = isinstance(name, str) and name.isprintable() and Path(name).name == name
        if not plain or not name.endswith(".safetensors"):
            raise UserError(f"{index}: damaged: {shown(name)} is not the name of a shard")
    return found
