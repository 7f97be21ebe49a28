"""Small graphs for the checks of the engine: the operations as data, and the gradients in closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from autograder.helpers import Expectations, Expected, Given, Kind, Suspect, Values, normal

# The given arrays as attributes.
Arrays = Any
Formulas = Callable[[Arrays], Values]


@dataclass(frozen=True)
class Graph:
    """Operations of ``worker/scenarios/program.py`` on some arrays, and what backward from the array g leaves.

    shapes: of the given arrays; g has the shape of the last output. Arrays of gradients_to_update are named dx for x.
    steps: (output, operation, inputs, gradients_to_update); the last of them may be left out where all are None.
    gradients: by name, those in the buffer and the new contents of dx, dw and so on.
    suspects: misconceptions with the values that they lead to.
    zero: names of arrays that are zero at first.
    equal: name of an array, and of the array whose numbers it has too.
    """

    shapes: dict[str, tuple[int, ...]]
    steps: list[tuple[Any, ...]]
    gradients: Formulas
    suspects: tuple[tuple[str, Formulas], ...] = ()
    zero: tuple[str, ...] = ()
    equal: tuple[tuple[str, str], ...] = ()


def cases_for(names: Iterable[str]) -> Callable[[np.random.Generator], list[Given]]:
    """One case for each of the graphs."""
    return lambda rng: [_case(name, rng) for name in names]


def _case(name: str, rng: np.random.Generator) -> Given:
    graph = GRAPHS[name]
    steps: list[list[Any]] = []
    for out, operation, inputs, *slots in graph.steps:
        steps.append(["own", out, operation, list(inputs), list(slots[0]) if slots else [None] * len(inputs)])
    steps.append(["backward", "g"])
    arrays = {array: normal(rng, *shape) for array, shape in graph.shapes.items()}
    arrays |= {array: np.zeros(graph.shapes[array]) for array in graph.zero}
    arrays |= {array: arrays[other].copy() for array, other in graph.equal}
    for shown in graph.gradients(SimpleNamespace(**arrays)):
        in_buffer = _kind(shown) is Kind.GRADIENT
        steps.append(["gradient" if in_buffer else "value", shown, shown.split()[2 if in_buffer else 0]])
    return {"graph": name, "arrays": arrays, "steps": steps}


def _kind(shown: str) -> Kind:
    """Names are "gradient of x", "dx", or "g afterwards"."""
    if shown.startswith("gradient"):
        return Kind.GRADIENT
    return Kind.GIVEN if shown.endswith("afterwards") else Kind.SLOT


def graph_expected(given: Given) -> Expectations:
    """The gradients of the graph that the case names."""
    found = GRAPHS[given["graph"]].gradients(SimpleNamespace(**given["arrays"]))
    return {shown: Expected(array, _kind(shown)) for shown, array in found.items()}


def graph_suspects(given: Given, expected: Values) -> Iterable[Suspect]:
    """The suspects of the graph, and slots that did not change."""
    arrays = SimpleNamespace(**given["arrays"])
    for key, formulas in GRAPHS[given["graph"]].suspects:
        yield key, formulas(arrays)
    for shown in expected:
        if _kind(shown) is Kind.SLOT:
            yield "slot_unchanged", {shown: given["arrays"][shown]}


def _all(shape: tuple[int, ...], *names: str) -> dict[str, tuple[int, ...]]:
    return dict.fromkeys((*names, "g"), shape)


def _square(a: Arrays) -> Values:
    return {"gradient of x": 2 * 1.7 * (1.7 * a.x + 0.25) * a.g}


def _half_of_square(a: Arrays) -> Values:
    return {"gradient of x": 1.7 * (1.7 * a.x + 0.25) * a.g}


def _shared(a: Arrays) -> Values:
    # c = a a, s = a + b, z = c s
    of_s = a.a**2 * a.g
    return {
        "gradient of b": of_s,
        "gradient of s": of_s,
        "gradient of a": of_s + 2 * a.a * (a.a + a.b) * a.g,
        "g afterwards": a.g,
    }


def _handed_on(a: Arrays) -> Values:
    # y = cube(x) + x, where the sum hands the gradient that backward was given on to both
    return {"gradient of h": a.g, "gradient of x": a.g + 3 * a.x**2 * a.g, "g afterwards": a.g}


def _parts(a: Arrays) -> Values:
    # The stack of same(affine(x)) and w, where x is read by the cube of another part too.
    top, middle = a.g[:2], a.g[2:]
    return {
        "gradient of h": top,
        "gradient of w": middle,
        "gradient of x": top + 3 * a.x**2 * middle,
        "g afterwards": a.g,
    }


GRAPHS: dict[str, Graph] = {
    # An array twice among the inputs
    "square of h, one row": Graph(
        _all((1, 3), "x"),
        [("h", "affine", "x"), ("y", "product", "hh")],
        _square,
        (("one_path", _half_of_square),),
    ),
    "square of h": Graph(
        _all((5, 2), "x"),
        [("h", "affine", "x"), ("y", "product", "hh")],
        _square,
        (("one_path", _half_of_square),),
    ),
    "x three times": Graph(
        _all((4, 3), "x"),
        [("y", "mix", "xxx")],
        lambda a: {"gradient of x": (3 * a.x**2 - 2) * a.g},
        (
            ("one_path", lambda a: {"gradient of x": 2 * a.x**2 * a.g}),
            ("one_path", lambda a: {"gradient of x": a.x**2 * a.g}),
            ("one_path", lambda a: {"gradient of x": -2 * a.g}),
            ("further_inputs", lambda a: {"gradient of x": 3 * a.x**2 * a.g}),
        ),
    ),
    # Arrays with the same numbers
    "2 cube(x) - 3 w, where w has the numbers of x": Graph(
        _all((4, 3), "x", "w"),
        [("h", "cube", "x"), ("y", "join", "hw")],
        lambda a: {"gradient of x": 6 * a.x**2 * a.g, "gradient of w": -3 * a.g},
        (
            ("same_numbers", lambda a: {"gradient of x": (6 * a.x**2 - 3) * a.g}),
            ("same_numbers", lambda a: {"gradient of w": (6 * a.x**2 - 3) * a.g}),
        ),
        equal=(("w", "x"),),
    ),
    # Lists of one, three and four inputs, with and without arrays to update
    "cube, with dx": Graph(
        _all((4, 3), "x", "dx"),
        [("y", "cube", "x", ["dx"])],
        lambda a: {"dx": a.dx + 3 * a.x**2 * a.g},
        (("slot_overwritten", lambda a: {"dx": 3 * a.x**2 * a.g}),),
    ),
    "one number, dx still zero": Graph(
        _all((1, 1), "x", "dx"), [("y", "cube", "x", ["dx"])], lambda a: {"dx": 3 * a.x**2 * a.g}, (), ("dx",)
    ),
    "three inputs": Graph(
        _all((3, 2), "x", "w", "u"),
        [("y", "mix", "xwu")],
        lambda a: {
            "gradient of x": 2 * a.x * a.w * a.g,
            "gradient of w": a.x**2 * a.g,
            "gradient of u": -2 * a.g,
        },
        (("further_inputs", lambda a: {"gradient of u": 0 * a.g}),),
    ),
    "three inputs, the outer two with their own": Graph(
        _all((7, 2), "x", "w", "u", "dx", "du"),
        [("h", "cube", "w"), ("y", "mix", ["x", "h", "u"], ["dx", None, "du"])],
        lambda a: {
            "dx": a.dx + 2 * a.x * a.w**3 * a.g,
            "du": a.du - 2 * a.g,
            "gradient of w": 3 * a.w**2 * a.x**2 * a.g,
        },
        (("slot_place", lambda a: {"dx": a.dx + (2 * a.x * a.w**3 + 3 * a.w**2 * a.x**2) * a.g}),),
    ),
    "four inputs, two with their own": Graph(
        _all((5,), "x", "w", "u", "v", "dw", "dv"),
        [("y", "blend", "xwuv", [None, "dw", None, "dv"])],
        lambda a: {
            "gradient of x": a.w * a.g,
            "dw": a.dw + a.x * a.g,
            "gradient of u": -2 * a.g,
            "dv": a.dv + 3 * a.v**2 * a.g,
        },
        (("further_inputs", lambda a: {"gradient of u": 0 * a.g}), ("further_inputs", lambda a: {"dv": a.dv})),
    ),
    "dw for one use of w, none for the other": Graph(
        _all((4, 2), "x", "w", "dw"),
        [("h", "bend", "xw", [None, "dw"]), ("y", "join", "hw")],
        lambda a: {"dw": a.dw + 2 * a.x**2 * a.g, "gradient of w": -3 * a.g, "gradient of x": 4 * a.x * a.w * a.g},
        (
            ("slot_place", lambda a: {"dw": a.dw + (2 * a.x**2 - 3) * a.g}),
            ("slot_place", lambda a: {"gradient of w": (2 * a.x**2 - 3) * a.g}),
        ),
    ),
    "dx in one operation, dw in the next": Graph(
        _all((2, 3), "x", "w", "dx", "dw"),
        [("h", "join", "xw", ["dx", None]), ("k", "affine", "h"), ("y", "join", "kw", [None, "dw"])],
        lambda a: {"dx": a.dx + 2 * 1.7 * 2 * a.g, "dw": a.dw - 3 * a.g, "gradient of w": 2 * 1.7 * -3 * a.g},
        (("slot_place", lambda a: {"dw": a.dw + 3 * a.g}),),
    ),
    "inputs of two shapes": Graph(
        {"x": (2, 3), "w": (4, 3), "dw": (4, 3), "g": (6, 3)},
        [("h", "cube", "x"), ("y", "stack", "hw", [None, "dw"])],
        lambda a: {"gradient of x": 3 * a.x**2 * a.g[:2], "dw": a.dw + a.g[2:]},
    ),
    # None where nothing flows
    "None for the last input": Graph(
        _all((4, 3), "x", "w"),
        [("h", "affine", "x"), ("data", "cube", "w"), ("y", "shift", ["h", "data"])],
        lambda a: {"gradient of x": 1.7 * a.g, "gradient of w": 0 * a.w},
        (
            ("none_stops", lambda a: {"gradient of x": 0 * a.g}),
            ("none_starts", lambda a: {"gradient of w": 3 * a.w**2 * a.g}),
        ),
    ),
    "None for the first input": Graph(
        _all((3, 2), "x", "w"),
        [("h", "affine", "x"), ("data", "cube", "w"), ("y", "drift", ["data", "h"])],
        lambda a: {"gradient of x": 1.7 * a.g, "gradient of w": 0 * a.w},
        (
            ("none_stops", lambda a: {"gradient of x": 0 * a.g}),
            ("none_starts", lambda a: {"gradient of w": 3 * a.w**2 * a.g}),
        ),
    ),
    "None at an array of gradients_to_update": Graph(
        _all((3, 2), "x", "w", "dx", "dw"),
        [("y", "drift", "wx", ["dw", "dx"])],
        lambda a: {"dw": a.dw, "dx": a.dx + a.g},
    ),
    # Rules that return what they were given
    "(a a) (a + b)": Graph(
        _all((2, 3), "a", "b"),
        [("c", "product", "aa"), ("s", "share", "ab"), ("z", "product", "cs")],
        _shared,
        (("shared_gradient", lambda a: {"gradient of b": _shared(a)["gradient of a"]}),),
    ),
    "cube(x) + x": Graph(
        _all((4, 3), "x"),
        [("h", "cube", "x"), ("y", "share", "hx")],
        _handed_on,
        (("shared_gradient", lambda a: {"gradient of h": _handed_on(a)["gradient of x"]}),),
    ),
    "x, then its cube, one after the other": Graph(
        {"x": (2, 3), "g": (4, 3)},
        [("h", "same", "x"), ("w", "cube", "x"), ("y", "part", "hw")],
        _parts,
        (("shared_gradient", lambda a: {"gradient of h": _parts(a)["gradient of x"]}),),
    ),
}
SEVERAL_USES = ("square of h, one row", "square of h", "x three times")
SAME_NUMBERS = ("2 cube(x) - 3 w, where w has the numbers of x",)
EVERY_LENGTH = (
    "cube, with dx", "one number, dx still zero", "three inputs", "three inputs, the outer two with their own",
    "four inputs, two with their own", "dw for one use of w, none for the other", "dx in one operation, dw in the next",
    "inputs of two shapes",
)  # fmt: skip
NOTHING_FLOWS = ("None for the last input", "None for the first input", "None at an array of gradients_to_update")
HANDED_ON = ("(a a) (a + b)", "cube(x) + x", "x, then its cube, one after the other")
