"""One backward function per primitive: ``f(grad_output, *inputs)`` returns the gradient of each input.

With L the scalar at the end, ``grad_output`` is dL/d(output) and has the output's shape. What is returned has the shape of
its input, summed over every axis along which NumPy broadcast it, and its dtype (a float for integers). One input gives an
array, several give a tuple. No function changes its arguments.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mytorch.utils import fit

Array = np.ndarray
Two = tuple[Any, Any]


# Arithmetic


def add_backward(grad_output: Array, a: Array, b: Array) -> Two:
    """y = a + b: both get the gradient as it came."""
    return fit(grad_output, a), fit(grad_output, b)


def sub_backward(grad_output: Array, a: Array, b: Array) -> Two:
    """y = a - b."""
    # TODO: Return both gradients, each in the shape of its input.
    raise NotImplementedError("sub_backward is not implemented yet")


def mul_backward(grad_output: Array, a: Array, b: Array) -> Two:
    """y = a * b, element by element."""
    # TODO: Return both gradients, each in the shape of its input.
    raise NotImplementedError("mul_backward is not implemented yet")


def div_backward(grad_output: Array, a: Array, b: Array) -> Two:
    """y = a / b, element by element."""
    # TODO: Return both gradients, each in the shape of its input.
    raise NotImplementedError("div_backward is not implemented yet")


def exp_backward(grad_output: Array, a: Array) -> Array:
    """y = exp(a)."""
    # TODO: Return the gradient of a.
    raise NotImplementedError("exp_backward is not implemented yet")


def log_backward(grad_output: Array, a: Array) -> Array:
    """y = ln(a)."""
    # TODO: Return the gradient of a.
    raise NotImplementedError("log_backward is not implemented yet")


def max_backward(grad_output: Array, a: Array) -> Array:
    """y = maximum(a, 0). Practice, for ReLU."""
    # TODO: Return the gradient of a. Where a is 0, it is 0.
    raise NotImplementedError("max_backward is not implemented yet")


# Products


def matmul_backward(grad_output: Array, a: Array, b: Array) -> Two:
    """y = a @ b with a of shape (n, k) and b of shape (k, m)."""
    # TODO: Return the gradients of a and of b. Write down all shapes first.
    raise NotImplementedError("matmul_backward is not implemented yet")


def outer_backward(grad_output: Array, a: Array, b: Array) -> Two:
    """y = outer(a, b) of two vectors, y[i, j] = a[i] * b[j]. As in np.outer, a row of shape (1, n) counts as a vector."""
    # TODO: Return the gradients of a and of b.
    raise NotImplementedError("outer_backward is not implemented yet")


# Reductions


def sum_backward(grad_output: Array, a: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """y = a.sum(axis, keepdims=keepdims). Practice."""
    # TODO: Return the gradient of a, in the shape of a.
    raise NotImplementedError("sum_backward is not implemented yet")


# Losses


def SoftmaxCrossEntropy_backward(grad_output: Array, pred: Array, ground_truth: Array) -> Two:
    """y = the mean over the batch of the cross-entropy of softmax(pred); pred, ground_truth: (N, C)."""
    # TODO: Return the gradient of pred, and None for the ground truth.
    raise NotImplementedError("SoftmaxCrossEntropy_backward is not implemented yet")
