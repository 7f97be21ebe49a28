"""Tables in CSV files as people and platforms write them: any usual encoding, delimiter and line end."""

from __future__ import annotations

import csv
import io
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from autograder.archives import CannotGrade, shown

DELIMITERS = ",;\t"
MOST_BYTES = 20 << 20


@dataclass(frozen=True)
class Table:
    """The columns' names as they stand in the file, and a list of cells for each row, with the row's line number."""

    columns: list[str]
    rows: list[tuple[int, list[str]]]


def plain(text: str) -> str:
    """A column's name for comparisons: in lower case, with single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).lower().replace("_", " ").split())


def read(path: Path, what: str) -> Table:
    """The table in a file. what: the file in words, for messages. Raises CannotGrade for a file that holds none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise CannotGrade(f"{what} {path} is larger than {MOST_BYTES >> 20} MiB. Give the table itself as CSV.")
        data = path.read_bytes()
    except OSError as error:
        raise CannotGrade(f"{what} {path} cannot be read ({error.strerror}).") from None
    if data.startswith(b"PK\x03\x04"):
        raise CannotGrade(f"{what} {path} is a spreadsheet, or another zip file. Export it as CSV.")
    text = _decoded(data).replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise CannotGrade(f"{what} {path} is no text. Export it as CSV.")
    try:
        reader = csv.reader(io.StringIO(text), delimiter=_delimiter(text), strict=False)
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise CannotGrade(f"{what} {path} is no table in CSV ({error}). Export it again.") from None
    lines = [(number, cells) for number, cells in lines if any(cells)]
    if not lines:
        raise CannotGrade(f"{what} {path} is empty. Its first line has to name the columns.")
    columns = lines[0][1]
    while columns and not columns[-1]:
        columns = columns[:-1]
    names = [plain(column) for column in columns]
    if twice := next((name for name in names if name and names.count(name) > 1), None):
        raise CannotGrade(f"{what} {path} has two columns {twice!r}. Rename or remove one of them.")
    for number, cells in lines[1:]:
        if any(cells[len(columns) :]):
            raise CannotGrade(
                f"{what} {path}, line {number}, has more cells than columns: {shown(', '.join(cells), 80)}. Put quotes "
                "around a cell that holds a comma."
            )
    return Table(columns, [(number, (cells + [""] * len(columns))[: len(columns)]) for number, cells in lines[1:]])


def _decoded(data: bytes) -> str:
    """Text of UTF-8 or UTF-16 with or without a byte order mark; anything else is read as Windows' own encoding."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _delimiter(text: str) -> str:
    """The delimiter that occurs most often in the first line, outside of quotes."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    outside = "".join(first.split('"')[::2])
    return max(DELIMITERS, key=lambda delimiter: (outside.count(delimiter), delimiter == ","))
