"""One backward function per primitive: ``f(grad_output, *inputs)`` returns the gradient of each input.

With L the scalar at the end, ``grad_output`` is dL/d(output) and has the output's shape. What is returned has the shape of
its input, summed over every axis along which NumPy broadcast it, and its dtype (a float for integers). One input gives an
array, several give a tuple. No function changes its arguments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mytorch.nn.nonlinear import (
    as_float,
    gelu_backward,
    leaky_relu_backward,
    log_softmax_backward,
    sigmoid_backward,
    silu_backward,
    softmax,
    softmax_backward,
    softplus_backward,
    tanh_backward,
)
from mytorch.nn.rules import makes_view, same_from_output, shapes_only
from mytorch.utils import fit, gradient_dtype, unbroadcast

__all__ = [
    "SoftmaxCrossEntropy_backward", "abs_backward", "add_backward", "concatenate_backward", "div_backward",
    "dropout_backward", "embedding_backward", "embedding_bag_backward", "exp_backward", "gelu_backward", "getitem_backward",
    "identity_backward", "leaky_relu_backward", "linear_backward", "log_backward", "log_softmax_backward",
    "matmul_backward", "max_backward", "mean_backward", "mse_backward", "mul_backward", "neg_backward",
    "normalize_backward", "outer_backward", "power_backward", "reshape_backward", "sigmoid_backward",
    "silu_backward", "softmax_backward", "softplus_backward", "sqrt_backward", "sub_backward", "sum_backward",
    "tanh_backward", "transpose_backward", "unbroadcast",
]  # fmt: skip

Array = np.ndarray
Two = tuple[Any, Any]


# Rules that take settings (an axis, an index) are recorded with ``functools.partial(sum_backward, axis=0)``.


# Arithmetic


@makes_view
def identity_backward(grad_output: Array, a: Array) -> Array:
    """y = a."""
    return fit(grad_output, a)


@shapes_only
def neg_backward(grad_output: Array, a: Array) -> Array:
    """y = -a."""
    return fit(-grad_output, a)


@shapes_only
def add_backward(grad_output: Array, a: Array, b: Array) -> Two:
    """y = a + b: both get the gradient as it came."""
    return fit(grad_output, a), fit(grad_output, b)


@shapes_only
def sub_backward(grad_output: Array, a: Array, b: Array) -> Two:
    """y = a - b."""
    return fit(grad_output, a), fit(-grad_output, b)


def mul_backward(grad_output: Array, a: Array, b: Array) -> Two:
    """y = a * b, element by element: dy/da = b, dy/db = a."""
    return fit(grad_output * b, a), fit(grad_output * a, b)


def div_backward(grad_output: Array, a: Array, b: Array) -> Two:
    """y = a / b: dy/da = 1 / b, dy/db = -a / b**2.

    The second is computed as -(a / b) / b, which stays finite where b**2 would overflow or vanish.
    """
    return fit(grad_output / b, a), fit(-grad_output * (a / b) / b, b)


def power_backward(grad_output: Array, a: Array, b: Array) -> Two:
    """y = a ** b: dy/da = b * a**(b - 1), dy/db = log(a) * a**b.

    dy/da is 0 where b is 0, also at a = 0. dy/db is 0 at a = 0 and NaN for negative a, where a ** b is no real function
    of b.
    """
    a_float, b_float = as_float(a), as_float(b)
    exponent = np.where(b_float == 0, 1.0, b_float - 1).astype(b_float.dtype)
    with np.errstate(invalid="ignore"):
        slope_b = a_float**b_float * np.log(np.where(a_float == 0, 1, a_float))
    return fit(grad_output * b_float * a_float**exponent, a), fit(grad_output * slope_b, b)


def sqrt_backward(grad_output: Array, a: Array) -> Array:
    """y = sqrt(a): dy/da = 1 / (2 sqrt(a)), infinite at 0."""
    return fit(grad_output / (2 * np.sqrt(as_float(a))), a)


def exp_backward(grad_output: Array, a: Array) -> Array:
    """y = exp(a) is its own derivative."""
    return fit(grad_output * np.exp(as_float(a)), a)


def log_backward(grad_output: Array, a: Array) -> Array:
    """y = ln(a): dy/da = 1 / a."""
    return fit(grad_output / a, a)


def abs_backward(grad_output: Array, a: Array) -> Array:
    """y = abs(a): dy/da = sign(a), 0 at 0."""
    return fit(grad_output * np.sign(as_float(a)), a)


@same_from_output
def max_backward(grad_output: Array, a: Array, b: Array | None = None) -> Any:
    """y = maximum(a, 0), which is ReLU, or y = maximum(a, b): the gradient goes where the maximum came from.

    At a tie it goes to b, so that ReLU's derivative at 0 is 0. ReLU's output has the same sign pattern as its input,
    so ReLU may work in place. With one input an array is returned, with two a tuple.
    """
    if b is None:
        # NumPy multiplies numbers of one dtype faster than numbers with booleans.
        return fit((a > 0).astype(grad_output.dtype) * grad_output, a)
    from_a = a > b
    return fit(grad_output * from_a, a), fit(grad_output * ~from_a, b)


# Products


def matmul_backward(grad_output: Array, a: Array, b: Array) -> Two:
    """y = a @ b: dL/da = g @ b.T and dL/db = a.T @ g, for every shape that NumPy's matmul takes.

    A 1-d factor counts as a row on the left and as a column on the right; leading axes are batches and broadcast.
    """
    rows = a[np.newaxis, :] if a.ndim == 1 else a
    columns = b[:, np.newaxis] if b.ndim == 1 else b
    g = grad_output
    if b.ndim == 1:
        g = g[..., np.newaxis]
    if a.ndim == 1:
        g = g[..., np.newaxis, :]
    grad_a = unbroadcast(g @ np.swapaxes(columns, -1, -2), rows.shape).reshape(a.shape)
    if columns.ndim == 2 and rows.ndim > 2:
        # One matrix for the whole batch: one large product instead of a product per matrix and a sum.
        samples = math.prod(rows.shape[:-1])  # not -1, which an empty last axis leaves undecided
        rows, g = rows.reshape(samples, rows.shape[-1]), g.reshape(samples, g.shape[-1])
    grad_b = unbroadcast(np.swapaxes(rows, -1, -2) @ g, columns.shape)
    return fit(grad_a, a), fit(grad_b.reshape(b.shape), b)


def outer_backward(grad_output: Array, a: Array, b: Array) -> Two:
    """y = outer(a, b), y[i, j] = a[i] * b[j]; like NumPy's outer it flattens what it is given."""
    return fit((grad_output @ b.ravel()).reshape(a.shape), a), fit((a.ravel() @ grad_output).reshape(b.shape), b)


def linear_backward(grad_output: Array, x: Array, W: Array, b: Array, needs_x: bool = True) -> tuple[Any, Any, Any]:
    """y = x @ W.T + b.T with x (..., in), W (out, in), b (out, 1): a matmul and an add in one operation.

    needs_x: False where nobody reads the gradient of x, which is then None.
    """
    rows, g = x, grad_output
    if x.ndim != 2:
        rows, g = x.reshape(-1, x.shape[-1]), g.reshape(-1, g.shape[-1])
    grad_x = fit(np.dot(grad_output, W), x) if needs_x else None
    if len(rows) == 1:
        # A single row is no work for a matrix product; einsum writes a large gradient in one sweep.
        grad_W = np.einsum("i,j->ij", g[0], rows[0]) if W.size >= 1 << 14 else np.dot(g.T, rows)
        return grad_x, fit(grad_W, W), fit(g.T, b)
    ones = np.empty((len(rows), 1), g.dtype)
    ones.fill(1)  # BLAS sums the rows in a half to a fifth of the time that sum(axis=0) takes.
    return grad_x, fit(np.dot(g.T, rows), W), fit(np.dot(g.T, ones), b)


# Reductions


@shapes_only
def sum_backward(grad_output: Array, a: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """y = a.sum(axis, keepdims): every entry of a counted once, so each gets its sum's gradient."""
    return _spread(grad_output, a, axis, keepdims).astype(gradient_dtype(a))


@shapes_only
def mean_backward(grad_output: Array, a: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """y = a.mean(axis, keepdims): the sum's rule divided by how many entries a mean is taken over."""
    spread = _spread(grad_output, a, axis, keepdims)
    return (spread / (a.size / max(grad_output.size, 1))).astype(gradient_dtype(a), copy=False)


# Shape


@makes_view
def reshape_backward(grad_output: Array, a: Array) -> Array:
    """y = a.reshape(...), also ravel, squeeze and expand_dims: the gradient takes the old shape again."""
    return fit(grad_output.reshape(a.shape), a)


@makes_view
def transpose_backward(grad_output: Array, a: Array, axes: Sequence[int] | None = None) -> Array:
    """y = a.transpose(axes), by default all axes reversed: undone by the inverse permutation."""
    if axes is None:
        return fit(np.transpose(grad_output), a)
    return fit(np.transpose(grad_output, np.argsort([axis % a.ndim for axis in axes])), a)


@makes_view
def getitem_backward(grad_output: Array, a: Array, index: Any) -> Array:
    """y = a[index] for slices, integers, index arrays and boolean masks; an entry taken twice gets both gradients."""
    grad = np.zeros(a.shape, gradient_dtype(a))
    np.add.at(grad, index, grad_output) if _is_advanced(index) else grad.__setitem__(index, grad_output)
    return grad


@shapes_only
def concatenate_backward(grad_output: Array, *arrays: Array, axis: int | None = 0) -> Any:
    """y = concatenate(arrays, axis): each array gets its own piece back. One array alone gives one array."""
    lengths = [array.size if axis is None else array.shape[axis] for array in arrays]
    pieces = np.split(grad_output, np.cumsum(lengths)[:-1], axis=axis or 0)
    grads = tuple(fit(piece.reshape(array.shape), array) for piece, array in zip(pieces, arrays))
    return grads if len(grads) > 1 else grads[0]


def embedding_backward(grad_output: Array, W: Array, indices: Array) -> Two:
    """y = W[indices], a lookup of rows: each row sums the gradients of all places that looked it up."""
    return getitem_backward(grad_output, W, indices), None


def embedding_bag_backward(
    grad_output: Array,
    W: Array,
    indices: Array,
    mask: Array | None = None,
    mode: str = "mean",
    padding_idx: int | None = None,
) -> tuple[Array | None, ...]:
    """y[n] = sum over l of weights[n, l] W[indices[n, l]]: each row of W sums weight times gradient of its places."""
    weights = bag_weights(indices, mask, mode, padding_idx, gradient_dtype(W))
    grad = np.zeros(W.shape, gradient_dtype(W))
    np.add.at(grad, indices, weights[:, :, None] * grad_output[:, None, :])
    return (grad, None) if mask is None else (grad, None, None)


def bag_weights(indices: Array, mask: Array | None, mode: str, padding_idx: int | None, dtype: Any) -> Array:
    """Weight of each place (N, L) in its bag: 0 where it does not count, else 1 for a sum and 1 / count for a mean."""
    counts = np.ones(indices.shape, bool) if mask is None else mask
    if padding_idx is not None:
        counts = counts & (indices != padding_idx)
    weights = counts.astype(dtype)
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1) if mode == "mean" else weights


# Layers


@shapes_only
def dropout_backward(grad_output: Array, x: Array, scale: Array | None = None) -> Array:
    """y = x * scale with a constant scale, 0 for what was left out; None means that nothing was."""
    return fit(grad_output if scale is None else grad_output * scale, x)


def mse_backward(grad_output: Array, y: Array, y_hat: Array) -> Two:
    """L = mean((y - y_hat)**2) over all entries: dL/dy = 2 (y - y_hat) / size, dL/dy_hat its opposite."""
    grad = (as_float(y) - y_hat) * (np.asarray(grad_output).reshape(-1)[0] * (2 / max(y.size, 1)))
    return fit(grad, y), fit(-grad, y_hat)


def SoftmaxCrossEntropy_backward(
    grad_output: Any,
    pred: Array,
    ground_truth: Array,
    probabilities: Array | None = None,
    entries: Array | None = None,
) -> tuple[Array, None]:
    """y = softmax cross-entropy, mean over the batch: dL/dpred = (softmax(pred) * sum(truth) - truth) / N * g.

    pred: (..., classes). ground_truth: one-hot or weights of that shape, for which sum(truth) is 1 as a rule, or class
    indices (...). probabilities, entries: softmax(pred) and ``true_entries``, where the forward pass has kept them. Nothing
    flows to the ground truth.
    """
    if probabilities is None:
        probabilities = softmax(pred)
    scale = np.asarray(grad_output) / max(math.prod(pred.shape[:-1]), 1)
    if ground_truth.shape == pred.shape:
        grad = (probabilities * np.add.reduce(ground_truth, axis=-1, keepdims=True) - ground_truth) * scale
    else:
        grad = np.multiply(probabilities, scale, order="C")
        grad.reshape(-1)[true_entries(ground_truth, pred) if entries is None else entries] -= scale
    return fit(grad, pred), None


def true_entries(ground_truth: Array, pred: Array) -> Array:
    """The index into pred.ravel() of each sample's true class. Raises ValueError for what cannot be class indices."""
    classes = pred.shape[-1]
    if ground_truth.shape != pred.shape[:-1]:
        raise ValueError(
            f"The scores have shape {pred.shape} and the ground truth {ground_truth.shape}. Give one-hot targets of the "
            f"scores' shape, or class indices of shape {pred.shape[:-1]}."
        )
    if ground_truth.dtype.kind not in "iu":
        raise ValueError(f"Class indices are integers; the ground truth has dtype {ground_truth.dtype}.")
    indices = ground_truth.ravel()
    # Seen as unsigned, a negative index is a huge one: one pass finds both.
    if indices.size and np.maximum.reduce(indices.view(indices.dtype.str.replace("i", "u"))) >= classes:
        wrong = indices.min() if indices.min() < 0 else indices.max()
        raise ValueError(
            f"The ground truth names class {wrong}, but the scores are for {classes} classes, 0 to {classes - 1}."
        )
    indices = indices.astype(np.intp, copy=False)  # NumPy would add uint64 and int64 to a float
    return np.arange(0, indices.size * classes, classes) + indices if classes else indices


def normalize_backward(
    grad_output: Array,
    x: Array,
    gamma: Array,
    beta: Array,
    axes: tuple[int, ...],
    shape: tuple[int, ...],
    mean: Array,
    inverse_std: Array,
    fixed: bool = False,
) -> tuple[Any, Any, Any]:
    """y = gamma * x_hat + beta with x_hat = (x - mean) * inverse_std, mean and variance taken over ``axes`` of x.

    shape: the shape in which gamma and beta broadcast with x. mean, inverse_std: as the forward pass used them, in a
    shape that broadcasts with x. fixed: they were constants (evaluation), not computed from x.

    Derived as in Ioffe and Szegedy, "Batch Normalization" (2015), section 3: with g = grad_output * gamma, dL/dx is
    inverse_std * (g - mean(g) - x_hat * mean(g * x_hat)).
    """
    x_hat = (x - mean) * inverse_std
    g = grad_output * gamma.reshape(shape)
    if fixed:
        grad_x = g * inverse_std
    else:
        means = g.mean(axis=axes, keepdims=True), (g * x_hat).mean(axis=axes, keepdims=True)
        grad_x = inverse_std * (g - means[0] - x_hat * means[1])
    grad_gamma = unbroadcast(grad_output * x_hat, shape).reshape(gamma.shape)
    grad_beta = unbroadcast(grad_output, shape).reshape(beta.shape)
    return fit(grad_x, x), fit(grad_gamma, gamma), fit(grad_beta, beta)


def _spread(grad_output: Array, a: Array, axis: Any, keepdims: bool) -> Array:
    """A reduction's gradient in the shape that was reduced, as a read-only view."""
    # Axes that were kept say by their length of one which of them were reduced.
    kept = grad_output.ndim == a.ndim and all(n in (1, m) for n, m in zip(grad_output.shape, a.shape))
    if axis is None and grad_output.size != 1 and not kept:
        raise ValueError(
            f"The gradient has shape {grad_output.shape}, but a reduction over all axes has one entry. Record the axis with "
            "the rule, as in partial(sum_backward, axis=0)."
        )
    if axis is not None and not keepdims:
        grad_output = np.expand_dims(grad_output, axis)
    return np.broadcast_to(grad_output, a.shape)


def _is_advanced(index: Any) -> bool:
    """True if an index can take an entry twice, so that the gradients of one entry have to be summed."""
    parts = index if isinstance(index, tuple) else (index,)
    return not all(part is None or part is Ellipsis or isinstance(part, (slice, int, np.integer)) for part in parts)
