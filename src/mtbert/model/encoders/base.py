"""The encoder interface: pretrained weights, packed and padded forward pass, saving.

Shapes: T tokens of a batch whose sequences lie one after another, S sequences, R the slots they
lie in (T and a few empty ones, see `Layout`), W the hidden width.

Parameters are kept in float32; the forward pass computes in `compute_dtype`. Dropout is on when a
generator is given, and only then: there is no hidden training switch.
"""

from __future__ import annotations

import dataclasses
import importlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Generator, Tensor, nn

from mtbert.batch import TokenBatch
from mtbert.errors import UserError, problem_list
from mtbert.io import atomic
from mtbert.io.manifest import check_manifest
from mtbert.model.attention import Attention, Layout
from mtbert.model.encoders.config import EncoderConfig, read_config
from mtbert.model.encoders.files import read_weights
from mtbert.model.encoders.table import FAMILIES
from mtbert.model.encoders.weights import NameTable, from_checkpoint, to_checkpoint
from mtbert.model.hub import is_packaged, locate
from mtbert.model.tensors import float32_copies

__all__ = [
    "Encoder",
    "EncoderOutput",
    "LinearMap",
    "load_encoder",
    "read_encoder",
    "save_encoder",
]

_SHOWN = 20
"""Names of tensors in one message."""

_log = logging.getLogger(__name__)


class EncoderOutput(NamedTuple):
    """What the padded call returns, by the names of transformers.

    Attributes:
        last_hidden_state: `[batch, length, hidden]`, zero at masked positions.
        pooler_output: `[batch, hidden]`.
    """

    last_hidden_state: Tensor
    pooler_output: Tensor


class LinearMap(NamedTuple):
    """Where a linear map of every layer is found.

    Attributes:
        path: of the linear layer in the layer.
        number: which of the maps that lie side by side in its rows, from 0.
        parts: how many these are.
    """

    path: str
    number: int = 0
    parts: int = 1


class Encoder(nn.Module, ABC):
    """An embedding, a stack of layers, and a pooler over each sequence's first token.

    A family of encoders provides the parts; what is done with them is written here, once.

    Attributes:
        architecture: the class of transformers that reads what is saved.
        names: of the tensors, ours and the checkpoint's.
        linear_maps: of each layer, by the names that a configuration has for them.
        config: sizes and constants.
        compute_dtype: of the forward pass; None: that of the weights.
        bucketed: whether batches are padded to few sizes, see `Layout`.
        layers: each `(x [R, W], layout, generator, rows=None, addend=None) -> [R, W]`, or only
            these rows; an addend of the result's shape is added before the last norm.
    """

    architecture: ClassVar[str]
    names: ClassVar[NameTable]
    linear_maps: ClassVar[Mapping[str, LinearMap]]
    layers: nn.ModuleList

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.compute_dtype: torch.dtype | None = None
        self.bucketed = False

    @property
    @abstractmethod
    def token_table(self) -> nn.Embedding:
        """The vectors of the vocabulary, `[tokens, W]`."""

    @abstractmethod
    def embed(
        self,
        token_ids: Tensor,
        position_ids: Tensor,
        segment_ids: Tensor,
        generator: Generator | None,
    ) -> Tensor:
        """What the first layer reads: three times `[R]` → `[R, W]`."""

    @abstractmethod
    def pool(self, first: Tensor) -> Tensor:
        """Hidden states of first tokens `[S, W]` → pooled `[S, W]`."""

    @property
    @abstractmethod
    def above_layers(self) -> tuple[nn.Module, ...]:
        """The parts that stand above the last layer, such as the pooler."""

    @abstractmethod
    def initialise(self, generator: Generator, part: nn.Module | None = None) -> None:
        """Fresh weights, of a part or of the whole, drawn as the family's authors draw them."""

    def reinitialise(self, count: int, generator: Generator) -> None:
        """Fresh weights for the last `count` layers and for what stands above them.

        The layers nearest to the pretraining's own task may serve another one badly (Zhang et al.
        2021, Revisiting Few-sample BERT Fine-tuning, "Re-initializing BERT Pre-trained Layers").

        Raises:
            UserError: there are fewer layers.
        """
        if count > len(self.layers):
            raise UserError(
                f"encoder.reinitialise: found {count}, but the encoder has {len(self.layers)} "
                "layers"
            )
        for part in (*self.layers[-count:], *self.above_layers):
            self.initialise(generator, part)

    @classmethod
    def from_pretrained(cls, source: str, *, revision: str | None = None) -> Encoder:
        """Pretrained weights from a folder, a Hub id or `packaged`.

        Raises:
            UserError: not found, of an unsupported architecture, or its weights do not fit; the
                message says which.
        """
        return load_encoder(source, revision)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write a Hugging Face folder: `config.json` and `model.safetensors`."""
        save_encoder(self, Path(folder))

    def use_attention(self, kernel: str) -> None:
        """Let every layer compute attention by a kernel of `attention.KERNELS`."""
        for module in self.layers.modules():
            if isinstance(module, Attention):
                module.kernel = kernel

    def layout(self, batch: TokenBatch) -> Layout:
        """Where the sequences of a batch lie while this encoder encodes them."""
        return Layout(batch.lengths, batch.token_ids.device, bucketed=self.bucketed)

    def encode(
        self,
        token_ids: Tensor,
        segment_ids: Tensor,
        layout: Layout,
        generator: Generator | None = None,
        position_ids: Tensor | None = None,
        first_only: bool = False,
        last_layers: int = 1,
        layers: Sequence[nn.Module] | None = None,
    ) -> Tensor:
        """Hidden states of a packed batch.

        Args:
            token_ids: `[T]`.
            segment_ids: `[T]`.
            layout: where each sequence begins and ends.
            generator: source of the dropout; None: no dropout.
            position_ids: `[T]`; default: counted from 0 in each sequence.
            first_only: only the first tokens' states are wanted. The last layer then computes
                little more than the keys and values of the others.
            last_layers: the states of how many of the last layers are wanted.
            layers: in the place of the encoder's own, such as a task's copies of some.

        Returns:
            `[R, W]` in `compute_dtype`, of which `layout` says which slots hold tokens (the others
            hold nothing of meaning); with `first_only` `[S, W]`. Of several layers
            `[R, last_layers, W]` or `[S, last_layers, W]`, the last layer last.
        """
        if position_ids is None:
            position_ids = layout.position_of
        place = layout.place
        x = self.embed(place(token_ids), place(position_ids), place(segment_ids), generator)
        if self.compute_dtype is not None:
            x = x.to(self.compute_dtype)
        stack = self.layers if layers is None else layers
        last, kept = len(stack) - 1, []
        for number, layer in enumerate(stack):
            rows = layout.starts if first_only and number == last else None
            x = layer(x, layout, generator, rows)
            if number > last - last_layers:
                kept.append(x.index_select(0, layout.starts) if first_only and number < last else x)
        return x if last_layers == 1 else torch.stack(kept, 1)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> EncoderOutput:
        """The padded call of transformers, as a thin layer over the packed one.

        Position ids are column indices. The pooler reads each row's first real token
        (transformers reads column 0 even where it is masked). Dropout is on in training mode,
        seeded from torch's default generator.

        Args:
            input_ids: `[batch, length]`.
            attention_mask: `[batch, length]`, non-zero at real tokens; default: all are real.
            token_type_ids: `[batch, length]`; default: 0.

        Raises:
            ValueError: a row without a real token, or longer than the position table.
        """
        batch, length = input_ids.shape
        if length > self.config.max_position_embeddings:
            raise ValueError(
                f"{length} positions, but the model has {self.config.max_position_embeddings}"
            )
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        real = mask.bool().flatten().nonzero().squeeze(1)
        lengths: Sequence[int] = mask.bool().sum(1).tolist()
        if min(lengths) < 1:
            raise ValueError(f"row {list(lengths).index(0)} is masked from end to end")
        segments = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        layout = Layout(lengths, input_ids.device)
        generator = None
        if self.training:
            generator = Generator(input_ids.device)
            generator.manual_seed(int(torch.randint(2**62, ()).item()))
        hidden = self.encode(
            input_ids.flatten()[real],
            segments.flatten()[real],
            layout,
            generator,
            position_ids=real % length,
        )
        tokens = hidden.index_select(0, layout.slots)
        padded = hidden.new_zeros(batch * length, hidden.shape[1]).index_copy(0, real, tokens)
        return EncoderOutput(
            padded.view(batch, length, -1), self.pool(hidden.index_select(0, layout.starts))
        )


def load_encoder(source: str, revision: str | None = None) -> Encoder:
    """An encoder with pretrained weights in float32, without dropout until one is given.

    Raises:
        UserError: not found, damaged, another architecture, or weights that do not fit.
    """
    folder = locate(source, revision)
    check_manifest(folder)
    return read_encoder(folder)


def read_encoder(folder: Path) -> Encoder:
    """The encoder in a folder whose files are known to be whole, or have no manifest.

    Raises:
        UserError: as `load_encoder`.
    """
    config = read_config(folder / "config.json")
    tensors, file = read_weights(folder)
    with torch.device("meta"):
        encoder = _family(config.model_type)(config)
    _fill(encoder, tensors, str(file), quiet=is_packaged(folder))
    return encoder.eval()


def save_encoder(encoder: Encoder, folder: Path) -> None:
    """Write `config.json` and `model.safetensors` as transformers reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    config = dataclasses.asdict(encoder.config)
    first = {
        "architectures": [encoder.architecture],
        "model_type": config.pop("model_type"),
        "dtype": "float32",
    }
    atomic.write_json(folder / "config.json", first | config)
    tensors = to_checkpoint(encoder.names, dict(encoder.named_parameters()))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def _family(model_type: str) -> type[Encoder]:
    module, _, name = FAMILIES[model_type].partition(":")
    family: type[Encoder] = getattr(importlib.import_module(module), name)
    return family


def _fill(encoder: Encoder, tensors: dict[str, Tensor], source: str, *, quiet: bool) -> None:
    """Give an encoder on the meta device its weights; `quiet` about those that are not used."""
    expected = dict(encoder.named_parameters())
    found = from_checkpoint(encoder.names, tensors, expected)
    if found.ignored and not quiet:
        _log.info("%s: not used: %s", source, _some(sorted(found.ignored)))
    if found.problems:
        raise UserError(problem_list(f"{source}: weights do not fit config.json", found.problems))
    ours = found.tensors
    if found.lacks_optional:
        _log.warning("%s: no pooler among the weights; initialised with a fixed seed", source)
        ours |= _fresh({n: p for n, p in expected.items() if n not in ours}, encoder.config)
    encoder.load_state_dict(float32_copies(ours), assign=True)
    for parameter in encoder.parameters():
        parameter.requires_grad_(True)


def _some(names: Sequence[str]) -> str:
    more = f", … {len(names)} in all" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _fresh(expected: dict[str, nn.Parameter], config: EncoderConfig) -> dict[str, Tensor]:
    """Normal matrices and zero biases in the shapes expected; the same ones each time."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.zeros(p.shape)
        if p.ndim == 1
        else torch.empty(p.shape).normal_(0, config.initializer_range, generator=generator)
        for name, p in expected.items()
    }
