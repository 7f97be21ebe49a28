"""What the HTML pages share: text from submissions made harmless, the frame of a page, and its style."""

from __future__ import annotations

import html
import re
import unicodedata
from urllib.parse import quote

# Nothing is loaded, nothing runs, whatever should slip through: the style below is all that a page may use.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
MOST = 6000
COLOURS = re.compile(r"\x1b\[[0-9;:]*m")
MARKS_IN_A_ROW = 4


class _Visible(dict[int, str]):
    """For str.translate: characters that would act instead of being seen, by what is shown in their place."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        kind = unicodedata.category(char)
        if char in "\n\t\u200c\u200d":
            shown = char
        elif kind in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
            # Among them the direction overrides, zero-width spaces, and halves of characters that UTF-8 cannot hold.
            shown = f"\u27e8U+{code:04X}\u27e9"
        else:
            shown = char
        self[code] = shown
        return shown


_VISIBLE = _Visible()


def visible(text: object, most: int = MOST) -> str:
    """The text with control characters made visible and its length bounded. Line ends and tabs stay."""
    text = str(text)
    rest = len(text) - most
    text = COLOURS.sub("", text[:most]).replace("\r\n", "\n").translate(_VISIBLE)
    if any(unicodedata.combining(char) for char in text):
        text = _few_marks(text)
    return f"{text} \u2026 ({rest:,} more characters)" if rest > 0 else text


def _few_marks(text: str) -> str:
    """Accents stay; towers of them would cover the lines above."""
    kept, row = [], 0
    for char in text:
        row = row + 1 if unicodedata.combining(char) else 0
        if row <= MARKS_IN_A_ROW:
            kept.append(char)
    return "".join(kept)


def block(text: object, most: int = MOST) -> str:
    """Text of several lines, escaped for HTML."""
    return html.escape(visible(text, most), quote=True)


def line(text: object, most: int = 300) -> str:
    """Text on one line, escaped for HTML, also within a quoted attribute."""
    return html.escape(visible(text, most).replace("\n", " \u21b5 ").replace("\t", " "), quote=True)


def name(text: object, most: int = 120) -> str:
    """A name on one line, whose writing direction does not reach what stands beside it."""
    return f"<bdi>{line(text, most)}</bdi>"


def link(folder: str, file: str) -> str:
    """A relative address of a file in a folder beside the page, for an attribute."""
    return html.escape(f"{folder}/{quote(file, safe='', errors='replace')}", quote=True)


def number(value: float) -> str:
    """A mark: at most two digits after the point."""
    return f"{round(float(value), 2):.12g}"


def table(label: str, heads: list[tuple[str, str]], rows: list[list[str]], kind: str = "") -> str:
    """A table of HTML cells. heads: text and class of each column. The first cell of a row names the row."""
    top = "".join(f'<th scope="col" class="{style}">{line(text)}</th>' for text, style in heads)
    body = []
    for row in rows:
        cells = [f'<th scope="row" class="{heads[0][1]}">{row[0]}</th>']
        cells += [f'<td class="{style}">{cell}</td>' for cell, (_, style) in zip(row[1:], heads[1:])]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="scroll"><table class="{kind}"><caption>{line(label)}</caption><thead><tr>{top}</tr></thead>\n'
        f"<tbody>{chr(10).join(body)}</tbody></table></div>"
    )


def page(title: object, body: list[str]) -> str:
    """A whole page, in one file, that asks for nothing from elsewhere."""
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en" dir="ltr"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{line(title)}</title>",
            f"<style>{STYLE}</style></head><body><main>",
            *body,
            "</main></body></html>\n",
        ]
    )


STYLE = """
:root { --ink: #1c2430; --quiet: #5b6675; --paper: #fff; --panel: #f5f7fa; --edge: #d9dfe7; --link: #1f5fae;
  --bar: #3b74b8; --bar2: #58a37c; --track: #e8ecf1; --good: #24734a; --bad: #b3261e; --badpaper: #fdecea;
  --warn: #8a5a00; --warnpaper: #fff5e0; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ee; --quiet: #a0abb9; --paper: #14181e; --panel: #1d232b; --edge: #343d49; --link: #8ab8f5;
    --bar: #5d95d8; --bar2: #62b58a; --track: #2a323c; --good: #7fd1a5; --bad: #ff9d94; --badpaper: #3b1d1b;
    --warn: #f0c36a; --warnpaper: #352a12; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 1.5rem 1rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid var(--edge); }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { margin: .4rem 0; max-width: 48rem; }
a { color: var(--link); }
.quiet { color: var(--quiet); font-size: .9rem; }
.total { font-size: 1.15rem; margin: .6rem 0 1rem; }
.total strong { font-size: 2rem; font-variant-numeric: tabular-nums; }
.loud { background: var(--badpaper); border: 2px solid var(--bad); border-radius: 6px; padding: .7rem 1rem; margin: 1rem 0; }
.loud dl { grid-template-columns: minmax(0, 16rem) minmax(0, 1fr); }
.word { overflow-wrap: break-word; }
.tight { white-space: nowrap; }
.loud h2 { margin: 0 0 .3rem; border: 0; color: var(--bad); }
.notice { background: var(--warnpaper); border-left: 4px solid var(--warn); border-radius: 4px; padding: .5rem 1rem;
  margin: 1rem 0; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
caption { text-align: left; color: var(--quiet); font-size: .9rem; padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .32rem .6rem .32rem 0; border-bottom: 1px solid var(--edge); }
thead th { color: var(--quiet); font-size: .85rem; font-weight: 600; }
tbody th { font-weight: 500; }
.num { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.wide { width: 38%; min-width: 7rem; } .half { min-width: 9rem; } .small { width: 16%; min-width: 3rem; }
.who { width: 30%; min-width: 9rem; }
.check { background: var(--panel); border: 1px solid var(--edge); border-radius: 6px; padding: .6rem .9rem; margin: .7rem 0; }
.check h3 { margin: 0 0 .4rem; display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; }
dl { margin: 0; display: grid; grid-template-columns: 6rem minmax(0, 1fr); gap: .3rem .8rem; }
dt { color: var(--quiet); font-size: .9rem; } dd { margin: 0; min-width: 0; }
pre, code { font-family: ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .85rem; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; overflow: hidden; direction: ltr; unicode-bidi: isolate; }
pre.cut { max-height: 22rem; overflow-y: auto; }
.facts { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0; }
.facts div { flex: 1 0 auto; min-width: 5.6rem; }
.facts div { background: var(--panel); border: 1px solid var(--edge); border-radius: 6px; padding: .4rem .7rem; }
.facts dt { font-size: .8rem; } .facts dd { font-size: 1.2rem; white-space: nowrap; font-variant-numeric: tabular-nums; }
figure { margin: .6rem 0; } figcaption { color: var(--quiet); font-size: .9rem; margin-bottom: .3rem; }
svg { display: block; width: 100%; overflow: visible; }
svg text { font-size: 12px; fill: var(--ink); font-family: inherit; font-variant-numeric: tabular-nums; }
svg .tick { fill: var(--quiet); }
.bar { fill: var(--bar); } .bar2 { fill: var(--bar2); } .track { fill: var(--track); }
.axis { stroke: var(--quiet); stroke-width: 1; } .marker { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 4 3; }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .3em 0 .8em; vertical-align: -.05em; }
.key.one { background: var(--bar); margin-left: 0; } .key.two { background: var(--bar2); }
@media (max-width: 560px) { dl:not(.facts) { grid-template-columns: minmax(0, 1fr); gap: 0; } dd { margin-bottom: .5rem; }
  main { padding: 1rem .8rem 3rem; } .facts dd { margin: 0; } th, td { padding-right: .45rem; } table { font-size: .88rem; }
  .wide { width: 28%; min-width: 4.5rem; } }
@media print { :root { --ink: #000; --quiet: #444; --paper: #fff; --panel: #fff; --edge: #bbb; --link: #000; --bar: #3b74b8;
    --bar2: #58a37c; --track: #e8ecf1; --good: #000; --bad: #900; --badpaper: #fff; --warn: #000; --warnpaper: #fff; }
  body { font-size: 10.5pt; } main { max-width: none; padding: 0; } pre.cut { max-height: none; }
  .check, tr, figure, .facts div { break-inside: avoid; } h2, h3 { break-after: avoid; }
  rect, .key { print-color-adjust: exact; -webkit-print-color-adjust: exact; } .scroll { overflow: visible; } }
"""
