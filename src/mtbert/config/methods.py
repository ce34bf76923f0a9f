"""Methods in a configuration: a bare name, or a mapping of a name and options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

from pydantic import PlainValidator, SerializeAsAny, ValidationError

from mtbert.config.messages import PartErrors, explain, one_of, unknown_name
from mtbert.errors import shown
from mtbert.methods.aggregation import table as aggregation
from mtbert.methods.aggregation.base import Aggregator
from mtbert.methods.base import Method
from mtbert.methods.sampling import table as sampling
from mtbert.methods.sampling.base import Sampler
from mtbert.methods.weighting import table as weighting
from mtbert.methods.weighting.base import LossWeighting

__all__ = ["AggregatorField", "SamplerField", "WeightingField", "choose"]

_M = TypeVar("_M", bound=Method)


def choose(members: Sequence[type[_M]], value: object) -> _M:
    """The member of a family that a configuration names.

    Args:
        members: of the family.
        value: a name, or a mapping of `name` and options; a member stays what it is.

    Raises:
        PartErrors: an option is unknown or has a wrong value.
        ValueError: there is no such member.
    """
    for member in members:
        if isinstance(value, member):
            return value
    tree = {"name": value} if isinstance(value, str) else value
    by_name = {str(member.model_fields["name"].default): member for member in members}
    if not isinstance(tree, Mapping):
        raise ValueError(
            f"input should be {one_of(by_name)}, or a mapping of `name` and options, "
            f"found {shown(value)}"
        )
    if "name" not in tree:
        raise PartErrors([f"name: missing; it should be {one_of(by_name)}"])
    name = tree["name"]
    if not isinstance(name, str) or name not in by_name:
        raise ValueError(unknown_name(name, list(by_name)))
    try:
        return by_name[name].model_validate(tree)
    except ValidationError as error:
        options = [key for key in by_name[name].model_fields if key != "name"]
        raise PartErrors(
            [
                problem if options else f"{e['loc'][0]}: {name} has no options"
                for e in error.errors()
                for problem in explain(e, lambda _: options)
            ]
        ) from None


def _sampler(value: object) -> Sampler:
    return choose(sampling.SAMPLERS, value)


def _weighting(value: object) -> LossWeighting:
    return choose(weighting.WEIGHTINGS, value)


def _aggregator(value: object) -> Aggregator:
    return choose(aggregation.AGGREGATORS, value)


SamplerField = Annotated[SerializeAsAny[Sampler], PlainValidator(_sampler)]
WeightingField = Annotated[SerializeAsAny[LossWeighting], PlainValidator(_weighting)]
AggregatorField = Annotated[SerializeAsAny[Aggregator], PlainValidator(_aggregator)]
