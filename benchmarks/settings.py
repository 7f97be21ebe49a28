"""Settings: the options of one run, as every comparison gets them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


class BadRequest(ValueError):
    """Request that cannot be met. The message is the one line that the user sees."""


def _say_nothing(_: str) -> None:
    return None


@dataclass
class Settings:
    """Options of one run.

    quick: a smoke run. rounds: None for each comparison's own number. filters: names to keep, by kind. say: shows progress.
    """

    quick: bool = False
    rounds: int | None = None
    seed: int = 0
    filters: dict[str, list[str]] = field(default_factory=dict)
    say: Callable[[str], None] = _say_nothing

    def choose(self, kind: str, all_of_them: tuple[str, ...], quick: tuple[str, ...] | None = None) -> list[str]:
        """Names of a kind: those of the filter, else ``quick`` in a quick run, else all. Raises BadRequest for unknown ones."""
        asked = self.filters.get(kind)
        if not asked:
            return list(quick if self.quick and quick is not None else all_of_them)
        for name in asked:
            if name not in all_of_them:
                raise BadRequest(f"There is no {kind} {name}; choose from {', '.join(all_of_them)}.")
        return [name for name in all_of_them if name in asked]
