"""Bad rows are told by kinds, and what most of them have in common is named."""

import pytest

from mtbert.config.tasks import TaskSettings
from mtbert.data.bad_rows import counts_from_one, likely_cause, told
from mtbert.data.examples import read_examples
from mtbert.errors import UserError


def task(kind="classification", **more):
    if kind == "classification":
        more.setdefault("labels", ("neg", "pos"))
    return TaskSettings(kind=kind, train="t.csv", **more)


@pytest.fixture
def refusal(write):
    def told_of(rows, **more):
        with pytest.raises(UserError) as error:
            read_examples(
                write("sentence,label\n" + "".join(f"{row}\n" for row in rows)), task(**more)
            )
        return str(error.value)

    return told_of


def test_rows_that_are_wrong_alike_are_told_three_times_and_counted():
    many = [f"t.csv:{i}: label '{i}', expected one of a, b" for i in range(2, 1500)]
    assert told(many) == [*many[:3], "… and 1,495 more rows like these"]
    other = ["t.csv:9: empty text in column 'x', expected text"]
    assert told(many + other) == [*many[:3], "… and 1,495 more rows like these", *other,
                                  "… 1,499 in all"]  # fmt: skip


def test_a_few_problems_are_all_told():
    few = [f"t.csv:{i}: label '{i}', expected one of a, b" for i in range(2, 6)]
    assert told(few) == few
    assert told([]) == []


def test_a_message_stays_short_however_many_kinds_there_are():
    kinds = [f"t.csv:{i}: {'x' * i} is wrong" for i in range(2, 40)]
    assert len(told(kinds)) <= 11
    assert told(kinds)[-1] == "… 38 in all"


@pytest.mark.parametrize(
    ("rows", "more", "cause"),
    [
        (["a,Pos", "b,NEG"], {}, "spells the classes in other case: 'NEG', 'Pos'"),
        (["a,good", "b,bad"], {}, "labels that `labels` does not name: 'bad', 'good'"),
        (["a,good", "b,bad"], {"kind": "regression"}, "column 'label' holds words ('bad', 'good')"),
        (["a;pos;x", "b;pos;x", "c;neg;x"], {}, "is the separator right"),
        (["a,", "b,", "c,pos"], {}, "column 'label' is blank in most rows"),
        ([",pos", ",neg"], {}, "the column of the text is blank in most rows"),
    ],
)
def test_the_likely_cause_is_named_where_most_rows_are_bad(refusal, rows, more, cause):
    message = refusal(rows, **more)
    assert "likely cause: " in message
    assert cause in message


def test_single_mistakes_have_no_common_cause(refusal):
    assert "likely cause" not in refusal(["a,pos", "b,neg", "c,Pos", "d,pos"])
    assert likely_cause(["t.csv:2: label 'Pos', expected one of neg, pos"], 1, task()) is None


@pytest.mark.parametrize("on_bad_rows", ["error", "skip"])
def test_classes_that_are_counted_from_1_are_refused_and_never_shifted(refusal, on_bad_rows):
    message = refusal(["a,1", "b,2", "c,1"], on_bad_rows=on_bad_rows)
    assert "labels from 1 to 2" in message
    assert "labels: [1, 2]" in message


def test_a_stray_number_is_no_count_from_1():
    problem = ["t.csv:2: column 'label': label '2', expected one of neg, pos"]
    assert counts_from_one(problem, {1}, task())
    assert not counts_from_one(problem, {0, 1}, task())
    assert not counts_from_one(problem, {1}, task(labels=("1", "2")))
    assert not counts_from_one([], {1}, task())
