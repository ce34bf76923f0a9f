"""`mtbert convert`: a PyTorch checkpoint as safetensors."""

from __future__ import annotations

import argparse

from mtbert.commands.base import existing_or_new, file_to_write

__all__ = ["HELP", "add_arguments", "run"]

HELP = "pytorch_model.bin → model.safetensors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "file", type=existing_or_new, help="pytorch_model.bin, a shard or index of it, .pt, .pth"
    )
    parser.add_argument(
        "output", type=file_to_write, nargs="?", help="default: model.safetensors beside it"
    )


def run(options: argparse.Namespace) -> None:
    """Write the file; print how many tensors it holds, and what an encoder needs beside it."""
    from mtbert.io.bounded import is_file
    from mtbert.model.convert_pickle import convert_legacy

    output = options.output or options.file.with_name("model.safetensors")
    count = convert_legacy(options.file, output)
    print(f"{output}: {count} tensors")
    needed = [n for n in ("config.json", "vocab.txt") if not is_file(output.with_name(n))]
    if is_file(output.with_name("tokenizer.json")):
        needed = [name for name in needed if name != "vocab.txt"]
    if needed:
        print(
            f"to use its folder as an encoder, put {' and '.join(needed)} of the encoder that was "
            "trained beside it, and name the file model.safetensors"
        )
