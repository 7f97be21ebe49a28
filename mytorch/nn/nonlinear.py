"""Activations and softmax: each function beside its backward function.

All of them are for real arrays, and finite at |x| = 1e4 and far beyond. The derivative of a sigmoid is computed from
exp(-|x|) and not as s(1 - s): where s rounds to 1, the difference would have lost every digit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mytorch.utils import fit, gradient_dtype

Array = np.ndarray

_erfc_of_objects = np.frompyfunc(math.erfc, 1, 1)


def as_float(x: Any) -> np.ndarray:
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


def normal_cdf(x: Array) -> np.ndarray:
    """The normal distribution function Phi(x) = erfc(-x / sqrt(2)) / 2 in float64, with all its digits in the left tail.

    It comes from the standard library one value at a time: NumPy has no error function.
    """
    return np.asarray(_erfc_of_objects(np.asarray(x, np.float64) * -math.sqrt(0.5)), dtype=np.float64) / 2


def gelu(x: Array) -> Array:
    """x * Phi(x) with Phi the normal distribution function (Hendrycks and Gimpel, 2016), not its tanh approximation."""
    x = as_float(x)
    return (x * normal_cdf(x)).astype(x.dtype, copy=False)


def gelu_backward(grad_output: Array, x: Array) -> Array:
    """y = x Phi(x): dy/dx = Phi(x) + x phi(x) with phi the normal density."""
    # Past |x| = 40 the density is zero in every dtype and x**2 may overflow.
    clipped = np.clip(np.asarray(x, np.float64), -40, 40)
    density = np.exp(-0.5 * np.square(clipped)) * (1 / math.sqrt(2 * math.pi))
    return fit(grad_output * (normal_cdf(x) + clipped * density), x)


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
