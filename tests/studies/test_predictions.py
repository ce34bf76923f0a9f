"""Predictions on dev sets as records keep them: compact, checked, and the same again."""

import shutil

import numpy as np
import pytest

from mtbert.errors import UserError
from mtbert.studies.predictions import (
    DevPredictions,
    StoredPredictions,
    load_predictions,
    read_predictions,
    store_predictions,
)
from mtbert.studies.records import read_record


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "no row"), ("[]", ":1: damaged"), ("{", ":1: damaged"), ('{"id": 1}', "gold"),
        ('{"id": 1, "gold": 1, "prediction": "x"}', "damaged predictions"),
    ],
)  # fmt: skip
def test_damaged_predictions_are_refused(study, tmp_path, line, told):
    path = shutil.copytree(next((study / "runs").glob("paper-sst-s1-*")), tmp_path / "run")
    (path / "predictions" / "sst-dev.jsonl").write_text(line and line + "\n")
    with pytest.raises(UserError, match=r"sst-dev\.jsonl") as caught:
        read_record(path)
    assert told in str(caught.value)
