"""Tables: rows of cells as aligned lines for a terminal and as HTML for a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple

# A notebook has a style of its own for tables, in light and in dark; these are all that ours differ in.
LEFT, RIGHT, WIDE = "text-align:left", "text-align:right", "text-align:center;opacity:.7"
RULE = ";border-top:1px solid currentColor"


class Table(NamedTuple):
    """A table. A row of one cell spans all columns.

    rows: the first holds the names of the columns. title: stands above. numbers: the columns that are set to the right.
    total: True if the last row is one of sums, set off by a line.
    """

    rows: Sequence[Sequence[str]]
    title: str = ""
    numbers: Sequence[int] = ()
    total: bool = False

    def __str__(self) -> str:
        whole = [row for row in self.rows if len(row) > 1]
        widths = [max(len(row[column]) for row in whole) for column in range(len(whole[0]))]
        lines = []
        for row in self.rows:
            cells = [
                cell.rjust(w) if i in self.numbers else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths))
            ]
            lines.append(row[0] if len(row) == 1 else "  ".join(cells).rstrip())
        rule = "  ".join("-" * width for width in widths)
        if self.total:
            lines.insert(-1, rule)
        return "\n".join([*([self.title] if self.title else []), lines[0], rule, *lines[1:]])

    def _repr_html_(self) -> str:
        """The table for a notebook. What stands in the cells is text there, whatever it contains."""
        columns, lines = len(self.rows[0]), []
        for number, row in enumerate(self.rows):
            tag = "td" if number else "th"
            rule = RULE if self.total and number == len(self.rows) - 1 else ""
            cells = [
                f'<{tag} style="{RIGHT if i in self.numbers else LEFT}{rule}">{html.escape(cell)}</{tag}>'
                for i, cell in enumerate(row)
            ]
            if len(row) == 1:
                cells = [f'<td colspan="{columns}" style="{WIDE}">{html.escape(row[0])}</td>']
            lines.append(f"<tr>{''.join(cells)}</tr>")
        title = f'<caption style="{LEFT}">{html.escape(self.title)}</caption>' if self.title else ""
        return f"<table>{title}<thead>{lines[0]}</thead><tbody>{''.join(lines[1:])}</tbody></table>"


def shortened(rows: Sequence[Sequence[str]], longest: int, left_out: str) -> list[Sequence[str]]:
    """The rows, of a long table only its beginning and its end with a word on the rows between them.

    longest: the number of rows below the head that are shown. left_out: that word, where ``{}`` stands for their number.
    """
    count = len(rows) - 1 - longest
    if count <= 0:
        return list(rows)
    return [*rows[: longest // 2 + 1], (left_out.format(count),), *rows[len(rows) - longest // 2 :]]
