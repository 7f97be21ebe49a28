"""Facts about the machine and its NumPy, by which others can judge the figures."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np


def facts() -> dict[str, Any]:
    """CPU, cores, operating system, versions and NumPy's BLAS, as plain data."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": blas(),
    }


def cpu_model() -> str:
    """Name of the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def blas() -> str:
    """Name and version of the library behind NumPy's matrix products."""
    try:
        config: Any = np.show_config(mode="dicts")
        found = config["Build Dependencies"]["blas"]
        return f"{found.get('name', 'unknown')} {found.get('version', '')}".strip()
    except (KeyError, TypeError):
        return "unknown"
