"""The public model class: texts in, predictions out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtbert.data.examples import Example
from mtbert.data.tokenizer import Tokenizer
from mtbert.errors import UserError
from mtbert.inference.predict import predict_stream
from mtbert.io.bounded import is_file, is_folder
from mtbert.model.compatibility import check_compatible
from mtbert.model.hub import locate
from mtbert.model.network import MultitaskNetwork
from mtbert.model.saved import load_network
from mtbert.objectives.base import Prediction

__all__ = ["MultitaskModel"]


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
        cls, source: str | Path, *, device: str = "cpu", revision: str | None = None
    ) -> MultitaskModel:
        """Read a run's model folder, a run folder, or a Hub id of one.

        Raises:
            UserError: not a model of mtbert, or damaged.
        """
        folder = Path(source)
        if not is_folder(folder):
            folder = locate(str(source), revision)
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
        return cls(network.to(device), tokenizer, max_length)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks."""
        return tuple(self.network.tasks)

    def predict(
        self, task: str, texts: Sequence[str] | Sequence[tuple[str, str]]
    ) -> list[Prediction]:
        """One prediction per text, or per pair of texts.

        Raises:
            UserError: no such task, or texts where pairs are expected (or the reverse).
        """
        if task not in self.network.tasks:
            raise UserError(f"no task {task!r}; this model has: {', '.join(self.tasks)}")
        is_pair = self.network.tasks[task].kind.is_pair
        examples = []
        for number, item in enumerate(texts):
            parts = (item,) if isinstance(item, str) else tuple(item)
            if len(parts) != 1 + is_pair or not all(isinstance(part, str) for part in parts):
                expected = "pairs of texts" if is_pair else "texts"
                raise UserError(f"task {task!r} takes {expected}, found {item!r} at {number}")
            examples.append(Example(str(number), tuple(p.strip() for p in parts), None, number))
        stream = predict_stream(self.network, task, examples, self.tokenizer, self.max_length)
        return [prediction for _, prediction in stream]
