"""Limit of submissions in a span of time, computed from Gradescope's own times and never from the clock."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """Verdict on a submission.

    graded: it counts. Else score is that of the last one that counted, and next_time is when one counts again.
    """

    graded: bool
    note: str = ""
    score: float | None = None
    next_time: datetime | None = None


def parse_time(text: Any) -> datetime | None:
    """The time in an ISO 8601 text, UTC if it has no offset; None for any other value."""
    if not isinstance(text, str):
        return None
    # Python 3.10 reads no Z, and fractions of a second with three or six digits only.
    found = re.fullmatch(
        r"\s*(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(Z|[+-]\d\d:?\d\d)?\s*", text, re.I
    )
    if not found:
        return None
    day, minute, second, fraction, offset = found.groups()
    offset = "+00:00" if offset in (None, "Z", "z") else offset
    offset = offset if ":" in offset else f"{offset[:3]}:{offset[3:]}"
    try:
        time = datetime.fromisoformat(f"{day}T{minute}:{second or '00'}.{(fraction or '')[:6]:0<6}{offset}")
        time.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
    return time


def judge_limit(metadata: Any, most: int, hours: float) -> Verdict:
    """Verdict: at most ``most`` submissions count in any ``hours``.

    An earlier submission counts unless the grader failed on it or it was over the limit itself. If the metadata cannot be
    read, the submission is graded and the note says so.
    """
    if not most:
        return Verdict(True)
    metadata = metadata if isinstance(metadata, dict) else {}
    now = parse_time(metadata.get("created_at"))
    if now is None:
        return Verdict(True, "The limit of submissions was not applied: created_at in the metadata cannot be read.")
    span = timedelta(hours=hours)
    earlier = metadata.get("previous_submissions")
    counted: list[tuple[datetime, Any]] = []
    for time, score in sorted(_earlier(earlier if isinstance(earlier, list) else [], now), key=lambda item: item[0]):
        if _within(counted, time, span) < most:
            counted.append((time, score))
    if _within(counted, now, span) < most:
        left = most - 1 - _within(counted, now, span)
        return Verdict(True, f"{left} more {_submissions(left)} can be graded within {_hours(hours)} of this one.")
    score = next((value for _, text in reversed(counted) if (value := _score(text)) is not None), None)
    if score is None:
        return Verdict(
            True, "The limit of submissions was not applied: no earlier score can be read from the metadata."
        )
    again = (counted[-most][0] + span).astimezone(now.tzinfo)
    note = (
        f"This submission was not graded: {most} {_submissions(most)} in {_hours(hours)} are graded, and they are used "
        f"up. The score of the last graded one stays. The next submission counts from "
        f"{again:%Y-%m-%d %H:%M} ({_zone(now)}) on."
    )
    return Verdict(False, note, score, again)


def _earlier(submissions: list[Any], now: datetime) -> list[tuple[datetime, Any]]:
    found = []
    for submission in submissions:
        if isinstance(submission, dict) and submission.get("autograder_error") is not True:
            time = parse_time(submission.get("submission_time"))
            if time is not None and time <= now:
                found.append((time, submission.get("score")))
    return found


def _within(counted: list[tuple[datetime, Any]], now: datetime, span: timedelta) -> int:
    return sum(now - time < span for time, _ in counted)


def _score(value: Any) -> float | None:
    try:
        score = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return score if math.isfinite(score) and not isinstance(value, bool) else None


def _submissions(number: int) -> str:
    return "submission" if number == 1 else "submissions"


def _hours(hours: float) -> str:
    return "an hour" if hours == 1 else f"{hours:g} hours"


def _zone(time: datetime) -> str:
    return f"UTC{time:%z}"
