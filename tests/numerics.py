"""The one helper that checks a backward function, and what it measures with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mytorch import Autograd

LAYOUTS = ("C", "fortran", "transposed", "strided", "reversed")

# A complex step has no cancellation: what is left is the rounding of some twenty float64 operations. A central
# difference with step 1e-5 is good to about 1e-10 of the values that are subtracted.
COMPLEX_RTOL, CENTRAL_RTOL = 1e-11, 1e-7
# float32 carries 1.2e-7; sums of a few dozen products lose one to two digits of that.
FLOAT32_RTOL = 2e-5


def laid_out(array: np.ndarray, layout: str) -> np.ndarray:
    """A read-only array of the same values, lying in memory as ``layout`` says."""
    array = np.array(array)
    if array.ndim == 0:
        return read_only(array)
    if layout == "fortran":
        result = np.asfortranarray(array)
    elif layout == "transposed":
        result = np.ascontiguousarray(array.T).T
    elif layout == "strided":
        wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        result = wide[..., ::2]
        result[...] = array
    elif layout == "reversed":
        backwards = tuple(slice(None, None, -1) for _ in array.shape)
        result = np.ascontiguousarray(array[backwards])[backwards]
    else:
        result = array
    assert result.shape == array.shape
    np.testing.assert_array_equal(result, array)
    return read_only(result)


def read_only(array: np.ndarray) -> np.ndarray:
    """The array itself, which from now on raises when it is written to."""
    array.flags.writeable = False
    return array


def vjp_by_complex_step(
    f: Callable[..., Any], grad_output: np.ndarray, inputs: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """sum(grad_output * df/dx) for each entry of each input, from f(x + ih): exact to rounding for analytic f."""
    step = 1e-30
    return _vjp(
        f, inputs, np.complex128, 1j * step, lambda value: float(np.sum(grad_output * np.imag(value(1)))) / step
    )


def vjp_by_differences(
    f: Callable[..., Any], grad_output: np.ndarray, inputs: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """The same from central differences, for functions that take no complex numbers."""
    step = 1e-5
    return _vjp(
        f, inputs, np.float64, step, lambda value: float(np.sum(grad_output * (value(1) - value(-1)))) / (2 * step)
    )


def _vjp(
    f: Callable[..., Any], inputs: Sequence[np.ndarray], dtype: Any, step: complex, derivative: Callable[..., float]
) -> list[np.ndarray]:
    base = [np.array(array, dtype=dtype) for array in inputs]
    grads = []
    for number, array in enumerate(base):
        grad = np.zeros(array.shape)
        for index in np.ndindex(array.shape):

            def value(sign: int, number: int = number, index: Any = index) -> Any:
                moved = [each.copy() for each in base]
                moved[number][index] += sign * step
                return f(*moved)

            grad[index] = derivative(value)
        grads.append(grad)
    return grads


def call_rule(rule: Callable[..., Any], grad_output: np.ndarray, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Call a rule and return its gradients as a list; fails unless it gave one array, or a tuple with one entry per input."""
    result = rule(grad_output, *inputs)
    if len(inputs) == 1:
        assert not isinstance(result, tuple), "one input: an array is returned, not a tuple"
        return [result]
    assert isinstance(result, tuple), "several inputs: a tuple is returned"
    assert len(result) == len(inputs), "one gradient per input"
    return list(result)


def check_rule(
    forward: Callable[..., Any],
    rule: Callable[..., Any],
    inputs: Sequence[np.ndarray],
    *,
    analytic: bool = True,
    grad_layout: str = "C",
    seed: int = 0,
) -> None:
    """Check a rule on float64 inputs: value, shape and dtype, read-only arguments, float32, and a walk of the engine.

    forward: an independent way to write the function; for ``analytic`` ones it is called with complex numbers.
    """
    inputs = [array if not array.flags.writeable else read_only(array.copy()) for array in inputs]
    output = np.asarray(forward(*inputs))
    grad_output = laid_out(np.random.default_rng(seed).standard_normal(output.shape), grad_layout)
    got = call_rule(rule, grad_output, inputs)
    measure, rtol = (vjp_by_complex_step, COMPLEX_RTOL) if analytic else (vjp_by_differences, CENTRAL_RTOL)
    for array, gradient, expected in zip(inputs, got, measure(forward, grad_output, inputs)):
        assert np.shape(gradient) == array.shape
        assert gradient.dtype == np.float64
        assert_close(gradient, expected, rtol)

    narrow = [read_only(array.astype(np.float32)) for array in inputs]
    narrow_grad = read_only(grad_output.astype(np.float32))
    for array, gradient, expected in zip(narrow, call_rule(rule, narrow_grad, narrow), got):
        assert np.shape(gradient) == array.shape
        assert gradient.dtype == np.float32, "float32 stays float32"
        assert_close(gradient, expected, FLOAT32_RTOL)

    _check_in_engine(rule, inputs, output, grad_output, got)


def _check_in_engine(
    rule: Callable[..., Any], inputs: Sequence[np.ndarray], output: np.ndarray, grad_output: np.ndarray, expected: Any
) -> None:
    """The engine takes the rule as it is, into slots as well as into the buffer."""
    engine = Autograd()
    slots = [np.full(array.shape, 3.0) for array in inputs]
    recorded = output.copy()
    engine.add_operation(list(inputs), recorded, slots, rule)
    engine.add_operation(list(inputs), recorded, [None] * len(inputs), rule)
    engine.backward(grad_output)
    for array, gradient in zip(inputs, expected):
        assert_close(engine.gradient_buffer.get_param(array), gradient, 1e-15)
    engine.operation_list.pop()
    engine.backward(grad_output)
    for slot, gradient in zip(slots, expected):
        assert_close(slot, 3 + gradient, 1e-15)


def check_integers(
    rule: Callable[..., Any], inputs: Sequence[np.ndarray], output_shape: tuple[int, ...], dtype: Any
) -> None:
    """Integer inputs get the gradient that the same values get as float64, in float64."""
    whole = [read_only(array.astype(dtype)) for array in inputs]
    grad_output = read_only(np.random.default_rng(1).standard_normal(output_shape))
    expected = call_rule(rule, grad_output, [array.astype(np.float64) for array in whole])
    for gradient, as_float in zip(call_rule(rule, grad_output, whole), expected):
        assert gradient.dtype == np.float64
        assert_close(gradient, as_float, 1e-14)


def assert_close(got: Any, expected: Any, rtol: float) -> None:
    """Equal to rtol, entry by entry, or relative to the largest entry where sums cancel."""
    expected = np.asarray(expected)
    scale = float(np.max(np.abs(expected), initial=0))
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol * min(scale, 10.0))
    assert np.shape(got) == expected.shape


def record(engine: Any, rule: Any, output: Any, *inputs: Any, slots: Any = None) -> Any:
    """Record an operation and return its output."""
    engine.add_operation(list(inputs), output, slots or [None] * len(inputs), rule)
    return output
