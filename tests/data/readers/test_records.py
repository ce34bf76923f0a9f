import datetime
import decimal
import math

import pytest

from mtbert.data.readers.records import no_constant, row_of


def test_values_of_any_kind_become_text():
    row = row_of(
        7,
        {
            "a": "x", "b": 1, "c": 2.5, "d": True, "e": None, "f": math.nan,
            "g": decimal.Decimal("1.50"), "h": datetime.date(2026, 1, 2), "i": {"j": {"k": "deep"}},
        },
    )  # fmt: skip
    assert row.line == 7
    assert row.values == {
        "a": "x", "b": "1", "c": "2.5", "d": "true", "e": "", "f": "", "g": "1.50",
        "h": "2026-01-02", "i.j.k": "deep",
    }  # fmt: skip


def test_lists_are_kept_apart_and_a_plain_key_goes_before_one_inside():
    row = row_of(1, {"a": {"b": 1}, "a.b": 2, "c": [datetime.date(2026, 1, 2), "é"]})
    assert row.values == {"a.b": "2"}
    assert row.lists == {"c": '["2026-01-02", "é"]'}


def test_an_infinity_is_no_json_value():
    assert no_constant("NaN") is None
    with pytest.raises(ValueError, match="Infinity"):
        no_constant("-Infinity")
