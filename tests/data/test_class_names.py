import pytest

from mtbert.data.class_names import names_in, rows_by_name
from mtbert.data.readers.base import Row, Table

NAMES = ("negative", "positive")


def table(*cells, lists=()):
    rows = [Row(i, {"label": cell}) for i, cell in enumerate(cells, start=1)]
    rows += [Row(0, lists={"label": found}) for found in lists]
    return Table("t", ("label",), iter(rows), class_names={"label": NAMES})


@pytest.mark.parametrize("labels", [["negative", "positive"], ["positive", "negative", "mixed"]])
def test_numbers_are_read_as_the_names_that_they_stand_for(make_task, labels):
    rows = rows_by_name(table("0", "1", "-1", "", "2", "x"), make_task(labels=labels))
    assert [row.values["label"] for row in rows] == [*NAMES, "-1", "", "2", "x"]


def test_classes_by_other_names_are_meant_by_number(make_task):
    rows = rows_by_name(table("0", "1"), make_task(labels=["bad", "good"]))
    assert [row.values["label"] for row in rows] == ["0", "1"]


def test_lists_are_read_so_too(make_task):
    task = make_task(kind="multilabel_classification", labels=list(NAMES))
    (row,) = rows_by_name(table(lists=["[1, 0]"]), task)
    assert row.lists["label"] == '["positive", "negative"]'


def test_names_belong_to_classes(make_task):
    assert names_in(table(), make_task()) == NAMES
    assert names_in(table(), make_task(kind="regression")) is None
    assert names_in(table(), make_task(columns={"label": "other"})) is None
