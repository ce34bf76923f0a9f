import pytest

from mtbert.methods.aggregation.base import (
    CoordinateAggregator,
    GramAggregator,
    StatelessAggregator,
)

KINDS = (GramAggregator, CoordinateAggregator, StatelessAggregator)


def method(functions, kind=GramAggregator):
    """One with these functions, which do nothing."""
    fields = {"__annotations__": {"name": str}, "name": "x"}
    return type("Made", (kind,), fields | dict.fromkeys(functions, lambda self: None))


@pytest.mark.parametrize(
    ("kind", "forgotten"), [(kind, name) for kind in KINDS for name in kind.__abstractmethods__]
)
def test_a_method_that_lacks_a_function_fails_when_it_is_made(kind, forgotten):
    with pytest.raises(TypeError, match=forgotten):
        method(kind.__abstractmethods__ - {forgotten}, kind)()


def test_a_complete_one_is_a_frozen_value():
    complete = method(GramAggregator.__abstractmethods__)()
    with pytest.raises(ValueError, match="frozen"):
        complete.name = "y"
