"""Spaces: what may be written, what it means, and how a mistake is told."""

import pytest

from mtbert.errors import UserError
from mtbert.studies.search.space import Choices, Range, read_space


@pytest.mark.parametrize(
    ("values", "domain"),
    [
        ("2,4,8", Choices(("2", "4", "8"))),
        ("none, {name: pcgrad}", Choices(('"none"', '{"name": "pcgrad"}'))),
        ("true,null", Choices(("true", "null"))),
        ("1e-5,0.5", Choices(("1e-05", "0.5"))),
        ("../a.csv,../b.csv", Choices(('"../a.csv"', '"../b.csv"'))),
        ("1..8", Range(1, 8, whole=True)),
        ("1..64:log", Range(1, 64, log=True, whole=True)),
        ("1e-5..5e-4:log", Range(1e-5, 5e-4, log=True)),
        ("-0.5..0.5", Range(-0.5, 0.5)),
        ("0..0.3:0.1", Range(0.0, 0.3, 0.1)),
        ("2..8:2", Range(2, 8, 2, whole=True)),
        ("2..9:2", Range(2, 8, 2, whole=True)),
        ("0..0.3:0.2", Range(0.0, 0.2, 0.2)),
        ("1..3:0.5", Range(1, 3.0, 0.5)),
    ],
)
def test_values_as_they_are_written(values, domain, tmp_path):
    assert read_space([f"a.b={values}"]).domains == {"a.b": domain}
    (tmp_path / "space.yaml").write_text(f"a.b: '{values}'\n")
    assert read_space([str(tmp_path / "space.yaml")]).domains == {"a.b": domain}


def test_a_file_may_hold_lists_and_what_is_given_later_takes_precedence(tmp_path):
    file = tmp_path / "space.yaml"
    file.write_text("training.epochs: [2, 4]\ntraining.surgery: [none, {name: pcgrad}]\n")
    found = read_space([str(file), "training.epochs=1..9"]).domains
    assert [*found] == ["training.epochs", "training.surgery"]
    assert found["training.epochs"] == Range(1, 9, whole=True)
    assert found["training.surgery"].values[1] == '{"name": "pcgrad"}'


def test_a_grid_has_every_combination_the_last_key_the_fastest():
    grid = read_space(["a=x,y", "b=0..0.3:0.1", "c=5..7:2"]).grid()
    assert len(grid) == 2 * 4 * 2
    assert grid[:3] == [
        {"a": '"x"', "b": 0.0, "c": 5}, {"a": '"x"', "b": 0.0, "c": 7},
        {"a": '"x"', "b": 0.1, "c": 5},
    ]  # fmt: skip
    assert {row["b"] for row in grid} == {0.0, 0.1, 0.2, 0.3}


def test_overrides_are_what_the_command_line_would_say():
    space = read_space(["a=none,{name: pcgrad}", "b=1e-5..1:log", "c=1..4"])
    values = {"a": '{"name": "pcgrad"}', "b": 1.25e-5, "c": 3}
    assert space.overrides(values) == ['a={"name": "pcgrad"}', "b=1.25e-05", "c=3"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "nothing to search; expected values"),
        (["a"], "'a': no such file, and not KEY=VALUES"),
        (["=1,2"], "not KEY=VALUES"),
        (["a..b=1,2"], "not KEY=VALUES"),
        (["a=1"], "a: found 1 value, expected values .* an override KEY=VALUE"),
        (["a="], "a: found 0 value"),
        (["a=1,1"], "a: a value is there twice"),
        (["a=3..1"], r"a: found 3\.\.1, expected a number and a larger one"),
        (["a=0..1:log"], "the logarithm needs numbers above 0"),
        (["a=-1..1:log"], "the logarithm needs numbers above 0"),
        (["a=1..2:0"], "the step 0, expected one above 0 and at most 1"),
        (["a=1..2:3"], "the step 3, expected one above 0 and at most 1"),
        (["a=1..x"], "found '1..x', expected values"),
        (["a=1..9e999"], "expected a number and a larger one"),
        (["a=1..2:lin"], "expected values"),
        (["a={b"], "not valid YAML"),
        (["a=1", "b=3..1"], "2 problems"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_expected(given, told):
    with pytest.raises(UserError, match=told):
        read_space(given)


@pytest.mark.parametrize("values", ["1..2.5", "1..64:log", "0..1:1e-9"])
def test_a_grid_of_what_cannot_be_counted_is_refused(values):
    with pytest.raises(UserError, match="a: a grid needs values `A,B,C` or a step"):
        read_space([f"a={values}"]).grid()


def test_a_grid_is_of_bounded_size():
    with pytest.raises(UserError, match="the grid has 1000000 places, at most 10000 are run"):
        read_space(["a=1..100", "b=1..100", "c=1..100"]).grid()
