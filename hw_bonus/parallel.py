"""Training in many processes: each step's rows shared among them, errors told once, Ctrl-C heard by all."""

from __future__ import annotations

import os
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from hw_bonus import runs
from hw_bonus.errors import BadInput, Diverged
from hw_bonus.mlp import MLP, class_indices, evaluate
from mytorch import distributed, optim


class Team:
    """The processes of a run, this one's part in it, and the generator that its Dropout layers draw from."""

    def __init__(self, world: distributed.World) -> None:
        self.world = world
        self.dropout: distributed.OwnRows | None = None
        self.gradients: Any = None
        self.interrupted = False

    def generator(self, rng: np.random.Generator) -> np.random.Generator:
        """The generator for Dropout: the stream of rng, of which each process takes its rows."""
        self.dropout = distributed.OwnRows(rng, self.world)
        return self.dropout

    def join(self, mlp: MLP, opts: Namespace) -> None:
        """Make the network that of all processes, its optimiser spread over them if --shard says so."""
        parameters = mlp.optimizer.parameters
        self.gradients = distributed.DataParallel(self.world, parameters, mlp.autograd_engine, stage=opts.shard)
        if opts.shard:
            make = runs.optimizer(opts)
            mlp.optimizer = distributed.ShardedOptimizer(self.gradients, lambda parts: make(parts, opts.lr))

    def step(self, run: runs.Run, opts: Namespace, x: np.ndarray, y: np.ndarray) -> tuple[float, int]:
        """One step on this process's rows of a batch. Returns (mean loss, number of errors) of the whole batch.

        Raises Diverged, and KeyboardInterrupt after Ctrl-C in any process, on all processes alike.
        """
        n, own = len(x), self.world.rows(len(x))
        x, y = x[own], y[own]
        mlp = run.net
        assert self.dropout is not None
        self.dropout.n = n
        mlp.zero_grads()
        scores = mlp.forward(
            mlp.autograd_engine.data(x)
        )  # without rows too: every process has to draw the same numbers
        loss = mlp.total_loss(y) if len(x) else None
        share = len(x) / n
        wrong = int((scores.argmax(axis=-1) != class_indices(y)).sum())
        value = 0.0 if loss is None else float(loss[0])
        every = self.world.gather(
            [value * share, wrong, not np.isfinite(value), self.interrupted], "the sum of the losses"
        )
        if every[:, 3].any():
            raise KeyboardInterrupt
        bad = np.flatnonzero(every[:, 2])
        if len(bad):
            runs.check_finite(float("nan"), f"loss of process {bad[0]}", run, opts)
        self.gradients.backward(loss, share)
        if opts.clip_norm:
            try:
                if opts.shard:
                    mlp.optimizer.clip_grad_norm(opts.clip_norm)
                else:
                    optim.clip_grad_norm(mlp.optimizer.parameters, opts.clip_norm)
            except ValueError:
                runs.check_finite(float("nan"), "gradient", run, opts)
        mlp.step()
        return float(every[:, 0].sum()), int(every[:, 1].sum())

    def evaluate(self, mlp: MLP, x: np.ndarray, y: np.ndarray) -> tuple[float, int]:
        """Mean loss and number of errors over x and y, of which each process works off its rows."""
        own = self.world.rows(len(x))
        loss, errors = evaluate(mlp, x[own], y[own]) if own.stop > own.start else (0.0, 0)
        total, wrong = self.world.sum([loss * (own.stop - own.start), errors])
        return float(total) / len(x), int(wrong)

    def check_same(self, fingerprint: int, texts: dict[str, str]) -> None:
        """Raises BadInput where processes have other versions, options or data."""
        import mytorch

        try:
            self.world.check_same("versions", f"MyTorch {mytorch.__version__}, NumPy {np.__version__}")
            self.world.check_same("options", " ".join(f"--{name} {text}" for name, text in sorted(texts.items())))
            self.world.check_same("data", f"checksum {fingerprint}")
        except distributed.Mismatch as error:
            raise BadInput(f"{error}; start all processes with the same files") from None


@contextmanager
def together(given: dict[str, Any]) -> Iterator[Team]:
    """The processes that mpiexec has started. Process 0 alone prints; an error in any of them ends all, in one line.

    Raises BadInput without mpi4py.
    """
    try:
        team = Team(distributed.start(given.get("patience", 60.0)))
    except ImportError as error:
        raise BadInput(str(error)) from None
    world, stdout = team.world, sys.stdout

    def interrupt(*_: Any) -> None:
        team.interrupted = True

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            if world.rank:
                sys.stdout = nowhere
            yield team
    except (BadInput, Diverged) as error:
        if world.size == 1:
            raise
        code = 2 if isinstance(error, BadInput) else 1
        _end(team, " ".join(str(error).split()), code)
    except Exception as error:
        if world.size == 1:
            raise
        world.end(f"process {world.rank} stopped with {type(error).__name__}: {' '.join(str(error).split())}", 1)
    finally:
        sys.stdout = stdout
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(team: Team, message: str, code: int) -> None:
    """End all processes. As a rule they have the same error; process 0 tells it, the others only where it does not come."""
    if team.world.rank:
        time.sleep(1.0)
        message = f"process {team.world.rank}: {message}"
    team.world.end(message, code)


Session = Callable[[dict[str, Any], "Team | None"], int]


def run(given: dict[str, Any], session: Session) -> int:
    """The exit code of a session, in all processes with --distributed, else in this one alone."""
    if not given.get("distributed"):
        return session(given, None)
    with together(given) as team:
        return session(given, team)
    raise AssertionError("an error in a process ends it")
