import pytest
from pydantic import ValidationError

from mtbert.config.format import SEPARATORS, FormatSettings, column_name


@pytest.mark.parametrize("name", SEPARATORS)
def test_a_separator_has_a_name_and_may_be_written_as_itself(name):
    for value in (name, SEPARATORS[name]):
        form = FormatSettings(separator=value)
        assert (form.separator, form.separating_character) == (name, SEPARATORS[name])
        assert FormatSettings.model_validate_json(form.model_dump_json()) == form


def test_what_is_left_out_is_seen_from_the_file():
    assert FormatSettings().separating_character is None
    assert FormatSettings().quoting is None


@pytest.mark.parametrize("fields", [{"separator": "::"}, {"quoting": "some"}, {"encoding": "x"}])
def test_other_values_are_refused(fields):
    with pytest.raises(ValidationError):
        FormatSettings(**fields)


def test_a_column_may_be_named_by_its_place():
    assert [column_name(value) for value in (2, "2", True, None)] == ["2", "2", True, None]
