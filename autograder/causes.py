"""Consequences told from causes: a check that fails because of an exercise or rule that it needs waits for that one.

What decides is an experiment. The failed scenario runs again on a Tape, and its gradients are worked out as a right engine
would, with right rules in place of the failing ones. If the check then passes, it failed because of them. If not, it fails for
a reason of its own, and the second run shows that reason undisturbed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from autograder import replay
from autograder.compare import Problem, compare, with_hint
from autograder.diagnosis import diagnose
from autograder.exercises import ADD, BACK, EXERCISES, Exercise
from autograder.feedback import no_feedback
from autograder.frames import problem_of
from autograder.helpers import Check, Expectations
from autograder.outcome import Grades, Result

# Runs checks of some parts once more in another way; yields the cases of each check, and its frame.
Rerun = Callable[
    [Sequence[str], list[Check], Callable[[Check, Any], tuple[str, Any]]], Iterator[tuple[list[Any], dict[str, Any]]]
]
# A case, the values that are expected of it, and what its scenario recorded.
Recorded = tuple[Any, Expectations, Any]
FUNCTIONAL = "Functional"
ENGINE = {"add_operation": ADD, "backward": BACK}
# These tell their reason by themselves, whatever else is wrong.
TOLD = ("cannot_import", "not_installed", "missing_file", "missing_module", "missing_name", "budget")

# What comparing the values tells in better words than a look at the list.
TOLD_BY_VALUES = ("in_place", "grad_ignored", "forward_value", "gradient_last")
# Hints of an exception about shapes, which the list tells more exactly.
OF_SHAPES = ("shapes_clash", "wrong_shape")
# Statuses of a frame after which no other comes.
ENDED = ("time", "died", "malformed")


def explain_dependencies(grades: Grades, rerun: Rerun | None = None) -> Grades:
    """The results, each failed check that waits for another marked as blocked. rerun: without it nothing runs again."""
    return Grades(explain(grades.results, Grades(), rerun))


def explain(results: list[Result], before: Grades, rerun: Rerun | None) -> list[Result]:
    """The results, with those blocked that fail because of exercises in ``before`` or of one another."""
    explained: list[Result] = []
    for group in _groups(results):
        known = Grades([*before.results, *explained])
        exercises = [_Exercise(own, known) for own in group]
        if rerun is not None:
            _run_again([exercise for exercise in exercises if exercise.undecided], rerun)
        explained += [result for exercise in exercises for result in exercise.explained()]
    return explained


def _groups(results: list[Result]) -> list[list[list[Result]]]:
    """The results of each exercise, in groups of exercises that do not need one another, so that one process serves them."""
    own: dict[str, list[Result]] = {}
    for result in results:
        own.setdefault(result.check.exercise, []).append(result)
    groups: list[list[list[Result]]] = []
    names: set[str] = set()
    for name, some in own.items():
        # Layers call the rules of Functional without needing it.
        if not groups or names.intersection((FUNCTIONAL, *_exercise(name).needs)):
            groups.append([])
            names = set()
        groups[-1].append(some)
        names.add(name)
    return groups


def _exercise(name: str) -> Exercise:
    return next(exercise for exercise in EXERCISES if exercise.name == name)


def _run_again(waiting: list[_Exercise], rerun: Rerun) -> None:
    """Decide what second runs tell. Where an exercise ends the process, those after it run in another one."""
    while waiting:
        parts = tuple(dict.fromkeys(part for one in waiting for part in one.exercise.parts))
        frames = list(rerun(parts, [result.check for one in waiting for result in one.undecided], _recorded))
        if not frames and len(waiting) > 1:
            # The files of all cannot be imported together, so each exercise runs with its own.
            for one in waiting:
                _run_again([one], rerun)
            return
        while waiting:
            one, *waiting = waiting
            own, frames = frames[: len(one.undecided)], frames[len(one.undecided) :]
            one.decide(own)
            if not frames:
                break


def _recorded(check: Check, case: Any) -> tuple[str, Any]:
    """The scenario of a second run, and what it is given."""
    scenario = "recorded_by_engine" if check.exercise == BACK else "recorded"
    return scenario, {"scenario": check.scenario, "given": case}


class _Exercise:
    """The results of one exercise, and what failed before it. undecided: those of which only a second run tells."""

    def __init__(self, results: list[Result], before: Grades) -> None:
        self.exercise = _exercise(results[0].check.exercise)
        self.before = before
        self.needs = [need for need in self.exercise.needs if self._cause(need)]
        # Layers that are needed have no stand-in; where they fail, no second run tells.
        self.others = [need for need in self.needs if need not in (ADD, BACK)]
        rules = before.of(FUNCTIONAL) if self.exercise.name != FUNCTIONAL else []
        # Practice blocks nothing that has marks.
        self.rules = {r.check.rule for r in rules if r.status != "passed" and r.check.rule and r.check.points}
        self.stubs = {r.problem.feedback["looked_at"] for r in rules if r.status == "todo" and r.problem}
        self.results = results
        self.decided = [self._without_running(result) for result in results]

    @property
    def undecided(self) -> list[Result]:
        return [result for result, known in zip(self.results, self.decided) if known is None]

    def explained(self) -> list[Result]:
        """The results with consequences marked as blocked, and own reasons undisturbed by what else is wrong."""
        return [known or self._without_knowing(result) for result, known in zip(self.results, self.decided)]

    def decide(self, again: list[tuple[list[Any], dict[str, Any]]]) -> None:
        """Decide the undecided results by the cases and frames of their second runs, of which the last may be missing."""
        ended = bool(again) and again[-1][1]["status"] in ENDED
        frames = iter(again)
        for number, result in enumerate(self.results):
            if self.decided[number] is None:
                found = next(frames, None)
                known = self._by_frame(result, *found) if found else None
                # After an end, nothing is blocked: the check that did not come back needs nothing but this exercise.
                self.decided[number] = result if known is None and ended else known

    def _without_knowing(self, result: Result) -> Result:
        """The result where no second run tells: it waits for what failed before it, if anything did."""
        waits = self.needs or self.rules.intersection(result.rules)
        return self._blocked(result, self._first(result)) if waits else result

    def _without_running(self, result: Result) -> Result | None:
        """The result where nothing has to be run to know; else None."""
        found = result.problem
        if result.status == "passed" or found is None or not result.imported or found.hint in TOLD:
            return result
        if result.status == "todo":
            stub = found.feedback["looked_at"]
            need = ENGINE.get(stub, "")
            if need in self.needs:
                return self._blocked(result, need)
            return self._blocked(result, f"{stub} ({FUNCTIONAL})") if stub in self.stubs else result
        shown_by_list = result.status == "failed" and self.exercise.needs and self.exercise.name != BACK
        return None if self.needs or self.rules.intersection(result.rules) or shown_by_list else result

    def _by_frame(self, result: Result, cases: list[Any], frame: dict[str, Any]) -> Result | None:
        """The result by what the second run sent; None where that does not tell."""
        values = frame.get("values")
        if self.exercise.name == BACK:
            return self._by_list(result, values)
        if frame["status"] in ENDED:
            return result
        if frame["status"] != "ok":
            found = problem_of(frame, frame["status"], 0.0)
            others = self.others and not found.feedback["place"].startswith("hw_bonus")
            return None if others or "Tape" in found.feedback["came"] else replace(result, problem=found)
        if not isinstance(values, list) or len(values) != len(cases):
            return None
        try:
            return self._by_replay(result, [(case, result.check.expect(case), one) for case, one in zip(cases, values)])
        except replay.Misrecorded as error:
            return self._misrecorded(result, error)
        except replay.Undecided:
            return None

    def _by_list(self, result: Result, values: Any) -> Result | None:
        """The result of a check of backward: its own, unless add_operation left a wrong record, or a gradient in a spot."""
        faults = [one.get("faults") for one in values if isinstance(one, dict)] if isinstance(values, list) else []
        filled = any(r.problem and r.problem.hint == "spot_not_empty" for r in self.before.of(ADD))
        return None if any(faults) or filled else result

    def _by_replay(self, result: Result, recorded: list[Recorded]) -> Result | None:
        """The result by the recorded operations: its own, if a right engine and right rules do not make the check pass."""
        used = sorted(self.rules.intersection(result.rules))
        wrong = _first_wrong(result.check, recorded, self.rules)
        if wrong is not None:
            case, found, undisturbed = wrong
            compared = undisturbed if self.needs or used or result.problem is None else result.problem
            return None if self.others else replace(result, status="failed", problem=diagnose(case, found, compared))
        if not self.needs and not used:
            return self._engine_after_all(result)
        if not used:
            return self._blocked(result, self._first(result))
        try:
            engine_alone = bool(self.needs) and _first_wrong(result.check, recorded, set()) is None
        except (replay.Misrecorded, replay.Undecided):
            engine_alone = False
        return self._blocked(result, self._first(result) if engine_alone else f"{used[0]} ({FUNCTIONAL})")

    def _engine_after_all(self, result: Result) -> Result:
        """The result where nothing that the check needs has failed, and yet it passes with another engine."""
        found = result.problem
        if found is None:
            return result
        return replace(result, problem=with_hint("engine_after_all", found.feedback, found.feedback["place"]))

    def _misrecorded(self, result: Result, error: replay.Misrecorded) -> Result | None:
        """The result with what is wrong with an operation, unless comparing the values has told it in better words."""
        found = result.problem
        if error.hint == "wrong_shape" and (found is None or found.hint not in OF_SHAPES):
            # An engine that adds in place may take this shape, and then it is not why the check failed.
            return None
        told = found is not None and found.hint in TOLD_BY_VALUES
        if told and error.hint != "slot_is_input":
            return result
        seen = no_feedback() if found is None or found.feedback["place"] else found.feedback
        return replace(result, status="failed", problem=with_hint(error.hint, seen, error.place))

    def _first(self, result: Result) -> str:
        """The last need that fails for a reason of its own; else the first rule that was used and failed."""
        for need in reversed(self.needs):
            cause = self._cause(need)
            if cause is not None and cause.status != "blocked":
                return need
        used = sorted(self.rules.intersection(result.rules))
        return f"{used[0]} ({FUNCTIONAL})" if used else self.needs[0]

    def _cause(self, need: str) -> Result | None:
        """The first result by which an exercise or a rule, as in "exp_backward (Functional)", loses marks itself."""
        rule = need.partition(" (")[0]
        failed = [r for r in self.before.of(FUNCTIONAL if " (" in need else need) if r.status != "passed"]
        if " (" in need:
            return next((r for r in failed if rule == r.check.rule), None)
        lost = [r for r in failed if r.check.points]
        return next((r for r in lost if r.status != "blocked"), lost[0] if lost else None)

    def _blocked(self, result: Result, need: str) -> Result:
        """The result as a consequence of a need, with that one's explanation."""
        cause = self._cause(need)
        about = ""
        if cause is not None and cause.problem is not None and cause.status != "todo":
            about = f'"{cause.check.name}" fails there. {cause.problem.feedback["hint"]}'
        return replace(result, status="blocked", needs=need, problem=Problem("", {**no_feedback(), "hint": about}))


def _first_wrong(check: Check, recorded: list[Recorded], replaced: set[str]) -> tuple[Any, Any, Problem] | None:
    """The first case that a right engine does not help, with what it recorded and the problem that is left.

    replaced: the rules in whose place right ones stand.
    """
    for case, expected, found in recorded:
        left = compare(check, case, expected, replay.values(found, expected, replaced))
        if left is not None:
            return case, found, left
    return None
