"""`tools/gpu_check.sh [OPTION …]`: check mtbert on a GPU, and keep what is found (docs/gpu.md)."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from benchmarks.gpu import size
from benchmarks.gpu.context import Context
from benchmarks.gpu.runner import Runner
from benchmarks.gpu.steps import STEPS

_ROOT = Path(__file__).parents[2]
_MOST_WORKERS = 6
_TOO_LARGE = 1


def main() -> int:
    """Do what the command line asks for; its exit code."""
    options = _options()
    if options.size:
        found = size.sizes(_ROOT, wheels=options.wheels, encoder=options.encoder, data=options.data)
        print(size.table(found))
        return _TOO_LARGE if sum(found.values()) > size.LIMIT else 0
    # A question for GPUs must not take hold of one in a process that is forked later.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    work = Path(options.work or tempfile.mkdtemp(prefix="gpu-check-")).absolute()
    try:
        context = Context(
            device=options.device,
            miniature=options.miniature,
            work=work,
            data=_data(options.data, work),
            encoder=None if options.encoder is None else options.encoder.absolute(),
            workers=options.workers or _workers(options.device),
        )
        wanted = {"environment", *(options.only or [step.name for step in STEPS])}
        steps = [step for step in STEPS if step.name in wanted]
        runner = Runner(context, options.output.absolute(), options.minutes)
        return runner.run(steps, skip_done=options.skip_done)
    finally:
        if options.work is None:
            shutil.rmtree(work, ignore_errors=True)


def _options() -> argparse.Namespace:
    names = [step.name for step in STEPS]
    parser = argparse.ArgumentParser(prog="tools/gpu_check.sh", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("gpu-check"), help="folder of results")
    parser.add_argument("--wheels", type=Path, help="folder of tools/gpu_wheels.sh")
    parser.add_argument("--encoder", type=Path, help="folder of tools/gpu_encoder.py")
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("MTBERT_DATA") or None,
        help="the course's data: a folder or a .tar.gz (default: MTBERT_DATA)",
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--minutes", type=float, default=9.0, help="for all steps together")
    parser.add_argument("--workers", type=int, help="runs of an experiment at once")
    parser.add_argument(
        "--only", nargs="+", choices=names, metavar="STEP", help=f"of {', '.join(names)}"
    )
    parser.add_argument(
        "--skip-done", action="store_true", help="go on: leave out what --output has already"
    )
    parser.add_argument("--miniature", action="store_true", help="everything tiny, to try it out")
    parser.add_argument(
        "--size", action="store_true", help=f"print what travels; 1 above {size.LIMIT:,} bytes"
    )
    parser.add_argument("--work", type=Path, help="keep what is made on the way in this folder")
    return parser.parse_args()


def _workers(device: str) -> int:
    """Runs of a small model keep a GPU waiting for the processor, so several share it."""
    cores = os.cpu_count() or 1
    return 1 if device == "cpu" else max(1, min(_MOST_WORKERS, cores // 2))


def _data(given: Path | None, work: Path) -> Path | None:
    """The folder of the data, unpacked if need be."""
    if given is None or str(given) == "packaged":
        return None
    given = Path(given).absolute()
    if given.is_dir():
        return given
    folder = work / "data"
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(given) as archive:
        archive.extractall(folder, filter="data")
    return folder


if __name__ == "__main__":
    sys.exit(main())
