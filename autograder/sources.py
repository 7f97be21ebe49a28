"""Python sources of a hand-in as UTF-8, so that the text that is read and compared is the text that runs."""

from __future__ import annotations

import codecs
import io
import re
import tokenize

# Encodings in which each letter is a letter. Others, such as unicode_escape, turn comments into code.
PLAIN = re.compile(
    r"ascii|iso8859-\d+|cp\d+|koi8-[rtu]|mac-\w+|gb2312|gbk|gb18030|big5\w*|shift_jis\w*|euc_\w+|utf-8(-sig)?"
)
COOKIE = re.compile(rb"^([ \t\f]*#.*?coding[:=][ \t]*)[-\w.]+", re.MULTILINE)
BARE_RETURN = re.compile(rb"\r(?!\n)")
# Characters that show what follows in another order (Boucher and Anderson, Trojan Source, 2021).
REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")


class StrangeEncoding(Exception):
    """The source declares an encoding that is none of plain text. The message is its name."""


def as_utf8(data: bytes) -> tuple[bytes, str]:
    """The same source in UTF-8, and a note if it was changed or is not what it seems (else empty).

    What Python itself refuses stays as it is, and its import fails. Raises StrangeEncoding.
    """
    # Python ends a line at a bare carriage return; for others, the rest of a comment goes on.
    lines = BARE_RETURN.sub(b"\n", data)
    note = "its bare carriage returns are line ends" if lines != data else ""
    try:
        encoding = _declared(lines)
        text = lines.decode(encoding)
        if not encoding.startswith("utf-8"):
            head, tail = text.encode().split(b"\n")[:2], text.encode().split(b"\n")[2:]
            lines = b"\n".join([*(COOKIE.sub(rb"\1utf-8", line) for line in head), *tail])
            note = "graded as UTF-8, as which it was not written"
            if not _declared(lines).startswith("utf-8"):
                raise StrangeEncoding(encoding)
    except (SyntaxError, UnicodeError):
        return data, ""
    if REORDERING.search(text):
        note = "holds invisible characters that change the order in which text is shown"
    return lines, note


def _declared(data: bytes) -> str:
    """The name of the encoding that a source declares. Raises SyntaxError where Python does, and StrangeEncoding."""
    encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    if not PLAIN.fullmatch(codecs.lookup(encoding).name):
        raise StrangeEncoding(encoding)
    return encoding
