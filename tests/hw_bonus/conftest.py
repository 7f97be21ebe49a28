"""Fixtures for the tests of hw_bonus."""

from __future__ import annotations

import sys
from pathlib import Path

# With these paths the tests can be run from any folder.
sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]
