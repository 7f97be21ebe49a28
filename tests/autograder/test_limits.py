"""Limits on the platforms: how many submissions count, from the times in their metadata, and how long one may take."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from autograder.staff.platforms.service import job
from autograder.staff.platforms.service.limits import judge_limit, parse_time

START = datetime(2024, 3, 4, 12, 0, tzinfo=timezone(timedelta(hours=-8)))


def metadata(*hours_before: float, **changes: Any) -> dict[str, Any]:
    """Submitted at START, with earlier ones so many hours before; the score of each is its position."""
    earlier = [
        {"submission_time": (START - timedelta(hours=hours)).isoformat(), "score": float(position)}
        for position, hours in enumerate(hours_before)
    ]
    return {"created_at": START.isoformat(), "previous_submissions": earlier, **changes}


@pytest.mark.parametrize(
    ("hours", "graded", "score", "next_in"),
    [
        ((), True, None, None),
        ((30, 25), True, None, None),
        ((24, 1), True, None, None),
        ((23, 1), False, 1, 1),
        ((1, 23), False, 0, 1),
        # The third and fourth were refused themselves, so they neither count nor keep the next one away.
        ((26, 25, 23, 22), True, None, None),
        ((23, 20, 15, 10), False, 1, 1),
        ((23, 23), False, 1, 1),
        # Of the future (a clock that was set back): not earlier, so not counted.
        ((-1, -2, -3), True, None, None),
    ],
)
def test_two_in_a_day(hours: tuple[float, ...], graded: bool, score: float | None, next_in: float | None) -> None:
    verdict = judge_limit(metadata(*hours), 2, 24)
    assert (verdict.graded, verdict.score) == (graded, score)
    if next_in is not None:
        assert verdict.next_time == START + timedelta(hours=next_in)
        assert verdict.next_time.utcoffset() == timedelta(hours=-8)
        assert f"{verdict.next_time:%Y-%m-%d %H:%M}" in verdict.note


def test_at_the_promised_time_the_next_one_counts() -> None:
    given = metadata(23, 20)
    when = judge_limit(given, 2, 24).next_time
    assert when is not None
    assert judge_limit({**given, "created_at": when.isoformat()}, 2, 24).graded
    assert not judge_limit({**given, "created_at": (when - timedelta(seconds=1)).isoformat()}, 2, 24).graded


def test_offsets_are_compared_as_times() -> None:
    given = metadata(1)
    given["previous_submissions"][0]["submission_time"] = "2024-03-05T04:30:00+09:00"  # 11:30 at -08:00
    assert not judge_limit(given, 1, 1).graded
    given["previous_submissions"][0]["submission_time"] = "2024-03-04T18:59:59Z"  # 10:59:59
    assert judge_limit(given, 1, 1).graded


def test_what_the_grader_failed_on_does_not_count() -> None:
    given = metadata(3, 2)
    given["previous_submissions"][0]["autograder_error"] = True
    assert judge_limit(given, 2, 24).graded


@pytest.mark.parametrize(
    "given",
    [
        None, [], {}, {"created_at": None}, {"created_at": "yesterday"}, {"created_at": "2024-99-01T00:00:00Z"},
        metadata(previous_submissions=None), metadata(previous_submissions={"a": 1}), metadata(previous_submissions=[3, None]),
        metadata(previous_submissions=[{"submission_time": "x"}] * 5),
        metadata(previous_submissions=[{"submission_time": START.isoformat(), "score": None}] * 5),
        metadata(previous_submissions=[{"submission_time": START.isoformat(), "score": "nan"}] * 5),
    ],
)  # fmt: skip
def test_what_cannot_be_read_limits_nothing(given: Any) -> None:
    assert judge_limit(given, 2, 24).graded


def test_a_score_may_be_a_string() -> None:
    given = metadata(1)
    given["previous_submissions"][0]["score"] = "12.5"
    assert judge_limit(given, 1, 24).score == 12.5


def test_without_a_limit_nothing_is_said() -> None:
    assert judge_limit(None, 0, 24).note == ""


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-03-04T10:00:00.000000-08:00", (18, 0, 0)),
        ("2024-03-04T10:00:00Z", (10, 0, 0)),
        ("2024-03-04T10:00:00.1234567+05:30", (4, 30, 123456)),
        ("2024-03-04 10:00", (10, 0, 0)),
        ("2024-03-04T10:00:00.5+0000", (10, 0, 500000)),
        ("0001-01-01T00:00:00+23:00", None),
        ("2024-03-04", None),
        ("2024-03-04T25:00:00Z", None),
        (1709546400, None),
    ],
)
def test_times(text: Any, time: tuple[int, int, int] | None) -> None:
    found = parse_time(text)
    if time is None:
        assert found is None
    else:
        assert found is not None
        found = found.astimezone(timezone.utc)
        assert (found.hour, found.minute, found.microsecond) == time


# Time


class Slow:
    """A sandbox whose units take ten seconds each, on a clock of its own."""

    level = ("process",)

    def __init__(self, seconds: float, status: str) -> None:
        self.now, self.seconds, self.status = 0.0, seconds, status

    def run_scenarios(self, *_: Any) -> Any:
        self.now += self.seconds
        return iter([{"status": "ok"}, {"status": self.status}])


def test_a_submission_has_a_time_of_its_own() -> None:
    slow = Slow(30, "time")
    budget = job.Budget(slow, 100, clock=lambda: slow.now)
    statuses = [[f["status"] for f in budget.run_scenarios(Path(), [], [("a", [])] * 2, 2.0)] for _ in range(5)]
    assert statuses == [["ok", "time"]] * 3 + [["time"]] * 2
    assert "used up" in budget.note()
    assert slow.now < 100


def test_a_machine_that_is_too_slow_is_our_error() -> None:
    slow = Slow(4, "ok")
    budget = job.Budget(slow, 30, clock=lambda: slow.now)
    assert budget.note() == ""
    for _ in range(9):
        list(budget.run_scenarios(Path(), [], [("a", [])], 2.0))
    with pytest.raises(job.CannotFinish, match="machine is too slow"):
        budget.note()
