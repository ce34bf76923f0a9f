"""Write docs/configuration.md from the settings themselves.

python tools/configuration_docs.py            write the page
python tools/configuration_docs.py --check    exit with 1 if it is not up to date
"""

from __future__ import annotations

import argparse
import types
import typing
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mtbert.config.card import CardSettings
from mtbert.config.columns import ColumnSettings
from mtbert.config.data import DataSettings
from mtbert.config.encoder import EncoderSettings
from mtbert.config.format import FormatSettings
from mtbert.config.settings import Settings
from mtbert.config.sharing import SHARINGS, Sharing
from mtbert.config.tasks import TaskSettings
from mtbert.config.training import TrainingSettings
from mtbert.methods.aggregation.base import Aggregator
from mtbert.methods.aggregation.table import AGGREGATORS
from mtbert.methods.base import Method
from mtbert.methods.sampling.base import Sampler
from mtbert.methods.sampling.table import SAMPLERS
from mtbert.methods.weighting.base import LossWeighting
from mtbert.methods.weighting.table import WEIGHTINGS

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"

INTRODUCTION = """# Configuration, key by key

A configuration is a YAML 1.2 file. Every key can also be set on the command line, dotted:
`mtbert train my.yaml training.epochs=3 tasks.sst.loss_weight=2`. An unknown key is refused with
the nearest known one; all problems are reported at once, before any data are read. The resolved
configuration is written into the run folder, and training from it again gives the same run.

A method (`training.batching`, `training.weighting`, `training.surgery`, `encoder.sharing`) is a
bare name, or a mapping of its name and options: `batching: {name: NAME, OPTION: VALUE}`; on the
command line `training.batching.name=NAME training.batching.OPTION=VALUE`. What the methods do:
[methods/](methods/README.md).

Relative file names of `tasks.*.{train,dev,test}` start from `data.dir`. On the command line a
file or folder that exists is taken from the working folder.

This page is generated from the settings (`python tools/configuration_docs.py`).
"""

SECTIONS: list[tuple[str, type[BaseModel]]] = [
    ("", Settings),
    ("data.", DataSettings),
    ("encoder.", EncoderSettings),
    ("tasks.NAME.", TaskSettings),
    ("tasks.NAME.columns.", ColumnSettings),
    ("tasks.NAME.format.", FormatSettings),
    ("training.", TrainingSettings),
    ("card.", CardSettings),
]

FAMILIES: dict[type[Method], tuple[type[Method], ...]] = {
    Sampler: SAMPLERS,
    LossWeighting: WEIGHTINGS,
    Aggregator: AGGREGATORS,
    Sharing: SHARINGS,
}


def page() -> str:
    """The whole page as Markdown."""
    parts = [INTRODUCTION]
    for prefix, model in SECTIONS:
        title = f"## `{prefix.rstrip('.')}`" if prefix else "## Top level"
        parts.append(f"{title}\n\n{model.__doc__}\n")
        parts.append("| key | values | default | meaning |\n| --- | --- | --- | --- |")
        parts.append("\n".join(rows(prefix, model)) + "\n")
    return "\n".join(parts)


def rows(prefix: str, model: type[BaseModel]) -> Iterator[str]:
    """A table row for every key of a section."""
    for name, field in model.model_fields.items():
        if is_section(field.annotation):
            continue
        cells = [f"`{prefix}{name}`", values(field), default(field), field.description or ""]
        yield table_row(cells)
        for method in family(field.annotation):
            yield from option_rows(f"{prefix}{name}.", method)


def option_rows(prefix: str, method: type[Method]) -> Iterator[str]:
    """A table row for every option of a method."""
    for name, field in method.model_fields.items():
        if name != "name":
            meaning = f"Option of `{method.model_fields['name'].default}`: {field.description}"
            yield table_row([f"`{prefix}{name}`", values(field), default(field), meaning])


def table_row(cells: Iterable[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def is_section(annotation: Any) -> bool:
    """Whether a key holds a section, which has a table of its own."""
    return (
        isinstance(annotation, type)
        and issubclass(annotation, BaseModel)
        and not family(annotation)
    )


def family(annotation: Any) -> tuple[type[Method], ...]:
    """The methods out of which a key names one, if it does."""
    return FAMILIES.get(annotation, ()) if isinstance(annotation, type) else ()


def values(field: FieldInfo) -> str:
    """What a key may hold, with its limits."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    names = typing.cast("list[str]", extra.get("enum", []))
    text = ", ".join(f"`{name}`" for name in names) or type_text(field.annotation)
    limits = [limit for item in field.metadata if (limit := limit_text(item))]
    return f"{text}, {' and '.join(limits)}" if limits else text


def type_text(annotation: Any) -> str:
    """A type in a reader's words."""
    if members := family(annotation):
        return ", ".join(f"`{member.model_fields['name'].default}`" for member in members)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_text(a) for a in arguments if a is not type(None))
    if origin is typing.Annotated:
        limits = [limit for item in annotation.__metadata__ if (limit := limit_text(item))]
        return ", ".join([type_text(arguments[0]), *limits])
    if origin is tuple:
        return f"list of {type_text(arguments[0])}"
    if origin is dict:
        return f"{type_text(arguments[1])} by name"
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return ", ".join(f"`{value}`" for value in annotation)
    names = {str: "text", int: "whole number", float: "number", bool: "`true`, `false`"}
    return names.get(annotation, "section")


def limit_text(item: Any) -> str:
    """A limit such as `above 0`, or nothing."""
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    limits = [f"{word} {getattr(item, key)}" for key, word in words.items() if hasattr(item, key)]
    limits += [limit_text(inner) for inner in getattr(item, "metadata", []) if limit_text(inner)]
    return " and ".join(limits)


def default(field: FieldInfo) -> str:
    """A key's default, or that it must be set."""
    if field.is_required():
        return "must be set"
    value = field.default
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        return int(PAGE.read_text("utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
