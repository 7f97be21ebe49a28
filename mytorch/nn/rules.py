"""What the backward functions share: undoing a broadcast, keeping a dtype, and the marks that the engine reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

Rule = TypeVar("Rule", bound=Callable[..., Any])


def selective(rule: Rule) -> Rule:
    """Mark a rule that takes ``needs``, one boolean per input, and computes only the gradients that are needed."""
    rule.selective = True  # type: ignore[attr-defined]
    return rule


def writes_into(rule: Rule) -> Rule:
    """Mark a rule that takes ``out``, an array or None per input, and writes that input's gradient there and returns it."""
    rule.writes_into = True  # type: ignore[attr-defined]
    return rule


def reads_inputs(rule: Rule) -> Rule:
    """Mark a rule that needs the values of its inputs, which therefore must not be overwritten."""
    rule.reads_inputs = True  # type: ignore[attr-defined]
    return rule


def may_overwrite(rule: Rule) -> Rule:
    """Mark a rule that reads its input but finds the same in what its operation wrote over it, as ReLU's sign."""
    rule.may_overwrite = True  # type: ignore[attr-defined]
    return rule


def makes_view(rule: Rule) -> Rule:
    """Mark the rule of an operation whose output may share memory with its input without overwriting it."""
    rule.makes_view = True  # type: ignore[attr-defined]
    return rule


def unbroadcast(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum a gradient over the axes along which NumPy had broadcast ``shape``.

    A value that was read n times gets the sum of n gradients.
    """
    if gradient.shape == shape:
        return gradient
    added = gradient.ndim - len(shape)
    stretched = [added + i for i, n in enumerate(shape) if n == 1 and gradient.shape[added + i] != 1]
    axes = (*range(added), *stretched)
    return gradient.sum(axis=axes).reshape(shape) if axes else gradient


def fit_dtype(gradient: Any, array: Any) -> np.dtype:
    """The dtype for an array's gradient: the array's own, or for integers the gradient's, float64 at least."""
    dtype = array.dtype
    if dtype.kind in "fc":
        return dtype
    return gradient.dtype if gradient.dtype.kind in "fc" else np.dtype(np.float64)


def fit(gradient: Any, array: Any) -> Any:
    """Give a gradient the shape and dtype of the array it belongs to; None for a constant, such as a Python number."""
    shape = getattr(array, "shape", None)
    if shape is None:
        return None
    if not shape and issubclass(type(gradient), np.generic):
        gradient = np.asarray(gradient)
    if gradient.shape != shape:
        gradient = unbroadcast(gradient, shape)
    if gradient.dtype is not array.dtype:
        dtype = fit_dtype(gradient, array)
        if gradient.dtype.kind == "c" and dtype.kind == "f":
            gradient = gradient.real
        if gradient.dtype != dtype:
            gradient = gradient.astype(dtype)
    return gradient
