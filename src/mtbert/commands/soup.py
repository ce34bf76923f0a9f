"""`mtbert soup`: one model whose weights are the mean of several runs' weights."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtbert.commands.base import add_json, existing_or_new, json_text
from mtbert.errors import UserError

if TYPE_CHECKING:
    from mtbert.inference.evaluate import Evaluation
    from mtbert.inference.model import MultitaskModel

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
    for path, part in zip(options.run_folders, told["runs"], strict=True):
        used = "in the soup" if part["used"] else "left out"
        print(f"{path}: {_shown(part['score'])} on dev, {used}")
    print(f"{options.output}: {_shown(told['score'])} on dev")


def _shown(score: float | None) -> str:
    return "undefined" if score is None else f"{score:.4f}"


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
    if len({path.resolve() for path in runs}) < len(runs):
        raise UserError("soup: found a run twice; name each once")
    ingredients = load_ingredients(runs)
    taste = Taste(ingredients[0])
    known: dict[tuple[int, ...], Evaluation] = {}

    def mixed_of(numbers: Sequence[int]) -> MultitaskModel:
        parts = [ingredients[number] for number in numbers]
        return parts[0].model if len(parts) == 1 else mix(parts)

    def tasted(numbers: Sequence[int]) -> Evaluation:
        if (key := tuple(numbers)) not in known:
            known[key] = taste.evaluate(mixed_of(numbers))
        return known[key]

    alone = [tasted([number]) for number in range(len(runs))]
    chosen = list(range(len(runs)))
    if recipe == "greedy":
        ranks = [taste.rank(found) for found in alone]
        chosen, _ = greedy(ranks, lambda numbers: taste.rank(tasted(numbers)))
    mixed, found = mixed_of(chosen), tasted(chosen)
    told = {
        "recipe": recipe,
        "runs": [
            {
                "run": each.path.name,
                "seed": each.settings.seed,
                "score": taste.score(evaluation),
                "used": number in chosen,
            }
            for number, (each, evaluation) in enumerate(zip(ingredients, alone, strict=True))
        ],
        "score": taste.score(found),
        "dev": found.dev,
    }
    written: dict[str, Any] = atomic.finite(told)
    with atomic.new_folder(output) as folder:
        precision = ingredients[chosen[0]].settings.training.precision
        save_network(mixed.network, mixed.max_length, folder, precision)
        for name, text in tokenizer_files(mixed.tokenizer, mixed.max_length).items():
            atomic.write_text(folder / name, text)
        atomic.write_json(folder / "soup.json", written)
        write_manifest(folder)
    return written
