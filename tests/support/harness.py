"""What every attempt is held to: a value or a `UserError`, the same twice, in bounded memory."""

import faulthandler
import sys
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from mtbert.errors import UserError

HANG_SECONDS = 300
MOST_MEMORY = 400 << 20
"""Bytes that the process may grow by, over all attempts on one target."""

TRIED = Counter()
REFUSED = Counter()
SECONDS = Counter()
"""Of processor time."""


def outcome(action):
    """What an action gives, or what it tells the user; any other exception is a defect."""
    try:
        return "value", action()
    except UserError as error:
        message = str(error)
        assert message.strip()
        assert len(message) < 60_000
        assert message.replace("\n", "").isprintable()
        return "refused", message


def same_twice(action):
    """The outcome of an action that gives the same when it is repeated.

    Of two things that are wrong with a safetensors file, its library tells one or the other.
    """
    first, second = outcome(action), outcome(action)
    assert first[0] == second[0]
    assert first[0] == "refused" or repr(first) == repr(second)
    return first


def fuzz(name, strategy, attempt, count):
    """Try `count` inputs; a hang ends the process with its stack, memory is measured."""

    @settings(
        max_examples=count,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def attempts(value):
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True, file=sys.__stderr__)
        kind, _ = attempt(value)
        TRIED[name] += 1
        REFUSED[name] += kind == "refused"

    started = time.process_time()
    try:
        grown = memory_of(attempts)
    finally:
        faulthandler.cancel_dump_traceback_later()
    SECONDS[name] += time.process_time() - started
    assert grown < MOST_MEMORY


def memory_of(action):
    """Bytes that the process grew by at the most while it acted; 0 where that is not known."""
    if not sys.platform.startswith("linux"):
        action()
        return 0
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forgets the highest use so far
    action()
    return _memory("VmHWM") - before


def _memory(kind):
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in status if line.startswith(kind))
