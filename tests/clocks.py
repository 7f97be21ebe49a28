"""Bounds on time that a busy machine does not break: patience for waiting, processor time for work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def patience(seconds: float) -> float:
    """Seconds to wait for something that takes an idle machine at most the given ones.

    They grow with the load for each processor. The load is an average over the past minute, so the wait is three times longer.
    """
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 1.0
    return 3 * seconds * max(1.0, load / processors)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Fail if the block takes more processor time than that, in this process and in the ended processes that it started."""
    before = sum(os.times()[:4])
    yield
    used = sum(os.times()[:4]) - before
    assert used < seconds, f"took {used:.1f} seconds of processor time, expected less than {seconds}"
