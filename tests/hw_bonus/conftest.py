"""Fixtures for the tests of hw_bonus."""

from __future__ import annotations

import sys
from pathlib import Path

# pytest's own setting does this too; so the tests can also be run by their path from anywhere.
sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]
