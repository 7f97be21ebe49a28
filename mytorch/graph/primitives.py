"""The primitives of a plan: for each one the shape and dtype of its output and its floating-point operations.

How a primitive is computed is each backend's own affair (``backends/``). Rules are written in these (``rules.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mytorch.graph.plan import Value

Form = tuple[tuple[int, ...], np.dtype]
Infer = Callable[..., Form]

INDEX = np.dtype(np.intp)


class Primitive(NamedTuple):
    """infer: (attrs, *inputs) to the output's (shape, dtype). flops: per entry of the output, or a function.

    elementwise: each entry of the output depends on one entry of each input, so the output may be written over an input
    of the same form. effect: it changes something that outlives the step, or may raise, so it is never left out.
    """

    infer: Infer
    flops: Callable[..., int]
    elementwise: bool = False
    effect: bool = False


def _shape(*inputs: Value) -> tuple[int, ...]:
    """The shape that NumPy broadcasts to. NumPy is slow to ask; mostly there is but one shape beside those of numbers."""
    shapes = {v.shape for v in inputs if v.shape}
    return np.broadcast_shapes(*shapes) if len(shapes) > 1 else shapes.pop() if shapes else ()


def _broadcast(attrs: dict[str, Any], *inputs: Value) -> Form:
    dtypes = {v.dtype for v in inputs}
    return _shape(*inputs), np.result_type(*dtypes) if len(dtypes) > 1 else inputs[0].dtype


def _floating(attrs: dict[str, Any], *inputs: Value) -> Form:
    shape, dtype = _broadcast(attrs, *inputs)
    return shape, dtype if dtype.kind == "f" else np.dtype(np.float64)


def _boolean(attrs: dict[str, Any], *inputs: Value) -> Form:
    return _shape(*inputs), np.dtype(bool)


def _where(attrs: dict[str, Any], condition: Value, a: Value, b: Value) -> Form:
    return _shape(condition, a, b), np.result_type(a.dtype, b.dtype)


def _cast(attrs: dict[str, Any], a: Value) -> Form:
    return a.shape, attrs["dtype"]


def _reduce(attrs: dict[str, Any], a: Value) -> Form:
    axes = attrs["axes"]
    shape = tuple(1 if axis in axes else n for axis, n in enumerate(a.shape) if axis not in axes or attrs["keepdims"])
    return shape, a.dtype


def _matmul(attrs: dict[str, Any], a: Value, b: Value) -> Form:
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return (*batch, a.shape[-2], b.shape[-1]), a.dtype


def _view(attrs: dict[str, Any], a: Value) -> Form:
    kind, to = attrs["kind"], attrs["to"]
    if kind in ("reshape", "broadcast"):
        return to, a.dtype
    return apply_view(np.broadcast_to(np.empty((), a.dtype), a.shape), attrs).shape, a.dtype


def apply_view(array: np.ndarray, attrs: dict[str, Any]) -> np.ndarray:
    """The view of an array that a ``view`` instruction names: another shape, other axes, a slice, a broadcast."""
    kind, to = attrs["kind"], attrs["to"]
    if kind == "reshape":
        return array.reshape(to)
    if kind == "transpose":
        return array.transpose(to)
    if kind == "broadcast":
        return np.broadcast_to(array, to)
    return array[thaw(to)]


def freeze(index: Any) -> Any:
    """A basic index in a form that can be compared and hashed."""
    if isinstance(index, tuple):
        return ("tuple", *map(freeze, index))
    if isinstance(index, slice):
        return ("slice", index.start, index.stop, index.step)
    return index


def thaw(index: Any) -> Any:
    """The reverse of ``freeze``."""
    if isinstance(index, tuple) and index and index[0] == "tuple":
        return tuple(map(thaw, index[1:]))
    if isinstance(index, tuple) and index and index[0] == "slice":
        return slice(*index[1:])
    return index


def _given(attrs: dict[str, Any], *inputs: Value) -> Form:
    return attrs["shape"], attrs["dtype"]


def _like(attrs: dict[str, Any], first: Value, *others: Value) -> Form:
    return first.shape, first.dtype


def _rows(attrs: dict[str, Any], table: Value, indices: Value) -> Form:
    return (*indices.shape, *table.shape[1:]), table.dtype


def _picked(attrs: dict[str, Any], a: Value, entries: Value) -> Form:
    return entries.shape, a.dtype


def _per_entry(count: int) -> Callable[..., int]:
    return lambda output, *inputs: count * output.size


def _per_input(output: Value, *inputs: Value) -> int:
    return inputs[0].size


def _none(output: Value, *inputs: Value) -> int:
    return 0


def _product(output: Value, a: Value, b: Value) -> int:
    return 2 * output.size * a.shape[-1]


def _elementwise(infer: Infer, flops: int = 1) -> Primitive:
    return Primitive(infer, _per_entry(flops), elementwise=True)


PRIMITIVES: dict[str, Primitive] = {
    **{
        name: _elementwise(_floating)
        for name in ("negative", "exp", "log", "log1p", "sqrt", "absolute", "sign", "square", "tanh", "erfc", "copy")
    },
    **{name: _elementwise(_broadcast) for name in ("add", "subtract", "multiply", "maximum")},
    **{name: _elementwise(_floating) for name in ("divide", "power")},
    **{name: _elementwise(_boolean, 0) for name in ("greater", "greater_equal", "equal", "logical_not")},
    "where": _elementwise(_where, 0),
    "cast": _elementwise(_cast, 0),
    "positive": _elementwise(_floating),
    "sum": Primitive(_reduce, _per_input),
    "max": Primitive(_reduce, _per_input),
    "matmul": Primitive(_matmul, _product),
    "view": Primitive(_view, _none),
    "entries": Primitive(_given, _none),
    "pick": Primitive(_picked, _none),
    "put": Primitive(_like, _none, elementwise=False),
    "take_rows": Primitive(_rows, _none),
    "scatter_rows": Primitive(_given, _per_input),
    "concatenate": Primitive(_given, _none),
    "random": Primitive(_given, _none, effect=True),
    "check_index": Primitive(_given, _none, effect=True),
    "store": Primitive(_given, _none, effect=True),
    "accumulate": Primitive(_given, _per_input, effect=True),
    "clip": Primitive(_given, _per_input, effect=True),
    "sgd": Primitive(_given, _per_input, effect=True),
    "matmul_update": Primitive(_given, _none, effect=True),
    "fused": Primitive(_given, _none),
    "adam": Primitive(_given, _per_input, effect=True),
    "optimizer": Primitive(_given, _none, effect=True),
    "call": Primitive(_given, _none),
}

# FLOPs per entry of the parameter.
UPDATE_FLOPS = {"sgd": 4, "adam": 12}


def update_flops(op: str, entries: int) -> int:
    """Floating-point operations of an optimiser's update of one parameter."""
    return UPDATE_FLOPS.get(op, 0) * entries


def is_number(value: Any) -> bool:
    """Python's and NumPy's real numbers, without booleans."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, (bool, np.bool_))
