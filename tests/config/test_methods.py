"""A method in a configuration: a bare name or a mapping, in YAML and on the command line."""

from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import Field

from mtbert.config.load import load_config, parse_settings
from mtbert.config.methods import choose
from mtbert.config.yaml import dump_yaml
from mtbert.errors import UserError
from mtbert.methods.sampling import table
from mtbert.methods.sampling.base import Sampler
from mtbert.methods.sampling.table import SAMPLERS

TREE = {
    "tasks": {
        "a": {"kind": "pair_regression", "train": "a.csv", "dev": "b.csv"},
        "b": {"kind": "pair_regression", "train": "c.csv", "dev": "d.csv"},
    }
}
YAML = """\
tasks:
  a: {kind: pair_regression, train: a.csv, dev: b.csv}
  b: {kind: pair_regression, train: c.csv, dev: d.csv}
"""


class Annealed(Sampler):
    """A sampler with options; it makes no plan."""

    name: Literal["annealed"] = "annealed"
    decay: Annotated[float, Field(ge=0, le=1)] = 0.8
    floor: int | None = None
    calls: ClassVar[int] = 0

    def steps(self, spec):
        raise NotImplementedError

    def plan(self, spec, epoch, seed):
        raise NotImplementedError


@pytest.fixture(autouse=True)
def annealed(monkeypatch):
    monkeypatch.delenv("MTBERT_DATA", raising=False)
    monkeypatch.setattr(table, "SAMPLERS", (*SAMPLERS[:4], Annealed))


def batching(value):
    return parse_settings({**TREE, "training": {"batching": value}}, "x").training.batching


@pytest.fixture
def overridden(tmp_path):
    """The sampler of a YAML file with overrides."""

    def load(training, *overrides):
        file = tmp_path / "run.yaml"
        file.write_text(f"{YAML}{training}")
        return load_config(str(file), overrides).training.batching

    return load


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("annealed", Annealed()),
        ({"name": "annealed"}, Annealed()),
        ({"name": "annealed", "decay": 0.5}, Annealed(decay=0.5)),
        ({"decay": 1, "name": "annealed"}, Annealed(decay=1.0)),
        (Annealed(decay=0.25), Annealed(decay=0.25)),
        ("method1", SAMPLERS[0]()),
    ],
)
def test_a_name_or_a_mapping_names_a_method(value, expected):
    assert batching(value) == expected


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("anealed", "training.batching: input should be 'method1', 'method2', 'method3', "
         "'continued' or 'annealed', found 'anealed'; did you mean 'annealed'?"),
        ("zzz", "found 'zzz'"),
        ({"name": "anealed"}, "training.batching: input should be 'method1', 'method2', "),
        ({"name": "anealed"}, "found 'anealed'; did you mean 'annealed'?"),
        ({"name": 3}, "found 3"),
        ({"name": None}, "found None"),
        ({"decay": 0.5}, "training.batching.name: missing; it should be 'method1', "),
        ({"name": "annealed", "decy": 0.5},
         "training.batching.decy: unknown key; did you mean 'decay'?"),
        ({"name": "annealed", "zz": 0.5},
         "training.batching.zz: unknown key; known: decay, floor"),
        ({"name": "annealed", "decay": 3},
         "training.batching.decay: input should be less than or equal to 1, found 3"),
        ({"name": "annealed", "decay": "x"}, "training.batching.decay: input should be a valid "),
        ({"name": "annealed", "decay": float("nan")}, "training.batching.decay: "),
        ({"name": "method1", "decay": 3}, "training.batching.decay: method1 has no options"),
        ({1: 2, "name": "method1"}, "training.batching.1: "),
        (3, "or a mapping of `name` and options, found 3"),
        (None, "or a mapping of `name` and options, found None"),
        (["annealed"], "or a mapping of `name` and options, found ['annealed']"),
    ],
)  # fmt: skip
def test_what_names_no_method_is_refused_and_why(value, told):
    with pytest.raises(UserError) as error:
        batching(value)
    assert told in str(error.value)
    assert str(error.value).startswith("x: training.batching")
    assert "\n" not in str(error.value)


def test_every_wrong_option_is_told_beside_other_problems():
    tree = {"name": "annealed", "decay": 3, "floor": "x", "y": 1}
    with pytest.raises(UserError, match="4 problems") as error:
        parse_settings({**TREE, "sed": 1, "training": {"batching": tree}}, "x")
    for key in ("sed", *(f"training.batching.{key}" for key in ("decay", "floor", "y"))):
        assert f"  {key}: " in str(error.value)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["training.batching=annealed"], Annealed()),
        (["training.batching.name=annealed"], Annealed()),
        (["training.batching={name: annealed, decay: 0.5}"], Annealed(decay=0.5)),
        (["training.batching.name=annealed", "training.batching.decay=0.5"], Annealed(decay=0.5)),
        (["training.batching.decay=0.5", "training.batching.name=annealed"], Annealed(decay=0.5)),
        (["training.batching=annealed", "training.batching.decay=0.5"], Annealed(decay=0.5)),
    ],
)
@pytest.mark.parametrize("training", ["", "training:\n", "training: {batching: method1}\n"])
def test_the_command_line_sets_name_and_options(overridden, training, overrides, expected):
    assert overridden(training, *overrides) == expected


@pytest.mark.parametrize("written", ["annealed", "{name: annealed, floor: 3}"])
def test_an_option_on_the_command_line_keeps_the_name(overridden, written):
    found = overridden(f"training: {{batching: {written}}}\n", "training.batching.decay=0.5")
    assert (found.name, found.decay) == ("annealed", 0.5)
    assert found.floor == (3 if "floor" in written else None)


def test_an_option_that_the_default_does_not_have_is_refused(overridden):
    with pytest.raises(UserError, match=r"training\.batching\.decay: method2 has no options"):
        overridden("", "training.batching.decay=0.5")


def test_an_option_below_an_option_is_refused(overridden):
    written = "training: {batching: {name: annealed, decay: 1}}"
    with pytest.raises(UserError, match=r"'decay' holds a value, not a section"):
        overridden(written, "training.batching.decay.x=1")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("annealed", "batching: annealed\n"),
        ({"name": "annealed", "decay": 0.8}, "batching: annealed\n"),
        ({"name": "annealed", "decay": 0.5},
         "batching:\n    name: annealed\n    decay: 0.5\n  group"),
        ({"name": "annealed", "floor": 2},
         "batching:\n    name: annealed\n    decay: 0.8\n    floor: 2\n  group"),
    ],
)  # fmt: skip
def test_it_is_written_as_its_bare_name_unless_an_option_is_changed(tmp_path, value, written):
    settings = parse_settings({**TREE, "training": {"batching": value}}, "x")
    file = tmp_path / "config.yaml"
    file.write_text(dump_yaml(settings))
    assert f"\n  {written}" in file.read_text()
    assert load_config(str(file)) == settings


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("method2", {}),
        ("annealed", {"batching": "annealed"}),
        ({"name": "annealed", "decay": 0.5}, {"batching": {"name": "annealed", "decay": 0.5}}),
    ],
)
def test_without_defaults_only_what_was_chosen_is_left(value, expected):
    settings = parse_settings({**TREE, "training": {"batching": value}}, "x")
    assert settings.model_dump(exclude_defaults=True).get("training", {}) == expected


@pytest.mark.parametrize("key", ["weighting", "surgery"])
def test_the_other_families_are_looked_up_in_their_own_tables(key):
    with pytest.raises(UserError, match=f"training.{key}: input should be '(fixed|none)'"):
        parse_settings({**TREE, "training": {key: "method1"}}, "x")


def test_a_member_of_another_family_is_refused():
    with pytest.raises(ValueError, match="or a mapping of `name` and options"):
        choose(SAMPLERS[:1], Annealed())
