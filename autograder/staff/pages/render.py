"""Renders the pages' templates with Jinja2. Every value is escaped and its control characters are made visible."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.archives import CannotGrade
from autograder.staff.pages import charts, text

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).resolve().parent / "templates"
FILTERS = (text.line, text.block, text.pieces, text.address, text.number, text.percent, charts.width)


def render(template: str, view: dict[str, Any]) -> str:
    """A whole page from a file in templates/ and the values that it shows."""
    return str(environment().get_template(template).render(view))


@cache
def environment() -> Environment:
    """The environment of all pages. Raises CannotGrade where Jinja2 is not installed."""
    # Imported on first use: the handout and the platforms' packages are built with NumPy alone.
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise CannotGrade(
            "Grading a class writes pages with Jinja2, which is not installed: run "
            '`python -m pip install "jinja2>=3.1"` and then the same command again.'
        ) from error
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        # A value that a template passes no filter is shown safely all the same.
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update({function.__name__: function for function in FILTERS})
    return found


def _shown(value: object) -> object:
    """The value as it is printed. What a macro made is markup of the templates already."""
    return text.visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
