"""Whether a configuration takes the values of a space, checked before anything runs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mtbert.config.load import load_config
from mtbert.config.settings import Settings
from mtbert.errors import UserError, problem_list
from mtbert.studies.search.space import Space

__all__ = ["check_space"]

_SCORED_BY = re.compile(r"training\.select|data\.split_seed|tasks\.[^.]+\.dev(\..*)?")
"""Settings that decide how a trial is scored."""


def check_space(space: Space, config: str, overrides: Sequence[str]) -> Settings:
    """The configuration that is varied, if each value of the space is one that it takes.

    Each is tried with everything else as it is in the configuration; a combination that is refused
    for itself alone becomes a failed trial.

    Raises:
        UserError: the configuration, a key or a value is refused; all are listed.
    """
    settings = load_config(config, overrides)
    problems = []
    for key, domain in space.domains.items():
        if _SCORED_BY.fullmatch(key):
            problems.append(f"{key}: decides how trials are scored, so it cannot be searched")
            continue
        for value in domain.ends:
            try:
                load_config(config, [*overrides, f"{key}={value}"])
            except UserError as error:
                problems.append(_cause(str(error), config))
                break
    if problems:
        raise UserError(problem_list("--search", problems))
    return settings


def _cause(message: str, config: str) -> str:
    """A problem of a configuration without the name of its file."""
    first, _, rest = message.partition("\n")
    if rest:  # of several the first; they have one cause
        return rest.splitlines()[0].strip()
    return re.sub(rf"^.*{re.escape(config.rpartition('/')[2])}(\.yaml)?: ", "", first)
