import pytest

from mtbert.methods.sampling.base import Sampler

FUNCTIONS = Sampler.__abstractmethods__


def method(functions):
    """One with these functions, which do nothing."""
    fields = {"__annotations__": {"name": str}, "name": "x"}
    return type("Made", (Sampler,), fields | dict.fromkeys(functions, lambda self: None))


@pytest.mark.parametrize("forgotten", sorted(FUNCTIONS))
def test_a_method_that_lacks_a_function_fails_when_it_is_made(forgotten):
    with pytest.raises(TypeError, match=forgotten):
        method(FUNCTIONS - {forgotten})()


def test_a_complete_one_is_a_frozen_value():
    complete = method(FUNCTIONS)()
    with pytest.raises(ValueError, match="frozen"):
        complete.name = "y"
