"""Tools of the tests of hw_bonus: running the program and making data files."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.clocks import patience

RUNNER = Path(__file__).resolve().parents[2] / "hw_bonus" / "mlp_runner.py"
TEXT_RUNNER = RUNNER.with_name("text_runner.py")
FAST = ("--hidden", "8", "--no-plots")


def start(
    *arguments: object, cwd: Path, env: dict[str, str] | None = None, program: Path = RUNNER
) -> subprocess.Popen[str]:
    """Starts a program in cwd. Ctrl-C is switched on, in case whoever runs the tests has it off."""
    more: dict[str, Any] = {}
    if os.name == "posix":
        more["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [sys.executable, str(program), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        **more,
    )


def run(
    *arguments: object, cwd: Path, code: int = 0, env: dict[str, str] | None = None, program: Path = RUNNER
) -> tuple[str, str]:
    """Runs a program to its end, checks the exit code and returns (standard output, standard error)."""
    process = start(*arguments, cwd=cwd, env=env, program=program)
    out, err = process.communicate(timeout=patience(120))
    assert process.returncode == code, f"exit code {process.returncode} instead of {code}\n{out}\n{err}"
    assert "Traceback" not in err
    return out, err


def refused(*arguments: object, cwd: Path) -> str:
    """Runs the program, expects exit code 2 and one line on standard error, and returns that line."""
    _, err = run(*arguments, cwd=cwd, code=2)
    assert len(err.splitlines()) == 1, err
    return err


def make_images(n: int, seed: int = 0, size: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """n noisy (size, size) uint8 images of ten classes that can be told apart, and their labels; no two are equal."""
    patterns = np.random.default_rng(99).integers(0, 200, (10, size, size))
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 10
    return (patterns[labels] + rng.integers(0, 50, (n, size, size))).astype(np.uint8), labels.astype(np.uint8)


def idx_bytes(array: np.ndarray) -> bytes:
    """An array of uint8 as the contents of an IDX file."""
    header = (0x800 + array.ndim).to_bytes(4, "big") + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


def write_idx(
    folder: Path, prefix: str, images: np.ndarray, labels: np.ndarray, zipped: bool = False, dot: str = "-"
) -> None:
    """Writes the two IDX files of a split under their usual names."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, rank, array in (("images", 3, images), ("labels", 1, labels)):
        raw = idx_bytes(array)
        name = f"{prefix}-{kind}{dot}idx{rank}-ubyte"
        (folder / (name + ".gz" if zipped else name)).write_bytes(gzip.compress(raw) if zipped else raw)


def write_course(folder: Path, split: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Writes the two .npy files of a split as the course does: images (N, D), labels (N,)."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{split}_data.npy", images.reshape(len(images), -1))
    np.save(folder / f"{split}_labels.npy", labels.astype(np.int64))
