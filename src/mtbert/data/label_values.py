"""What a label cell means to a task: a class, a number, or a set of labels."""

from __future__ import annotations

import itertools
import math
import re
import unicodedata

from mtbert.config.fields import LARGEST_LABEL
from mtbert.config.labels import label_value, values_of
from mtbert.config.tasks import TaskSettings
from mtbert.data.label_lists import label_numbers
from mtbert.errors import shown

__all__ = ["Label", "expected_label", "parse_label"]

Label = float | tuple[float, ...]

_MISSING = {"nan", "na", "n/a", "#n/a", "none", "null", "<na>", "-", "?"}
"""What other programs write where a value is missing, in lower case."""


def parse_label(task: TaskSettings, text: str) -> Label:
    """A class number, a regression value, or a 0 or 1 for each of several labels.

    Classes are found by their name, in whichever of Unicode's forms its accents are; if all names
    are numbers or true/false, by its value, however it is spelled; if none is, by the class's
    number.

    Raises:
        ValueError: not a label of this task; the message says what was found and expected.
    """
    if task.kind.is_multilabel:
        chosen = label_numbers(task.class_names, text, task.label_separator)
        return tuple(float(number in chosen) for number in range(len(task.class_names)))
    if task.kind.is_classification:
        names = task.class_names
        if text in names:
            return names.index(text)
        value, values = label_value(text), values_of(names)
        if values is not None and value in values:
            return values.index(value)
        if _counts_classes(task) and value in range(len(names)):
            return int(value)
        for number, name in enumerate(names):
            if unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", text):
                return number
    elif abs(value := _number(text, task.format.decimal)) <= LARGEST_LABEL:
        low, high = task.range or (-math.inf, math.inf)
        if low <= value <= high:
            return value
    advice = _advice(text, value) if task.kind.is_regression else _missing(text)
    raise ValueError(f"label {shown(text)}, expected {expected_label(task)}{advice}")


def _advice(text: str, value: float) -> str:
    """What may be meant by a cell that is no label of a regression, to follow what is expected."""
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+", text):
        return "; write thousands without a comma; decimals behind one: `format: {decimal: comma}`"
    if re.fullmatch(r"[-+]?\d+,\d+", text):
        return "; decimals behind a comma: `format: {decimal: comma}`"
    if math.isfinite(value) and abs(value) > LARGEST_LABEL:
        return f", at most {LARGEST_LABEL:g} in size"
    return _missing(text)


def _missing(text: str) -> str:
    """What to do with a cell that says that there is no label."""
    if text.lower() not in _MISSING:
        return ""
    return "; without a label leave the row out, or in a file of several tasks the cell blank"


def expected_label(task: TaskSettings) -> str:
    """What the label column of a task may hold, for messages."""
    if task.kind.is_multilabel:
        return "1 or 0 in each column of a label"
    if task.kind.is_classification:
        names = task.class_names
        first = ", ".join(itertools.islice(names, 6)) + (", …" if len(names) > 6 else "")
        number = f" or a number from 0 to {len(names) - 1}" if _counts_classes(task) else ""
        return f"one of {first}{number}"
    if task.range is not None:
        return f"a number from {task.range[0]:g} to {task.range[1]:g}"
    return "a number with a comma" if task.format.decimal == "comma" else "a number"


def _counts_classes(task: TaskSettings) -> bool:
    """Whether files may hold the numbers of the classes: not where a name is a number itself."""
    return all(math.isnan(label_value(name)) for name in task.class_names)


def _number(text: str, decimal: str) -> float:
    """The number that a text spells, NaN if none; Python's own `1_000` is none.

    Where a comma stands before the decimals, a point may be meant for thousands: such are none.
    """
    if decimal == "comma":
        text = "_" if "." in text else text.replace(",", ".")
    try:
        return math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan
