"""Runs as processes on the machines of a Ray cluster (extra `ray`).

Each run is an actor that starts `mtbert train` on its machine and passes signals on. All that is
known of a run is in its folder, so the machines see the study's folder, and mtbert and the data,
under the same paths.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtbert.errors import UserError
from mtbert.studies.engines.base import Engine
from mtbert.studies.engines.local import launch_train
from mtbert.studies.jobs import THREAD_VARIABLES

__all__ = ["open_ray"]

_LOST = 1
"""The exit code of a run whose machine has left the cluster."""


@contextmanager
def open_ray(workers: int) -> Iterator[Engine]:
    """The cluster that RAY_ADDRESS names or that runs here, else one of this machine alone.

    Its processors are shared by so many runs at once. One that was not connected to before is left
    at the end.

    Raises:
        UserError: the extra is not installed, or the cluster cannot be reached.
    """
    try:
        import ray
    except ImportError:
        raise UserError("--engine ray: needs Ray; run: pip install 'mtbert[ray]'") from None
    connected = ray.is_initialized()
    if not connected:
        try:
            ray.init(log_to_driver=False, configure_logging=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UserError(f"--engine ray: no cluster: {error}") from None
    try:
        found = ray.cluster_resources()
        threads = max(1, int(found.get("CPU", 1)) // workers)
        gpus = min(1.0, found.get("GPU", 0) / workers)
        as_actor: Any = ray.remote  # typed for functions alone
        runner = as_actor(num_cpus=threads, num_gpus=gpus, max_concurrency=2)(_Runner)

        def launch(path: Path, environment: Mapping[str, str]) -> _RayJob:
            threads_told = {name: environment[name] for name in THREAD_VARIABLES}
            return _RayJob(runner.remote(), str(path.absolute()), threads_told)

        yield Engine(launch, threads)
    finally:
        if not connected:
            ray.shutdown()


class _Runner:
    """A run on the machine that Ray has chosen for it; its variables, but for the threads."""

    def __init__(self) -> None:
        self._process: Any = None
        self._signal = 0

    def train(self, path: str, threads: Mapping[str, str]) -> int:
        """Train to the end; the exit code."""
        self._process = launch_train(Path(path), os.environ | threads)
        if self._signal:
            self._process.send_signal(self._signal)
        return int(self._process.wait())

    def send_signal(self, sig: int) -> None:
        """Pass a signal on, to a run that has not begun too."""
        self._signal = sig
        if self._process is not None:
            self._process.send_signal(sig)


class _RayJob:
    """The job of a run, as seen from where the study is."""

    def __init__(self, runner: Any, path: str, threads: Mapping[str, str]) -> None:
        self._runner, self._code = runner, runner.train.remote(path, threads)

    def poll(self) -> int | None:
        import ray

        ended, _ = ray.wait([self._code], timeout=0)
        return self.wait() if ended else None

    def wait(self) -> int:
        import ray

        try:
            return int(ray.get(self._code))
        except ray.exceptions.RayError:
            return _LOST

    def send_signal(self, sig: int) -> None:
        self._runner.send_signal.remote(sig)
