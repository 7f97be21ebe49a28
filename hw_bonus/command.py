"""Parts of every command line here: numbers with a range, one-line errors, options as texts, exit codes. Needs no NumPy."""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from hw_bonus.errors import BadInput, Diverged, Terminated

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"
)  # fmt: skip


class Parser(argparse.ArgumentParser):
    """Parser whose errors are BadInput. Its result holds what was given alone; the defaults are added later."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
            **settings,
        )

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; --help explains every option")


def number(
    kind: type, low: float, high: float = math.inf, open_low: bool = False, open_high: bool = False
) -> Callable[[str], Any]:
    """Check for argparse: a finite number in a range."""
    below = f" and {'below' if open_high else 'at most'} {high:g}" if high < math.inf else ""
    words = f"a {'whole ' if kind is int else ''}number {'above' if open_low else 'of at least'} {low:g}{below}"

    def check(text: str) -> Any:
        try:
            value = kind(text)
            fits = math.isfinite(value) and low <= value <= high
        except (ValueError, OverflowError):
            fits = False
        if not fits or (open_low and value == low) or (open_high and value == high):
            raise argparse.ArgumentTypeError(f"{text!r} was given, {words} is expected")
        return value

    return check


ACTIVATIONS = ("relu", "leaky_relu", "gelu", "silu", "softplus", "tanh", "sigmoid")
OPTIMIZERS = ("sgd", "nesterov", "adam", "adamw")
SCHEDULES = ("none", "cosine", "step")

# Options of every training: their defaults, and the names that belong to one call of the program.
TRAINING: dict[str, Any] = {
    "optimizer": "adamw", "momentum": 0.9, "schedule": "cosine", "step_size": 10, "gamma": 0.1, "clip_norm": 0.0, "seed": 0,
    "dtype": "float32", "out": "results", "save": None, "resume": None, "stop_after": 0, "threads": 1, "no_plots": False,
    "eager": False,
}  # fmt: skip
PER_CALL = ("out", "save", "resume", "stop_after", "threads", "no_plots", "eager")

COUNT, SEED = number(int, 1), number(int, 0)
POSITIVE, NOT_NEGATIVE = number(float, 0, open_low=True), number(float, 0)
SHARE = number(float, 0, 1, open_high=True)


@dataclass(frozen=True)
class Options:
    """Options of one program.

    defaults: name to value, for every option. per_call: the names that belong to one call of the program, so that a
    checkpoint does not hold them. paths: the names of files and folders of data.
    build: makes the parser.
    """

    defaults: dict[str, Any]
    per_call: tuple[str, ...]
    paths: tuple[str, ...]
    build: Callable[[], Parser]

    def add(
        self, group: Any, name: str, check: Any, text: str, metavar: str | None = None, default: str | None = None
    ) -> None:
        """Enter an option into a group of the parser. check: a tuple of choices, or a function that reads the text."""
        shown = self.defaults[name[2:].replace("-", "_")] if default is None else default
        if isinstance(check, tuple):
            group.add_argument(name, choices=check, help=f"{text} (default: {shown})")
        else:
            group.add_argument(name, type=check, metavar=metavar, help=f"{text} (default: {shown})")

    def parse(self, argv: list[str] | None = None) -> dict[str, Any]:
        """Options that were given on the command line, checked; no defaults. Raises BadInput."""
        return vars(self.build().parse_intermixed_args(argv))

    def to_text(self, given: argparse.Namespace) -> dict[str, str]:
        """Options for a checkpoint, as texts of a command line."""
        values = {n: value for n, value in vars(given).items() if n not in self.per_call and value is not None}
        for name in self.paths:
            if name in values:  # a run may be resumed from another folder
                values[name] = os.path.abspath(values[name])
        return {n: shown(value) for n, value in values.items()}

    def from_text(self, texts: dict[str, str]) -> dict[str, Any]:
        """Inverse of to_text, with the checks of the command line. Raises BadInput."""
        return self.parse([f"--{name.replace('_', '-')}={text}" for name, text in texts.items()])


def add_training(options: Options, parser: Parser, batch: str, lr: str, epochs: str) -> None:
    """Enter the options of the optimiser and the loop. batch: what a batch consists of. lr, epochs: the defaults in words."""
    group = parser.add_argument_group("training")
    option = partial(options.add, group)
    option("--optimizer", OPTIMIZERS, "optimiser")
    option("--lr", POSITIVE, "learning rate", "LR", lr)
    option("--momentum", SHARE, "momentum, for sgd and nesterov", "M")
    option("--weight-decay", NOT_NEGATIVE, "weight decay", "W")
    option("--schedule", SCHEDULES, "learning rate over the epochs: constant, half a cosine down to 0, or steps")
    option("--step-size", COUNT, "epochs between the steps of --schedule step", "N")
    option("--gamma", number(float, 0, 1, open_low=True), "factor of each step of --schedule step", "G")
    option("--clip-norm", NOT_NEGATIVE, "largest norm of all gradients together; 0 for no limit", "NORM")
    option("--batch-size", COUNT, f"{batch} per step", "N")
    option("--epochs", COUNT, "passes over the training data", "N", epochs)
    option("--seed", SEED, "seed of weights, order and dropout; same seed, same result", "N")
    option("--threads", COUNT, "threads for matrix products", "N")
    text = "record and walk every step anew instead of replaying a compiled one; slower, the same up to rounding"
    group.add_argument("--eager", action="store_true", help=f"{text} (default: compiled)")


def add_output(options: Options, parser: Parser) -> None:
    """Enter the options of what is written, and of going on later."""
    group = parser.add_argument_group("output")
    option = partial(options.add, group)
    option("--out", str, "folder for the pictures, metrics.json and the checkpoint", "PATH")
    text = "write a checkpoint here after every epoch"
    option("--save", str, text, "FILE", "OUT/checkpoint.npz, written at the end and on Ctrl-C")
    text = "go on from this checkpoint with its options; saves to it again unless --save is given"
    option("--resume", str, text, "FILE", "start anew")
    text = "stop as if interrupted when this many epochs are done, to --resume later"
    option("--stop-after", COUNT, text, "N", "never")
    group.add_argument("--no-plots", action="store_true", help="draw no pictures (default: draw them)")


def layer_sizes(text: str) -> list[int]:
    """Layer sizes: '256,128' -> [256, 128]; 'none' -> []."""
    if text.strip().lower() == "none":
        return []
    return [COUNT(part.strip()) for part in text.split(",")]


def check_backend(opts: argparse.Namespace) -> None:
    """Raises BadInput for a MYTORCH_BACKEND that names no backend of compiled steps."""
    from mytorch.graph import backends

    try:
        if not opts.eager:
            backends.chosen(None)
    except ValueError as error:
        raise BadInput(f"the environment variable MYTORCH_BACKEND: {error}") from None


def check_momentum(opts: argparse.Namespace) -> None:
    """Raises BadInput for Nesterov's method without momentum."""
    if opts.optimizer == "nesterov" and opts.momentum == 0:
        raise BadInput("--optimizer nesterov was given with --momentum 0; give a momentum above 0, or --optimizer sgd")


def shown(value: Any) -> str:
    """The text of a value on the command line."""
    return ",".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def run(
    program: str,
    options: Options,
    session: Callable[[], Callable[[dict[str, Any]], int]],
    argv: Iterable[str] | None,
    smaller: str,
) -> int:
    """A program from its command line to its exit code.

    session: imports and returns what runs with the options; it is called when the number of threads is set.
    smaller: the options to make smaller where memory ends.

    Returns what the session returns, or 1 (the loss became NaN), 2 (bad input), 130 (Ctrl-C), 143 (SIGTERM),
    141 (nobody reads the output).
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without accents must not end the training

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    arguments = sys.argv[1:] if argv is None else list(argv)

    def complain(message: object, code: int) -> int:
        text = " ".join(str(message).split())
        if "--distributed" not in arguments or _is_first():
            print(f"{program}: {text}", file=sys.stderr, flush=True)
        return code

    try:
        given = options.parse(arguments)
        for name in THREAD_VARIABLES:  # read when NumPy is imported, so before that
            os.environ[name] = str(given.get("threads", options.defaults["threads"]))
        try:
            import numpy  # noqa: F401
        except ImportError:
            raise BadInput("NumPy is not installed; install it with: python -m pip install numpy") from None
        code = session()(given)
        sys.stdout.flush()
        return code
    except BadInput as error:
        return complain(error, 2)
    except Diverged as error:
        return complain(error, 1)
    except MemoryError:
        return complain(f"there is not enough memory for this; give smaller {smaller}", 2)
    except KeyboardInterrupt as stopped:
        return complain("interrupted", 143 if isinstance(stopped, Terminated) else 130)
    except BrokenPipeError:
        # Python flushes at exit and would complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _terminate(*_: Any) -> NoReturn:
    raise Terminated


def _is_first() -> bool:
    """True in process 0 of those that mpiexec or srun has started, and in a process alone."""
    ranks = (os.environ.get(name) for name in ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID"))
    return next((rank for rank in ranks if rank), "0") == "0"
