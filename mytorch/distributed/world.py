"""World: the processes of one run. Waits that end when a process hangs, and questions on which all have to agree."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, NoReturn

import numpy as np

# A wait is polled this long without pause, then with pauses, so that processes that share a core get on.
SPIN, PAUSE = 50e-6, 100e-6
# A process that has waited this long tells its neighbour where it is.
IMPATIENT = 1.0
NEIGHBOUR = 77  # tag of these messages


class Mismatch(RuntimeError):
    """Processes that do not agree. Every process raises it, with the same message."""


def start(timeout: float = 60.0) -> World:
    """The processes that ``mpiexec`` has started; one alone where it was not used.

    timeout: seconds that a process waits for the others before it ends them all. Raises ImportError without mpi4py.
    """
    # The line that says why a run ends is ours; MPI's own one says less.
    os.environ.setdefault("MPIR_CVAR_SUPPRESS_ABORT_MESSAGE", "1")
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise ImportError(
            f'Training in many processes needs mpi4py and an MPI ({error}); install both with: pip install -e ".[distributed]"'
        ) from error
    return World(MPI, MPI.COMM_WORLD, timeout)


class World:
    """All processes of a run. rank: the number of this one, from 0. size: of how many. sent: bytes that this one has sent.

    Every method that communicates has to be called by all processes, in the same order.
    """

    def __init__(self, mpi: Any, comm: Any, timeout: float = 60.0) -> None:
        self.mpi, self.comm, self.timeout = mpi, comm, timeout
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        self.sent = 0
        self._waits = 0
        self._heard = -1

    def rows(self, n: int) -> slice:
        """This process's part of n rows; the parts differ by at most one row."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def sum(self, values: Any) -> np.ndarray:
        """Entry by entry the sum over all processes, as float64 on each of them."""
        return self.gather(values).sum(axis=0)

    def gather(self, values: Any, what: str = "the exchange of numbers") -> np.ndarray:
        """The values of every process, (size, k), as float64 on each of them."""
        own = np.atleast_1d(np.asarray(values, dtype=np.float64))
        every = np.empty((self.size, own.size))
        self.wait(self.comm.Iallgather(own, every), what, own.nbytes * (self.size - 1))
        return every

    def check_same(self, what: str, value: str) -> None:
        """Raises Mismatch on every process where their texts differ. what: the noun, such as "the data"."""
        every = self._texts(value, f"the comparison of {what}")
        others = [str(rank) for rank, other in enumerate(every) if other != every[0]]
        if others:
            who = f"process {others[0]} has" if len(others) == 1 else f"processes {', '.join(others)} have"
            first = every[int(others[0])]
            raise Mismatch(f"{who} other {what} than process 0: {_short(first)} instead of {_short(every[0])}")

    def _texts(self, text: str, what: str) -> list[str]:
        """The text of every process."""
        own = np.frombuffer(text.encode(), dtype=np.uint8)
        lengths = self.gather(own.size, what)[:, 0].astype(int)
        padded = np.zeros((self.size, max(1, lengths.max())), dtype=np.uint8)
        padded[self.rank, : own.size] = own
        every = np.empty_like(padded)
        self.wait(self.comm.Iallgather(padded[self.rank], every), what)
        return [row[:length].tobytes().decode() for row, length in zip(every, lengths)]

    def wait(self, request: Any, what: str, sent: int = 0) -> None:
        """Wait until an exchange is done. If another process does not come to it in time, say so and end all.

        sent: the bytes that this process sends in it.
        """
        self.sent += sent
        self._waits += 1
        began = time.monotonic()
        told = False
        while not request.Test():
            waited = time.monotonic() - began
            if waited > SPIN:
                time.sleep(PAUSE)
            if waited > IMPATIENT and not told:
                told = True
                right = (self.rank + 1) % self.size
                self.comm.Isend(np.array([self._waits], dtype=np.int64), dest=right, tag=NEIGHBOUR)
            if waited > self.timeout:
                self._listen()
                left = (self.rank - 1) % self.size
                if self._heard < self._waits:
                    self.end(f"process {left} has not come to {what} for {self.timeout:g} s: it hangs or is stopped", 3)
                if waited > self.timeout + 5:
                    self.end(f"{what} has not ended for {waited:.0f} s: a process hangs or the network does", 3)

    def _listen(self) -> None:
        """Read what the left neighbour has told."""
        left, found = (self.rank - 1) % self.size, np.empty(1, dtype=np.int64)
        while self.comm.Iprobe(source=left, tag=NEIGHBOUR):
            self.comm.Recv(found, source=left, tag=NEIGHBOUR)
            self._heard = max(self._heard, int(found[0]))

    def end(self, reason: str, code: int) -> NoReturn:
        """Say why in one line, and end all processes."""
        print(f"{os.path.basename(sys.argv[0])}: {reason}; all processes end", file=sys.stderr, flush=True)
        time.sleep(0.3)  # mpiexec ends at once, and what it has not read by then is lost
        self.comm.Abort(code)
        os._exit(code)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
