"""CPU seconds of a function, and the memory that it takes beyond its arguments.

CPU seconds of all threads, not wall time: other work on a machine takes turns with a benchmark, and must not count.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What a function took, called several times."""

    seconds: float
    """Of CPU, the best call."""
    worst_seconds: float
    """Of CPU, the worst call: with the best one the spread."""
    calls: int
    """How many, after one that is not counted where `warm` was asked for."""


def measure(work: Callable[[], Any], *, calls: int, warm: bool = True) -> Timing:
    """Call a function and return what it took. Args: calls: at least 1. warm: call it once before, uncounted."""
    if warm:
        work()
    seconds = []
    for _ in range(calls):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return Timing(seconds=min(seconds), worst_seconds=max(seconds), calls=calls)


def measure_memory(work: Callable[[], Any]) -> int:
    """Return the bytes that Python and numpy held at most during a call beyond those before, result included."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
