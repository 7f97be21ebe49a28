"""Tables, and what a terminal and a notebook show of an engine, an operation, a network, an optimiser and a plan."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import mytorch
from mytorch import nn, optim
from mytorch.nn import functional as F
from mytorch.tables import Table, shortened


class Cells(HTMLParser):
    """The rows of a page's tables, each a list of texts; ``open`` has the elements that were not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


@pytest.fixture
def trained(engine):
    """A network after one step: engine, net, optimiser."""
    net = nn.Sequential(nn.Linear(3, 4, engine, rng=0), nn.ReLU(engine), nn.Linear(4, 2, engine, rng=1))
    loss = nn.SoftmaxCrossEntropy(engine)
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    loss(np.array([0, 1]), net(np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 1.0]])))
    loss.backward()
    optimizer.step()
    return engine, net, optimizer


def test_columns_are_aligned_and_a_row_of_one_cell_spans_them():
    table = Table([("a", "n"), ("x", "1"), ("a long sentence in the middle",), ("yy", "200")], "Title", (1,), True)
    assert str(table).splitlines() == [
        "Title", "a     n", "--  ---", "x     1", "a long sentence in the middle", "--  ---", "yy  200",
    ]  # fmt: skip
    assert 'colspan="2"' in table._repr_html_()
    assert re.findall(r"text-align:(\w+)\"?>(?:x|1)<", table._repr_html_()) == ["left", "right"]
    assert "border-top" in table._repr_html_().rpartition("<tr>")[2]


def test_text_in_a_cell_is_no_html():
    page = Table([("<b>", "n"), ("<b>", "<script>alert(1)</script> &"), ("<b> in between",)], "<i>")._repr_html_()
    assert not re.search(r"<(b|i|script)>", page)
    assert Cells(page).rows == [["<b>", "n"], ["<b>", "<script>alert(1)</script> &"], ["<b> in between"]]


@pytest.mark.parametrize(("count", "expected"), [(4, "0 1 2 3"), (5, "0 1 ...1... 3 4"), (9, "0 1 ...5... 7 8")])
def test_long_tables_are_shown_by_their_beginning_and_their_end(count, expected):
    rows = [("head",), *((str(number),) for number in range(count))]
    assert [row[0] for row in shortened(rows, 4, "...{}...")[1:]] == expected.split()


def test_a_notebook_shows_the_table_that_a_terminal_shows(trained):
    engine, net, _ = trained
    for shown, text in ((engine, str(engine)), (net, nn.summary(net))):
        page = Cells(shown._repr_html_())
        assert page.open == []
        # Cells hold single spaces or two; between columns there is the same or more.
        told = [" ".join(line.split()) for line in text.splitlines()]
        for row in page.rows:
            assert " ".join(" ".join(row).split()) in told


def test_an_engine_without_operations(engine):
    assert repr(engine) == "<Autograd: no operations recorded>"
    assert "no operations recorded" in engine._repr_html_()


def test_an_operation_tells_its_arrays(engine):
    x, dx = np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)
    engine.add_operation([x, 2.0], x * 2, [dx, None], F.mul_backward)
    (operation,) = engine.operation_list
    assert Cells(operation._repr_html_()).rows[1:] == [
        ["input 0", "(2,3)", "float32", "updates a layer's"], ["input 1", "2.0", "", "-"],
        ["output", "(2,3)", "float32", ""],
    ]  # fmt: skip
    assert not hasattr(operation, "__dict__"), "it stays as small as it was"


def test_optimisers_tell_their_settings_and_norms(trained):
    _, net, optimizer = trained
    assert repr(optimizer) == "SGD(4 arrays of 26 numbers, lr=0.1, momentum=0.9, nesterov=False, weight_decay=0.0)"
    rows = Cells(optimizer._repr_html_()).rows
    expected = np.linalg.norm(net[0].W), np.linalg.norm(net[0].dW)
    assert rows[1] == ["Linear.W", "(4, 3)", *(f"{norm:.4g}" for norm in expected)]
    assert "betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01" in repr(optim.AdamW(net.parameters()))
    schedule = optim.StepLR(optimizer, 1)
    schedule.step()
    assert repr(schedule) == "StepLR(lr=0.01 after 1 steps, 0.1 at first)"


def test_plans_in_a_notebook(trained):
    engine, net, optimizer = trained
    loss = nn.SoftmaxCrossEntropy(engine)

    compiled = mytorch.compile(lambda x, labels: loss(labels, net(x)), optimizer, backend="numpy")
    assert repr(compiled) == "<Step: 0 plans>"
    for _ in range(2):
        compiled(np.ones((2, 3)), np.array([0, 1]))
    assert repr(compiled) == "<Step: 1 plan>"
    plan = compiled.plan
    assert f"<{str(plan).splitlines()[0]}>" == repr(plan)
    page = Cells(plan._repr_html_())
    assert len(page.rows) == 1 + len(plan.instructions)
    assert plan._repr_html_() in compiled._repr_html_()
    assert len(Cells(plan.passes._repr_html_()).rows) == 1 + len(plan.passes)
