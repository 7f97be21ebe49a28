"""Reasons for which a mutant may keep all its marks."""

from __future__ import annotations

import re

# Function, change and reason; the first two are regular expressions. A change reads "lines that went  ->  lines that came".
REASONS: list[tuple[str, str, str]] = [
    (r"MLP\.|get_training_stats|MSELoss|max_backward|sum_backward", "", "practice: this exercise is worth no marks"),
]


def reason(style: str, function: str, change: str) -> str:
    """The reason for a mutant that survives; empty if none is known."""
    return next((why for where, what, why in REASONS if re.match(where, function) and re.search(what, change)), "")
