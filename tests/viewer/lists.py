"""Lists of operations for the tests of the viewer, from the ordinary to the odd."""

from __future__ import annotations

from typing import Any

import numpy as np

from mytorch import nn
from mytorch.nn import functional as F


def record(engine: Any, inputs: list, output: Any, rule: Any) -> Any:
    """Record an operation and return its output."""
    engine.add_operation(inputs, output, [None] * len(inputs), rule)
    return output


def lecture(engine: Any) -> dict[str, np.ndarray]:
    """ln x1 + x1 x2 - sin x2 at (2, 5), walked back."""
    x1, x2 = np.array([2.0]), np.array([5.0])
    v0 = record(engine, [x1], np.log(x1), F.log_backward)
    v1 = record(engine, [x1, x2], x1 * x2, F.mul_backward)
    v2 = record(engine, [x2], np.sin(x2), sin_backward)
    v3 = record(engine, [v0, v1], v0 + v1, F.add_backward)
    v4 = record(engine, [v3, v2], v3 - v2, F.sub_backward)
    engine.backward(v4)
    return {"x1": x1, "x2": x2, "v4": v4}


def sin_backward(grad_output, a):
    """y = sin(a): dy/da = cos(a)."""
    return grad_output * np.cos(a)


def network(engine: Any) -> tuple[nn.Sequential, Any]:
    """A step of a small network with a skip connection, walked back: 7 operations."""
    rng = np.random.default_rng(3)
    net = nn.Sequential(
        nn.Linear(64, 6, engine, rng=0), nn.Tanh(engine), nn.Linear(6, 6, engine, rng=1), nn.ReLU(engine)
    )
    last, criterion = nn.Linear(6, 3, engine, rng=2), nn.SoftmaxCrossEntropy(engine)
    x, labels = rng.random((5, 64)), np.array([0, 1, 2, 1, 0])
    hidden = net[1](net[0](x))
    more = net[3](net[2](hidden))
    total = record(engine, [more, hidden], more + hidden, F.add_backward)
    criterion(labels, last(total))
    criterion.backward()
    return net, last


def chain(engine: Any, count: int, entries: int) -> np.ndarray:
    """A chain of so many operations on arrays of so many entries, in which the first array is read again and again."""
    first = y = np.linspace(-1, 1, entries)
    for i in range(count):
        if i % 3:
            y = record(engine, [y], np.tanh(y), F.tanh_backward)
        else:
            y = record(engine, [y, first], y + first, F.add_backward)
    return y


def zero_dimensions(engine: Any) -> np.ndarray:
    x = np.array(3.0)
    return record(engine, [x], np.asarray(np.exp(x)), F.exp_backward)


def empty(engine: Any) -> np.ndarray:
    x = np.zeros((0, 3))
    return record(engine, [x], x * 2, lambda g, a: 2 * g)


def not_finite(engine: Any) -> np.ndarray:
    x = np.array([-1.0, 0.0, 1.0])
    with np.errstate(all="ignore"):
        y = record(engine, [x], np.log(x), F.log_backward)
        return record(engine, [y], np.exp(y), F.exp_backward)


def integers(engine: Any) -> np.ndarray:
    i, x = np.array([1, 2**60 + 1]), np.array([0.5, 1.5])
    return record(engine, [i, x], i * x, F.mul_backward)


def complex_numbers(engine: Any) -> np.ndarray:
    z = np.array([1 + 2j, 3 - 1j])
    y = record(engine, [z], z * z, lambda g, a: 2 * g * a)
    return record(engine, [y], np.outer(y, np.ones(60)), lambda g, a: g.sum(1))


def scalar_output(engine: Any) -> Any:
    x = np.arange(4.0)
    return record(engine, [x], np.sum(x), F.sum_backward)


def several_outputs(engine: Any) -> np.ndarray:
    x = np.arange(4.0)
    a, b = np.array(x[:2]), np.array(x[2:])
    engine.add_operation([x], (a, b), [None], lambda g, x: np.concatenate(g))
    return record(engine, [a], a * 2, lambda g, a: 2 * g)


def in_place(engine: Any) -> np.ndarray:
    x = np.array([1.0, -2.0])
    y = record(engine, [x], x * 3, lambda g, a: 3 * g)
    np.maximum(y, 0, out=y)
    engine.add_operation([y], y, [None], F.max_backward)
    return record(engine, [y], y * 5, lambda g, a: 5 * g)


HOSTILE = "</script><script>document.title='broken'</script><!-- <img src=x onerror=\"document.title='broken'\">"


def hostile_names(engine: Any) -> np.ndarray:
    def rule(g, constant, a):
        return None, g

    rule.__name__ = HOSTILE + "long" * 50
    rule.__doc__ = HOSTILE
    x = np.ones(3)
    engine.add_operation([HOSTILE, x], x + 1, [None, None], rule)
    return engine.operation_list[-1].output


ODD = (
    zero_dimensions, empty, not_finite, integers, complex_numbers, scalar_output, several_outputs, in_place, hostile_names,
)  # fmt: skip
