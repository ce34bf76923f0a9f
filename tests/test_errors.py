import pytest

from mtbert.errors import TrainingError, UserError, problem_list, shown


def test_user_error_is_no_value_error_that_library_code_might_swallow():
    assert issubclass(UserError, Exception)
    assert not issubclass(UserError, (ValueError, OSError))


def test_one_problem_is_one_line():
    assert problem_list("a.csv", ["bad"]) == "a.csv: bad"


def test_ten_problems_are_all_listed():
    message = problem_list("a.csv", [f"p{i}" for i in range(10)])
    assert message.splitlines() == ["a.csv: 10 problems", *(f"  p{i}" for i in range(10))]


def test_of_eleven_problems_ten_are_listed_and_the_rest_counted():
    lines = problem_list("a.csv", [f"p{i}" for i in range(11)]).splitlines()
    assert lines[0] == "a.csv: 11 problems"
    assert lines[10] == "  p9"
    assert lines[11:] == ["  … and 1 more"]


@pytest.mark.parametrize("kind", [UserError, TrainingError])
def test_a_message_is_of_bounded_length_and_printable(kind):
    assert str(kind("café 日本 😀\n  two")) == "café 日本 😀\n  two"
    assert str(kind("a\x1b[2J\u202e\r\0\ud800\t")) == "a\\x1b[2J\\u202e\\r\\x00\\ud800\\t"
    long = str(kind("x" * 5000 + "\n" * 5000))
    assert len(long) < 1100
    assert long.startswith("x" * 999 + "…")


def test_a_message_told_again_stays_as_it_is():
    first = UserError("a\x1b" + "x" * 5000)
    assert str(UserError(str(first))) == str(first)


def test_a_value_is_shown_short_whatever_it_is():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert shown("a") == "'a'"
    assert shown("a" * 100) == "'" + "a" * 58 + "…"
    assert shown(10**5000) == "a very large int"
    assert shown(deep) == "a very large list"
