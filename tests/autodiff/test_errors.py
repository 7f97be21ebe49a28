"""The errors that save an evening: what was given, what was expected, what to do; and nothing is left behind."""

# ruff: noqa: E501
from __future__ import annotations

import gc
import math
import threading
import weakref
from typing import Any

import numpy as np
import pytest

from mytorch.autodiff import checkpoint, grad, jacobian, jacobian_forward, jvp, trace, vjp

X = np.array([0.5, 1.5, 2.0])


def set_entry(x: Any) -> Any:
    x[0] = 1.0
    return np.sum(x)


def add_to_slice(x: Any) -> Any:
    x[1:] += 1.0
    return np.sum(x)


def add_into_plain(x: Any) -> Any:
    total = np.zeros(3)
    total += x
    return np.sum(total)


def store_in_plain(x: Any) -> Any:
    total = np.zeros(3)
    total[0] = x[0]
    return np.sum(total)


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (set_entry, TypeError, r"x\[i\] = v writes into .* np\.where"),
        (add_to_slice, TypeError, r"x\[i\] = v writes into"),
        (add_into_plain, TypeError, r"total = total \+ y instead of total \+= y"),
            (lambda x: np.sum(np.add(x, 1, out=np.zeros(3))), TypeError, r"out=y.* writes into"),
        (lambda x: np.sum(x, out=np.zeros(())), TypeError, r"out= writes into"),
        (lambda x: np.add.at(x, 0, 1.0), TypeError, r"np\.add\.at writes into"),
        (lambda x: x.sort(), TypeError, r"x = np\.sort\(x\)"),
        (lambda x: x.fill(0), TypeError, r"x\.fill\(v\) writes into"),
        (lambda x: np.full(3, x[0]).sum(), TypeError, r"np\.broadcast_to"),
        (lambda x: np.fill_diagonal(x, 0), NotImplementedError, "np.fill_diagonal"),
        (lambda x: float(x[0]), TypeError, r"float\(x\) would take the number out of the trace.*np\.sin\(x\), not math\.sin"),
        (lambda x: math.sin(x[0]), TypeError, r"np\.sin\(x\), not math\.sin"),
        (lambda x: complex(x[0]), TypeError, r"astype\(complex\)"),
        (lambda x: np.sum(np.asarray(x)), TypeError, r"np\.asarray\(x\) would take"),
        (lambda x: np.sum(np.array([x[0], x[1]])), TypeError, r"np\.stack\(\[a, b\]\)"),
        (lambda x: x[0].item(), TypeError, r"x\.item\(\)"),
        (lambda x: sum(x.tolist()), TypeError, r"x\.tolist\(\)"),
        (lambda x: sum(np.nditer(x)), TypeError, r"np\.nditer\(x\) would take .*np\.ndindex"),
        (lambda x: x * 2, TypeError, r"shape \(3,\).*jacobian\(fun\)"),
        (lambda x: (x[0], x[1]), TypeError, "returned a tuple"),
        (lambda x: np.sum(x).astype(str), TypeError, "returns floats"),
        (lambda x: np.trim_zeros(x).sum(), NotImplementedError, r"np\.trim_zeros has no rule.*np\.flatnonzero"),
        (lambda x: np.sum(np.power.reduceat(x, [0, 1])), NotImplementedError, r"np\.power\.reduceat has no rule"),
        (lambda x: np.sum(np.sin(x, where=X > 1)), NotImplementedError, r"np\.sin\(\.\.\., where=\)"),
        (lambda x: x.view(np.int64), NotImplementedError, r"\.view of an array has no rule"),
        (lambda x: x.no_such_thing, AttributeError, "no_such_thing"),
        (lambda x: np.linalg.svd(x[:2, None])[0].sum(), NotImplementedError, "linalg.svd adds .* full_matrices=False"),
        (lambda x: np.linalg.svd(x[None])[2].sum(), NotImplementedError, r"shape \(1, 3\).* full_matrices=False"),
        (lambda x: np.linalg.eigh(np.eye(3) * (x[0] * 0 + 1))[1].sum(), np.linalg.LinAlgError, "coincide"),
        (lambda x: (lambda u, s, v: u.sum())(*np.linalg.svd(np.eye(3) * (x * 0 + 1))), np.linalg.LinAlgError, "singular values coincide"),
        (lambda x: np.linalg.qr(x[:, None], "complete")[0].sum(), NotImplementedError, "mode='reduced'"),
        (lambda x: np.linalg.qr(x[:, None], "raw")[0].sum(), NotImplementedError, "mode='raw'"),
        (lambda x: np.sum(np.pad(x, 1, mode="empty")), NotImplementedError, "mode='empty'"),
        (lambda x: np.sum(np.pad(x, 1, mode="no such")), ValueError, "no such"),
        (lambda x: np.sum(np.pad(x, -1)), ValueError, "negative"),
    ],
)  # fmt: skip
def test_message(f: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        grad(f)(X)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (3, r"int.* have no derivative. Pass floats: 3\.0"),
        (np.arange(3), r"astype\(float\)"),
        (np.array([True]), "bool"),
        (np.array([1.0, None]), "objects cannot be differentiated"),
        ("text", "strings"),
        (np.array(["2024-01-01"], "M8[D]"), "dates"),
    ],
)
def test_arguments_refused(x: Any, message: str) -> None:
    for call in (
        lambda: grad(lambda x: 1.0)(x),
        lambda: jvp(lambda x: 1.0, (x,), (x,)),
        lambda: jacobian(lambda x: 1.0)(x),
    ):
        with pytest.raises(TypeError, match=message):
            call()


def test_wrong_numbers_and_shapes() -> None:
    with pytest.raises(TypeError, match="argnums=1 asks for argument 1, but 1 positional"):
        grad(np.sum, 1)(X)
    with pytest.raises(TypeError, match="two tuples of one length"):
        jvp(np.sin, X, X)
    with pytest.raises(ValueError, match=r"tangent of shape \(2,\).*\(3,\)"):
        jvp(np.sin, (X,), (X[:2],))
    with pytest.raises(ValueError, match=r"gradient of shape \(\).*\(3,\)"):
        vjp(np.sin, X)[1](1.0)
    with pytest.raises(ValueError, match="2 gradients for 1 outputs"):
        vjp(np.sin, X)[1]((X, X))


def test_storing_in_a_plain_array_is_refused_with_the_reason() -> None:
    for transform in (grad, trace, lambda f: lambda x: jvp(f, (x,), (x,)), lambda f: grad(grad(f)), jacobian):
        with pytest.raises(TypeError, match=r"stored in a plain array \(total\[i\] = x\).*np\.stack") as caught:
            transform(store_in_plain)(X)
        assert any(entry.name == "store_in_plain" for entry in caught.traceback)  # the line is still shown

    def another(x: Any) -> Any:
        np.zeros(3)[0] = [1, 2]

    with pytest.raises(ValueError, match="setting an array element with a sequence"):
        grad(another)(X)


def test_branches_are_allowed() -> None:
    assert grad(lambda x: x * 2 if x > 0 and np.isfinite(x) else x * 3)(1.0) == 2
    assert grad(lambda x: np.sum(x) if x.all() else x[0])(X)[1] == 1
    assert grad(lambda x: x * int(x))(2.5) == 2
    assert grad(lambda x: x * len(f"{x:.3f}"))(2.5) == 5
    assert grad(lambda x: x[np.argmax(x)] + x[x.argmin()])(X).tolist() == [1, 0, 1]


@pytest.mark.parametrize("n", [3, 40_000, 200_000])
def test_an_array_changed_in_between_is_detected(n: int) -> None:
    w, x = np.linspace(1, 2, n), np.linspace(0, 1, n)
    _, pull = vjp(lambda x: np.sum(x * w), x)
    w[[0, 1]] = w[[1, 0]]
    with pytest.raises(RuntimeError, match=r"constant of multiply, was changed"):
        pull(1.0)
    w[[0, 1]] = w[[1, 0]]
    np.testing.assert_array_equal(pull(1.0)[0], w)  # back as it was
    x[n // 2] += 1e-9
    np.testing.assert_array_equal(pull(1.0)[0], w)  # the gradient of x * w reads w alone
    for f in (
        lambda x: np.sum(x * x),
        lambda x: np.sum(np.sin(x[: n // 2 + 1])),
        lambda x: np.sum(w * x**2),
        lambda x: x @ x,
    ):
        _, pull = vjp(f, x)
        x[n // 2] += 1e-9
        with pytest.raises(RuntimeError, match="used as an argument"):
            pull(1.0)
    for same in (np.squeeze, np.real, np.ravel, np.atleast_1d, np.transpose):  # the argument itself or a view of it
        _, pull = vjp(lambda x, same=same: np.sum(np.sin(same(x))), x)
        x[n // 2] += 1e-9
        with pytest.raises(RuntimeError, match="used as an argument"):
            pull(1.0)
    value, pull = vjp(np.exp, x)
    value[0] = 7
    np.testing.assert_array_equal(pull(np.ones(n))[0], np.exp(x))

    def inside(x: Any) -> Any:
        buffer = np.ones(n)
        y = x * buffer
        buffer *= 2
        return np.sum(y)

    with pytest.raises(RuntimeError, match="was changed"):
        grad(inside)(x)
    index = np.array([0, 1])
    _, pull = vjp(lambda x: np.sum(x[index]), x)
    index[0] = 2
    with pytest.raises(RuntimeError, match="constant of getitem"):
        pull(1.0)

    def harmless(x: Any) -> Any:  # the rule of + reads nothing
        buffer = np.ones(n)
        y = x + buffer
        buffer *= 2
        return np.sum(y)

    assert grad(harmless)(x)[0] == 1


def test_an_escaped_value_is_refused() -> None:
    kept: list[Any] = []

    def f(x: Any) -> Any:
        kept.append(x)
        return np.sum(x)

    grad(f)(X)
    with pytest.raises(RuntimeError, match="after its transformation had ended"):
        np.sin(kept[0])
    jvp(f, (X,), (X,))
    with pytest.raises(RuntimeError, match="after its transformation had ended"):
        np.sin(kept[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "transform", [grad, jacobian, jacobian_forward, trace, lambda f: grad(checkpoint(f)), lambda f: grad(grad(f))]
)
def test_an_exception_leaves_nothing_behind(transform: Any) -> None:
    held: list[Any] = []

    def f(x: Any) -> Any:
        big = np.full(10, 2.0)
        held.append(weakref.ref(big))
        y = np.sum(x * big)
        if y > 0:
            raise KeyError("mine")
        return y

    with pytest.raises(KeyError, match="mine"):
        transform(f)(1.0)
    gc.collect()
    assert held[0]() is None
    assert grad(np.sin)(0.0) == 1


def test_memory_is_freed_without_the_garbage_collector() -> None:
    w = np.ones(5)
    seen = weakref.ref(w)
    gc.disable()
    try:
        grad(lambda x, w=w: np.sum(np.sin(x * w)))(X[0])
        del w
        assert seen() is None
    finally:
        gc.enable()


def test_threads_do_not_see_each_other() -> None:
    def cube(x: Any) -> Any:
        for _ in range(200):
            x = x * 1.0
        return x * grad(lambda y: y * y * x)(x)

    wrong: list[Any] = []

    def work(start: float) -> None:
        for i in range(10):
            x = start + i
            if abs(grad(cube)(x) - 6 * x**2) > 1e-9 * x**2:
                wrong.append(x)

    threads = [threading.Thread(target=work, args=(float(10 * k + 1),)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_thread_inside_a_traced_function() -> None:
    def f(x: Any) -> Any:
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.append(np.sin(x) * grad(lambda y: x * y * y)(x)))
        thread.start()
        thread.join()
        return found[0]

    assert grad(f)(1.3) == pytest.approx(np.cos(1.3) * 2 * 1.3**2 + np.sin(1.3) * 4 * 1.3)
