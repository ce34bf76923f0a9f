import pytest
from pydantic import TypeAdapter, ValidationError

from mtbert.config.fields import Bytes, FileName, Section


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12, 12), ("12", 12), ("500MB", 500_000_000), ("1.5 GiB", 1_610_612_736), ("2kb", 2000),
        ("3 b", 3), (" 1 TiB ", 1 << 40),
    ],
)  # fmt: skip
def test_bytes_are_a_number_or_a_text_with_a_unit(value, expected):
    assert TypeAdapter(Bytes).validate_python(value) == expected


@pytest.mark.parametrize("value", ["MB", "1 parsec", "1e3", True, 1.5j, "\u0661MB", "9" * 400])
def test_what_is_no_number_of_bytes_is_refused(value):
    with pytest.raises(ValidationError, match="expected bytes"):
        TypeAdapter(Bytes).validate_python(value)


@pytest.mark.parametrize("name", ["a.csv", "x" * 255, "/".join(["x" * 200] * 10)])
def test_a_name_that_files_can_have_is_kept(name):
    assert TypeAdapter(FileName).validate_python(name) == name


@pytest.mark.parametrize("name", ["a\0b", "x" * 256, "é" * 128, "x/" * 2049])
def test_a_name_that_no_file_can_have_is_refused(name):
    with pytest.raises(ValidationError, match="not a name that a file can have"):
        TypeAdapter(FileName).validate_python(name)


def test_a_section_takes_no_unknown_key_no_infinite_number_and_no_change():
    class Small(Section):
        rate: float = 1.0

    for values in ({"rat": 1}, {"rate": float("inf")}, {"rate": float("nan")}):
        with pytest.raises(ValidationError):
            Small.model_validate(values)
    with pytest.raises(ValidationError, match="frozen"):
        Small().rate = 2.0
