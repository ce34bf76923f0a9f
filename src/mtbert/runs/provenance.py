"""Provenance of a run, in RUN/run.json: its inputs and the environments it ran in.

    {"format": 1,
     "inputs": {"tasks.sst.train": sha256, …, "encoder/model.safetensors": sha256, …},
     "environments": [{"device": …, "threads": …, "versions": {…}, …}, …]}

A run goes on from the same bytes or not at all. Where it goes on with another environment (library
versions, threads, processes, processor), it is no longer bit for bit the run that was never
stopped; that is said, and the environment is added to the list.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtbert.config.settings import Settings
from mtbert.distributed.processes import Processes
from mtbert.errors import UserError, problem_list
from mtbert.io import atomic
from mtbert.model.hub import SETTINGS_FILES

__all__ = [
    "ABSENT", "FORMAT", "Provenance", "check_alike", "check_format", "differences",
    "encoder_files", "tasks_trained_on",
]  # fmt: skip

FORMAT = 1
"""Version of the run folder's layout."""

ABSENT = "absent"
"""In the place of the sum of a file that is not there, and would change the run if it were."""

_FILE = "run.json"

_TOLD_LATER = {f"encoder/{name}" for name in SETTINGS_FILES}
"""Files that run folders of earlier versions do not tell of."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What determines a run's results besides its configuration.

    Attributes:
        inputs: sha256 of each file that is learned from, by what it is.
        environment: where and with what is computed; JSON values.
    """

    inputs: Mapping[str, str]
    environment: Mapping[str, Any]

    def write(self, run: Path) -> None:
        """Write it for a new run."""
        _write(run, self.inputs, [dict(self.environment)])

    def go_on(self, run: Path) -> None:
        """Compare with what the run started from; add an environment that is another one.

        Raises:
            UserError: other inputs, another format, or a damaged file.
        """
        stored = _read(run)
        before = stored["inputs"]
        now = self.inputs
        if not _TOLD_LATER & before.keys():  # of an earlier version, which did not read them
            now = {name: digest for name, digest in now.items() if name not in _TOLD_LATER}
        changed = sorted(n for n in {*before, *now} if before.get(n) != now.get(n))
        if changed:
            raise UserError(
                f"{problem_list(f'{run}: files changed since the run was started', changed)}\n"
                "put the old ones back, or start a new run in another folder"
            )
        environments = stored["environments"]
        last = {"processes": 1, **environments[-1]}  # older run folders do not tell them
        changed = differences(_sorted(last), _sorted(self.environment))
        if changed:
            _log.warning(
                "%s: goes on elsewhere than before (%s); it will not be bit for bit the run that "
                "was never stopped",
                run, "; ".join(changed),
            )  # fmt: skip
            _write(run, stored["inputs"], [*environments, dict(self.environment)])


def check_alike(settings: Settings, provenance: Provenance, processes: Processes) -> None:
    """Refuse processes that would not compute the same.

    Where files are, and how many threads there are, may differ from machine to machine; what is
    in the files may not.

    Raises:
        UserError: names each process and what differs.
    """
    tree = settings.model_dump(mode="json", exclude={"device", "threads", "data"})
    del tree["encoder"]["path"]
    for task in tree["tasks"].values():
        task |= dict.fromkeys(("train", "dev", "test"))
    environment = provenance.environment
    mine = {
        "settings": tree,
        "files": dict(provenance.inputs),
        "device": environment["device"].partition(":")[0],
        "precision": environment["precision"],
        "versions": environment["versions"],
    }
    first, *others = processes.all_gather(mine)
    problems = [
        f"process {rank}: {difference}"
        for rank, other in enumerate(others, start=1)
        for difference in differences(first, other, word="there")
    ]
    if problems:
        title = "the processes do not start from the same (first what process 0 has)"
        raise processes.raised_by_all(UserError(problem_list(title, problems)))


def check_format(run: Path) -> None:
    """Refuse to read the folder of another format.

    Format 0, from before there was a run.json, cannot go on, but is read alike.

    Raises:
        UserError: names the format found and the one that is read.
    """
    if (run / _FILE).exists():
        _read(run)


def tasks_trained_on(run: Path, digest: str | None) -> list[str]:
    """Tasks of a run whose training file has this sha256; none for what is no run folder.

    Raises:
        UserError: run.json is damaged, or of another format.
    """
    if digest is None or not (run / _FILE).exists():
        return []
    names = [name.split(".") for name, found in _read(run)["inputs"].items() if found == digest]
    return [name[1] for name in names if name[0] == "tasks" and name[2:] == ["train"]]


def encoder_files(run: Path) -> dict[str, str]:
    """The sha256 of each file of the encoder that a run started from; {} where it is not known.

    Raises:
        UserError: run.json is damaged, or of another format.
    """
    if not (run / _FILE).exists():
        return {}
    inputs = _read(run)["inputs"]
    return {name: found for name, found in inputs.items() if name.startswith("encoder/")}


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "", word: str = "now"
) -> list[str]:
    """Each value, and each order of names, that differs, as `key: old, now new`."""
    found = []
    if list(old) != list(new) and set(old) == set(new):
        found.append(f"{prefix}order: {', '.join(old)}, {word} {', '.join(new)}")
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += differences(before, after, f"{prefix}{key}.", word)
        elif before != after:
            found.append(f"{prefix}{key}: {before!r}, {word} {after!r}")
    return found


def _sorted(values: Mapping[str, Any]) -> dict[str, Any]:
    """By key, for the order of these says nothing."""
    return dict(sorted(values.items()))


def _write(run: Path, inputs: Mapping[str, str], environments: list[dict[str, Any]]) -> None:
    content = {"format": FORMAT, "inputs": dict(inputs), "environments": environments}
    atomic.write_json(run / _FILE, content)


def _read(run: Path) -> dict[str, Any]:
    file = run / _FILE
    try:
        stored: dict[str, Any] = json.loads(file.read_text("utf-8"))
        found = stored["format"]
        if found == FORMAT:
            values = [stored["inputs"], *stored["environments"]]
            if len(values) < 2 or not all(isinstance(value, dict) for value in values):
                raise ValueError("inputs or environments are no mappings")
            return stored
    except FileNotFoundError:
        found = 0
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file}: damaged: {error}") from None
    raise UserError(
        f"{run}: run folder of format {found}, this mtbert reads {FORMAT}; use the version that "
        "wrote it, or start a new run in another folder"
    )
