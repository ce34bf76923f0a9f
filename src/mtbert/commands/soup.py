"""`mtbert soup`: one model whose weights are the mean of several runs' weights."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtbert.commands.base import add_json, existing_or_new, json_text
from mtbert.errors import UserError

__all__ = ["HELP", "add_arguments", "run", "write_soup"]

HELP = "one model of several runs: the mean of their weights"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "run_folders", nargs="+", type=existing_or_new, metavar="RUN",
        help="finished runs that differ by seed or training settings alone",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=existing_or_new, required=True, metavar="FOLDER",
        help="where the model goes; a new folder",
    )  # fmt: skip
    parser.add_argument(
        "--recipe", choices=["greedy", "uniform"], default="greedy",
        help="take the runs that do not lower the score on dev, the best first (default), or all",
    )  # fmt: skip
    add_json(parser)


def run(options: argparse.Namespace) -> None:
    """Write the model; print what went into it, and its scores on dev."""
    told = write_soup(options.run_folders, options.output, options.recipe)
    if options.json:
        print(json_text(told))
        return
    for part in told["runs"]:
        used = "in the soup" if part["used"] else "left out"
        print(f"{part['run']}: {part['score']:.4f} on dev, {used}")
    print(f"{options.output}: {told['score']:.4f} on dev")


def write_soup(runs: Sequence[Path], output: Path, recipe: str) -> dict[str, Any]:
    """Mix runs and write the model folder, with `soup.json` in it; returns what that says.

    Args:
        runs: finished ones, two or more.
        output: a new folder.
        recipe: `greedy` or `uniform`.

    Raises:
        UserError: the runs cannot be mixed, their dev files not read, or the folder is not new.
    """
    from mtbert.data.tokenizer_export import tokenizer_files
    from mtbert.inference.soup import Taste, greedy, load_ingredients, mix
    from mtbert.io import atomic
    from mtbert.io.manifest import write_manifest
    from mtbert.model.saved import save_network

    if len(runs) < 2:
        raise UserError(f"soup: found one run, {runs[0]}; expected two or more")
    if output.exists():
        raise UserError(f"--output {output}: is there already; name a new folder")
    ingredients = load_ingredients(runs)
    taste = Taste(ingredients[0])

    def score_of(numbers: Sequence[int]) -> float:
        return taste.score(taste.evaluate(mix([ingredients[n] for n in numbers])))

    scores = [score_of([number]) for number in range(len(runs))]
    chosen = greedy(scores, score_of)[0] if recipe == "greedy" else list(range(len(runs)))
    mixed = mix([ingredients[number] for number in chosen])
    found = taste.evaluate(mixed)
    told = {
        "recipe": recipe,
        "runs": [
            {
                "run": each.path.name,
                "seed": each.settings.seed,
                "score": value,
                "used": number in chosen,
            }
            for number, (each, value) in enumerate(zip(ingredients, scores, strict=True))
        ],
        "score": taste.score(found),
        "dev": found.dev,
    }
    with atomic.new_folder(output) as folder:
        precision = ingredients[0].settings.training.precision
        save_network(mixed.network, mixed.max_length, folder, precision)
        for name, text in tokenizer_files(mixed.tokenizer, mixed.max_length).items():
            atomic.write_text(folder / name, text)
        atomic.write_json(folder / "soup.json", atomic.finite(told))
        write_manifest(folder)
    return told
