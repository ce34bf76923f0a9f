"""No input from outside gives a traceback, a hang, or memory beyond a bound.

`make test` tries a few hundred inputs a target, `make test-long` more than 100,000 in all and
prints how many of each were tried and refused.
"""

import logging

import pytest
import torch
from fuzz.targets import TARGETS, World
from support.harness import REFUSED, SECONDS, TRIED, fuzz

MOST_INPUTS = 100_000


@pytest.fixture(scope="module")
def world(one_thread, tmp_path_factory, toy, finished):
    return World(tmp_path_factory.mktemp("fuzz"), toy, finished)


@pytest.fixture(autouse=True)
def quiet():
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Two threads that share a busy core wait for each other far longer than a toy model computes:
    a text took up to 0.4 seconds instead of 5 milliseconds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", TARGETS)
def test_odd_input_is_read_or_refused(world, name):
    strategy, attempt, count, _ = TARGETS[name]
    fuzz(name, strategy, lambda value: attempt(world, value), count)


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
def test_much_odd_input_is_read_or_refused(world, name, record_property):
    TRIED[name] = REFUSED[name] = SECONDS[name] = 0
    strategy, attempt, _, count = TARGETS[name]
    fuzz(name, strategy, lambda value: attempt(world, value), count)
    assert TRIED[name] >= count
    record_property("fuzzed inputs", TRIED[name])
    assert (REFUSED[name] > 0) == (name != "texts")  # any text has an answer


@pytest.mark.long
def test_more_than_a_hundred_thousand_inputs_were_tried(capsys):
    """Runs after the others; alone it has nothing to count."""
    tried = {name: TRIED[name] for name in TARGETS}
    if not all(tried.values()):
        pytest.skip("counts what the tests before it tried")
    with capsys.disabled():
        seconds = sum(SECONDS[name] for name in TARGETS)
        print(f"\n{sum(tried.values()):,} inputs tried in {seconds:.0f} s of processor time:")
        for name, count in tried.items():
            print(f"  {name}: {count:,}, {REFUSED[name]:,} refused, {SECONDS[name]:.0f} s")
    assert sum(tried.values()) >= MOST_INPUTS
