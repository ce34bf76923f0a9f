"""Whether a configuration takes the values of a space, checked before anything runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mtbert.config.load import load_config
from mtbert.config.settings import Settings
from mtbert.errors import UserError, problem_list
from mtbert.studies.search.space import Space

__all__ = ["check_space"]


def check_space(space: Space, config: str, overrides: Sequence[str]) -> Settings:
    """The configuration that is varied, if each value of the space is one that it takes.

    Each is tried with everything else as it is in the configuration, and if it is refused so,
    beside each value of the other keys: some go together only. A combination that is refused
    becomes a failed trial.

    Raises:
        UserError: the configuration, a key or a value is refused, or a value changes what trials
            are scored by; all are listed.
    """
    settings = load_config(config, overrides)
    problems = []
    for key, domain in space.domains.items():
        for value in domain.ends:
            given = [*overrides, f"{key}={value}"]
            try:
                found = _first_taken(given, space, key, config)
            except UserError as error:
                problems.append(_cause(str(error), config))
                break
            if _scoring(found) != _scoring(settings):
                problems.append(f"{key}: decides how trials are scored, so it cannot be searched")
                break
    if problems:
        raise UserError(problem_list("--search", problems))
    return settings


def _first_taken(given: Sequence[str], space: Space, key: str, config: str) -> Settings:
    """The settings with a value, alone or beside the first other value that makes it fit.

    Raises:
        UserError: none does; why it is refused alone.
    """
    try:
        return load_config(config, given)
    except UserError:
        for other in _others(space, key):
            try:
                return load_config(config, [*given, other])
            except UserError:
                continue
        raise


def _others(space: Space, key: str) -> Iterator[str]:
    for other, domain in space.domains.items():
        if other != key:
            yield from (f"{other}={value}" for value in domain.ends)


def _scoring(settings: Settings) -> object:
    """What decides how a trial is scored: by what, and on which rows with which labels."""
    tasks = {
        name: (
            task.kind, task.dev, task.train if task.held_out is not None else None,
            task.columns, task.format, task.labels, task.range, task.on_bad_rows,
        )
        for name, task in settings.tasks.items()
    }  # fmt: skip
    return settings.training.select, settings.data.dir, settings.data.split_seed, tasks


def _cause(message: str, config: str) -> str:
    """A problem of a configuration without the name of its file."""
    first, _, rest = message.partition("\n")
    if rest:  # of several the first; they have one cause
        return rest.splitlines()[0].strip()
    return re.sub(rf"^.*{re.escape(config.rpartition('/')[2])}(\.yaml)?: ", "", first)
