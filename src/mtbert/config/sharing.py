"""`encoder.sharing`: what of the encoder the tasks share, by name and options."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, PlainValidator, SerializeAsAny

from mtbert.config.methods import choose
from mtbert.methods.base import Method

__all__ = [
    "DEFAULT_SHARING",
    "SHARINGS",
    "Hard",
    "LoRA",
    "PALs",
    "Sharing",
    "SharingField",
    "Soft",
    "TopLayers",
]


class Sharing(Method):
    """Which of the encoder's parameters the tasks share; `model.sharing` holds what does it.

    Attributes:
        has_own: whether each task has a part of its own below its head.
        has_shared: whether the tasks have anything below their heads in common.
    """

    has_own: ClassVar[bool] = True
    has_shared: ClassVar[bool] = True


class Hard(Sharing):
    """Hard parameter sharing (Caruana 1993): one encoder for all tasks."""

    has_own: ClassVar[bool] = False
    name: Literal["hard"] = "hard"


class TopLayers(Sharing):
    """The last layers, and the pooler, are each task's own; they begin as the pretrained ones."""

    name: Literal["top_layers"] = "top_layers"
    layers: Annotated[int, Field(ge=1, le=1000)] = Field(
        1, description="How many of the last layers are each task's own."
    )


def _different(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError(f"names a map twice: {', '.join(names)}")
    return names


class LoRA(Sharing):
    """One encoder, and each task's own low-rank change of its linear maps (LoRA, Hu et al. 2021).

    A map W x becomes W x + alpha / rank * B A x, where A has `rank` rows and B as many columns. B
    begins at zero, so a run begins with the encoder as it is.
    """

    name: Literal["lora"] = "lora"
    rank: Annotated[int, Field(ge=1, le=1024)] = Field(
        8, description="Rows of A and columns of B of each map."
    )
    alpha: Annotated[float, Field(gt=0, le=1e6)] = Field(
        8.0, description="Factor of the change, divided by the rank."
    )
    maps: Annotated[
        tuple[Literal["query", "key", "value", "output", "inner", "outer"], ...],
        Field(min_length=1),
        AfterValidator(_different),
    ] = Field(
        ("query", "value"),
        description="The maps of every layer that are changed: `query`, `key`, `value` and "
        "`output` of its attention, `inner` and `outer` of its feed-forward part.",
    )


class PALs(Sharing):
    """One encoder, and each task's own attention of low width beside every layer (PALs).

    Projected attention layers (Stickland and Murray 2019, section 3): the layer's input is
    projected down, attends, is projected up and added before the layer's last norm. The two
    projections are the same at all layers of a task; the attention has no projection of its output.
    """

    name: Literal["pals"] = "pals"
    hidden_size: Annotated[int, Field(ge=1, le=8192)] | None = Field(
        None,
        description="Width of the attention. Default: the paper's share of the encoder's width, "
        "17/64 (204 of 768), rounded down to a multiple of `heads`.",
    )
    heads: Annotated[int, Field(ge=1, le=1024)] = Field(
        6, description="Attention heads, as in the authors' code."
    )

    def width_in(self, hidden_size: int) -> int:
        """Width of the attention beside layers of an encoder of this width."""
        if self.hidden_size is not None:
            return self.hidden_size
        return max(1, hidden_size * 17 // 64 // self.heads) * self.heads


class Soft(Sharing):
    """One encoder a task; a term of the loss draws their weights towards one another.

    All begin as the pretrained encoder, and nothing is shared. To the loss is added, of each
    parameter w_1, …, w_T of the T encoders, `strength` times

        l2           1/2 * the sum of |w_s - w_t|^2 over all pairs of tasks (Duong et al. 2015),
        trace_norm   the trace norm of the matrix of rows w_1, …, w_T (Yang and Hospedales 2017).
    """

    has_shared: ClassVar[bool] = False
    name: Literal["soft"] = "soft"
    by: Literal["l2", "trace_norm"] = Field("l2", description="What ties the encoders.")
    strength: Annotated[float, Field(gt=0, le=1e6)] = Field(
        0.01, description="Factor of the term. No value is right everywhere: try several."
    )


SHARINGS: tuple[type[Sharing], ...] = (Hard, TopLayers, LoRA, PALs, Soft)

DEFAULT_SHARING: Sharing = Hard()


def _sharing(value: object) -> Sharing:
    return choose(SHARINGS, value)


SharingField = Annotated[SerializeAsAny[Sharing], PlainValidator(_sharing)]
