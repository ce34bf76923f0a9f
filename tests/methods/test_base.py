from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, SerializeAsAny, ValidationError

from mtbert.methods.base import Method


class Annealed(Method):
    name: Literal["annealed"] = "annealed"
    decay: Annotated[float, Field(ge=0, le=1)] = 0.8
    sizes: tuple[int, ...] = (1, 2)


class Holder(BaseModel):
    method: SerializeAsAny[Method] = Annealed()


def test_it_is_written_as_its_bare_name_when_every_option_has_its_default():
    assert Annealed().model_dump() == "annealed"
    assert Annealed(decay=0.8).model_dump() == "annealed"
    assert Annealed(decay=0.5).model_dump() == {
        "name": "annealed",
        "decay": 0.5,
        "sizes": (1, 2),
    }
    assert Annealed(sizes=()).model_dump_json() == '{"name":"annealed","decay":0.8,"sizes":[]}'


def test_within_a_section_too_and_defaults_can_be_left_out():
    assert Holder().model_dump() == {"method": "annealed"}
    changed = Holder(method=Annealed(decay=0.5))
    assert changed.model_dump(mode="json") == {
        "method": {"name": "annealed", "decay": 0.5, "sizes": [1, 2]}
    }
    assert Holder().model_dump(exclude_defaults=True) == {}
    assert changed.model_dump(exclude_defaults=True) == {
        "method": {"name": "annealed", "decay": 0.5}
    }


def test_what_is_written_gives_the_same_method():
    for method in (Annealed(decay=0.5), Annealed(sizes=(3,))):
        assert Annealed.model_validate(method.model_dump()) == method


def test_it_is_told_with_the_options_that_were_changed():
    assert str(Annealed()) == "annealed"
    assert str(Annealed(decay=0.5)) == "annealed (decay 0.5)"
    assert str(Annealed(decay=1, sizes=())) == "annealed (decay 1.0, sizes ())"


def test_it_is_a_value_that_cannot_be_changed():
    assert Annealed() == Annealed(decay=0.8)
    assert len({Annealed(), Annealed(decay=0.8), Annealed(decay=0.5)}) == 2
    with pytest.raises(ValidationError, match="frozen"):
        Annealed().decay = 0.5


@pytest.mark.parametrize(
    "options", [{"decay": 2}, {"decay": float("nan")}, {"other": 1}, {"name": "method1"}]
)
def test_it_takes_no_other_options_and_no_other_name(options):
    with pytest.raises(ValidationError):
        Annealed(**options)
