"""Start of programs under mpiexec, and what tests need to leave out what cannot run here."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clocks import patience

ROOT = Path(__file__).resolve().parents[2]
# mpiexec of the same MPI as mpi4py's, where both came with pip.
MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")]))
needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None,
    reason='there is no mpi4py with an mpiexec; pip install -e ".[distributed]" brings both',
)


def start(
    processes: int, *command: object, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """Starts a Python program in so many processes, each with one thread."""
    assert MPIEXEC
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return subprocess.Popen(
        [MPIEXEC, "-n", str(processes), sys.executable, *map(str, command)],
        cwd=cwd or ROOT,
        env={**os.environ, **threads, "PYTHONPATH": str(ROOT), **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def run(processes: int, *command: object, cwd: Path | None = None, code: int = 0) -> tuple[str, str]:
    """Runs a program to its end, checks the exit code and returns (standard output, standard error)."""
    process = start(processes, *command, cwd=cwd)
    try:
        out, err = process.communicate(timeout=patience(120))
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == code, f"exit code {process.returncode} instead of {code}\n{out}\n{err}"
    assert "Traceback" not in err
    return out, err


def ours(err: str) -> list[str]:
    """The lines of standard error without those of mpiexec itself."""
    return [line for line in err.splitlines() if line.strip() and not line.startswith(("Abort(", "[mpiexec@"))]
