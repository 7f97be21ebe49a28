"""The checks as pytest tests: ``pytest autograder``, ``pytest autograder -k sigmoid``, in any order."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

_grades: dict[str, Any] = {}


class Outcome:
    """One check as a fixture. Each exercise runs once, with all its checks, in a process of its own."""

    def __init__(self, check: Any) -> None:
        self.check = check

    def require(self) -> None:
        """Fail with the runner's feedback if the check did not pass."""
        import pytest

        from autograder.exercises import EXERCISES
        from autograder.feedback import feedback_lines
        from autograder.grade import grade

        if "all" not in _grades:
            _grades["all"] = grade(ROOT, EXERCISES)
        # With the marks of marks.ini, by which an exercise may also be left out.
        result = next((r for r in _grades["all"].of(self.check.exercise) if r.check.name == self.check.name), None)
        if result is None:
            pytest.skip(f"{self.check.exercise} is no exercise of marks.ini")
        text = "\n".join(feedback_lines(result.record()))
        if result.status != "passed" and not result.check.points:
            pytest.xfail(f"practice, without marks\n{text}")
        assert result.status == "passed", f"\n{text}"


def pytest_generate_tests(metafunc: Any) -> None:
    """One test per check of the module."""
    if "outcome" in metafunc.fixturenames:
        checks = metafunc.module.CHECKS
        names = [f"{c.exercise} - {c.name}".replace(" ", "_") for c in checks]
        metafunc.parametrize("outcome", [Outcome(c) for c in checks], ids=names)
