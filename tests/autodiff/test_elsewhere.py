"""Names of other projects against those projects; trees; array constructors."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict
from typing import Any, NamedTuple

import numpy as np
import pytest

import mytorch.autodiff.numpy as tnp
from mytorch import autodiff as ad

X, V = np.array([0.5, -1.2, 2.0]), np.array([1.0, 0.3, -2.0])


def energy(m: Any) -> Any:
    return lambda x, y=2.0: m.sum(m.sin(x) * x**2) * y + x[0] * x[1]


CALLS = {
    "make_vjp": lambda lib, m: lib.make_vjp(m.tanh)(X)[0](V),
    "make_vjp value": lambda lib, m: lib.make_vjp(m.tanh)(X)[1],
    "make_jvp": lambda lib, m: lib.make_jvp(m.tanh)(X)(V)[1],
    "make_hvp": lambda lib, m: lib.make_hvp(energy(m))(X)[0](V),
    "make_hvp gradient": lambda lib, m: lib.make_hvp(energy(m))(X)[1],
    "make_ggnvp": lambda lib, m: lib.make_ggnvp(m.tanh)(X)(V),
    "tensor_jacobian_product": lambda lib, m: lib.tensor_jacobian_product(m.tanh)(X, V),
    "tensor_jacobian_product of some axes": lambda lib, m: lib.tensor_jacobian_product(lambda x: m.outer(x, x) * x)(
        X, V
    ),
    "hessian_vector_product": lambda lib, m: lib.hessian_vector_product(energy(m))(X, V),
    "grad_named": lambda lib, m: lib.grad_named(energy(m), "y")(X, 3.0),
    "grad_and_aux": lambda lib, m: lib.grad_and_aux(lambda x: (energy(m)(x), 1.0))(X)[0],
    "argnum": lambda lib, m: lib.grad(lambda x, y: energy(m)(x, y), argnum=1)(X, 3.0),
    "deriv": lambda lib, m: lib.deriv(m.tanh)(0.3),
    "holomorphic_grad": lambda lib, m: lib.holomorphic_grad(lambda z: z**3)(1 + 2j),
}


@pytest.mark.parametrize("name", CALLS)
def test_as_in_autograd(name: str) -> None:
    theirs = pytest.importorskip("autograd")
    module = pytest.importorskip("autograd.numpy")
    call = CALLS[name]
    if name in ("grad_named", "deriv") and not hasattr(theirs, name):
        pytest.skip(f"this autograd has no {name}")
    np.testing.assert_allclose(call(ad, np), call(theirs, module), rtol=1e-12)


def test_vectors_of_trees_can_be_differentiated() -> None:
    tree = {"W": np.arange(4.0).reshape(2, 2), "b": [1.0, np.ones(2)]}
    vector, unflatten = ad.flatten(tree)
    np.testing.assert_array_equal(vector, [0, 1, 2, 3, 1, 1, 1])
    f = lambda tree: np.sum(tree["W"] @ tree["b"][1]) * tree["b"][0]  # noqa: E731
    np.testing.assert_allclose(ad.grad(lambda v: f(unflatten(v)))(vector), ad.flatten(ad.grad(f)(tree))[0])
    np.testing.assert_allclose(ad.grad(lambda t: np.sum(ad.flatten(t)[0] ** 2))(tree)["W"], 2 * tree["W"])
    assert ad.flatten([])[0].shape == (0,)


@pytest.mark.parametrize("argnums", ["y", ("y",), ("x", 1), -1])
def test_arguments_by_name(argnums: Any) -> None:
    f = lambda x, y, *, z=1.0: x * y**2 * z  # noqa: E731
    found = ad.grad(f, argnums)(2.0, 3.0)
    assert found == {"y": 12, ("y",): (12,), ("x", 1): (9, 12), -1: 12}[argnums]


def test_arguments_given_by_name() -> None:
    f = lambda x, y, *, z=1.0: x * y**2 * z  # noqa: E731
    assert ad.grad(f, "y")(2.0, y=3.0) == 12
    assert ad.grad(f, ("z", 0))(2.0, 3.0, z=5.0) == (18, 45)
    assert ad.jacobian(f, "z")(2.0, 3.0, z=5.0) == 18
    with pytest.raises(TypeError, match="argnums='w' asks for argument"):
        ad.grad(f, "w")(2.0, 3.0)
    with pytest.raises(TypeError, match="0 positional argument"):
        ad.grad(f)(x=2.0, y=3.0)


def test_custom_derivatives_to_second_order_and_of_several_arguments() -> None:
    @ad.custom_vjp
    def scaled(x: Any, y: Any) -> Any:
        return np.sin(x) * y

    scaled.defvjp(
        lambda x, y: (np.sin(x) * y, (x, y)), lambda r, g: (g * np.cos(r[0]) * r[1], np.sum(g * np.sin(r[0])))
    )
    ad.check_grads(scaled, (X, np.float64(1.5)), modes=("rev",))
    np.testing.assert_allclose(scaled(X, 2.0), 2 * np.sin(X))
    np.testing.assert_allclose(ad.jacobian(lambda x: scaled(x, 2.0))(X), np.diag(2 * np.cos(X)))
    with pytest.raises(NotImplementedError, match="no jvp rule"):
        ad.jvp(lambda x: scaled(x, 1.0), (X,), (V,))

    @ad.custom_jvp
    def product(x: Any, y: Any) -> Any:
        return x * y

    product.defjvp(lambda p, t: (p[0] * p[1], t[0] * p[1] + p[0] * t[1]))
    ad.check_grads(product, (X, V))
    ad.check_grads(lambda x: product(x, V), (X,))

    @ad.custom_jvp
    def quotient(x: Any, y: Any) -> Any:
        return x / y

    quotient.defjvps(lambda t, value, x, y: t / y, lambda t, value, x, y: -t * value / y)
    ad.check_grads(quotient, (X, V))

    @ad.custom_vjp
    def halves(x: Any) -> Any:
        return x / 2, x * 2

    halves.defvjp(lambda x: ((x / 2, x * 2), None), lambda r, g: (g[0] / 2 + g[1] * 2,))
    np.testing.assert_allclose(ad.grad(lambda x: np.sum(halves(x)[1]))(X), np.full(3, 2.0))


@dataclasses.dataclass(frozen=True)
class Layer:
    W: Any
    power: int = 2
    name: str = "layer"
    active: bool = True


class Pair(NamedTuple):
    a: Any
    n: Any


class Own(dict):
    """A dict whose class needs an argument."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label


def test_trees_of_every_class() -> None:
    own = Own("mine")
    own["w"] = 2.0
    cases: list[tuple[Any, Any, Any]] = [
        (defaultdict(list, w=2.0, n=3), lambda t: t["w"] ** t["n"], lambda g: g == {"w": 12.0, "n": None}),
        (OrderedDict(b=2.0, a=5.0), lambda t: t["a"] * t["b"], lambda g: list(g.items()) == [("b", 5.0), ("a", 2.0)]),
        (own, lambda t: t["w"] ** 2, lambda g: g == {"w": 4.0} and g.label == "mine"),
        (Pair(2.0, 3), lambda t: t.a**t.n, lambda g: g == Pair(12.0, None)),
        (Layer(2.0, 3), lambda t: t.W**t.power, lambda g: g == Layer(12.0, None, None, None)),
        ([2.0, "relu", None], lambda t: t[0] ** 2, lambda g: g == [4.0, None, None]),
        (
            {"x": 2.0, "rows": np.array([0, 1])},
            lambda t: t["x"] * len(t["rows"]),
            lambda g: g == {"x": 2.0, "rows": None},
        ),
        ([Layer(3.0), (Layer(2.0),)], lambda t: t[0].W * t[1][0].W, lambda g: g[1][0].W == 3.0),
    ]
    for tree, f, right in cases:
        g = ad.grad(f)(tree)
        assert type(g) is type(tree)
        assert right(g)
        value, pull = ad.vjp(f, tree)
        assert value == f(tree)
        assert right(pull(1.0)[0])
    assert ad.grad(cases[0][1])(cases[0][0]).default_factory is list
    assert ad.jvp(lambda t: t["w"] ** t["n"], ({"w": 2.0, "n": 3},), ({"w": 1.0, "n": 0},))[1] == 12
    assert ad.jvp(lambda t: t["w"] ** t["n"], ({"w": 2.0, "n": 3},), ({"w": 1.0, "n": None},))[1] == 12
    with pytest.raises(ValueError, match="tangent"):
        ad.jvp(lambda t: t["w"] * t["v"], ({"w": 2.0, "v": 3.0},), ({"w": 1.0, "v": None},))
    value, tangent = ad.jvp(lambda x: {"y": x * 2}, (X,), (V,))
    np.testing.assert_allclose(tangent["y"], 2 * V)


@pytest.mark.parametrize("tree", [3, [1, 2.0], (2.0, True), {"n": 3}, np.arange(3), Pair(1, 2)])
def test_numbers_that_may_be_meant(tree: Any) -> None:
    with pytest.raises(TypeError, match="integers have no derivative"):
        ad.grad(lambda t: 1.0)(tree)


def test_a_result_of_one_leaf_is_no_scalar() -> None:
    for make in (lambda x: [x], lambda x: {"x": x}, lambda x: Pair(x, x)):
        with pytest.raises(TypeError, match=r"returned a (list|dict|Pair)"):
            ad.grad(make)(2.0)


CONSTRUCTORS = {
    "array": lambda m, x: m.array([x[0] * x[1], x[2], 1.0]),
    "array nested": lambda m, x: m.array([[x[0], 2.0], [x[1], x[2]]]),
    "array of arrays": lambda m, x: m.array((x, x * x)),
    "array of one": lambda m, x: m.array(x, ndmin=2),
    "array of a number": lambda m, x: m.array(x[0]),
    "array narrowed": lambda m, x: m.array([x[0], x[1]], dtype=m.float32),
    "asarray": lambda m, x: m.asarray([x[0], x[1]]) * m.asarray(x)[:2],
    "full": lambda m, x: m.full((2, 3), x[0]),
    "full rows": lambda m, x: m.full((2, 3), x),
    "append": lambda m, x: m.append(x, [x[0], 3.0]),
    "append rows": lambda m, x: m.append(x[None], [[1.0, x[0], x[1]]], axis=0),
    "r_": lambda m, x: m.r_[x, 1:3, x[0], 7.0, [x[1]]],
    "c_": lambda m, x: m.c_[x, x * x],
    "stack": lambda m, x: m.stack([[x[0], x[1]], [1.0, x[2]]]),
    "concatenate": lambda m, x: m.concatenate([[x[0], 1.0], x]),
    "sin": lambda m, x: m.sin(x),
    "mean of a list": lambda m, x: m.mean([x[0], 2 * x[1]]),
    "std of lists": lambda m, x: m.std([x, x * x, [1.0, 2.0, 3.0]], axis=0),
}


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_array_constructors(name: str) -> None:
    f = CONSTRUCTORS[name]
    wanted = f(np, X)
    for given in (f(tnp, X), ad.vjp(lambda x: f(tnp, x), X)[0]):
        assert np.shape(given) == np.shape(wanted)
        assert np.asarray(given).dtype == wanted.dtype
        np.testing.assert_array_equal(given, wanted)
    if name != "array narrowed":
        ad.check_grads(lambda x: f(tnp, x), (X,))
    np.testing.assert_array_equal(ad.vmap(lambda x: f(tnp, x))(np.stack([X, V]))[1], f(np, V))


def test_what_array_constructors_refuse() -> None:
    with pytest.raises(TypeError, match=r"import mytorch\.autodiff\.numpy as np"):
        ad.grad(lambda x: np.sum(np.array([x[0], x[1]])))(X)
    with pytest.raises(ValueError, match="equal"):
        ad.grad(lambda x: np.sum(tnp.array([x, x[:2]])))(X)
    with pytest.raises(NotImplementedError, match="order"):
        ad.grad(lambda x: np.sum(tnp.array([x], order="F")))(X)
    with pytest.raises(NotImplementedError, match="directives"):
        ad.grad(lambda x: np.sum(tnp.r_["0,2", x, x]))(X)
    assert tnp.pi == np.pi
    assert tnp.linalg is np.linalg
    assert {"array", "sin"} <= set(dir(tnp))
    with pytest.raises(AttributeError):
        tnp.nothing  # noqa: B018
