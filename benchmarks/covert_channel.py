"""Bits that a submission can tell another one by load, beside it on one machine: ``python -m benchmarks.covert_channel``.

One submission works hard or sleeps in turn, and the other one measures how fast it can work itself. Both run in sandboxes.
The grading of a class never runs a hidden exercise beside an open one; two graders on one machine may.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from autograder.staff.isolation.sandbox import Limits, Sandbox

COMMON = """
import time
import numpy as np
START, SLOT, SLOTS = {start}, {slot}, {slots}
x = np.ones({size})
y = np.empty_like(x)
def wait(until):
    while time.monotonic() < until: time.sleep(0.0005)
"""
SENDER = """
for number, bit in enumerate({bits}):
    wait(START + number * SLOT)
    while bit and time.monotonic() < START + (number + 1) * SLOT: np.copyto(y, x)
"""
RECEIVER = """
wait(START)
for number in range(SLOTS):
    count = 0
    while time.monotonic() < START + (number + 1) * SLOT:
        np.copyto(y, x)
        count += 1
    print(count, end=" ")
"""
ENGINE = "\nclass Autograd:\n    pass\n"


def run(sandbox: Sandbox, folder: Path, code: str, frames: list[dict[str, Any]]) -> None:
    path = folder / "mytorch" / "autograd_engine.py"
    path.parent.mkdir(parents=True)
    path.write_text(code + ENGINE, encoding="utf-8")
    frames += sandbox.run_scenarios(folder, ("engine",), [])


def entropy(share: float) -> float:
    """Bits of a coin that falls on one side with this probability (Shannon)."""
    return 0.0 if share in (0, 1) else -share * math.log2(share) - (1 - share) * math.log2(1 - share)


def measured(slot: float, slots: int, size: int, seed: int) -> tuple[float, float]:
    """Share of wrong bits, and bits per second that a code without errors could carry at that rate."""
    bits = [random.Random(seed).randrange(2) for _ in range(slots)]
    limits = Limits(start=slot * slots + 60)
    with tempfile.TemporaryDirectory() as scratch, Sandbox(limits) as sender, Sandbox(limits) as receiver:
        common = COMMON.format(start=time.monotonic() + 1.0, slot=slot, slots=slots, size=size)
        sent: list[dict[str, Any]] = []
        got: list[dict[str, Any]] = []
        threads = [
            threading.Thread(target=run, args=(sender, Path(scratch, "s"), common + SENDER.format(bits=bits), sent)),
            threading.Thread(target=run, args=(receiver, Path(scratch, "r"), common + RECEIVER, got)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if not got or got[0]["status"] != "ok" or sent[0]["status"] != "ok":
        sys.exit(f"a process did not end well: {sent} {got}")
    counts = [int(word) for word in got[0]["printed"].split()][:slots]
    middle = statistics.median(counts)
    wrong = sum((count < middle) != bool(bit) for count, bit in zip(counts, bits)) / len(counts)
    wrong = min(wrong, 1 - wrong)
    return wrong, (1 - entropy(wrong)) / slot


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.covert_channel", description=__doc__)
    parser.add_argument("--slots", type=int, default=400, metavar="N", help="bits that are sent at each rate")
    parser.add_argument("--size", type=int, default=1 << 21, metavar="N", help="numbers of 8 bytes that are copied")
    options = parser.parse_args()
    for slot in (0.2, 0.1, 0.05, 0.02, 0.01):
        wrong, rate = measured(slot, min(options.slots, int(20 / slot)), options.size, seed=1)
        line = {"slot in seconds": slot, "wrong bits": round(wrong, 3), "bits per second": round(rate, 1)}
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
