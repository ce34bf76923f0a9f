import json

import pytest

from mtbert.runs.forgetting import Stage, changes_since, forgetting, forgetting_rows

STAGES = [
    Stage("sst", 10, {"sst": 0.80, "para": 0.50, "sts": None}),
    Stage("para", 30, {"sst": 0.70, "para": 0.90, "sts": 0.1}),
    Stage("sts", 35, {"sst": 0.60, "para": 0.95, "sts": 0.8}),
]


def test_the_backward_transfer_is_that_of_a_hand_computation():
    assert changes_since(STAGES) == pytest.approx({"sst": -0.2, "para": 0.05})
    assert forgetting(STAGES)["backward_transfer"] == pytest.approx(-0.075)


def test_the_table_has_a_row_a_stage_and_the_changes():
    head, rows = forgetting_rows(json.loads(json.dumps(forgetting(STAGES))))
    assert head == ["", "sst", "para", "sts"]
    assert rows == [
        ["after sst", "0.8000", "0.5000", "undefined"],
        ["after para", "0.7000", "0.9000", "0.1000"],
        ["after sts", "0.6000", "0.9500", "0.8000"],
        ["change since its stage", "-0.2000", "+0.0500", ""],
    ]


def test_of_a_task_alone_and_of_scores_that_are_undefined_there_is_no_transfer():
    assert forgetting(STAGES[:1])["backward_transfer"] is None
    undefined = [Stage("sts", 1, {"sts": None, "sst": 0.5}), Stage("sst", 2, {"sts": 1, "sst": 1})]
    assert forgetting(undefined)["backward_transfer"] is None
