"""Fingerprints of runs: what changes a key, and how much work a run is."""

import shutil

import pytest
from support.studies import ROWS, overrides

from mtbert.config.load import load_config
from mtbert.errors import UserError
from mtbert.studies.fingerprint import Fingerprints
from mtbert.studies.grid import cells, load_grid


def test_a_key_is_of_the_content_not_of_the_place(course, tmp_path):
    def key(folder, *more):
        return cells(load_grid("batching"), overrides(folder, "seed=1", *more))[0].run.key

    moved = shutil.copytree(course, tmp_path / "moved")
    (moved / "grid.yaml").unlink(missing_ok=True)
    same = key(course)
    assert key(moved) == key(moved, "threads=1", "device=cpu") == same
    assert key(course, "training.epochs=3") != same
    assert key(course, "training.average=null", "training.non_finite=stop") == same  # defaults
    assert key(course, "training.average=0.9") != same
    dev = moved / "sts-dev.csv"
    dev.write_text(dev.read_text().replace("sts1,", "other,"))
    assert key(moved) != same
