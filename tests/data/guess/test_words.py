import pytest

from mtbert.data.guess.words import is_name, words_of


def test_words_of_a_name_are_found_however_it_joins_them():
    assert words_of("sameIssue") == words_of("same_issue") == words_of("Same issue?") == {
        "same", "issue"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [("sentence", True), ("Review Text", True), ("id", True), ("good", False), ("0", False)],
)
def test_a_name_consists_of_known_words_alone(text, expected):
    assert is_name(text) is expected
