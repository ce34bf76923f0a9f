"""Predictions on dev sets, in the compact form that reports need. No torch."""

from __future__ import annotations

import base64
import hashlib
import json
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from mtbert.config.settings import Settings
from mtbert.errors import UserError
from mtbert.io import atomic
from mtbert.io.bounded import read_json, read_lines

__all__ = [
    "LARGEST",
    "DevPredictions",
    "StoredPredictions",
    "load_predictions",
    "read_predictions",
    "store_predictions",
]

Array = NDArray[np.float64]

LARGEST = 32 << 20
"""Bytes of a record or of its labels, more than a run of a thousand epochs needs."""

_MOST_THOUSANDTHS = np.iinfo(np.int16).max

_STRICT = ConfigDict(strict=True, extra="ignore")


@dataclass(frozen=True, slots=True, eq=False)
class DevPredictions:
    """Labels and predictions on a task's dev set.

    Attributes:
        digest: hash of ids and labels in order; predictions of equal digest can be paired.
        gold: `[rows]`, class numbers or values; of several labels `[rows, labels]`, 0 or 1.
        predicted: likewise; values are rounded as `_compact` says.
        probability: `[rows]`, of the second of two classes, rounded to 1/255 (for `mse` the
            output, clipped to 0 to 1); None for other tasks.
    """

    digest: str
    gold: Array
    predicted: Array
    probability: Array | None

    @property
    def constant(self) -> bool:
        """Whether all rows have the same prediction: nothing has been learned."""
        return bool((self.predicted == self.predicted[0]).all())


class StoredPredictions(BaseModel):
    """As a record has them: the digest of the labels, and predictions in base 64.

    `predicted` are thousandths as whole numbers of two bytes, or with `floats` float32. With
    `sets`, the number of labels, they are one bit for each row and label.
    """

    model_config = _STRICT

    labels: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    predicted: str
    floats: bool = False
    sets: Annotated[int, Field(ge=1, le=100_000)] | None = None
    probability: str | None = None


class _Labels(BaseModel):
    model_config = _STRICT

    labels: Annotated[list[float] | list[list[int]], Field(min_length=1)]
    """Class numbers or values; of several labels, the numbers of those given."""


def store_predictions(rows: DevPredictions, folder: Path) -> dict[str, str | bool | int]:
    """Predictions as a record has them; their labels are written into the folder once."""
    labels = folder / f"labels-{rows.digest}.json"
    if not labels.is_file():
        atomic.write_text(labels, json.dumps({"labels": _plain(rows.gold)}) + "\n")
    stored: dict[str, str | bool | int] = {"labels": rows.digest}
    if rows.gold.ndim > 1:
        packed = np.packbits(rows.predicted == 1).astype(np.float64)
        stored |= {"predicted": _encode(packed, 1, "u1"), "sets": rows.gold.shape[1]}
    elif _fit_thousandths(rows.gold, rows.predicted):
        stored["predicted"] = _encode(rows.predicted, 1000, "<i2")
    else:
        stored |= {"predicted": _encode(rows.predicted, 1, "<f4"), "floats": True}
    if rows.probability is not None:
        stored["probability"] = _encode(rows.probability, 255, "u1")
    return stored


def load_predictions(path: Path, found: StoredPredictions) -> DevPredictions:
    """The predictions of a record, with the labels from the file beside it.

    Raises:
        UserError: the labels are not there, or do not fit.
    """
    file = path.with_name(f"labels-{found.labels}.json")
    try:
        labels = _Labels.model_validate(read_json(file, LARGEST)).labels
    except FileNotFoundError:
        raise UserError(
            f"{file}: not there. It holds the labels of the dev set, which belong to the data and "
            "may be kept apart from the results; exporting a run on the same data writes it anew"
        ) from None
    try:
        gold = _sets(labels, found.sets) if found.sets else _flat(labels)
        predicted = _answers(found, len(labels))
        probability = None if found.probability is None else _decode(found.probability, 255, "u1")
    except (ValueError, TypeError, IndexError) as error:
        raise UserError(f"{path}: damaged record: {error}") from None
    for values in (predicted, probability):
        if values is not None and len(values) != len(gold):
            raise UserError(f"{path}: damaged record: {len(values)} rows, {len(gold)} labels")
    return DevPredictions(found.labels, gold, predicted, probability)


def _answers(found: StoredPredictions, rows: int) -> Array:
    """The predictions of a record, `[rows]` or `[rows, labels]`.

    Raises:
        ValueError: they are damaged.
    """
    if found.sets is None:
        scale, kind = (1, "<f4") if found.floats else (1000, "<i2")
        return _decode(found.predicted, scale, kind)
    packed = _decode(found.predicted, 1, "u1").astype(np.uint8)
    bits = np.unpackbits(packed)
    if len(packed) != -(-rows * found.sets // 8):
        raise ValueError(f"{len(bits)} answers, {rows} rows of {found.sets} labels")
    return bits[: rows * found.sets].reshape(rows, found.sets).astype(np.float64)


def _flat(values: Sequence[Any]) -> Array:
    """Class numbers or values.

    Raises:
        ValueError: they are lists.
    """
    found = np.array(values, np.float64)
    if found.ndim > 1:
        raise ValueError("several labels a row, and predictions of one")
    return found


def _sets(rows: Sequence[Any], labels: int) -> Array:
    """Numbers of the labels that are given as `[rows, labels]`, 0 or 1.

    Raises:
        IndexError: there is no label of a number, or
        TypeError: a row is no list of numbers.
    """
    wide = np.zeros((len(rows), labels))
    for row, numbers in zip(wide, rows, strict=True):
        for number in map(operator.index, numbers):
            if number < 0:
                raise IndexError(f"label {number}")
            row[number] = 1
    return wide


def read_predictions(path: Path, settings: Settings, task: str) -> DevPredictions:
    """The predictions in a run's file of predictions.

    Raises:
        UserError: it is damaged.
    """
    answers = list(read_lines(path))
    try:
        kind, names = settings.tasks[task].kind, settings.tasks[task].class_names
        binary = len(names) == 2 and not kind.is_multilabel
        told = [_probability(answer, names) for answer in answers] if binary else None
        text = "\n".join(f"{answer['id']}\t{answer['gold']}" for answer in answers)
        given = ([answer[key] for answer in answers] for key in ("gold", "prediction"))
        gold, predicted = (
            _sets(part, len(names)) if kind.is_multilabel else np.array(part, np.float64)
            for part in given
        )
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path}: damaged predictions: {error!r}") from None
    if not len(gold):
        raise UserError(f"{path}: damaged predictions: no row")
    return DevPredictions(
        hashlib.sha256(text.encode()).hexdigest()[:12],
        gold,
        predicted if kind.is_multilabel else _compact(gold, _known(predicted)),
        None
        if told is None
        else np.rint(255 * np.clip(_known(np.array(told, np.float64)), 0, 1)) / 255,
    )


def _probability(answer: Mapping[str, Any], names: Sequence[str]) -> float:
    """Of the second of two classes; the output itself where there is one output (`mse`)."""
    if "probabilities" in answer:
        return float(answer["probabilities"][names[1]])
    return float(answer["score"])


def _known(values: Array) -> Array:
    """Non-finite values as zeros; the score of such a run is undefined anyway."""
    return np.nan_to_num(values, posinf=0.0, neginf=0.0)


def _compact(gold: Array, predicted: Array) -> Array:
    """Predictions as a record can hold them: thousandths where those fit, else float32."""
    if _fit_thousandths(gold, predicted):
        return np.rint(1000 * predicted) / 1000
    return predicted.astype(np.float32).astype(np.float64)


def _fit_thousandths(gold: Array, predicted: Array) -> bool:
    """Whether no answer is clipped, and rounding is small beside what answers are measured by.

    Half a thousandth is small where the labels reach over one unit or more, as classes do.
    """
    reach = np.ptp(gold) if len(gold) > 1 else 1.0
    whole = bool((predicted == np.rint(predicted)).all())
    return bool(np.abs(predicted).max() <= _MOST_THOUSANDTHS / 1000) and (whole or reach >= 1)


def _plain(values: Array) -> list[Any]:
    if values.ndim > 1:
        return [np.flatnonzero(row).tolist() for row in values]
    return [int(v) if v.is_integer() else v for v in values.tolist()]


def _encode(values: Array, scale: float, kind: str) -> str:
    scaled = values if kind == "<f4" else np.rint(values * scale)
    return base64.b64encode(scaled.astype(kind).tobytes()).decode("ascii")


def _decode(text: str, scale: float, kind: str) -> Array:
    return np.frombuffer(base64.b64decode(text, validate=True), kind).astype(np.float64) / scale
