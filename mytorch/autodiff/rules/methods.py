"""Ufuncs called in another way than ``ufunc(*inputs)``: with keywords, or by reduce, accumulate, reduceat, outer or at."""

from __future__ import annotations

from typing import Any

import numpy as np

from mytorch.autodiff.aliases import Array, Function, Settings
from mytorch.autodiff.errors import WRITES, full_name, in_place, no_rule
from mytorch.autodiff.extras import load_rules
from mytorch.autodiff.rules.axes import place
from mytorch.autodiff.rules.reductions import axes_last, in_dtype, keep, no_value
from mytorch.autodiff.rules.shapes import laid_out_as
from mytorch.autodiff.traced import TABLE, plain

# The keyword arguments of every ufunc, which change nothing with these values.
DEFAULTS = {"where": True, "casting": "same_kind", "order": "K", "subok": True, "dtype": None, "signature": None}
# ufunc.reduce and ufunc.accumulate, by the functions that do the same.
REDUCTIONS: dict[Any, Function] = {np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min}
ACCUMULATIONS: dict[Any, Function] = {np.add: np.cumsum, np.multiply: np.cumprod}
# Other ufuncs that are applied from entry to entry; those in the first line take several axes at once.
REORDERABLE = {np.fmax, np.fmin, np.logaddexp, np.logaddexp2, np.hypot}
FOLDED = REORDERABLE | {np.subtract, np.true_divide, np.maximum, np.minimum}


def call(ufunc: np.ufunc, method: str, inputs: tuple, kwargs: Settings) -> Any:
    """The ufunc's method, applied by the rule of the ufunc."""
    out = kwargs.pop("out", None)
    if any(part is not None for part in (out if isinstance(out, tuple) else (out,))):
        raise in_place(f"{full_name(ufunc)}(..., out=y), or an operator such as y += x,", WRITES["out="])
    if method == "at":
        raise in_place(f"{full_name(ufunc)}.at", WRITES["x[i] = v"])
    if ufunc not in TABLE:
        load_rules()
    rule = TABLE.get(ufunc)
    if rule is None:
        raise no_rule(ufunc)
    if method in FORMS and (ufunc in FOLDED or ufunc in REDUCTIONS):
        return FORMS[method](ufunc, *inputs, **kwargs)
    for name, default in DEFAULTS.items():
        if kwargs.get(name) is default:
            kwargs.pop(name, None)
    if method == "__call__" and kwargs.keys() == {"axis"} and ufunc.__name__ == "vecdot":
        return rule(*inputs, **kwargs)
    dtype = kwargs.pop("dtype", None)
    if method in FORMS or kwargs:
        name = full_name(ufunc)
        given = f"{name}.{method}" if method in FORMS else f"{name}(..., {next(iter(kwargs))}=)"
        raise NotImplementedError(f"{given} has no rule of differentiation. Call {name}(...) and np.where instead.")
    inputs = inputs if dtype is None else tuple(_cast(x, dtype) for x in inputs)
    if method == "outer":
        a, b = inputs
        inputs = (np.reshape(a, np.shape(a) + (1,) * np.ndim(b)), b)
    return rule(*inputs)


def _cast(x: Array, dtype: Any) -> Array:
    return x.astype(dtype) if hasattr(x, "astype") else np.asarray(x, dtype)


def _reduce(ufunc, array, axis: Any = 0, dtype=None, keepdims=False, initial=np._NoValue, where=True):
    """The ufunc between all entries along the axes, one after the other."""
    if ufunc in REDUCTIONS:
        if dtype is not None and ufunc in (np.maximum, np.minimum):
            array, dtype = _cast(array, dtype), None
        settings = {} if dtype is None else {"dtype": dtype}
        given = {"keepdims": keepdims, "initial": initial, "where": np._NoValue if where is True else where}
        return TABLE[REDUCTIONS[ufunc]](array, axis, **settings, **given)
    start = {} if no_value(initial) else {"initial": plain(initial)}
    value = ufunc.reduce(plain(array), axis, dtype, None, keepdims, where=where, **start)  # raises what NumPy raises
    if where is not True:
        raise NotImplementedError(
            f"{full_name(ufunc)}.reduce with where= has no rule of differentiation. Leave entries out by indexing."
        )
    array = array if dtype is None else _cast(array, dtype)
    lines = axes_last(array, axis) if np.ndim(array) else array[np.newaxis]
    parts = [] if no_value(initial) else [initial]
    parts += [lines[..., k] for k in range(np.shape(lines)[-1])]
    if not parts:
        return value
    total = parts[0]
    for part in parts[1:]:
        total = TABLE[ufunc](total, part)
    return keep(in_dtype(np.broadcast_to(total, np.shape(lines)[:-1]), value.dtype), array, axis, keepdims)


def _accumulate(ufunc, array, axis: int = 0, dtype=None):
    if ufunc in ACCUMULATIONS:
        return TABLE[ACCUMULATIONS[ufunc]](array, axis, dtype)
    value = ufunc.accumulate(plain(array), axis, dtype)  # raises what NumPy raises
    lines = np.moveaxis(array if dtype is None else _cast(array, dtype), axis, 0)
    totals = [lines[k] for k in range(min(len(lines), 1))]
    for k in range(1, len(lines)):
        totals.append(TABLE[ufunc](totals[-1], lines[k]))
    return in_dtype(laid_out_as(np.moveaxis(np.stack(totals) if totals else lines, 0, axis), array), value.dtype)


def _reduceat(ufunc, array, indices, axis: int = 0, dtype=None):
    """One reduction from each index up to the next one; where that is no later, the entry at the index alone."""
    value = ufunc.reduceat(plain(array), plain(indices), axis, dtype)  # raises what NumPy raises
    begins = [int(i) for i in plain(indices)]
    before = (slice(None),) * place(axis, np.ndim(array))
    parts = [
        _reduce(ufunc, array[before + (slice(i, j if i < j else i + 1),)], axis, dtype, True)
        for i, j in zip(begins, [*begins[1:], np.shape(array)[axis]])
    ]
    return in_dtype(np.concatenate(parts, axis=axis), value.dtype) if parts else value


FORMS: dict[str, Function] = {"reduce": _reduce, "accumulate": _accumulate, "reduceat": _reduceat}
TABLE[np.ufunc] = call
