"""A search: what is varied and how, written down so that only the same search goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtbert.config.selection import parse_select
from mtbert.config.settings import Settings
from mtbert.data.completion import completed
from mtbert.errors import UserError
from mtbert.io import atomic
from mtbert.io.bounded import is_file, read_json
from mtbert.studies.fingerprint import Fingerprints
from mtbert.studies.search.space import Space

__all__ = [
    "Search",
    "is_search",
    "keep_search",
    "lower_is_better",
    "require_optuna",
    "searched_score",
]

_FILE = "search.json"
_FORMAT = 1
_WHAT = {
    "config": "the configuration or its data", "score": "training.select", "space": "--search",
    "sampler": "--sampler", "pruning": "--pruning",
}  # fmt: skip
"""What a user would call each part of what is written down."""


@dataclass(frozen=True, slots=True)
class Search:
    """One search.

    Attributes:
        config: the configuration that is varied, as it was named.
        overrides: `KEY=VALUE` for every trial.
        settings: of that configuration.
        space: what is searched.
        sampler: a name of `SAMPLERS`.
        pruning: a name of `PRUNERS`.
    """

    config: str
    overrides: Sequence[str]
    settings: Settings
    space: Space
    sampler: str
    pruning: str

    @property
    def score(self) -> str:
        """What trials are compared by: what picks the best epoch."""
        return self.settings.training.select

    @property
    def lower_is_better(self) -> bool:
        """Whether it is an error."""
        return lower_is_better(self.score)


def require_optuna() -> None:
    """Refuse early.

    Raises:
        UserError: the extra is not installed.
    """
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise UserError("tune: needs Optuna; run: pip install 'mtbert[tune]'") from None


def lower_is_better(score: str) -> bool:
    """Whether what `training.select` names is an error."""
    chosen = parse_select(score)
    return chosen is not None and chosen.lower_is_better


def keep_search(search: Search, folder: Path, fingerprints: Fingerprints) -> None:
    """Write down what a search is, or compare with what is written there.

    Raises:
        UserError: another search is there, or the file is damaged or cannot be written; or a data
            file cannot be read.
    """
    described: dict[str, Any] = {
        "format": _FORMAT,
        "config": fingerprints.key(completed(search.settings)),
        "score": search.score,
        "space": {key: _listed(domain) for key, domain in search.space.domains.items()},
        "sampler": search.sampler,
        "pruning": search.pruning,
    }
    if not is_search(folder):
        atomic.write_json(folder / _FILE, described)
        return
    kept = _read(folder)
    changed = [what for key, what in _WHAT.items() if kept.get(key) != described[key]]
    if changed:
        raise UserError(
            f"{folder}: holds a search that differs in {', '.join(changed)}; go on with it as it "
            "was started, or choose another --output"
        )


def is_search(folder: Path) -> bool:
    """Whether a folder holds a search."""
    return is_file(folder / _FILE)


def searched_score(folder: Path) -> str:
    """What the trials of a search are compared by.

    Raises:
        UserError: search.json is not there, or damaged.
    """
    return str(_read(folder)["score"])


def _listed(domain: Any) -> dict[str, Any]:
    return {key: list(x) if isinstance(x, tuple) else x for key, x in asdict(domain).items()}


def _read(folder: Path) -> dict[str, Any]:
    try:
        found = read_json(folder / _FILE)
    except FileNotFoundError:
        raise UserError(f"{folder}: not a search, no {_FILE} in it") from None
    if found.get("format") != _FORMAT or not isinstance(found.get("score"), str):
        raise UserError(f"{folder}/{_FILE}: damaged, or of another version of mtbert")
    return found
