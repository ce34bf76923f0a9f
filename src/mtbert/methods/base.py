"""The base of all methods: a frozen value with a name and options, its state, and progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    model_serializer,
)

__all__ = ["Method", "MethodState", "Permute", "Progress"]

MethodState = dict[str, Any]
"""What a method remembers from step to step. JSON values only: it is part of the checkpoint."""

Permute = Callable[[int], list[int]]
"""n → a random order of 0, …, n-1, drawn from the step's own generator."""


class Method(BaseModel):
    """A method of some family. Its `name` is a `Literal`; every further field is an option.

    Name and options all have defaults. A method is written as its bare name when every option has
    its default, else as a mapping of the name and the options.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str

    def changed_options(self) -> dict[str, Any]:
        """The options that do not have their default."""
        return {
            key: value
            for key, field in type(self).model_fields.items()
            if key != "name"
            and (value := getattr(self, key)) != field.get_default(call_default_factory=True)
        }

    def __str__(self) -> str:
        """As messages show it: `annealed`, `annealed (decay 0.5)`."""
        changed = ", ".join(f"{key} {value}" for key, value in self.changed_options().items())
        return f"{self.name} ({changed})" if changed else self.name

    @model_serializer(mode="wrap")
    def _name_or_mapping(self, write: SerializerFunctionWrapHandler) -> str | dict[str, Any]:
        return {"name": self.name, **write(self)} if self.changed_options() else self.name


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a phase of the training stands.

    Attributes:
        step: steps of this phase before the present one.
        steps: of the phase in all.
        epoch: epochs of this phase before the present one.
        epochs: of the phase in all.
        seed: of what is drawn for this step, the same whenever it is computed.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    seed: int = 0
