"""Conversion between our tensors and those of a Hugging Face checkpoint, strict both ways.

A family's names are one table of rules, read from left to right to save and from right to left to
load.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mtbert.model.tensors import mismatches, unusable

__all__ = ["Matched", "NameTable", "from_checkpoint", "to_checkpoint"]

_LEAVES = ("weight", "bias")


@dataclass(frozen=True, slots=True)
class NameTable:
    """Names of a family of encoders.

    Attributes:
        rules: module names: ours, and the checkpoint's; several of the checkpoint's are one of
            ours, joined along rows. `{}` stands for the number of a layer.
        prefix: what a checkpoint may put before every name.
        ignored: names of tensors that are of no use to an encoder.
        optional: what the names of modules begin with that a checkpoint may lack as a whole.
    """

    rules: tuple[tuple[str, tuple[str, ...]], ...]
    prefix: str
    ignored: re.Pattern[str]
    optional: str


@dataclass(frozen=True, slots=True)
class Matched:
    """A checkpoint's tensors by our names, and what does not fit.

    Attributes:
        tensors: ours, joined, as far as they are there and usable.
        problems: what is missing, unexpected or unusable.
        ignored: keys of the checkpoint that were not used.
        lacks_optional: whether the modules that may be missing are.
    """

    tensors: dict[str, Tensor]
    problems: list[str]
    ignored: list[str]
    lacks_optional: bool


def from_checkpoint(
    names: NameTable, tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> Matched:
    """Rename and join a checkpoint's tensors.

    Args:
        names: of the family.
        tensors: by the checkpoint's keys.
        expected: our parameters, of which names and shapes are read.
    """
    theirs: dict[str, Tensor] = {}
    problems: list[str] = []
    ignored: list[str] = []
    for key, tensor in tensors.items():
        name = _modern(key.removeprefix(names.prefix))
        if names.ignored.fullmatch(name):
            ignored.append(key)
        elif name in theirs:
            problems.append(f"{key}: occurs twice, under an old and a new name")
        else:
            theirs[name] = tensor
    lacks_optional = not any(name.startswith(names.optional) for name in theirs)
    ours: dict[str, Tensor] = {}
    missing: list[str] = []
    wrong: list[str] = []
    for our_name, their_names in _pairs(names, expected):
        lacking = [name for name in their_names if name not in theirs]
        missing += lacking
        parts = {name: theirs.pop(name) for name in their_names if name not in lacking}
        whole = expected[our_name]
        part = whole[: len(whole) // len(their_names)]
        unfit = mismatches(parts, dict.fromkeys(parts, part)) or unusable(parts)
        wrong += unfit
        if not lacking and not unfit:
            ours[our_name] = torch.cat(list(parts.values()))
    if lacks_optional:
        missing = [name for name in missing if not name.startswith(names.optional)]
    problems += [f"{name}: missing" for name in missing]
    problems += [f"{name}: unexpected" for name in sorted(theirs)]
    return Matched(ours, problems + wrong, ignored, lacks_optional)


def to_checkpoint(names: NameTable, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our tensors by the checkpoint's names, on the CPU, none of them in another's memory."""
    theirs = {}
    for our_name, their_names in _pairs(names, ours):
        parts = ours[our_name].detach().cpu().chunk(len(their_names))
        for name, part in zip(their_names, parts, strict=True):
            theirs[name] = part.contiguous().clone()
    return theirs


def _pairs(names: NameTable, ours: Mapping[str, Tensor]) -> list[tuple[str, tuple[str, ...]]]:
    """Our name and the checkpoint's for each of our tensors, in the order of the rules."""
    layers = 1 + max(int(n.split(".")[1]) for n in ours if n.startswith("layers."))
    return [
        (f"{our.format(layer)}.{leaf}", tuple(f"{their.format(layer)}.{leaf}" for their in theirs))
        for our, theirs in names.rules
        for layer in (range(layers) if "{}" in our else (None,))
        for leaf in _LEAVES
        if f"{our.format(layer)}.{leaf}" in ours
    ]


def _modern(name: str) -> str:
    """Names of norms as they have been since 2019."""
    name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
    return re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)
