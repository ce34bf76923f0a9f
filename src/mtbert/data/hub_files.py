"""Data sets of the Hugging Face Hub: which of their files make a split, fetched and kept there.

As `datasets` does (its documentation, "Structure your repository"): the card's `configs` name the
files of each split; without them, names of files and folders do. A data set made by a script is
read from the Hub's own conversion, the branch refs/convert/parquet. No script is ever run.
"""

from __future__ import annotations

import fnmatch
import glob
import logging
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from mtbert.config.hub_names import HubData, hub_data
from mtbert.config.yaml import parse_yaml
from mtbert.errors import UserError
from mtbert.io.bounded import is_file, read_bytes

__all__ = ["hub_files"]

_SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""Words in the names of files, by the split that they mean."""

_ENDINGS = (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv")
"""Of the files that hold rows; the first kind that a split has is read."""

_CONVERTED = "refs/convert/parquet"
_COMMIT = r"[0-9a-f]{40}"
_CARD = "README.md"
_LARGEST_CARD = 1 << 20

_log = logging.getLogger(__name__)


@lru_cache(maxsize=64)
def hub_files(name: str) -> tuple[Path, ...]:
    """The files of a split, in the Hub's cache, in order of their names.

    Raises:
        UserError: there is no such data set, configuration or split, or no connection and nothing
            in the cache.
    """
    wanted = hub_data(name)
    commit, names = _listing(name, wanted.repository, wanted.revision)
    chosen, converted = _chosen(name, wanted, commit, names), False
    if not chosen and wanted.revision is None:
        with suppress(UserError):  # there may be none
            commit, names = _listing(name, wanted.repository, _CONVERTED)
            converted = True
        chosen = _by_names(name, wanted, names) if converted else []
    if not chosen:
        found = sorted(n for n in names if n.removesuffix(".gz").endswith(_ENDINGS))
        listed = ", ".join(found[:6]) + (", …" if len(found) > 6 else "")
        raise UserError(
            f"{name}: no files of the split {wanted.split!r}, found {listed or 'no tables'}; name "
            "another split behind a colon"
        )
    if not re.fullmatch(_COMMIT, wanted.revision or ""):
        _log.warning("%s may change on the Hub; what was read now is pinned by @%s", name, commit)
    folder = _fetch(name, wanted.repository, commit, chosen)
    return tuple(folder / file for file in chosen)


def _listing(name: str, repository: str, revision: str | None) -> tuple[str, list[str]]:
    """The commit of a revision, and the names of its files; without a connection those kept."""
    import huggingface_hub

    try:
        info = huggingface_hub.HfApi().dataset_info(repository, revision=revision)
        return str(info.sha), [file.rfilename for file in info.siblings or []]
    except _failures() as error:
        try:
            kept = huggingface_hub.snapshot_download(
                repository, repo_type="dataset", revision=revision, local_files_only=True
            )
        except _failures():
            raise _unreachable(name, error) from None
    folder = Path(kept)
    files = sorted(path for path in folder.rglob("*") if is_file(path))
    return folder.name, [path.relative_to(folder).as_posix() for path in files]


def _fetch(name: str, repository: str, commit: str, files: Sequence[str]) -> Path:
    """The folder of a commit in the Hub's cache, with these of its files."""
    import huggingface_hub

    try:
        folder = Path(
            huggingface_hub.snapshot_download(
                repository,
                repo_type="dataset",
                revision=commit,
                allow_patterns=[glob.escape(file) for file in files],
            )
        )
    except _failures() as error:
        raise _unreachable(name, error) from None
    if missing := [file for file in files if not is_file(folder / file)]:
        raise UserError(
            f"{name}: {missing[0]} is not in the Hub's cache, and there is no connection"
        )
    return folder


def _failures() -> tuple[type[Exception], ...]:
    """What huggingface_hub raises where something is not there or cannot be reached."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    # Of its later versions: the client that it has loaded, whose failures are no OSError.
    clients = [sys.modules[name] for name in ("httpx", "httpx2") if name in sys.modules]
    transport: list[type[Exception]] = [client.HTTPError for client in clients]
    return (HfHubHTTPError, HFValidationError, OSError, ValueError, *transport)


def _unreachable(name: str, error: Exception) -> UserError:
    text = str(error).strip()
    reason = text.splitlines()[0] if text else type(error).__name__
    return UserError(
        f"{name}: could not be fetched from the Hub ({reason}); fetch it once with a connection, "
        "after which the Hub's cache has it, or name files of your own"
    )


def _chosen(name: str, wanted: HubData, commit: str, names: list[str]) -> list[str]:
    """Files of the split as the card says, else as their names do."""
    configs = _configs(name, wanted.repository, commit) if _CARD in names else []
    if not configs:
        return _by_names(name, wanted, names)
    by_name = {str(config["config_name"]): config for config in configs}
    config = _one_of(
        name, wanted.config, by_name, [c for c, v in by_name.items() if v.get("default")]
    )
    patterns = list(_patterns(by_name[config].get("data_files"), wanted.split))
    return sorted(n for n in names if any(fnmatch.fnmatchcase(n, p) for p in patterns))


def _configs(name: str, repository: str, commit: str) -> list[dict[str, Any]]:
    """The `configs` of the card that say where files are; none where it cannot be read."""
    folder = _fetch(name, repository, commit, [_CARD])
    try:
        text = read_bytes(folder / _CARD, _LARGEST_CARD).decode("utf-8")
        found = re.match(r"\s*---\r?\n(.*?)\n---", text, re.DOTALL)
        card = parse_yaml(found[1], _CARD) if found else None
    except (UserError, UnicodeDecodeError):
        return []
    configs = card.get("configs") if isinstance(card, dict) else None
    if not isinstance(configs, list):
        return []
    return [c for c in configs if isinstance(c, dict) and {"config_name", "data_files"} <= c.keys()]


def _patterns(data_files: Any, split: str) -> Iterable[str]:
    """Patterns of a split's files: a name, a list of names, or mappings of split and path."""
    for part in data_files if isinstance(data_files, list) else [data_files]:
        if isinstance(part, str) and split == "train":
            yield part
        elif isinstance(part, dict) and _same(str(part.get("split")), split):
            paths = part.get("path")
            yield from (str(path) for path in (paths if isinstance(paths, list) else [paths]))


def _same(found: str, split: str) -> bool:
    return found == split or found in _SPLITS.get(split, ())


def _one_of(
    name: str, asked: str | None, known: Iterable[str], defaults: Sequence[str] = ()
) -> str:
    """The configuration that is asked for, else the default or only one.

    Raises:
        UserError: it is not there, or there are several.
    """
    names = sorted(known)
    if asked is not None and asked in names:
        return asked
    if asked is None:
        for choice in (*defaults, "default"):
            if choice in names:
                return choice
        if len(names) == 1:
            return names[0]
    found = f"no configuration {asked!r}" if asked else "several configurations"
    shown = ", ".join(names[:20])
    raise UserError(f"{name}: {found}, expected one of {shown}; name it: hub:OWNER/NAME/CONFIG")


def _by_names(name: str, wanted: HubData, names: list[str]) -> list[str]:
    """Files of the split by the words in their names."""
    tables = sorted(n for n in names if n.removesuffix(".gz").lower().endswith(_ENDINGS))
    folders = {PurePosixPath(n).parts[0] for n in tables if "/" in n}
    folders -= {"data", *(word for words in _SPLITS.values() for word in words)}
    if wanted.config is not None or len(folders) > 1:
        config = _one_of(name, wanted.config, folders)
        tables = [n for n in tables if PurePosixPath(n).parts[0] == config]
    words = _SPLITS.get(wanted.split, (wanted.split,))
    found = [n for n in tables if _has_word(n, words)]
    if (
        not found
        and wanted.split == "train"
        and not any(_has_word(n, sum(_SPLITS.values(), ())) for n in tables)
    ):
        found = tables
    for ending in _ENDINGS:
        if alike := [n for n in found if n.removesuffix(".gz").lower().endswith(ending)]:
            return alike
    return []


def _has_word(name: str, words: Iterable[str]) -> bool:
    """Whether a name holds one of the words, between signs that are no letters or digits."""
    return any(re.search(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", name) for word in words)
