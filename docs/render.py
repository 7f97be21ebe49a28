"""Renders docs/writeup.md as docs/writeup.html, one file with its formulas as MathML: ``python docs/render.py``.

Needs the extra ``writeup``. ``--check`` needs nothing: it returns 1 if the page is older than its text or this program.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import html
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE, TARGET, STYLE = HERE / "writeup.md", HERE / "writeup.html", HERE / "writeup.css"
# What stands in backticks is left alone; then $$ ... $$ and $ ... $ are formulas, which may go over a line's end.
FORMULA = re.compile(r"(?P<code>^```.*?^```|`[^`\n]+`)|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$]+?)\$", re.M | re.S)
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="made-from" content="{made_from}">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def made_from() -> str:
    """The fingerprint of all that the page is made from: the text, the style and this program."""
    files = (SOURCE, STYLE, Path(__file__))
    return hashlib.sha256(b"\0".join(path.read_bytes().replace(b"\r\n", b"\n") for path in files)).hexdigest()


def is_stale() -> bool:
    """True if the page is missing or was made from another text."""
    return not TARGET.is_file() or f'content="{made_from()}"' not in TARGET.read_text(encoding="utf-8")


def render(text: str) -> str:
    """The page for a text in Markdown. Raises ImportError without the extra."""
    import markdown

    formulas: list[str] = []

    def keep(found: re.Match[str]) -> str:
        if found["code"]:
            return found[0]
        formulas.append(formula(found["block"] or found["inline"], bool(found["block"])))
        return f"\x02{len(formulas) - 1}\x03"

    title = re.match(r"# (.*)\n", text)
    kept = FORMULA.sub(keep, text)
    # A Markdown reader takes the control characters STX and ETX for its own marks, so ours are letters.
    kept = re.sub("\x02(\\d+)\x03", r"FORMULA\1END", kept)
    body = markdown.markdown(kept, extensions=["tables", "fenced_code", "toc", "sane_lists"], output_format="html")
    body = re.sub(r"<table>(.*?)</table>", r'<div class="wide"><table>\1</table></div>', body, flags=re.S)
    body = re.sub(r'src="(images/[^"]+)"', lambda found: f'src="{_as_data(HERE / found[1])}"', body)
    body = re.sub(r"<p>FORMULA(\d+)END</p>", lambda found: formulas[int(found[1])], body)
    body = re.sub(r"FORMULA(\d+)END", lambda found: formulas[int(found[1])], body)
    return PAGE.format(
        made_from=made_from(),
        title=html.escape(title[1] if title else "MyTorch"),
        style=STYLE.read_text(encoding="utf-8"),
        body=body,
    )


def _as_data(picture: Path) -> str:
    """A picture as a part of the page, which is one file."""
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()


def formula(tex: str, block: bool) -> str:
    """A formula as MathML, with its TeX as the alternative text for a reader without MathML."""
    from latex2mathml.converter import convert

    tex = " ".join(tex.split())
    math = convert(tex, display="block" if block else "inline")
    # A minus with nothing before it is a sign, and a function's name is set off from an argument without parentheses.
    math = re.sub(
        r"(>(?:=|\(|,|&#x0003D;|&#x00028;|&#x0002C;)</mo>)<mo>(-|&#x02212;)</mo>", r'\1<mo form="prefix">\2</mo>', math
    )
    math = re.sub(
        r"(<mi>(?:ln|sin|cos)</mi>)(?!<mo[^>]*>(?:\(|&#x00028;))", r'\1<mspace width="0.17em"></mspace>', math
    )
    math = math.replace("<math ", f'<math alttext="{html.escape(tex)}" ', 1)
    return f'<div class="formula">{math}</div>' if block else math


def main(arguments: list[str] | None = None) -> int:
    """Write the page, or check it; returns 0, 1 for a stale page, 2 without the extra."""
    parser = argparse.ArgumentParser(prog="docs/render.py", description="Renders writeup.md as writeup.html.")
    parser.add_argument("--check", action="store_true", help="write nothing; return 1 if the page is stale")
    if parser.parse_args(arguments).check:
        if is_stale():
            print("docs/writeup.html is older than docs/writeup.md. Make it again: make writeup", file=sys.stderr)
        return int(is_stale())
    try:
        page = render(SOURCE.read_text(encoding="utf-8"))
    except ImportError as error:
        print(f"{error.name} is not installed. Install it: python -m pip install -e '.[writeup]'", file=sys.stderr)
        return 2
    TARGET.write_text(page, encoding="utf-8", newline="\n")
    print(f"{TARGET.name}: {len(page):,} characters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
