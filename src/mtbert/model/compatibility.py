"""Whether encoder, tokenizer and tasks fit together, checked before anything is computed."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from mtbert.config.settings import Settings
from mtbert.config.tasks import TaskSettings
from mtbert.errors import UserError
from mtbert.model.encoders.config import EncoderConfig

__all__ = ["check_compatible", "fit_length"]

_log = logging.getLogger(__name__)


def fit_length(settings: Settings, config: EncoderConfig) -> Settings:
    """The same settings; a `max_length` that nobody set is at most the encoder's positions."""
    encoder, positions = settings.encoder, config.max_position_embeddings
    if "max_length" in encoder.model_fields_set or encoder.max_length <= positions:
        return settings
    _log.info("encoder.max_length: %d, as many as the encoder has positions", positions)
    shorter = encoder.model_copy(update={"max_length": positions})
    return settings.model_copy(update={"encoder": shorter})


def check_compatible(
    config: EncoderConfig,
    tasks: Mapping[str, TaskSettings],
    *,
    max_length: int,
    vocabulary_size: int,
    source: str,
) -> None:
    """Refuse what would ask the encoder for a token, position, … that it does not have.

    Raises:
        UserError: `source`, the encoder's name in messages, is too small.
    """
    if max_length > config.max_position_embeddings:
        raise UserError(
            f"encoder.max_length: found {max_length}, but {source} has "
            f"{config.max_position_embeddings} positions; set it to at most "
            f"{config.max_position_embeddings}"
        )
    if vocabulary_size > config.vocab_size:
        raise UserError(
            f"{source}: the tokenizer has {vocabulary_size} tokens, but the encoder "
            f"{config.vocab_size}"
        )
    for name, task in tasks.items():
        if task.layers_read > config.num_hidden_layers:
            raise UserError(
                f"tasks.{name}.layers: found {task.layers_read}, but {source} has "
                f"{config.num_hidden_layers} layers"
            )
    joint = [n for n, t in tasks.items() if t.kind.is_pair and t.sequences_per_example == 1]
    if joint and config.type_vocab_size < 2:
        raise UserError(
            f"tasks.{joint[0]}.pair_encoding: {source} has one segment only; use separately"
        )
