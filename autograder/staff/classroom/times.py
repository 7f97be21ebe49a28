"""Moments as platforms and people write them. A moment without a zone is in the zone of the class."""

from __future__ import annotations

import re
from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from autograder.archives import CannotGrade

# As people write it, in Moodle's worksheet, and in tables from Canvas. ISO 8601 comes first, by itself.
FORMATS = (
    "%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M %z", "%A, %d %B %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%A, %B %d, %Y, %I:%M %p",
    "%d %B %Y, %I:%M %p", "%d %B %Y, %H:%M", "%b %d, %Y at %I:%M%p", "%b %d %Y %I:%M %p", "%d/%m/%y, %H:%M", "%d.%m.%Y %H:%M",
    "%d.%m.%Y, %H:%M", "%Y-%m-%d %I:%M %p",
)  # fmt: skip


def zone(name: str) -> tzinfo:
    """A time zone by its name, such as Europe/Berlin. Raises CannotGrade for an unknown one."""
    if name.upper() == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CannotGrade(f"{name!r} is no time zone. Give one such as Europe/Berlin or UTC.") from None


def moment(text: str, local: tzinfo) -> datetime | None:
    """The moment in a text, with its zone, or None where it is written in no known way. local: the zone of the class."""
    # A fraction of a second of any length, and the names of UTC.
    clean = re.sub(r"(:\d\d)\.\d+", r"\1", " ".join(text.split()))
    clean = re.sub(r" ?(?:Z|UTC|GMT)$", " +0000", clean)
    clean = re.sub(r"(:\d\d) ?([+-]\d\d):?(\d\d)$", r"\1 \2\3", clean)
    clean = re.sub(r"^(\d{4}-\d\d-\d\d)T", r"\1 ", clean)
    found: datetime | None = None
    for pattern in (None, *FORMATS):
        try:
            found = datetime.fromisoformat(clean) if pattern is None else datetime.strptime(clean, pattern)
            break
        except ValueError:
            continue
    if found is None:
        return None
    return found if found.tzinfo else found.replace(tzinfo=local)
