"""Waiting threads: what the command line asks of the OpenMP library, before torch is loaded."""

import os
import subprocess
import sys

import pytest

NAMES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
# A command that imports torch, then tells what was set, and whether that was before torch came.
PROBE = """
import os, sys
from mtbert.cli import exit_code

def run():
    assert "torch" not in sys.modules
    print([os.environ.get(name) for name in {names}])

raise SystemExit(exit_code(run))
"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["1000", None]),
        ({"GOMP_SPINCOUNT": "7"}, ["7", None]),
        ({"OMP_WAIT_POLICY": "active"}, [None, "active"]),
    ],
)
def test_threads_that_wait_sleep_soon_unless_the_user_says_otherwise(given, expected):
    environment = {n: v for n, v in os.environ.items() if n not in NAMES} | given
    run = subprocess.run(
        [sys.executable, "-c", PROBE.format(names=NAMES)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.strip() == str(expected)
