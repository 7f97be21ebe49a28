"""The rules: for each recorded operation how it is computed forward and backward, written in primitives.

An entry is found by the backward function under which an operation was recorded. Its forward is what the layer computes,
its backward is the backward function's formula; both in the same order of operations as the eager step, so that they round
alike. A new primitive of ``mytorch.nn.functional`` is one more entry here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from mytorch.graph.builder import Builder, samples, whole
from mytorch.graph.errors import NoPlan
from mytorch.graph.plan import Value
from mytorch.graph.registry import Recorded, binary, entry, unary
from mytorch.nn import functional as F

# The eager error for indices that name no row.
OUT_OF_TABLE = "The indices run from {least} to {most}; the table has rows 0 to {last}."

# Arithmetic


@unary(F.neg_backward, lambda p, a: p.neg(a))
def _neg(p, g, a, y):
    return p.neg(g)


@binary(F.add_backward, lambda p, a, b: p.add(a, b))
def _add(p, g, a, b):
    return g, g


@binary(F.sub_backward, lambda p, a, b: p.sub(a, b))
def _sub(p, g, a, b):
    return g, p.neg(g)


@binary(F.mul_backward, lambda p, a, b: p.mul(a, b))
def _mul(p, g, a, b):
    return p.mul(g, b), p.mul(g, a)


@binary(F.div_backward, lambda p, a, b: p.div(a, b))
def _div(p, g, a, b):
    return p.div(g, b), p.div(p.mul(p.neg(g), p.div(a, b)), b)


@binary(F.power_backward, lambda p, a, b: p.pow(a, b))
def _power(p, g, a, b):
    like = a if isinstance(a, Value) else b
    dtype = like.dtype if like.dtype.kind == "f" else np.dtype(np.float64)
    a, b = (p.cast(v, dtype) if isinstance(v, Value) else p.constant(v, dtype) for v in (a, b))
    if b.number is not None:
        less = p.constant(b.number - 1 if b.number != 0 else 1.0, dtype)
    else:
        less = p.where(p.equal(b, 0.0), 1.0, p.sub(b, 1.0))
    grad_a = p.mul(p.mul(g, b), p.pow(a, less))
    logarithm = (
        p.log(p.where(p.equal(a, 0.0), 1.0, a)) if a.number is None else p.constant(np.log(a.number or 1.0), dtype)
    )
    return grad_a, p.mul(p.mul(g, p.pow(a, b)), logarithm)


@unary(F.sqrt_backward, lambda p, a: p.sqrt(a))
def _sqrt(p, g, a, y):
    return p.div(g, p.mul(2.0, y))


@unary(F.exp_backward, lambda p, a: p.exp(a))
def _exp(p, g, a, y):
    return p.mul(g, y)


@unary(F.log_backward, lambda p, a: p.log(a))
def _log(p, g, a, y):
    return p.div(g, a)


@unary(F.abs_backward, lambda p, a: p.abs(a))
def _abs(p, g, a, y):
    return p.mul(g, p.sign(a))


def _maximum(p: Builder, r: Recorded) -> Value:
    return p.maximum(r.inputs[0], r.inputs[1] if len(r.inputs) == 2 else 0.0)


@entry(F.max_backward, _maximum)
def _max(p, r, g):
    if len(r.inputs) == 1:
        return (p.mul(g, p.positive(r.output)),)
    a, b = r.inputs
    from_a = p.greater(a, b)
    return p.mul(g, from_a), p.mul(g, p.logical_not(from_a))


# Activations: the formulas of mytorch.nn.nonlinear


def small_exp(p: Builder, x: Value) -> Value:
    """exp(-|x|), which no x makes overflow."""
    return p.exp(p.neg(p.abs(x)))


def sigmoid(p: Builder, x: Value) -> Value:
    e = small_exp(p, x)
    return p.div(p.where(p.greater_equal(x, 0.0), 1.0, e), p.add(1.0, e))


@unary(F.sigmoid_backward, sigmoid)
def _sigmoid(p, g, x, y):
    e = small_exp(p, x)
    return p.mul(g, p.div(e, p.square(p.add(1.0, e))))


@unary(F.tanh_backward, lambda p, x: p.tanh(x))
def _tanh(p, g, x, y):
    e = p.exp(p.mul(-2.0, p.abs(x)))
    return p.mul(g, p.div(p.mul(4.0, e), p.square(p.add(1.0, e))))


@unary(F.softplus_backward, lambda p, x: p.add(p.maximum(x, 0.0), p.log1p(small_exp(p, x))))
def _softplus(p, g, x, y):
    return p.mul(g, sigmoid(p, x))


@unary(F.silu_backward, lambda p, x: p.mul(x, sigmoid(p, x)))
def _silu(p, g, x, y):
    return p.add(p.mul(g, sigmoid(p, x)), p.mul(x, _sigmoid(p, g, x, None)))


def normal_distribution(p: Builder, x: Value) -> Value:
    """erfc(-x / sqrt(2)), twice the distribution function, with all digits in the left tail."""
    return p.erfc(p.mul(x, -float(np.sqrt(0.5))))


@unary(F.gelu_backward, lambda p, x: p.mul(p.mul(0.5, x), normal_distribution(p, x)))
def _gelu(p, g, x, y):
    # As in the eager rule, the density is taken at |x| <= 40 at most: beyond, x**2 may overflow.
    clipped = p.neg(p.maximum(p.neg(p.maximum(x, -40.0)), -40.0))
    density = p.mul(p.exp(p.mul(-0.5, p.square(clipped))), float(1 / np.sqrt(2 * np.pi)))
    return p.mul(g, p.add(p.mul(0.5, normal_distribution(p, x)), p.mul(clipped, density)))


def _slope(r: Recorded) -> float:
    return float(r.settings.get("negative_slope", 0.01))


@entry(
    F.leaky_relu_backward, lambda p, r: p.where(p.greater(r.inputs[0], 0.0), r.inputs[0], p.mul(_slope(r), r.inputs[0]))
)
def _leaky_relu(p, r, g):
    return (p.where(p.greater(r.inputs[0], 0.0), g, p.mul(_slope(r), g)),)


def softmax(p: Builder, x: Value, axis: int) -> Value:
    e = p.exp(p.sub(x, p.max(x, axis, keepdims=True)))
    return p.div(e, p.sum(e, axis, keepdims=True))


@entry(F.softmax_backward, lambda p, r: softmax(p, p.floating(r.inputs[0]), r.settings.get("axis", -1)))
def _softmax(p, r, g):
    y, axis = r.output, r.settings.get("axis", -1)
    return (p.mul(y, p.sub(g, p.sum(p.mul(g, y), axis, keepdims=True))),)


def log_softmax(p: Builder, r: Recorded) -> Value:
    x, axis = p.floating(r.inputs[0]), r.settings.get("axis", -1)
    shifted = p.sub(x, p.max(x, axis, keepdims=True))
    return p.sub(shifted, p.log(p.sum(p.exp(shifted), axis, keepdims=True)))


@entry(F.log_softmax_backward, log_softmax)
def _log_softmax(p, r, g):
    axis = r.settings.get("axis", -1)
    return (p.sub(g, p.mul(softmax(p, p.floating(r.inputs[0]), axis), p.sum(g, axis, keepdims=True))),)


# Products


def rows_and_columns(p: Builder, a: Value, b: Value) -> tuple[Value, Value]:
    """A 1-d factor as a row on the left and as a column on the right."""
    return (
        p.reshape(a, (1, *a.shape)) if len(a.shape) == 1 else a,
        p.reshape(b, (*b.shape, 1)) if len(b.shape) == 1 else b,
    )


def _matmul_forward(p: Builder, r: Recorded) -> Value:
    return p.reshape(p.matmul(*rows_and_columns(p, *r.inputs)), r.shape)


@entry(F.matmul_backward, _matmul_forward)
def _matmul(p, r, g):
    a, b = r.inputs
    rows, columns = rows_and_columns(p, a, b)
    batch = np.broadcast_shapes(rows.shape[:-2], columns.shape[:-2])
    g = p.reshape(g, (*batch, rows.shape[-2], columns.shape[-1]))
    grad_a = p.unbroadcast(p.matmul(g, p.swap_last(columns)), rows.shape)
    if len(columns.shape) == 2 and len(rows.shape) > 2:
        rows, g = flat_rows(p, rows), flat_rows(p, g)
    grad_b = p.unbroadcast(p.matmul(p.swap_last(rows), g), columns.shape)
    return p.reshape(grad_a, a.shape), p.reshape(grad_b, b.shape)


def flat_rows(p: Builder, a: Value) -> Value:
    """(..., n) as (samples, n)."""
    return p.reshape(a, (samples(a.shape), a.shape[-1]))


def _outer_parts(p: Builder, r: Recorded) -> tuple[Value, Value]:
    a, b = r.inputs
    return p.reshape(a, (a.size, 1)), p.reshape(b, (1, b.size))


@entry(F.outer_backward, lambda p, r: p.mul(*_outer_parts(p, r)))
def _outer(p, r, g):
    a, b = r.inputs
    column, row = _outer_parts(p, r)
    return p.reshape(p.matmul(g, p.transpose(row)), a.shape), p.reshape(p.matmul(p.transpose(column), g), b.shape)


def _linear_forward(p: Builder, r: Recorded) -> Value:
    x, W, b = r.inputs
    y = p.add(p.matmul(flat_rows(p, x), p.transpose(W)), p.reshape(b, (1, b.size)))
    return p.reshape(y, r.shape)


@entry(F.linear_backward, _linear_forward)
def _linear(p, r, g):
    x, W, b = r.inputs
    g = flat_rows(p, g)
    grad_x = p.reshape(p.matmul(g, W), x.shape)
    n = g.shape[0]
    grad_b = p.transpose(g) if n == 1 else p.matmul(p.transpose(g), p.ones((n, 1), g.dtype))
    return grad_x, p.matmul(p.transpose(g), flat_rows(p, x)), p.reshape(grad_b, b.shape)


# Reductions and shapes


def _kept(p: Builder, r: Recorded, g: Value) -> Value:
    """A reduction's gradient spread to the input's shape."""
    a, axes = r.inputs[0], whole(r.settings.get("axis"), len(r.inputs[0].shape))
    kept = tuple(1 if axis in axes else n for axis, n in enumerate(a.shape))
    return p.broadcast(p.reshape(g, kept), a.shape)


def _reduction(p: Builder, r: Recorded, reduce: Callable[..., Value]) -> Value:
    a = r.inputs[0]
    return p.reshape(reduce(a, whole(r.settings.get("axis"), len(a.shape))), r.shape)


@entry(F.sum_backward, lambda p, r: _reduction(p, r, p.sum))
def _sum(p, r, g):
    return (_kept(p, r, g),)


@entry(F.mean_backward, lambda p, r: _reduction(p, r, p.mean))
def _mean(p, r, g):
    a = r.inputs[0]
    return (p.div(_kept(p, r, g), a.size / max(g.size, 1)),)


@entry(F.identity_backward, lambda p, r: r.inputs[0])
def _identity(p, r, g):
    return (g,)


@entry(F.reshape_backward, lambda p, r: p.reshape(r.inputs[0], r.shape))
def _reshape(p, r, g):
    return (p.reshape(g, r.inputs[0].shape),)


@entry(F.transpose_backward, lambda p, r: p.transpose(r.inputs[0], r.settings.get("axes")))
def _transpose(p, r, g):
    axes = r.settings.get("axes")
    if axes is None:
        return (p.transpose(g),)
    return (p.transpose(g, tuple(int(i) for i in np.argsort([axis % len(g.shape) for axis in axes]))),)


def _index(r: Recorded) -> tuple[list[Value], tuple[Any, ...]]:
    """An index as its arrays and a template with Ellipsis... in their places; basic indices have no arrays."""
    index = r.settings["index"] if "index" in r.settings else r.inputs[1]
    parts = index if isinstance(index, tuple) else (index,)
    found = [r.held(part, "index") if isinstance(part, np.ndarray) else part for part in parts]
    if any(isinstance(part, list) for part in found):
        raise NoPlan("its index is a list; give an array that a module or the program holds")
    if any(isinstance(part, Value) and part.dtype == bool for part in found):
        raise NoPlan("its index is an array of booleans: how many entries it takes depends on their values")
    return [part for part in found if isinstance(part, Value)], tuple(found)


def _gather(template: tuple[Any, ...], a: np.ndarray, *given: np.ndarray) -> np.ndarray:
    rest = iter(given)
    return a[tuple(next(rest) if isinstance(part, Value) else part for part in template)]


def _scatter(template: tuple[Any, ...], shape: tuple[int, ...], g: np.ndarray, *given: np.ndarray) -> np.ndarray:
    rest, grad = iter(given), np.zeros(shape, g.dtype)
    np.add.at(grad, tuple(next(rest) if isinstance(part, Value) else part for part in template), g)
    return grad


def _getitem_forward(p: Builder, r: Recorded) -> Value:
    a = r.inputs[0]
    given, index = _index(r)
    if not given:
        return p.slice(a, index)
    places = ((...,) * (1 + len(given)), ())
    return p.emit("call", [a, *given], function=partial(_gather, index), given=places, shape=r.shape, dtype=a.dtype)


@entry(F.getitem_backward, _getitem_forward)
def _getitem(p, r, g):
    a = r.inputs[0]
    given, index = _index(r)
    places = ((...,) * (1 + len(given)), ())
    grad = p.emit(
        "call", [g, *given], function=partial(_scatter, index, a.shape), given=places, shape=a.shape, dtype=g.dtype
    )
    return (grad, *(None for _ in r.inputs[1:]))


def _concatenate_forward(p: Builder, r: Recorded) -> Value:
    axis = r.settings.get("axis", 0)
    parts = [p.reshape(a, (a.size,)) for a in r.inputs] if axis is None else r.inputs
    parts = [p.cast(a, r.dtype) for a in parts]
    return p.emit("concatenate", parts, axis=axis or 0, shape=r.shape, dtype=r.dtype)


@entry(F.concatenate_backward, _concatenate_forward)
def _concatenate(p, r, g):
    axis = r.settings.get("axis", 0)
    grads, at = [], 0
    for a in r.inputs:
        length = a.size if axis is None else a.shape[axis]
        index = [slice(None)] * len(g.shape)
        index[axis or 0] = slice(at, at + length)
        grads.append(p.reshape(p.slice(g, tuple(index)), a.shape))
        at += length
    return tuple(grads)


def _embedding_forward(p: Builder, r: Recorded) -> Value:
    W, indices = r.inputs
    p.effect("check_index", [indices], below=W.shape[0], error=IndexError, text=OUT_OF_TABLE)
    return p.emit("take_rows", [W, indices])


@entry(F.embedding_backward, _embedding_forward)
def _embedding(p, r, g):
    W, indices = r.inputs
    return p.emit("scatter_rows", [g, indices], rows=W.shape[0], shape=W.shape, dtype=g.dtype), None


def _bag_forward(p: Builder, r: Recorded) -> Value:
    W, indices, *rest = r.inputs
    p.effect("check_index", [indices], below=W.shape[0], error=IndexError, text=OUT_OF_TABLE)
    weights = p.cast(rest[0], W.dtype) if rest else p.constant(1, W.dtype, indices.shape)
    if r.settings["padding_idx"] is not None:
        weights = p.mul(weights, p.cast(p.logical_not(p.equal(indices, r.settings["padding_idx"])), W.dtype))
    if r.settings["mode"] == "mean":
        weights = p.div(weights, p.maximum(p.sum(weights, 1, keepdims=True), 1))
    r.residuals = p.reshape(weights, (*indices.shape, 1))
    return p.sum(p.mul(p.emit("take_rows", [W, indices]), r.residuals), 1)


@entry(F.embedding_bag_backward, _bag_forward)
def _bag(p, r, g):
    W, indices, *rest = r.inputs
    g = p.mul(r.residuals, p.reshape(g, (g.shape[0], 1, g.shape[1])))
    grad = p.emit("scatter_rows", [g, indices], rows=W.shape[0], shape=W.shape, dtype=g.dtype)
    return (grad, None, *(None for _ in rest))
