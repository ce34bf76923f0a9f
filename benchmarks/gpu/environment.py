"""What the figures come from: card, driver, versions, the code itself."""

from __future__ import annotations

import hashlib
import importlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

import mtbert
from benchmarks.gpu.context import CheckFailed, Context
from mtbert.hardware.machine import computes_bf16, processor_name

__all__ = ["describe"]

_NEEDED = (
    "numpy", "pydantic", "ruamel.yaml", "safetensors", "sklearn", "scipy", "tabulate", "tokenizers",
    "tqdm", "huggingface_hub",
)  # fmt: skip
_WANTED = ("transformers", "accelerate", "matplotlib", "jinja2")
_ASKED = "name,driver_version,memory.total,power.limit,clocks.max.sm,persistence_mode"


def describe(context: Context) -> dict[str, Any]:
    """The machine; fails where the device or a library that mtbert needs is missing."""
    missing = [name for name in _NEEDED if not _there(name)]
    figures: dict[str, Any] = {
        "card": processor_name(torch.device(context.device)),
        "device": context.device,
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {n: _version(n) for n in ("torch", *_NEEDED, *_WANTED) if _there(n)},
        "without": [name for name in _WANTED if not _there(name)],
        "computes_bf16": computes_bf16(torch.device(context.device)),
        "source_sha256": _source(),
        "workers": context.workers,
        "miniature": context.miniature,
    }
    if context.device == "cuda":
        card = torch.cuda.get_device_properties(0)
        figures |= {
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "capability": f"{card.major}.{card.minor}",
            "memory_mb": card.total_memory / (1 << 20),
            "multiprocessors": card.multi_processor_count,
            "nvidia_smi": _nvidia_smi(),
        }
    context.note(figures)
    if missing:
        raise CheckFailed(f"not installed: {', '.join(missing)}")
    return figures


def _there(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def _version(name: str) -> str:
    distribution = {"sklearn": "scikit-learn"}.get(name, name)
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


def _source() -> str:
    """A hash of mtbert's code, which says what has been measured where there is no commit."""
    root = Path(mtbert.__file__).parent
    whole = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        whole.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return whole.hexdigest()


def _nvidia_smi() -> dict[str, str]:
    command = ["nvidia-smi", f"--query-gpu={_ASKED}", "--format=csv,noheader", "--id=0"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return {"error": str(error)[:200]}
    values = found.stdout.strip().split(", ")
    return dict(zip(_ASKED.split(","), values, strict=False))
