"""The public model class: texts in, predictions out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

import torch

from mtbert.config.tasks import TaskSettings
from mtbert.config.training import Precision
from mtbert.data.inputs import Question
from mtbert.data.tokenizer import Tokenizer
from mtbert.errors import UserError, shown
from mtbert.hardware.device import compute_dtype, usable_device
from mtbert.inference.answering import Answerer, Answers
from mtbert.inference.text_model import TextModel
from mtbert.io.bounded import expanded, is_file, is_folder
from mtbert.model.compatibility import check_compatible
from mtbert.model.hub import locate
from mtbert.model.layers import keep_casts
from mtbert.model.network import MultitaskNetwork
from mtbert.model.saved import load_network, saved_precision

__all__ = ["MultitaskModel"]


class MultitaskModel(TextModel):
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
            UserError: not a model of mtbert, or damaged; no such device or precision, or no thread.
        """
        if precision not in get_args(Precision):
            known = ", ".join(get_args(Precision))
            raise UserError(f"precision: found {shown(precision)}, expected one of {known}")
        if threads is not None:
            if type(threads) is not int or threads < 1:
                raise UserError(f"threads: found {shown(threads)}, expected 1 or more")
            torch.set_num_threads(threads)
        place = usable_device(device)
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
        model = cls(network.to(place), tokenizer, max_length)
        if precision == "auto":
            precision = saved_precision(folder)
        model.compute_in(compute_dtype(precision, place))
        return model

    def compute_in(self, dtype: torch.dtype) -> None:
        """Set the precision of the encoder; its weights are cast once, as they are now."""
        self.network.trunk.compute_in(dtype)
        keep_casts(self.network.trunk, dtype)

    @property
    def task_settings(self) -> dict[str, TaskSettings]:
        """Of each task, by name."""
        return self.network.tasks

    def answerer(
        self, tasks: Mapping[str, TaskSettings], write: Callable[[Question, Answers], None]
    ) -> Answerer:
        """What answers rows one after another; see `Answerer`."""
        return Answerer([self], tasks, write)


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
