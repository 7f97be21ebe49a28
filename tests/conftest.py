"""Fixtures for every test: an engine, seeded random numbers and PyTorch; and the line on skipped tests."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mytorch import Autograd


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
    """PyTorch; the tests that compare with it skip, and say so, where it is not installed."""
    module = pytest.importorskip("torch", reason="PyTorch is not installed, so nothing was compared with it")
    module.set_num_threads(1)
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
