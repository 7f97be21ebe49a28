"""Traced: an array inside a function that is being differentiated, with an array's operators, attributes and methods."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mytorch.autodiff.aliases import Array, Function, Settings
from mytorch.autodiff.errors import INSTEAD, WRITES, cut, in_place, no_rule

TABLE: dict[Any, Function] = {}
"""The table of rules: for each NumPy function, the one that is called in its place when an argument is Traced.

That of np.ufunc serves every ufunc that is called with keywords or by one of its methods.
"""

OPERATORS = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide,
    "mod": np.remainder, "divmod": np.divmod, "pow": np.power, "matmul": np.matmul,
}  # fmt: skip
UNARY = {"neg": np.negative, "pos": np.positive, "abs": np.absolute}
COMPARISONS = ("lt", "le", "eq", "ne", "gt", "ge")
METHODS = (
    "all", "any", "argmax", "argmin", "argpartition", "argsort", "clip", "conj", "conjugate",
    "cumprod", "cumsum", "diagonal", "dot", "max", "mean", "min", "nonzero", "prod", "ptp", "ravel", "repeat", "round",
    "searchsorted", "squeeze", "std", "sum", "swapaxes", "take", "trace", "var",
)  # fmt: skip


class Traced:
    """An array, or a scalar, inside a function that is being differentiated. It behaves as its array does.

    ``value``: the array, itself Traced by an outer trace where transformations are nested. ``owner``: the trace that it
    belongs to, which records every operation on it. A subclass adds what its trace knows of the value.
    """

    __slots__ = ("owner", "value")
    __array_priority__ = 1000
    mapped = False  # True for a stack of examples, which stays one without its derivatives

    value: Array
    owner: Any

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            rule = TABLE.get(ufunc)
            if rule is not None:
                return rule(*inputs)
        return TABLE[np.ufunc](ufunc, method, inputs, kwargs)  # called in another way, or not known yet

    def __array_function__(self, function: Function, types: Any, args: tuple, kwargs: Settings) -> Any:
        rule = TABLE.get(function)
        if rule is None:
            raise no_rule(function)
        return rule(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """The attributes that nothing else defines: an array's that have no rule, or none at all."""
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"arrays have no attribute {name!r}")
        raise NotImplementedError(
            f".{name} of an array has no rule of differentiation. Use a NumPy function that has one: "
            "mytorch.autodiff.primitives() lists them."
        )

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    itemsize = property(lambda self: self.value.itemsize)
    nbytes = property(lambda self: self.value.nbytes)
    T = property(lambda self: TABLE[np.transpose](self))
    mT = property(lambda self: TABLE[np.swapaxes](self, -1, -2))
    real = property(lambda self: TABLE[np.real](self))
    imag = property(lambda self: TABLE[np.imag](self))

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The class of the array, so that isinstance(x, np.ndarray), or isinstance(x, float) of a scalar, says what it is."""
        return type(plain(self))

    def __bool__(self) -> bool:
        return bool(plain(self))

    def __int__(self) -> int:
        return int(plain(self))

    def __round__(self, ndigits: int | None = None) -> Any:
        return plain(self).__round__(ndigits)

    def __floor__(self) -> int:
        return math.floor(plain(self))

    def __ceil__(self) -> int:
        return math.ceil(plain(self))

    def __trunc__(self) -> int:
        return math.trunc(plain(self))

    def __len__(self) -> int:
        return len(plain(self))

    def __iter__(self) -> Iterator[Traced]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __repr__(self) -> str:
        return f"Traced({self.value!r})"

    def __str__(self) -> str:
        return str(plain(self))

    def __format__(self, spec: str) -> str:
        return format(plain(self), spec)

    def __getitem__(self, index: Any) -> Any:
        return TABLE[operator.getitem](self, plain(index))

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: dict) -> Any:
        return self.copy()

    def copy(self, order: str = "C") -> Any:
        return TABLE[np.copy](self, order)

    def choose(self, choices: Any, out: Any = None, mode: str = "raise") -> Any:
        return TABLE[np.choose](self, choices, out, mode)

    def compress(self, condition: Any, axis: int | None = None, out: Any = None) -> Any:
        return TABLE[np.compress](condition, self, axis, out)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        return TABLE[np.ndarray.astype](self, dtype, *args, **kwargs)

    def flatten(self, order: str = "C") -> Any:
        return TABLE[np.ravel](self, order)

    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        return TABLE[np.reshape](self, _one_or_all(shape), **kwargs)

    def transpose(self, *axes: Any) -> Any:
        return TABLE[np.transpose](self, _one_or_all(axes) if axes else None)


def plain(value: Any) -> Any:
    """The array under all traces, also inside tuples, lists and dicts."""
    while isinstance(value, Traced):
        if value.mapped:
            return value.plain()
        value = value.value
    if type(value) in (tuple, list):
        return type(value)(plain(part) for part in value)
    return {key: plain(part) for key, part in value.items()} if type(value) is dict else value


def dtype_of(value: Any) -> np.dtype:
    """The dtype of an array, a number or a traced value, or that of the array that a list makes."""
    value = plain(value)
    return value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype


def is_float(value: Any) -> bool:
    """True if a gradient can flow through the value: its dtype is a real or complex floating one."""
    dtype = getattr(value, "dtype", None)
    return dtype is not None and dtype.kind in "fc"


def is_float_or_number(value: Any) -> bool:
    """True for what is_float is true for, and for Python's own floating and complex numbers."""
    return is_float(value) or type(value) in (float, complex)


def _one_or_all(args: tuple) -> Any:
    """The shape or axes of a method that takes them as one tuple or one by one."""
    return args[0] if len(args) == 1 and not isinstance(args[0], (int, np.integer)) else args


def _raiser(make: Callable[..., Exception], *what: str) -> Function:
    def refuse(self: Traced, *args: Any, **kwargs: Any) -> Any:
        raise make(*what)

    return refuse


def _add_operators() -> None:
    for name, ufunc in OPERATORS.items():
        setattr(Traced, f"__{name}__", lambda a, b, ufunc=ufunc: TABLE[ufunc](a, b))
        setattr(Traced, f"__r{name}__", lambda a, b, ufunc=ufunc: TABLE[ufunc](b, a))
    for name, ufunc in UNARY.items():
        setattr(Traced, f"__{name}__", lambda a, ufunc=ufunc: TABLE[ufunc](a))
    for name in COMPARISONS:
        compare = getattr(operator, name)
        setattr(Traced, f"__{name}__", lambda a, b, compare=compare: compare(plain(a), plain(b)))


def _add_methods() -> None:
    for name in METHODS:
        function = getattr(np, name)
        setattr(Traced, name, lambda x, *args, function=function, **kwargs: TABLE[function](x, *args, **kwargs))


def _add_refusals() -> None:
    for name, what in {
        "__array__": "np.asarray(x)", "__float__": "float(x)", "__complex__": "complex(x)", "__hash__": "hash(x)",
        "__reduce_ex__": "pickle.dumps(x)",
    }.items():  # fmt: skip
        setattr(Traced, name, _raiser(cut, what))
    for name, what in {"__setitem__": "x[i] = v", "__delitem__": "del x[i]"}.items():
        setattr(Traced, name, _raiser(in_place, what, WRITES["x[i] = v"]))
    for what in INSTEAD:
        if what.startswith("x."):
            setattr(Traced, what[2:].split("(")[0], _raiser(cut, what))
    for what, instead in WRITES.items():
        if what.startswith("x."):
            setattr(Traced, what[2:].split("(")[0], _raiser(in_place, what, instead))


_add_operators()
_add_methods()
_add_refusals()
