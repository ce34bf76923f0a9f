"""How long threads that wait for work keep a core busy: shortly, so that other work gets on."""

from __future__ import annotations

import os

__all__ = ["spin_briefly"]

_SPINS = "1000"
"""Some 20 to 50 µs: longer than most gaps between two operations, and than waking a thread."""
_WAITING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def spin_briefly() -> None:
    """Let the threads of GNU's OpenMP, which torch computes with on Linux, sleep soon.

    By default a waiting thread spins 300,000 times. Where other processes want the cores, it spins
    in the place of the very thread that it waits for, and a step takes many times as long. The
    library reads the environment when it is loaded, so this does something only before the first
    import of torch; what a user has set stays. Other OpenMP libraries have other settings.
    """
    if not any(name in os.environ for name in _WAITING):
        os.environ["GOMP_SPINCOUNT"] = _SPINS
