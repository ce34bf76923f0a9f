"""Grid files: base configurations × variations × seeds → runs, each keyed by its content.

    forms:                              # or `base: NAME` for one
      paper: {base: paper-multitask}
      ours: {base: multitask, set: {training.warmup: 0}}
    seeds: [1, 2, 3]
    set: {training.epochs: 2}           # for every run
    variations:
      method2: {set: {training.batching: method2}}
      sst: {tasks: [sst]}               # of the base's tasks, these
    include: [batching, other.yaml]     # instead of a base: other grids, changed by the keys above

Later settings win: base, `set`, the form's `set`, the variation's `set`, the same of an including
grid, overrides of the command line. Reads files only: no torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mtbert.config.load import load_config, parse_settings
from mtbert.config.messages import explain, nearest
from mtbert.config.settings import Settings
from mtbert.config.yaml import read_yaml
from mtbert.data.completion import completed
from mtbert.errors import UserError, problem_list, shown
from mtbert.io.bounded import is_file
from mtbert.studies.fingerprint import Fingerprints

__all__ = [
    "Cell",
    "Experiment",
    "PlannedRun",
    "cells",
    "load_grid",
    "planned_run",
    "shipped_grids",
]

SMALLEST = "smallest"
"""As `training.steps_per_epoch`: the number of batches of the base's smallest data set."""

_MOST_PLACES = 10_000
_CAP = "training.steps_per_epoch"
_GRIDS = Path(__file__).parent / "grids"
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}"
_Name = Annotated[str, Field(pattern=f"^{_NAME}$")]
_Seed = Annotated[int, Field(ge=0, lt=2**31)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Form(_Section):
    base: str | None = None
    set: dict[str, Any] = {}


class _Variation(_Section):
    tasks: tuple[str, ...] | None = None
    set: dict[str, Any] = {}


class _Grid(_Section):
    """One file, as it is written."""

    title: str | None = None
    base: str | None = None
    forms: dict[_Name, _Form] = {}
    seeds: Annotated[tuple[_Seed, ...], Field(min_length=1)] | None = None
    set: dict[str, Any] = {}
    variations: dict[_Name, _Variation] = {}
    include: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        bases = [name for name, form in self.forms.items() if form.base is not None]
        if self.include and (self.base or bases):
            raise ValueError("`include` and a base exclude each other")
        if not self.include and bool(self.base) == bool(self.forms):
            raise ValueError("set `base`, or `forms` with a base each, or `include`")
        if not self.include and len(bases) < len(self.forms):
            raise ValueError("every one of `forms` needs a `base`")
        return self


@dataclass(frozen=True, slots=True)
class Experiment:
    """Runs that are compared with each other, from one grid file.

    Attributes:
        name: of its grid.
        title: its heading in reports.
        bases: the base configuration of each form.
        variations: the tasks of each variation; None for all of the base.
        seeds: in order.
        layers: the grid files it comes from; later ones override earlier ones.
    """

    name: str
    title: str
    bases: dict[str, str]
    variations: dict[str, tuple[str, ...] | None]
    seeds: tuple[int, ...]
    layers: tuple[_Grid, ...]

    def changes(self, form: str, variation: str) -> dict[str, Any]:
        """Dotted keys and values, in order of precedence, the strongest last."""
        changes: dict[str, Any] = {}
        for layer in self.layers:
            for section in (layer, layer.forms.get(form), layer.variations.get(variation)):
                for key, value in (section.set if section else {}).items():
                    changes.pop(key, None)
                    changes[key] = value
        return changes


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run to be made.

    Attributes:
        label: `FORM-VARIATION` of the first place that it fills.
        key: a fingerprint of its settings and data files.
        settings: resolved.
        steps: optimizer steps of all epochs.
        work: characters to encode, a forward pass counted once and a training step three times;
            roughly proportional to the time it takes.
    """

    label: str
    key: str
    settings: Settings
    steps: int
    work: float

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.label}-s{self.settings.seed}-{self.key}"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of an experiment's table, and the run that fills it."""

    experiment: Experiment
    form: str
    variation: str
    seed: int
    run: PlannedRun


def shipped_grids() -> dict[str, Path]:
    """The grid files shipped with mtbert, by name."""
    return {path.stem: path for path in sorted(_GRIDS.glob("*.yaml"))}


def load_grid(source: str) -> list[Experiment]:
    """The experiments of a grid file or a shipped name.

    Raises:
        UserError: it cannot be read, or anything in it is wrong.
    """
    path = _find(source)
    return _load(path, ())


def cells(experiments: Sequence[Experiment], overrides: Sequence[str] = ()) -> list[Cell]:
    """Every cell of every experiment, seeds in the outermost loop; equal runs are one object.

    Args:
        experiments: to expand.
        overrides: `KEY=VALUE` for every run; `seed=N` takes the place of the seeds.

    Raises:
        UserError: a configuration or a data file cannot be used.
    """
    places = sum(len(e.bases) * len(e.variations) * len(e.seeds) for e in experiments)
    if places > _MOST_PLACES:
        raise UserError(f"the grid has {places} places, at most {_MOST_PLACES} are run")
    fingerprints = Fingerprints()
    resolved = {
        (experiment.name, form, variation): _resolve(
            experiment, form, variation, overrides, fingerprints
        )
        for experiment in experiments
        for form in experiment.bases
        for variation in experiment.variations
    }
    fixed = any(override.partition("=")[0] == "seed" for override in overrides)
    if fixed:
        all_seeds = [next(iter(resolved.values())).seed]
    else:
        all_seeds = list(dict.fromkeys(s for e in experiments for s in e.seeds))
    runs: dict[str, PlannedRun] = {}
    found = []
    for seed in all_seeds:
        for experiment in experiments:
            if not fixed and seed not in experiment.seeds:
                continue
            for form in experiment.bases:
                for variation in experiment.variations:
                    settings = resolved[experiment.name, form, variation]
                    settings = settings.model_copy(update={"seed": seed})
                    run = planned_run(f"{form}-{variation}", settings, fingerprints)
                    run = runs.setdefault(run.key, run)
                    found.append(Cell(experiment, form, variation, seed, run))
    return found


def _find(source: str) -> Path:
    shipped = shipped_grids()
    if is_file(Path(source)):
        return Path(source)
    if source in shipped:
        return shipped[source]
    raise UserError(
        f"experiment {shown(source)} is neither a file nor a shipped name"
        f"{nearest(source, [*shipped])}"
    )


def _load(path: Path, outer: tuple[Path, ...]) -> list[Experiment]:
    if path.resolve() in outer:
        raise UserError(f"{path}: includes itself")
    grid = _parse(path)
    if not grid.include:
        bases = {name: str(form.base) for name, form in grid.forms.items()}
        if grid.base is not None:
            bases = {_form_name(path, grid.base): grid.base}
        return [
            Experiment(
                path.stem,
                grid.title or path.stem,
                {form: _beside(path, base) for form, base in bases.items()},
                {n: v.tasks for n, v in grid.variations.items()} or {"base": None},
                grid.seeds or (1,),
                (grid,),
            )
        ]
    inner = [
        experiment
        for source in grid.include
        for experiment in _load(_find(_beside(path, source)), (*outer, path.resolve()))
    ]
    _check_names(path, grid, inner)
    return [_changed(experiment, grid) for experiment in inner]


def _form_name(path: Path, base: str) -> str:
    """What a grid's only form is called: after its base. It becomes a part of names of files."""
    name = Path(base).stem
    if not re.fullmatch(_NAME, name):
        raise UserError(
            f"{path}: base: {shown(name)} cannot be a part of names of files; give it a name: "
            "`forms: {NAME: {base: ...}}`, of at most 64 letters, digits, _, ., + or -"
        )
    return name


def _changed(experiment: Experiment, grid: _Grid) -> Experiment:
    variations = {
        name: grid.variations[name].tasks or tasks if name in grid.variations else tasks
        for name, tasks in experiment.variations.items()
    }
    return Experiment(
        experiment.name,
        experiment.title,
        experiment.bases,
        variations,
        grid.seeds or experiment.seeds,
        (*experiment.layers, grid),
    )


def _parse(path: Path) -> _Grid:
    try:
        return _Grid.model_validate(read_yaml(path))
    except ValidationError as error:
        problems = [p for e in error.errors() for p in explain(e, _known_keys)]
        raise UserError(problem_list(str(path), problems)) from None


def _known_keys(section: Sequence[str]) -> list[str]:
    models: dict[str, type[_Section]] = {"forms": _Form, "variations": _Variation}
    return list((models[section[0]] if section else _Grid).model_fields)


def _check_names(path: Path, grid: _Grid, inner: Sequence[Experiment]) -> None:
    """What an including grid changes must be there."""
    problems = []
    for key, wanted, known in (
        ("forms", grid.forms, {f for e in inner for f in e.bases}),
        ("variations", grid.variations, {v for e in inner for v in e.variations}),
    ):
        problems += [
            f"{key}.{name}: not in what is included{nearest(name, sorted(known))}"
            for name in wanted
            if name not in known
        ]
    names = [e.name for e in inner]
    problems += [f"include: {n!r} is listed twice" for n in sorted({*names}) if names.count(n) > 1]
    if problems:
        raise UserError(problem_list(str(path), problems))


def _beside(path: Path, name: str) -> str:
    """A file's name starts from the folder of the file that holds it."""
    beside = path.parent / name
    return str(beside) if is_file(beside) else name


def _resolve(
    experiment: Experiment,
    form: str,
    variation: str,
    overrides: Sequence[str],
    fingerprints: Fingerprints,
) -> Settings:
    changes = experiment.changes(form, variation)
    smallest = changes.get(_CAP) == SMALLEST
    if smallest:
        changes[_CAP] = None
    lines = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    where = f"{experiment.name}, {form}, {variation}"
    try:
        settings = completed(load_config(experiment.bases[form], [*lines, *overrides]))
        if smallest and settings.training.steps_per_epoch is None:
            settings = _capped(settings, min(fingerprints.batches(settings).values()))
        settings = _select_tasks(settings, experiment.variations[variation])
        if settings.training.steps_per_epoch is not None:
            # A cap that changes nothing is dropped, so that equal runs have equal settings.
            free = _capped(settings, None)
            if fingerprints.epoch_length(free) == fingerprints.epoch_length(settings):
                settings = free
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    return settings


def _capped(settings: Settings, cap: int | None) -> Settings:
    training = settings.training.model_copy(update={"steps_per_epoch": cap})
    return settings.model_copy(update={"training": training})


def _select_tasks(settings: Settings, names: Sequence[str] | None) -> Settings:
    if names is None:
        return settings
    for name in names:
        if name not in settings.tasks:
            raise UserError(f"tasks: no task {name!r}{nearest(name, list(settings.tasks))}")
    tree = settings.written()
    chosen = {name: task for name, task in tree["tasks"].items() if name in names}
    return parse_settings({**tree, "tasks": chosen}, "configuration")


def planned_run(label: str, settings: Settings, fingerprints: Fingerprints) -> PlannedRun:
    """The run of settings that are completed from their data.

    Raises:
        UserError: a data file cannot be read.
    """
    return PlannedRun(
        label,
        fingerprints.key(settings),
        settings,
        fingerprints.steps(settings),
        fingerprints.work(settings),
    )
