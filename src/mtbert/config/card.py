"""The `card` section: what the model card says that cannot be read off a run."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mtbert.config.fields import Section

__all__ = ["CardSettings"]

_Words = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
_Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]{0,63}$")]


class CardSettings(Section):
    """What the model card says that cannot be read off a run."""

    language: list[_Code] | None = Field(
        None,
        description="Codes of the languages of the texts, as `en` or `pt-BR`, for the model card.",
    )
    license: _Code | None = Field(
        None,
        description="Licence of the model, by the Hub's short name, as `apache-2.0`, `cc-by-4.0`. "
        "It depends on the encoder's and on the data's, so none is assumed.",
    )
    datasets: list[_Words] | None = Field(
        None, description="Names of the data on the Hub, as `nyu-mll/glue`, for the model card."
    )
