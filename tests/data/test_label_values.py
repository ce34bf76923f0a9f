"""Labels of regressions with decimals behind a comma; classes are tested with the examples."""

import pytest

from mtbert.config.tasks import TaskSettings
from mtbert.data.label_values import expected_label, parse_label


def regression(decimal, **more):
    return TaskSettings(kind="regression", train="x.csv", format={"decimal": decimal}, **more)


@pytest.mark.parametrize(
    ("text", "value"), [("3,5", 3.5), ("-0,25", -0.25), ("4", 4), ("1e2", 100)]
)
def test_decimals_may_stand_behind_a_comma(text, value):
    assert parse_label(regression("comma"), text) == value


@pytest.mark.parametrize("text", ["3.5", "1.234,5", "1,2,3", "x", "1_0", "nan", ""])
def test_what_may_mean_something_else_is_no_number_there(text):
    with pytest.raises(ValueError, match="expected a number with a comma"):
        parse_label(regression("comma"), text)


def test_a_comma_is_told_where_a_point_was_expected():
    with pytest.raises(ValueError, match=r"'3,5', expected a number from 0 to 5; .*decimal: comma"):
        parse_label(regression("point", range=(0, 5)), "3,5")


def test_what_is_expected_is_told_by_kind():
    task = TaskSettings(kind="classification", train="x.csv", labels=("no", "yes"))
    assert expected_label(task) == "one of no, yes or a number from 0 to 1"
    assert expected_label(regression("point")) == "a number"


@pytest.mark.parametrize("text", ["0", "5", "5.0", "2.5"])
def test_both_ends_of_a_range_belong_to_it(text):
    assert parse_label(regression("point", range=(0, 5)), text) == float(text)


@pytest.mark.parametrize("text", ["-0.001", "5.001", "inf", "-inf", "nan"])
def test_what_lies_outside_a_range_is_refused(text):
    with pytest.raises(ValueError, match="expected a number from 0 to 5"):
        parse_label(regression("point", range=(0, 5)), text)


@pytest.mark.parametrize("text", ["NaN", "nan", "NA", "None", "null", "#N/A", "-"])
def test_how_other_programs_write_a_missing_number_is_told(text):
    with pytest.raises(ValueError, match="expected a number; without a label leave the row"):
        parse_label(regression("point"), text)


@pytest.mark.parametrize("text", ["3.5e38", "-1e300"])
def test_a_number_that_is_too_large_is_told_so(text):
    with pytest.raises(ValueError, match=r"expected a number, at most 3\.4e\+38 in size$"):
        parse_label(regression("point"), text)


@pytest.mark.parametrize("text", ["inf", "a lot", "7 points"])
def test_what_is_no_number_has_no_advice(text):
    with pytest.raises(ValueError, match=r"expected a number$"):
        parse_label(regression("point"), text)


@pytest.mark.parametrize("text", ["1,200", "-12,345,678"])
def test_thousands_are_not_told_as_decimals_alone(text):
    with pytest.raises(ValueError, match="write thousands without a comma; decimals behind one"):
        parse_label(regression("point"), text)


def test_a_missing_class_is_told_as_a_missing_number_is():
    task = TaskSettings(kind="classification", train="x.csv", labels=("no", "yes"))
    with pytest.raises(ValueError, match=r"'nan', expected one of no, yes .*leave the row out"):
        parse_label(task, "nan")


@pytest.mark.parametrize(("name", "text"), [("caf\xe9", "cafe\u0301"), ("cafe\u0301", "caf\xe9")])
def test_an_accent_may_be_a_character_of_its_own(name, text):
    """One program writes it so, another not; nobody sees the difference."""
    task = TaskSettings(kind="classification", train="x.csv", labels=("bar", name))
    assert parse_label(task, text) == 1
