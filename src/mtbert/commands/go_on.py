"""The command that goes on with a run: what is printed when a run is interrupted."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["go_on_command"]


def go_on_command(
    output: Path, started_as: Sequence[str], environment: Mapping[str, str] = os.environ
) -> str:
    """The command, quoted for a shell, that goes on with an interrupted run where it was started.

    Args:
        output: the run's folder, which may not be there yet.
        started_as: what follows `mtbert train`, for a run that has no folder yet.
        environment: torchrun's variables tell how many processes it has.
    """
    begun = (output / "config.yaml").is_file()
    arguments = ["train", *(["--resume", str(output)] if begun else started_as)]
    return shlex.join([*_launcher(environment), *arguments])


def _launcher(environment: Mapping[str, str]) -> list[str]:
    """What stands before `train`: mtbert as it was called, several processes by torchrun."""
    if int(environment.get("WORLD_SIZE", "1")) == 1:
        return _program()
    machines = int(environment.get("GROUP_WORLD_SIZE", "1"))
    each = ["--nproc-per-node", environment.get("LOCAL_WORLD_SIZE", environment["WORLD_SIZE"])]
    if machines > 1:
        endpoint = f"{environment.get('MASTER_ADDR', 'FIRST-MACHINE')}:29500"
        meeting = ["--rdzv-backend", "c10d", "--rdzv-endpoint", endpoint]
        each = ["--nnodes", str(machines), *each, *meeting]
    return ["torchrun", *each, "-m", "mtbert"]


def _program() -> list[str]:
    called = Path(sys.argv[0])
    if called.name == "__main__.py":  # python -m mtbert
        found = shutil.which("python")
        same = found is not None and os.path.realpath(found) == os.path.realpath(sys.executable)
        return ["python" if same and _same_environment(found) else sys.executable, "-m", "mtbert"]
    found = shutil.which("mtbert")
    known = found is not None and os.path.realpath(found) == os.path.realpath(called)
    return ["mtbert" if known or not called.is_file() else str(called)]


def _same_environment(python: str | None) -> bool:
    """Whether a python of the search path is this one and not the one that it was made from."""
    return python is not None and Path(python).parent == Path(sys.executable).parent
