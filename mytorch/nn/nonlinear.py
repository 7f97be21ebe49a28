"""Activations, softmax and cross-entropy: each function beside its backward function.

All of them are for real arrays, and finite at |x| = 1e4 and far beyond. The derivative of a sigmoid is computed from
exp(-|x|) and not as s(1 - s): where s rounds to 1, the difference would have lost every digit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mytorch.nn.rules import fit
from mytorch.utils import gradient_dtype

Array = np.ndarray

_erf_of_objects = np.frompyfunc(math.erf, 1, 1)


def as_float(x: Array) -> Array:
    """The array itself, or a float64 copy of integers, booleans and Python numbers."""
    x = np.asarray(x)
    return x if x.dtype.kind in "fc" else x.astype(gradient_dtype(x))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), written for either sign so that the exponential cannot overflow."""
    x = as_float(x)
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def sigmoid_backward(grad_output: Array, x: Array) -> Array:
    """y = sigmoid(x): dy/dx = e / (1 + e)**2 with e = exp(-|x|), which is s(1 - s)."""
    e = np.exp(-np.abs(as_float(x)))
    return fit(grad_output * (e / np.square(1 + e)), x)


def tanh_backward(grad_output: Array, x: Array) -> Array:
    """y = tanh(x): dy/dx = 1 - tanh(x)**2 = 4e / (1 + e)**2 with e = exp(-2|x|)."""
    e = np.exp(-2 * np.abs(as_float(x)))
    return fit(grad_output * (4 * e / np.square(1 + e)), x)


def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """x where x > 0, otherwise negative_slope * x."""
    return np.where(x > 0, x, negative_slope * as_float(x))


def leaky_relu_backward(grad_output: Array, x: Array, negative_slope: float = 0.01) -> Array:
    """y = leaky_relu(x): dy/dx = 1 where x > 0, otherwise negative_slope."""
    return fit(np.where(x > 0, grad_output, negative_slope * grad_output), x)


def softplus(x: Array) -> Array:
    """ln(1 + exp(x)) = max(x, 0) + ln(1 + exp(-|x|))."""
    x = as_float(x)
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softplus_backward(grad_output: Array, x: Array) -> Array:
    """y = softplus(x): dy/dx = sigmoid(x)."""
    return fit(grad_output * sigmoid(x), x)


def silu(x: Array) -> Array:
    """x * sigmoid(x) (Elfwing, Uchibe and Doya, 2017)."""
    return x * sigmoid(x)


def silu_backward(grad_output: Array, x: Array) -> Array:
    """y = x s(x): dy/dx = s(x) + x s'(x)."""
    return fit(grad_output * sigmoid(x) + x * sigmoid_backward(grad_output, x), x)


def erf(x: Array) -> Array:
    """The error function, from the standard library one value at a time: NumPy has none."""
    x = as_float(x)
    return np.asarray(_erf_of_objects(x), dtype=np.float64).astype(x.dtype)


def gelu(x: Array) -> Array:
    """x * Phi(x) with Phi the normal distribution function (Hendrycks and Gimpel, 2016), not its tanh approximation."""
    return 0.5 * x * (1 + erf(x * math.sqrt(0.5)))


def gelu_backward(grad_output: Array, x: Array) -> Array:
    """y = x Phi(x): dy/dx = Phi(x) + x phi(x) with phi the normal density."""
    x_float = as_float(x)
    # Past |x| = 40 the density is zero in every dtype and x**2 may overflow.
    clipped = np.clip(x_float, -40, 40)
    density = np.exp(-0.5 * np.square(clipped)) * (1 / math.sqrt(2 * math.pi))
    return fit(grad_output * (0.5 * (1 + erf(x_float * math.sqrt(0.5))) + clipped * density), x)


def softmax(x: Array, axis: int = -1) -> Array:
    """exp(x) / sum(exp(x)) along an axis, with the maximum taken off first: the result is the same and nothing overflows."""
    x = as_float(x)
    if x.size == 0:
        return x.copy()
    e = np.exp(x - np.maximum.reduce(x, axis=axis, keepdims=True))
    e /= np.add.reduce(e, axis=axis, keepdims=True)
    return e


def softmax_backward(grad_output: Array, x: Array, axis: int = -1) -> Array:
    """y = softmax(x): dL/dx = y * (g - sum(g * y))."""
    y = softmax(x, axis)
    return fit(y * (grad_output - (grad_output * y).sum(axis=axis, keepdims=True)), x)


def log_softmax(x: Array, axis: int = -1) -> Array:
    """ln(softmax(x)), finite also where softmax(x) rounds to zero."""
    x = as_float(x)
    if x.size == 0:
        return x.copy()
    shifted = x - np.maximum.reduce(x, axis=axis, keepdims=True)
    return shifted - np.log(np.add.reduce(np.exp(shifted), axis=axis, keepdims=True))


def log_softmax_backward(grad_output: Array, x: Array, axis: int = -1) -> Array:
    """y = log_softmax(x): dL/dx = g - softmax(x) * sum(g)."""
    return fit(grad_output - softmax(x, axis) * grad_output.sum(axis=axis, keepdims=True), x)


def softmax_cross_entropy(pred: Array, ground_truth: Array) -> tuple[Array, Array, Array | None]:
    """The mean over the batch of -sum(ground_truth * log_softmax(pred)), and what the way back can use of it.

    pred: (..., classes) scores. ground_truth: the same shape (one-hot or any weights), or (...) integers that name the
    class. Returns the loss in shape (1,), softmax(pred) in pred's shape, and for class indices where the true classes stand
    in pred.ravel(). Raises ValueError for other shapes and for classes out of range.
    """
    scores = as_float(pred)
    entries = None if ground_truth.shape == scores.shape else true_entries(ground_truth, scores)
    if scores.size == 0:
        return np.zeros(1, scores.dtype), scores.copy(), entries
    rows = _class_rows(scores)
    largest = np.maximum.reduce(rows, axis=0)
    shifted = rows - largest
    probabilities = np.exp(shifted)
    total = np.add.reduce(probabilities, axis=0)
    probabilities /= total
    if entries is None:
        losses = (_class_rows(ground_truth) * (np.log(total) - shifted)).ravel()
    else:
        losses = np.log(total)
        losses -= scores.take(entries) - largest
    loss = np.add.reduce(losses, keepdims=True)
    loss /= total.size
    return loss.astype(scores.dtype, copy=False), probabilities.T.reshape(scores.shape), entries


def SoftmaxCrossEntropy_backward(
    grad_output: Any,
    pred: Array,
    ground_truth: Array,
    probabilities: Array | None = None,
    entries: Array | None = None,
) -> tuple[Array, None]:
    """y = softmax cross-entropy, mean over the batch: dL/dpred = (softmax(pred) * sum(truth) - truth) / N * g.

    ground_truth: one-hot or weights of pred's shape, for which sum(truth) is 1 as a rule, or class indices.
    probabilities, entries: from ``softmax_cross_entropy``, where the forward pass has kept them. Nothing flows to the ground
    truth.
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
    """Where each sample's true class stands in pred.ravel(); ValueError for what cannot be class indices of pred."""
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


def _class_rows(array: Array) -> Array:
    """(..., classes) as (classes, samples).

    Copied where there are more samples than classes: NumPy reduces and broadcasts along long rows many times faster.
    """
    if array.ndim != 2:
        array = array.reshape(-1, array.shape[-1])
    return array.T.copy() if array.shape[0] > array.shape[1] else array.T
