"""Reading and writing YAML: plain values of bounded size and depth, no aliases or merge keys."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from mtbert.config.settings import Settings
from mtbert.errors import UserError
from mtbert.io.bounded import read_bytes

__all__ = ["MAX_BYTES", "MAX_DEPTH", "dump_yaml", "parse_yaml", "read_yaml"]

MAX_BYTES = 1 << 18
MAX_DEPTH = 32
_MAX_VALUES = 10_000  # more keep the parser, which is written in Python, busy for seconds


def read_yaml(path: Path) -> dict[str, Any]:
    """The `key: value` lines of a YAML file.

    Raises:
        UserError: it cannot be read, is too large or nested too deeply, or holds something else.
    """
    try:
        text = read_bytes(path, MAX_BYTES).decode("utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    tree = parse_yaml(text, str(path))
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected `key: value` lines, found {type(tree).__name__}")
    return tree


def parse_yaml(text: str, source: str) -> Any:
    """The plain values of a YAML text; `source` names it in errors.

    Raises:
        UserError: it is not valid, too large or nested too deeply, or half a character is in it.
    """
    try:
        _refuse_bombs(text, source)
        tree = YAML(typ="safe", pure=True).load(text)
        json.dumps(tree, ensure_ascii=False, default=str).encode("utf-8")
    except UserError:
        raise
    except UnicodeEncodeError:
        raise UserError(f"{source}: holds half a character (a lone surrogate)") from None
    except Exception as error:  # ruamel raises many kinds for a tag that does not fit its value
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{source}: not valid YAML: {reason}") from None
    return tree


def dump_yaml(settings: Settings) -> str:
    """The settings as YAML; reading it back gives equal settings.

    Raises:
        UserError: with all defaults written out it is larger than a configuration may be.
    """
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode, yaml.width = False, 1 << 20  # folding and some characters would not return
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    tree = settings.written()
    tree["data"]["dir"] = (
        settings.data.dir
    )  # written even if none, so that no default takes its place
    yaml.dump(tree, stream)
    text = stream.getvalue()
    if len(text) > MAX_BYTES:
        raise UserError(
            f"the configuration, written out, has {len(text)} bytes, expected at most {MAX_BYTES}"
        )
    _refuse_bombs(text, "the configuration, written out")
    return text


def _refuse_bombs(text: str, source: str) -> None:
    depth = values = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, AliasEvent):
            raise UserError(
                f"{source}:{event.start_mark.line + 1}: aliases (*name) are not allowed"
            )
        if isinstance(event, ScalarEvent) and event.value == "<<" and event.implicit[0]:
            raise UserError(
                f"{source}:{event.start_mark.line + 1}: merge keys (<<) are not allowed"
            )
        values += isinstance(event, (MappingStartEvent, SequenceStartEvent, ScalarEvent))
        if values > _MAX_VALUES:
            raise UserError(
                f"{source}:{event.start_mark.line + 1}: more than {_MAX_VALUES} keys and values"
            )
        if isinstance(event, (MappingStartEvent, SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            depth -= 1
        if depth > MAX_DEPTH:
            raise UserError(f"{source}:{event.start_mark.line + 1}: nested too deeply")
