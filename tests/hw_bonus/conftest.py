"""Fixtures for the tests of hw_bonus."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# With these paths the tests can be run from any folder.
sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]


@pytest.fixture(autouse=True)
def _leave_the_folder_and_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        monkeypatch.setenv(name, "1")
