"""Fixtures for every test: an engine, random numbers, PyTorch and JAX; deprecations as errors; the line on skipped tests."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mytorch import Autograd
from tests.browser import open_page, window

__all__ = ["open_page", "window"]

OURS = r"(mytorch|hw_bonus|autograder|benchmarks|tests)\b"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-deprecated", action="store_true", help="deprecation warnings in this project's code are errors"
    )


def pytest_configure(config: pytest.Config) -> None:
    """A newer NumPy that deprecates something should show in CI, and break nothing for those who only run the tests."""
    if config.getoption("--no-deprecated"):
        for kind in ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning"):
            config.addinivalue_line("filterwarnings", f"error::{kind}:{OURS}")


@pytest.fixture
def engine():
    """An engine of the test's own."""
    return Autograd()


@pytest.fixture
def rng():
    """Random numbers that repeat."""
    return np.random.default_rng(20240229)


@pytest.fixture(scope="session")
def torch():
    """PyTorch; tests that compare with it are skipped where it is not installed."""
    module = pytest.importorskip("torch", reason="PyTorch is not installed")
    module.set_num_threads(1)
    return module


@pytest.fixture(scope="session")
def jax():
    """JAX in double precision."""
    module = pytest.importorskip("jax", reason="JAX is not installed")
    module.config.update("jax_enable_x64", True)
    return module


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line with the reasons of all skipped tests; a reason is a few words, a colon and details that are left out."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ").split(":")[0]
        for report in terminalreporter.stats.get("skipped", [])
    )
    if reasons:
        listed = "; ".join(f"{reason} ({number})" for reason, number in reasons.most_common())
        terminalreporter.write_line(f"Skipped: {listed}")
