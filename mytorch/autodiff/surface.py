"""What makes Traced look like an array: its operators, attributes and methods, and the ways to call a ufunc."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from mytorch.autodiff.errors import INSTEAD, WRITES, cut, in_place, no_rule
from mytorch.autodiff.tracer import TABLE, Traced, plain

OPERATORS = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide,
    "mod": np.remainder, "divmod": np.divmod, "pow": np.power, "matmul": np.matmul,
}  # fmt: skip
UNARY = {"neg": np.negative, "pos": np.positive, "abs": np.absolute}
COMPARISONS = ("lt", "le", "eq", "ne", "gt", "ge")
METHODS = [
    "all", "any", "argmax", "argmin", "argpartition", "argsort", "choose", "clip", "compress", "conj", "conjugate",
    "cumprod", "cumsum", "diagonal", "dot", "max", "mean", "min", "nonzero", "prod", "ravel", "repeat", "round",
    "searchsorted", "squeeze", "std", "sum", "swapaxes", "take", "trace", "var",
]  # fmt: skip
# ufunc.reduce and ufunc.accumulate, by the functions that do the same.
REDUCTIONS: dict[Any, tuple[Any, Any]] = {
    np.add: (np.sum, np.cumsum), np.multiply: (np.prod, np.cumprod),
    np.maximum: (np.max, None), np.minimum: (np.min, None),
}  # fmt: skip


def call_ufunc(ufunc: Any, method: str, inputs: tuple, kwargs: dict[str, Any]) -> Any:
    """A ufunc called in another way than ``ufunc(*inputs)``: with keywords, or through one of its methods."""
    out = kwargs.pop("out", None)
    if any(part is not None for part in (out if isinstance(out, tuple) else (out,))):
        raise in_place(f"{ufunc.__name__}(..., out=y), or an operator such as y += x,", WRITES["out="])
    if method == "at":
        raise in_place(f"np.{ufunc.__name__}.at", WRITES["x[i] = v"])
    rule = TABLE.get(ufunc)
    if rule is None:
        raise no_rule(ufunc)
    if ufunc.signature is not None and method == "__call__" and ufunc is not np.matmul:
        return rule(*inputs, **kwargs)
    if method == "outer":
        a, b = inputs
        return rule(np.reshape(a, np.shape(a) + (1,) * np.ndim(b)), b)
    if method in ("reduce", "accumulate"):
        replacement = REDUCTIONS.get(ufunc, (None, None))[method == "accumulate"]
        if replacement is not None:
            kwargs.setdefault("axis", 0)
            return TABLE[replacement](*inputs, **kwargs)
    dtype = kwargs.pop("dtype", None)
    if method != "__call__" or kwargs:
        given = (
            f"np.{ufunc.__name__}.{method}"
            if method != "__call__"
            else f"np.{ufunc.__name__}(..., {next(iter(kwargs))}=)"
        )
        raise NotImplementedError(
            f"{given} has no rule of differentiation. Call np.{ufunc.__name__}(...) and np.where instead."
        )
    return rule(*(inputs if dtype is None else [_cast(x, dtype) for x in inputs]))


def _cast(x: Any, dtype: Any) -> Any:
    return x.astype(dtype) if hasattr(x, "astype") else np.asarray(x, dtype)


def _binary(ufunc: Any) -> tuple[Callable, Callable]:
    return lambda a, b: TABLE[ufunc](a, b), lambda a, b: TABLE[ufunc](b, a)


def _unary(ufunc: Any) -> Callable:
    return lambda a: TABLE[ufunc](a)


def _comparison(compare: Callable) -> Callable:
    return lambda a, b: compare(plain(a), plain(b))


def _method(function: Any) -> Callable:
    return lambda x, *args, **kwargs: TABLE[function](x, *args, **kwargs)


def _raiser(make: Callable[..., Exception], *what: str) -> Callable:
    def refuse(self: Traced, *args: Any, **kwargs: Any) -> Any:
        raise make(*what)

    return refuse


def _shape_of(args: tuple) -> Any:
    return args[0] if len(args) == 1 and not isinstance(args[0], (int, np.integer)) else args


def _getattr(self: Traced, name: str) -> Any:
    """The attributes that nothing else defines: an array's that have no rule, or none at all."""
    if name.startswith("__") or not hasattr(np.ndarray, name):
        raise AttributeError(f"arrays have no attribute {name!r}")
    raise NotImplementedError(
        f".{name} of an array has no rule of differentiation. Use a NumPy function that has one: "
        "mytorch.autodiff.primitives() lists them."
    )


def _bool(self: Traced) -> bool:
    return bool(plain(self))


def _iterate(self: Any) -> Any:
    if not self.shape:
        raise TypeError("iteration over a 0-d array")
    return (self[i] for i in range(self.shape[0]))


def _format(self: Traced, spec: str) -> str:
    return format(plain(self), spec)


def furnish(getitem: Callable, astype: Callable, copy: Callable) -> None:
    """Give Traced its operators, attributes and methods, once the rules are in the table."""
    attributes: dict[str, Any] = {
        "__getattr__": _getattr, "__bool__": _bool, "__iter__": _iterate, "__format__": _format, "__hash__": None,
        "__len__": lambda x: len(plain(x)), "__int__": lambda x: int(plain(x)),
        "__repr__": lambda x: f"Traced({x.value!r})", "__str__": lambda x: str(plain(x)),
        "__getitem__": lambda x, index: getitem(x, plain(index)), "__copy__": copy, "__deepcopy__": lambda x, _: copy(x),
        "shape": property(lambda x: x.value.shape), "dtype": property(lambda x: x.value.dtype),
        "ndim": property(lambda x: x.value.ndim), "size": property(lambda x: x.value.size),
        "itemsize": property(lambda x: x.value.itemsize), "nbytes": property(lambda x: x.value.nbytes),
        "T": property(lambda x: np.transpose(x)), "mT": property(lambda x: np.swapaxes(x, -1, -2)),
        "real": property(lambda x: np.real(x)), "imag": property(lambda x: np.imag(x)),
        "reshape": lambda x, *shape, **kwargs: np.reshape(x, _shape_of(shape), **kwargs),
        "transpose": lambda x, *axes: np.transpose(x, _shape_of(axes) if axes else None),
        "flatten": lambda x, *args: np.ravel(x, *args), "copy": lambda x, *args: copy(x), "astype": astype,
        "ptp": lambda x, *args, **kwargs: np.ptp(x, *args, **kwargs),
        "__array__": _raiser(cut, "np.asarray(x)"), "__float__": _raiser(cut, "float(x)"),
        "__complex__": _raiser(cut, "complex(x)"), "__setitem__": _raiser(in_place, "x[i] = v", WRITES["x[i] = v"]),
        "__delitem__": _raiser(in_place, "del x[i]", WRITES["x[i] = v"]),
    }  # fmt: skip
    for what in INSTEAD:
        if what.startswith("x."):
            attributes[what[2:-2]] = _raiser(cut, what)
    for what, instead in WRITES.items():
        if what.startswith("x."):
            attributes[what[2:].split("(")[0]] = _raiser(in_place, what, instead)
    for name, ufunc in OPERATORS.items():
        attributes[f"__{name}__"], attributes[f"__r{name}__"] = _binary(ufunc)
    for name, ufunc in UNARY.items():
        attributes[f"__{name}__"] = _unary(ufunc)
    for name in COMPARISONS:
        attributes[f"__{name}__"] = _comparison(getattr(operator, name))
    for name in METHODS:
        if getattr(np, name) in TABLE:
            attributes[name] = _method(getattr(np, name))
    for name, value in attributes.items():
        setattr(Traced, name, value)
