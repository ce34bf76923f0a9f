from mtbert.errors import UserError, problem_list


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
