"""The layout: edges point down, boxes keep apart, and edges do not cross where they need not."""

import itertools

import numpy as np
import pytest

from mytorch import Autograd
from mytorch.viewer.drawing import PART, WHOLE, drawings
from mytorch.viewer.layout import GAP, _place, layered
from mytorch.viewer.recording import recording_of
from mytorch.viewer.variables import variables_of
from tests.viewer.lists import chain, lecture, network, record


def crossings(placed):
    """Pairs of lines of the drawing that cross: of two pieces between the same two layers, by the order of their ends."""
    pieces = [pair for points in placed.edges for pair in itertools.pairwise(points)]
    return sum(
        (a[0] - c[0]) * (b[0] - d[0]) < 0
        for (a, b), (c, d) in itertools.combinations(pieces, 2)
        if a[1] == c[1] and b[1] == d[1]
    )


def place(edges, count=None, givens=()):
    count = count or 1 + max(max(edge) for edge in edges)
    return layered([80.0] * count, 46.0, edges, [node in givens for node in range(count)])


PLANAR = {
    "chain": [(i, i + 1) for i in range(59)],
    "skips": [(i, i + 1) for i in range(59)] + [(i, i + 3) for i in range(0, 57, 3)],
    "tree": [(i, 2 * i + k) for i in range(30) for k in (1, 2)],
    "diamond": [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)],
    "ladder": [(i, i + 2) for i in range(58)] + [(i, i + 3) for i in range(0, 56, 2)],
    "tangled": [(0, 7), (1, 6), (2, 5), (3, 4)],
}


@pytest.mark.parametrize("name", [*PLANAR])
def test_edges_of_plane_graphs_do_not_cross(name):
    assert crossings(place(PLANAR[name])) == 0


def test_few_edges_cross_where_they_have_to():
    """Of random graphs with 60 nodes; a single sweep is what the method begins with."""
    careful = careless = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        edges = sorted({(int(rng.integers(max(0, i - 6), i)), i) for i in range(1, 60) for _ in range(2)})
        careful += crossings(place(edges))
        careless += crossings(layered([80.0] * 60, 46.0, edges, [False] * 60, sweeps=1))
    assert careful < 0.7 * careless


@pytest.mark.parametrize("edges", PLANAR.values(), ids=[*PLANAR])
def test_boxes_keep_apart_and_edges_point_down(edges):
    placed = place(edges)
    for (x0, y0), (x1, y1) in itertools.combinations(placed.nodes, 2):
        assert y0 != y1 or abs(x0 - x1) >= 80 + GAP - 0.2
    for points in placed.edges:
        assert all(upper[1] < lower[1] for upper, lower in itertools.pairwise(points))
    for start, end in edges:
        assert placed.nodes[start][1] < placed.nodes[end][1]
    assert all(39.9 <= x <= placed.width - 39.9 for x, _ in placed.nodes)


def test_what_was_given_stands_just_above_its_reader():
    placed = place([(0, 1), (1, 2), (3, 2)], givens={3})
    assert placed.nodes[3][1] == placed.nodes[1][1]


@pytest.mark.parametrize(
    "wanted", [[0, 0, 0, 0], [900, 300, 0, -600], [0, 300, -900, 100], [0, 500, 400, 1000], [50, 10, 700, 20]]
)
def test_boxes_are_moved_as_little_as_they_can(wanted):
    """Among all places in this order and without overlaps, those with the least sum of squares: no small change is better."""
    x = [0.0] * 4
    _place([0, 1, 2, 3], wanted, [80.0] * 4, x)
    assert all(right - left >= 80 + GAP - 1e-9 for left, right in itertools.pairwise(x))
    cost = sum((a - b) ** 2 for a, b in zip(x, wanted))
    for change in itertools.product((-1, 0, 1), repeat=4):
        moved = [a + c for a, c in zip(x, change)]
        if all(b - a >= 80 + GAP - 1e-9 for a, b in itertools.pairwise(moved)):
            assert sum((a - b) ** 2 for a, b in zip(moved, wanted)) >= cost - 1e-9


def test_nothing_is_a_drawing_too():
    assert layered([], 46.0, [], []).nodes == []
    assert len(layered([80.0], 46.0, [], [False]).nodes) == 1


def test_a_copy_stands_below_what_it_was_copied_from():
    engine = Autograd()
    x = np.ones(2)
    y = record(engine, [x], np.exp(x), lambda g, a: g)
    copied = np.array(y)
    record(engine, [copied], copied * 2, lambda g, a: g)
    variables = variables_of(recording_of(engine.operation_list))
    (drawing,) = drawings(["exp", "double"], variables, [(1, 0, 0)])
    y_of = {node.get("operation", "given"): node["y"] for node in drawing["nodes"] if node.get("variable") != 0}
    assert y_of[0] < y_of["given"] < y_of[1]
    assert next(edge for edge in drawing["edges"] if edge.get("cut"))["to"] == 1


def drawn(program):
    engine = Autograd()
    program(engine)
    variables = variables_of(recording_of(engine.operation_list))
    return drawings([operation.name for operation in engine.operation_list], variables), engine


@pytest.mark.parametrize("program", [lecture, network])
def test_the_drawing_has_every_operation_and_every_array_that_is_read(program):
    (drawing,), engine = drawn(program)
    assert [node["operation"] for node in drawing["nodes"] if "operation" in node] == [
        *range(len(engine.operation_list))
    ]
    read = [
        (n, i)
        for n, op in enumerate(engine.operation_list)
        for i, a in enumerate(op.inputs)
        if isinstance(a, np.ndarray)
    ]
    assert [(edge["to"], edge["input"]) for edge in drawing["edges"]] == read
    assert drawing["width"] >= max(node["x"] + node["width"] / 2 for node in drawing["nodes"]) - 0.2


def test_a_long_list_is_drawn_in_parts():
    parts, _ = drawn(lambda engine: chain(engine, WHOLE + 30, 3))
    assert [part["first"] for part in parts] == [0, PART, 2 * PART]
    assert [part["last"] for part in parts] == [PART, 2 * PART, WHOLE + 30]
    given = [node["variable"] for node in parts[1]["nodes"] if "variable" in node]
    assert given.count(0) > 1  # the array that is read again and again stands beside each of its readers
