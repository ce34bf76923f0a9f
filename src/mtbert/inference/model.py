"""The public model class: texts in, predictions out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from mtbert.config.tasks import TaskSettings
from mtbert.config.training import Precision
from mtbert.data.inputs import Question
from mtbert.data.tokenizer import Tokenizer
from mtbert.errors import UserError, shown
from mtbert.hardware.device import compute_dtype
from mtbert.inference.answering import Answerer, Answers
from mtbert.io.bounded import expanded, is_file, is_folder
from mtbert.model.compatibility import check_compatible
from mtbert.model.hub import locate
from mtbert.model.layers import keep_casts
from mtbert.model.network import MultitaskNetwork
from mtbert.model.saved import load_network, saved_precision
from mtbert.objectives.base import Prediction

__all__ = ["MultitaskModel"]

Texts = Iterable[str] | Iterable[tuple[str, str]]

COLUMNS = {"text": "text", "text2": "text2"}
"""What a text, or a pair of texts, is called where it comes from no file."""


class MultitaskModel:
    """Encoder, heads and tokenizer of a finished run.

    Attributes:
        network: the encoder and the heads.
        tokenizer: of the encoder.
        max_length: longer sequences are cut.
    """

    def __init__(self, network: MultitaskNetwork, tokenizer: Tokenizer, max_length: int) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.max_length = max_length

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        *,
        device: str = "cpu",
        revision: str | None = None,
        precision: Precision = "auto",
        threads: int | None = None,
    ) -> MultitaskModel:
        """Read a run's model folder, a run folder, or a Hub id of one.

        Args:
            source: which.
            device: where it computes, such as `cuda`.
            revision: of a Hub id.
            precision: of the encoder; `auto`, as for `mtbert predict`, is what the run asked for,
                and if it left that open, bf16 where the device is faster by it, else fp32.
            threads: that torch computes with, in all of this process; None: as it is set.

        Raises:
            UserError: not a model of mtbert, or damaged; no such precision, or no thread.
        """
        if precision not in get_args(Precision):
            known = ", ".join(get_args(Precision))
            raise UserError(f"precision: found {shown(precision)}, expected one of {known}")
        if threads is not None:
            if not isinstance(threads, int) or threads < 1:
                raise UserError(f"threads: found {shown(threads)}, expected 1 or more")
            torch.set_num_threads(threads)
        folder = expanded(str(source))
        if not is_folder(folder):
            folder = _found(str(source), revision)
        if is_file(folder / "model" / "mtbert.json"):
            folder = folder / "model"
        network, max_length = load_network(folder)
        tokenizer = Tokenizer.from_folder(folder)
        check_compatible(
            network.encoder.config,
            network.tasks,
            max_length=max_length,
            vocabulary_size=tokenizer.vocabulary_size,
            source=str(folder),
        )
        model = cls(network.to(device), tokenizer, max_length)
        if precision == "auto":
            precision = saved_precision(folder)
        model.compute_in(compute_dtype(precision, torch.device(device)))
        return model

    def compute_in(self, dtype: torch.dtype) -> None:
        """Set the precision of the encoder; its weights are cast once, as they are now."""
        self.network.trunk.compute_in(dtype)
        keep_casts(self.network.trunk, dtype)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks."""
        return tuple(self.network.tasks)

    def predict(self, task: str, texts: Texts) -> list[Prediction]:
        """One prediction per text, or per pair of texts.

        Args:
            task: its name.
            texts: a list, tuple, generator, NumPy array or pandas Series of texts; of pairs of
                texts for a task on pairs.

        Raises:
            UserError: no such task; one bare text instead of a list; or something else than a text
                where a text is expected (None, NaN, a pair), or than a pair where a pair is.
        """
        if task not in self.network.tasks:
            raise UserError(f"no task {task!r}; this model has: {', '.join(self.tasks)}")
        return [answers[task] for answers in self._answers([task], texts)]

    def predict_all(self, texts: Texts) -> list[dict[str, Prediction]]:
        """The answers of every task that fits, by task, to each text or pair of texts.

        Texts are answered by the tasks on texts, pairs by those on pairs. A text is encoded once
        for all tasks that encode it alike.

        Raises:
            UserError: as `predict`; or no task takes what was given.
        """
        items = _listed(texts)
        pairs = bool(items) and not isinstance(items[0], str)
        trained = {n: t for n, t in self.network.tasks.items() if t.uses is None}
        names = [name for name, task in trained.items() if task.kind.is_pair == pairs]
        if not names:
            found, takes = ("pairs", "texts") if pairs else ("texts", "pairs of texts")
            raise UserError(f"found {found}, and all tasks of this model take {takes}")
        return self._answers(names, items)

    def answerer(
        self, tasks: Mapping[str, TaskSettings], write: Callable[[Question, Answers], None]
    ) -> Answerer:
        """What answers rows one after another; see `Answerer`."""
        return Answerer(self.network, self.tokenizer, self.max_length, tasks, write)

    def _answers(self, names: list[str], texts: Texts) -> list[dict[str, Prediction]]:
        tasks = {name: self.network.tasks[name].reading(COLUMNS) for name in names}
        is_pair = tasks[names[0]].kind.is_pair
        columns = tasks[names[0]].text_places
        found: list[dict[str, Prediction]] = []
        answerer = self.answerer(tasks, lambda _, answers: found.append(dict(answers)))
        for number, item in enumerate(_listed(texts)):
            parts = _parts(item)
            if parts is None or len(parts) != 1 + is_pair:
                expected = "pairs of texts" if is_pair else "texts"
                raise UserError(
                    f"task {names[0]!r} takes {expected}, found {shown(item)} at {number}"
                )
            question = Question(str(number), number, {columns: tuple(p.strip() for p in parts)})
            answerer.ask(question)
        answerer.flush()
        return found


def _found(source: str, revision: str | None) -> Path:
    """The folder of a Hub id.

    Raises:
        UserError: it is none; told as of a model, not of an encoder.
    """
    try:
        return locate(source, revision)
    except UserError as error:
        told = str(error).removeprefix("encoder.path: ")
        raise UserError(
            told.replace("give a folder, or 'packaged'", "give a run or a model's folder")
        ) from None


def _listed(texts: Texts) -> list[Any]:
    """The items of what was given.

    Raises:
        UserError: it is one text, or nothing that has items in an order.
    """
    if isinstance(texts, (str, bytes)):
        raise UserError(f"found one text, {shown(texts)}, expected a list of them: [text]")
    if hasattr(texts, "columns") and hasattr(texts, "itertuples"):
        raise UserError(
            "found a DataFrame, expected a list of texts, frame['text'], or of pairs of texts, "
            "list(zip(frame['text'], frame['text2']))"
        )
    if isinstance(texts, (Mapping, Set)) or not isinstance(texts, Iterable):
        raise UserError(
            f"found {type(texts).__name__}, expected a list of texts, or of pairs of texts"
        )
    return [item.tolist() if isinstance(item, np.ndarray) else item for item in texts]


def _parts(item: object) -> tuple[str, ...] | None:
    """The texts of an item; None if it is no text, and no pair of them."""
    if isinstance(item, str):
        return (item,)
    if not isinstance(item, (tuple, list)) or not all(isinstance(part, str) for part in item):
        return None
    return tuple(item) if len(item) == 2 else None
