"""The lists and figures of docs/static_graph.md are those that the program prints."""

import re
from pathlib import Path

import pytest

from mytorch import graph

pytest.importorskip("matplotlib", reason="Matplotlib is not installed, so the page's lists were not compared")

from benchmarks import graph_plots

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "static_graph.md").read_text(encoding="utf-8")


def test_the_lists():
    shown = re.findall(r"^```(?:text|diff)\n(.*?)\n```", PAGE, re.M | re.S)
    found = graph_plots.tables()
    order = ["recorded", *graph.PASSES, "all passes"]
    assert shown == ["\n".join(found[name]) for name in order]


def test_the_table_of_the_passes():
    rows = {name: figures for name, *figures in re.findall(r"^\| ([a-z ]+) \| ([\d→ ]+) \| ([\d,→ ]+) \|$", PAGE, re.M)}
    reports = graph.passes.run(graph_plots.recorded(), graph.PASSES).passes

    def shown(pair):
        return " → ".join(f"{number:,}" for number in dict.fromkeys(pair))

    assert rows == {report.name: [shown(report.instructions), shown(report.nbytes)] for report in reports}
