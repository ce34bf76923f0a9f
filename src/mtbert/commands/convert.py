"""`mtbert convert`: a PyTorch checkpoint as safetensors."""

from __future__ import annotations

import argparse

from mtbert.commands.base import existing_or_new, file_to_write

__all__ = ["HELP", "add_arguments", "run"]

HELP = "pytorch_model.bin → model.safetensors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", type=existing_or_new)
    parser.add_argument("output", type=file_to_write, nargs="?")


def run(options: argparse.Namespace) -> None:
    """Write the file; print how many tensors it holds."""
    from mtbert.model.convert_pickle import convert_legacy

    output = options.output or options.file.with_name("model.safetensors")
    count = convert_legacy(options.file, output)
    print(f"{output}: {count} tensors")
