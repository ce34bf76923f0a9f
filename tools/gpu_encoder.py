"""Write the packaged encoder as a folder whose weights are bf16, half as large.

    python tools/gpu_encoder.py FOLDER [--from FOLDER]

mtbert reads it as any other folder and computes from these weights in fp32. They are rounded to
eight bits, so a run that starts from them is not bit for bit one that starts from the originals.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from mtbert.model.encoders.base import Encoder
from mtbert.model.hub import PACKAGED, locate

_COPIED = ("tokenizer.json", "tokenizer_config.json", "vocab.txt")


def main() -> None:
    """Write it, read it, and say how far the weights have moved."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--from", dest="source", default=PACKAGED, help="default: packaged")
    options = parser.parse_args()
    moved = write(locate(options.source), options.folder)
    bytes_written = sum(file.stat().st_size for file in options.folder.iterdir())
    print(f"{options.folder}: {bytes_written / 1e6:.1f} MB; weights moved by {moved:.1e} of theirs")


def write(source: Path, folder: Path) -> float:
    """Write the folder; returns the norm of the change over that of the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads((source / "config.json").read_text("utf-8"))
    config.pop("torch_dtype", None)
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}, indent=1))
    for name in _COPIED:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    weights = load_file(source / "model.safetensors")
    rounded = {
        name: tensor.to(torch.bfloat16) if tensor.is_floating_point() else tensor
        for name, tensor in weights.items()
    }
    save_file(rounded, folder / "model.safetensors", {"format": "pt"})
    before, after = Encoder.from_pretrained(str(source)), Encoder.from_pretrained(str(folder))
    pairs = list(zip(before.parameters(), after.parameters(), strict=True))
    apart = sum(float((a - b).detach().square().sum()) for a, b in pairs)
    return float((apart / sum(float(a.detach().square().sum()) for a, _ in pairs)) ** 0.5)


if __name__ == "__main__":
    main()
