"""What torch's profiler saw, in a few numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from torch.profiler import profile

__all__ = ["busy_seconds", "summary"]

_SHOWN = 15


def summary(found: profile, seconds: float, steps: int) -> dict[str, Any]:
    """The longest kernels, how many there are, and the share of the time the device is idle.

    On a processor, and where the profiler may not look into the GPU, operations stand in the place
    of kernels (`of` says which), and what is idle is not known. The profiler itself makes steps
    longer, so that shares of the time are more reliable than times.

    Args:
        found: of the measured steps.
        seconds: that they took.
        steps: how many.
    """
    events = list(found.events() or [])
    kernels = [e for e in events if _on_gpu(e)]
    if not kernels:
        totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0])
        for event in events:
            _add(totals, event.name, event.self_cpu_time_total)
        return {"kernels": _longest(totals, steps), "of": "operations of the processor"}
    totals = defaultdict(lambda: [0.0, 0])
    for event in kernels:
        _add(totals, event.name, event.time_range.end - event.time_range.start)
    spans = [(e.time_range.start, e.time_range.end) for e in kernels]
    busy = busy_seconds(spans)
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    whole = max((last - first) / 1e6, 1e-9)
    return {
        "kernels": _longest(totals, steps),
        "of": "kernels of the GPU",
        "kernels_a_step": len(kernels) / steps,
        "ms_a_step_with_profiler": 1e3 * seconds / steps,
        "busy_ms_a_step": 1e3 * busy / steps,
        "idle_share": 1 - busy / whole,
    }


def busy_seconds(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds covered by spans in microseconds; where they overlap they count once."""
    total, end = 0.0, float("-inf")
    for start, stop in sorted(spans):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total / 1e6


def _add(totals: dict[str, list[float]], name: str, microseconds: float) -> None:
    totals[name][0] += microseconds
    totals[name][1] += 1


def _longest(totals: dict[str, list[float]], steps: int) -> list[dict[str, Any]]:
    whole = sum(time for time, _ in totals.values()) or 1.0
    longest = sorted(totals.items(), key=lambda item: -item[1][0])[:_SHOWN]
    return [
        {
            "name": name[:120],
            "ms_a_step": time / 1e3 / steps,
            "share": time / whole,
            "times_a_step": count / steps,
        }
        for name, (time, count) in longest
    ]


def _on_gpu(event: Any) -> bool:
    """Whether it is a kernel, and no name given to a stretch of time, as optimizers do."""
    named = bool(getattr(event, "is_user_annotation", False)) or "#" in event.name
    return "CUDA" in str(event.device_type) and not named
