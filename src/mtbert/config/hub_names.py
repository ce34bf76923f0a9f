"""Data sets of the Hugging Face Hub in a configuration: `hub:OWNER/NAME/CONFIG@REVISION:SPLIT`."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["HubData", "hub_data", "is_hub", "with_split"]

_FORM = re.compile(
    r"hub:(?P<repository>[\w.-]+/[\w.-]+)(?:/(?P<config>[\w.-]+))?"
    r"(?:@(?P<revision>[\w./-]+))?(?::(?P<split>[\w.-]+))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class HubData:
    """A split of a data set of the Hub.

    Attributes:
        repository: its id, `owner/name`.
        config: None: its default, or only one.
        revision: a commit, branch or tag; None: the newest.
        split: such as train.
    """

    repository: str
    config: str | None
    revision: str | None
    split: str


def is_hub(name: str) -> bool:
    """Whether a name is one of the Hub, be it well formed or not."""
    return name.startswith("hub:")


def hub_data(name: str) -> HubData:
    """What a name means.

    Raises:
        ValueError: it is not of the form.
    """
    found = _FORM.fullmatch(name)
    if found is None:
        raise ValueError(
            f"{name!r}: expected hub:OWNER/NAME, then /CONFIG, @REVISION and :SPLIT as needed, as "
            "in hub:nyu-mll/glue/mrpc:validation"
        )
    return HubData(found["repository"], found["config"], found["revision"], found["split"] or "")


def with_split(name: str, split: str) -> str:
    """The same name with this split, unless it names one.

    Raises:
        ValueError: it is a name of the Hub, and not of the form.
    """
    return name if not is_hub(name) or hub_data(name).split else f"{name}:{split}"
