"""Commands as a student runs them, who has no project of ours on any path."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.clocks import patience


def run(folder: Path, *command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder; nothing of this process's Python reaches it through the environment."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | {"PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=patience(timeout),
        check=False,
    )
