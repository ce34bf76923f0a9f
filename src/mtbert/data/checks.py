"""What is odd about data sets that can be read: repeats, contradictions, classes that are empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mtbert.config.tasks import TaskSettings
from mtbert.data.datasets import DataSet
from mtbert.data.leaks import leaked
from mtbert.data.tokenizer import Tokenizer
from mtbert.data.unknown import unknown_share

__all__ = [
    "contradictions",
    "empty_classes",
    "only_value",
    "remarks",
    "repeats",
    "shared_with_other_tasks",
    "some",
]

_SHOWN = 3
_NAMES = 6


def remarks(
    task: TaskSettings, set_name: str, found: DataSet, tokenizer: Tokenizer, train: DataSet | None
) -> list[str]:
    """What is odd about one set, a line each; nothing of it keeps a run from starting.

    Args:
        task: whose set it is.
        set_name: train, test or the name of a dev set.
        found: the set.
        tokenizer: of the encoder.
        train: the training set of the task, unless this is it.
    """
    lines = []
    if number := len(repeats(found.keys)):
        lines.append(f"{number} examples repeat the texts of another one in this file")
    clashes = contradictions(found.keys, found.inputs.labels)
    if clashes:
        ids = "; ".join(", ".join(found.ids[i] for i in group[:4]) for group in clashes[:_SHOWN])
        more = "; …" if len(clashes) > _SHOWN else ""
        lines.append(f"{len(clashes)} texts occur with different labels: rows {ids}{more}")
    if names := empty_classes(task, found.inputs.labels):
        effect = "cannot be learned" if set_name == "train" else "are not measured here"
        lines.append(f"no example of {some(names)}: such classes {effect}")
    if (value := only_value(task, found.inputs.labels)) is not None:
        effect = (
            "nothing can be learned" if set_name == "train" else "no correlation can be measured"
        )
        lines.append(f"every label is {value:g}: {effect}")
    if train is not None and (number := len(leaked(train.keys, found.keys))):
        lines.append(f"{number} of these are also in train")
    share = unknown_share(found.inputs, tokenizer)
    if share >= 0.001:
        lines.append(f"{share:.1%} of the tokens are unknown to the encoder's vocabulary")
    return lines


def repeats(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Positions of examples whose texts stand further up in the same file."""
    _, first = np.unique(keys, return_index=True)
    return np.setdiff1d(np.arange(len(keys)), first)


def contradictions(
    keys: NDArray[np.uint64], labels: NDArray[np.float64]
) -> list[NDArray[np.int64]]:
    """Positions of examples with the same texts, by text, where their labels differ.

    Args:
        keys: `[examples]`, see `leaks.text_keys`: pairs in either order are the same.
        labels: `[examples]` or `[examples, labels]`; NaN where there is none.
    """
    if np.isnan(labels).all():
        return []
    order = np.argsort(keys, kind="stable")
    ends = np.flatnonzero(np.diff(keys[order])) + 1
    table = labels.reshape(len(labels), -1)
    groups = [group for group in np.split(order, ends) if len(group) > 1]
    return [group for group in groups if (table[group] != table[group[0]]).any()]


def empty_classes(task: TaskSettings, labels: NDArray[np.float64]) -> list[str]:
    """Names of classes, or labels, that no example has; none where there are no labels at all."""
    if np.isnan(labels).all() or not task.class_names:
        return []
    if labels.ndim == 2:
        counts = labels.sum(axis=0)
    else:
        counts = np.bincount(labels.astype(np.int64), minlength=len(task.class_names))
    return [name for name, count in zip(task.class_names, counts, strict=True) if not count]


def only_value(task: TaskSettings, labels: NDArray[np.float64]) -> float | None:
    """The number that all of several examples have, None where they differ or are classes."""
    if not task.kind.is_regression or len(labels) < 2 or (labels != labels[0]).any():
        return None
    return float(labels[0])


def some(names: Sequence[str]) -> str:
    """The first names, and how many there are where these are not all."""
    more = f", … ({len(names)} in all)" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def shared_with_other_tasks(sets: Mapping[str, Mapping[str, DataSet]]) -> list[str]:
    """Texts of a task's dev sets that another task trains on and this one does not, a line each.

    Args:
        sets: the data sets by task and name of the set.
    """
    lines = []
    for task, own in sets.items():
        for other, theirs in sets.items():
            if task == other or "train" not in theirs:
                continue
            for name, found in own.items():
                if name == "train":
                    continue
                keys = found.keys
                if "train" in own:
                    keys = np.setdiff1d(keys, own["train"].keys)
                number = int(np.isin(np.unique(keys), theirs["train"].keys).sum())
                if number:
                    lines.append(f"{number} texts of {task} {name} are in the train set of {other}")
    return lines
