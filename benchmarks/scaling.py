"""Model of a training step in many processes: a ring's latency and bandwidth, computing, and what of the two overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Times that a ring sends every byte but one n-th on: an all-reduce is a reduce-scatter and an all-gather.
TRIPS = {"all-reduce": 2, "reduce-scatter": 1, "all-gather": 1}
# By the stage: the exchange of gradients and that of weights.
EXCHANGES = {0: ("all-reduce", None), 1: ("all-reduce", "all-gather"), 2: ("reduce-scatter", "all-gather")}
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Link:
    """Connection of two neighbours: latency in seconds, bandwidth in bytes per second."""

    latency: float
    bandwidth: float


# Typical figures of osu_latency and osu_bw, the OSU benchmarks of MPI, between two nodes with these cards; TCP on Ethernet.
INTERCONNECTS = {
    "100 Gbit/s InfiniBand": Link(1.1e-6, 12.3e9),
    "10 Gbit/s Ethernet": Link(25e-6, 1.17e9),
}


def ring(n: int, size: float, link: Link, trips: int = 2) -> float:
    """Seconds in which n processes exchange ``size`` bytes round a ring (R. Thakur, R. Rabenseifner and W. Gropp, 2005)."""
    return trips * (n - 1) * (link.latency + size / n / link.bandwidth)


def fit(n: int, sizes: Sequence[float], seconds: Sequence[float], trips: int = 2) -> Link:
    """The latency and bandwidth whose ring comes closest to measured times, by least squares of the logarithms' differences.

    So a time that is ten times too short counts as much as one that is ten times too long. Raises ValueError for one process,
    which exchanges nothing.
    """
    if n < 2:
        raise ValueError("A ring has at least two processes; one exchanges nothing.")
    t = np.asarray(seconds, dtype=float)
    columns = trips * (n - 1) * np.stack([np.ones(len(t)), np.asarray(sizes, dtype=float) / n], axis=1)
    weights = 1 / t
    for _ in range(50):
        # Linear least squares, its weights chosen anew so that at the end they are those of the logarithms.
        weighted = columns * weights[:, None]
        found = np.linalg.lstsq(weighted, t * weights, rcond=None)[0]
        if found[0] < 0:  # noise; the rest is then all bandwidth
            found = np.array([0.0, weighted[:, 1] @ (t * weights) / np.square(weighted[:, 1]).sum()])
        model = np.maximum(columns @ found, 1e-9)
        apart = np.abs(model - t) > 1e-6 * t
        slope = np.log(model / t) / np.where(apart, model - t, 1)
        weights = np.sqrt(np.where(apart, slope, 1 / t) / model)
    return Link(float(found[0]), float(1 / found[1]) if found[1] > 0 else float("inf"))


def last_arrival(ready: Sequence[float], lengths: Sequence[float]) -> float:
    """The time at which the last exchange is over, each begun when its bucket is ready and the one before is over."""
    end = 0.0
    for begin, length in zip(ready, lengths):
        end = max(begin, end) + length
    return end


def overlapped(backward: float, ready: Sequence[float], lengths: Sequence[float], own_work: float) -> float:
    """Seconds of a backward pass with its exchanges, until the last of them is over.

    ready: seconds after which each bucket is complete. lengths: of each exchange alone. own_work: the share of an exchange in
    which the process itself copies and adds, from 0 (a network card does it) to 1; this share is never hidden.
    """
    rest = [(1 - own_work) * length for length in lengths]
    return max(backward, last_arrival(ready, rest)) + own_work * sum(lengths)


def planned(n: int, parameters: float, rows: float, flops: float, link: Link, bucket: float) -> float:
    """Seconds of a step's forward and backward pass of a network of Linear layers, its gradients summed over n processes.

    rows: of each process. flops: floating-point operations per second of a process; a row takes two for each weight forward
    and four backward. bucket: bytes. The buckets are equal and become ready evenly over the backward pass; the network card
    does the sending. The update is not counted.
    """
    forward, backward = 2 * parameters * rows / flops, 4 * parameters * rows / flops
    if n == 1:
        return forward + backward
    count = max(1, round(parameters * FLOAT / bucket))
    each = ring(n, parameters * FLOAT / count, link)
    # last_arrival of ``count`` equal exchanges, as a formula.
    return forward + max(backward + each, backward / count + count * each)


def best(n: int, parameters: float, rows: float, flops: float, link: Link) -> tuple[float, float]:
    """(seconds, bytes of a bucket) of the best size of buckets from 1 MiB to 1 GiB."""
    return min((planned(n, parameters, rows, flops, link, 2.0**k), 2.0**k) for k in range(20, 31))


def rows_that_balance(flops: float, link: Link) -> float:
    """Rows per process at which the backward pass lasts as long as the sending, for many processes and no latency."""
    return 2 * FLOAT / link.bandwidth / (4 / flops)
