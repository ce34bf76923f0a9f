"""Conversion between our tensors and those of a Hugging Face checkpoint, strict both ways.

A family's names are one table of rules, read from left to right to save and from right to left to
load. What a checkpoint puts before every name (`bert.`, `module.`, `model.bert.`, `0.auto_model.`)
is found by the one tensor that every encoder has once; what stands beside the encoder then is a
head or another part of the model it came from, and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
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
        prefix: what a checkpoint usually puts before every name, or before some.
        anchor: the tensor by which any other prefix is found.
        parts: what the names of the encoder's own tensors begin with.
        ignored: names of tensors that are of no use to an encoder: constants, and heads that stand
            beside its parts where there is no prefix.
        optional: what the names of modules begin with that a checkpoint may lack as a whole.
        tied: the names of tensors that may be missing, each with the name of an equal one.
        others: families whose tensors have the same names but mean something else.
    """

    rules: tuple[tuple[str, tuple[str, ...]], ...]
    prefix: str
    anchor: str
    parts: tuple[str, ...]
    ignored: re.Pattern[str]
    optional: str
    tied: Mapping[str, str]
    others: frozenset[str]


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
    prefix = _prefix(names, tensors)
    if isinstance(prefix, list):
        return Matched({}, prefix, [], lacks_optional=False)
    theirs: dict[str, Tensor] = {}
    problems: list[str] = []
    ignored: list[str] = []
    for key, tensor in tensors.items():
        name = _name(names, prefix, key)
        if name is None or names.ignored.fullmatch(name):
            ignored.append(key)
        elif name in theirs:
            problems.append(f"{key}: occurs twice, under an old and a new name")
        else:
            theirs[name] = tensor
    for name, equal in names.tied.items():
        keys = [key for key in ignored if key.endswith(equal)]
        if name not in theirs and len(keys) == 1:
            theirs[name] = tensors[keys[0]]
            ignored.remove(keys[0])
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
    if missing and not ours:
        found = ", ".join(list(tensors)[:3])
        problems.append(f"none of the expected names; found {len(tensors)} such as {found}")
    problems += [f"{name}: missing" for name in missing]
    problems += [f"{name}: unexpected" for name in sorted(theirs)]
    return Matched(ours, problems + wrong, ignored, lacks_optional)


def _prefix(names: NameTable, keys: Iterable[str]) -> str | list[str]:
    """What stands before the encoder's names in a checkpoint, or why none can be chosen."""
    found = sorted(
        key.removesuffix(names.anchor)
        for key in keys
        if key == names.anchor or key.endswith(f".{names.anchor}")
    )
    if len(found) > 1 and found != ["", names.prefix]:
        return [
            f"{len(found)} encoders ({', '.join(found)}), expected one; save the one to use alone"
        ]
    prefix = found[-1] if found else names.prefix
    family = prefix.rstrip(".").rpartition(".")[2]
    if family in names.others:
        return [f"{prefix}{names.anchor}: tensors of {family}, which computes otherwise"]
    return prefix


def _name(names: NameTable, prefix: str, key: str) -> str | None:
    """The encoder's own name of a tensor; None for one of another part of the model."""
    inside = key.startswith(prefix)
    name = _modern(key.removeprefix(prefix))
    if prefix == "":
        return name.removeprefix(names.prefix)
    if not inside and (prefix != names.prefix or not name.startswith(names.parts)):
        return None
    return name


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
