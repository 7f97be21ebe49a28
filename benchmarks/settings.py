"""Settings: what the person asked for, as every comparison gets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


class BadRequest(ValueError):
    """A request that cannot be met; its message is the one line that the person sees."""


def _say_nothing(_: str) -> None:
    return None


@dataclass
class Settings:
    """quick: a smoke run. rounds: None for each comparison's own number. filters: what to leave in, by kind."""

    quick: bool = False
    rounds: int | None = None
    seed: int = 0
    filters: dict[str, list[str]] = field(default_factory=dict)
    say: Callable[[str], None] = _say_nothing

    def choose(self, kind: str, all_of_them: tuple[str, ...], quick: tuple[str, ...] | None = None) -> list[str]:
        """Those that were asked for, else ``quick`` in a quick run, else all. Raises BadRequest for unknown names."""
        asked = self.filters.get(kind)
        if not asked:
            return list(quick if self.quick and quick is not None else all_of_them)
        for name in asked:
            if name not in all_of_them:
                raise BadRequest(f"There is no {kind} {name}; choose from {', '.join(all_of_them)}.")
        return [name for name in all_of_them if name in asked]
