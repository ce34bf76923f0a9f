"""Load a configuration: a shipped name or a YAML file, overrides, all problems at once.

A configuration is data from outside: unknown keys are refused, files are of bounded size.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from mtbert.config.columns import ColumnSettings
from mtbert.config.encoder import EncoderSettings
from mtbert.config.files import is_pattern
from mtbert.config.messages import explain
from mtbert.config.older import keep_old_defaults
from mtbert.config.settings import Settings
from mtbert.config.tasks import TaskSettings
from mtbert.config.training import TrainingSettings
from mtbert.config.yaml import MAX_BYTES, MAX_DEPTH, parse_yaml, read_yaml
from mtbert.errors import UserError, problem_list, shown
from mtbert.io.bounded import expanded, is_file, is_folder
from mtbert.io.paths import matching
from mtbert.methods.base import Method

__all__ = [
    "data_file",
    "load_config",
    "parse_settings",
    "shipped_configs",
]

_PACKAGE = Path(__file__).parents[1]
_FILE_KEYS = ("train", "dev", "test")
_METHODS = {
    f"{section}.{key}": field.default
    for section, model in (("encoder", EncoderSettings), ("training", TrainingSettings))
    for key, field in model.model_fields.items()
    if isinstance(field.default, Method)
}
"""The default of every key that names a method, which may be a mapping of name and options."""


def shipped_configs() -> dict[str, Path]:
    """The configurations that come with mtbert, by name."""
    return {path.stem: path for path in sorted((_PACKAGE / "config" / "shipped").glob("*.yaml"))}


def load_config(source: str, overrides: Sequence[str] = ()) -> Settings:
    """Settings of a shipped configuration or a YAML file, with `KEY=VALUE` overrides applied.

    Raises:
        UserError: the file cannot be read, or anything in it is wrong; all problems are listed.
    """
    path = expanded(source)
    shipped = shipped_configs()
    if not is_file(path) and source in shipped:
        path = shipped[source]
    elif not is_file(path):
        close = difflib.get_close_matches(source, shipped, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise UserError(
            f"configuration {shown(source)} is neither a file nor a shipped name; {hint}shipped: "
            + ", ".join(shipped)
        )
    tree = read_yaml(path)
    for section in ("data", "encoder", "training"):
        if tree.get(section, {}) is None:
            del tree[section]  # a heading with nothing below
    data = tree.setdefault("data", {})
    if isinstance(data, dict):
        default_dir = os.environ.get("MTBERT_DATA")
        if "dir" not in data and default_dir:
            data["dir"] = default_dir if default_dir == "packaged" else _resolved(Path(default_dir))
        elif "dir" not in data and path.parent != _PACKAGE / "config" / "shipped":
            data["dir"] = _resolved(path.parent)
        elif isinstance(data.get("dir"), str) and data["dir"] != "packaged":
            data["dir"] = _resolved(path.parent / expanded(data["dir"]))
    encoder = tree.get("encoder")
    if isinstance(encoder, dict) and isinstance(encoder.get("path"), str):
        encoder["path"] = _encoder_folder(encoder["path"], path.parent)
    keep_old_defaults(tree)
    for override in overrides:
        _apply(tree, override)
    return parse_settings(tree, str(path))


def parse_settings(tree: Mapping[str, Any], source: str) -> Settings:
    """Validate a tree of plain values; `source` names it in the error.

    Raises:
        UserError: with every problem found, unknown keys with the nearest known one.
    """
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        from mtbert.config.suggest import setting_meant

        problems = [p for e in error.errors() for p in explain(e, _known_keys, setting_meant)]
        raise UserError(problem_list(source, problems)) from None


def data_file(settings: Settings, name: str) -> Path:
    """Where a task's file is: `name` itself if absolute, else below `data.dir`.

    Raises:
        UserError: a relative name without a folder to start from.
    """
    if settings.data.folder is None and not Path(name).is_absolute():
        raise UserError(
            f"{name}: no folder to look in; set the environment variable MTBERT_DATA or "
            "data.dir=FOLDER to the folder with the data files"
        )
    return settings.data.locate(name)


def _apply(tree: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    parts = key.split(".")
    if not separator or not all(parts) or len(parts) > MAX_DEPTH:
        raise UserError(f"override {shown(override)}: expected KEY=VALUE, as in training.epochs=3")
    if len(text) > MAX_BYTES:
        raise UserError(f"override {shown(key)}: {len(text)} characters, at most {MAX_BYTES}")
    value: Any
    if _names_file(parts) and _exists(text):
        value = text  # as it is: `data #2.csv` and `[a].csv` are names of files too
    else:
        value = parse_yaml(text, f"override {shown(key)}") if text else None
    if _names_file(parts):
        value = _from_here(value)
    node = tree
    for depth, part in enumerate(parts[:-1], 1):
        child = node.setdefault(part, {})
        default = _METHODS.get(".".join(parts[:depth]))
        if default is not None and (isinstance(child, str) or child == {}):
            child = node[part] = {"name": child or default.name}
        if not isinstance(child, dict):
            raise UserError(
                f"override {shown(override)}: {shown(part)} holds a value, not a section"
            )
        node = child
    node[parts[-1]] = value


def _encoder_folder(name: str, beside: Path) -> str:
    """The absolute path of an encoder's folder, looked for beside the configuration, then here.

    Any other name stays as it is.
    """
    if name == "packaged":
        return name
    for folder in (beside / expanded(name), expanded(name)):
        if is_folder(folder):
            return _resolved(folder)
    return name


def _from_here(value: Any) -> Any:
    """A name, pattern or list of them, absolute where the working folder holds such a file."""
    if isinstance(value, list):
        return [_from_here(name) for name in value]
    if not isinstance(value, str):
        return value
    if _exists(value):
        return _resolved(expanded(value))
    if is_pattern(value) and matching(expanded(value)):
        return str(Path.cwd() / expanded(value))
    return value


def _exists(name: str) -> bool:
    path = expanded(name)
    return bool(name) and (is_file(path) or is_folder(path))


def _resolved(path: Path) -> str:
    """The absolute path; one that cannot be resolved stays as it is and is refused when read."""
    try:
        return str(path.resolve())
    except (OSError, ValueError, RuntimeError):  # a NUL, or links that run in a circle
        return str(path)


def _names_file(parts: Sequence[str]) -> bool:
    """A path on the command line starts from the working folder, when it is there."""
    if list(parts) in (["data", "dir"], ["encoder", "path"]):
        return True
    return len(parts) >= 3 and parts[0] == "tasks" and parts[2] in _FILE_KEYS


def _known_keys(section: Sequence[str]) -> list[str]:
    if section[:1] == ["tasks"]:
        model: type[BaseModel] = ColumnSettings if section[2:] == ["columns"] else TaskSettings
    else:
        annotation = Settings.model_fields[section[0]].annotation if section else Settings
        model = annotation if isinstance(annotation, type) else Settings
    return list(model.model_fields)
