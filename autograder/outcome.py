"""Result of a check, and the grades of a submission."""

from __future__ import annotations

from dataclasses import dataclass, field

from autograder.compare import Problem
from autograder.exercises import EXERCISES
from autograder.feedback import CheckRecord, no_feedback
from autograder.helpers import Check


def rounded(marks: float) -> float:
    """A sum of marks without the rounding error of binary fractions; an int where it is whole."""
    marks = round(float(marks), 4)
    return int(marks) if marks == int(marks) else marks


@dataclass(frozen=True)
class Result:
    """Result of one check. status: passed, failed, todo (not implemented yet), blocked (another exercise first) or not run.

    needs: what a blocked check waits for; its problem has no hint of its own and repeats the other one's explanation.
    """

    check: Check
    status: str
    problem: Problem | None = None
    needs: str = ""
    rules: tuple[str, ...] = ()
    printed: str = ""
    seconds: float = 0.0
    # False where the submission could not be imported, so that the check itself did not run.
    imported: bool = True

    @property
    def earned(self) -> float:
        return self.check.points if self.status == "passed" else 0.0

    def record(self, hidden: bool = False) -> CheckRecord:
        """The result as plain data. hidden: the check belongs to a hidden exercise."""
        return {
            "exercise": self.check.exercise, "check": self.check.name, "points": self.check.points, "earned": self.earned,
            "status": self.status, "needs": self.needs, "hint": self.problem.hint if self.problem else "",
            "feedback": self.problem.feedback if self.problem else no_feedback(), "printed": self.printed,
            "hidden": hidden,
        }  # fmt: skip


@dataclass
class Grades:
    """All results of a submission."""

    results: list[Result] = field(default_factory=list)

    def of(self, exercise: str) -> list[Result]:
        return [result for result in self.results if result.check.exercise == exercise]

    def earned(self, exercise: str) -> float:
        return rounded(sum(result.earned for result in self.of(exercise)))

    def scores(self) -> dict[str, float]:
        """Marks of every exercise that is worth any, as in the last line of the output."""
        graded = {result.check.exercise for result in self.results}
        return {e.name: self.earned(e.name) for e in EXERCISES if e.points and e.name in graded}

    def hints(self) -> set[str]:
        """The keys of all hints that were given."""
        return {result.problem.hint for result in self.results if result.problem and result.problem.hint}
