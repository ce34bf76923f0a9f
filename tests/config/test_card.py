"""The `card` section: what it takes, and that it decides nothing about a run."""

import pytest

from mtbert.errors import UserError


def test_it_is_empty_unless_it_is_told(toy):
    assert set(toy.settings().card.model_dump().values()) == {None}


@pytest.mark.parametrize(
    "card",
    [{"license": "a licence"}, {"language": "en"}, {"language": [""]}, {"datasets": ["a\nb"]}],
)
def test_what_would_break_the_front_matter_is_refused(toy, card):
    with pytest.raises(UserError, match="card"):
        toy.settings(card=card)
