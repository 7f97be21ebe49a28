"""What every test shares: an engine, seeded random numbers, and PyTorch where it is installed."""

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
