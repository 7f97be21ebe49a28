"""NumPy, with array constructors that take values of a function that is being differentiated.

``np.array([x[0], x[1]])`` asks each entry for its number and gives NumPy no way to hand the call on, so it is refused. Here
``array``, ``asarray``, ``full``, ``append``, ``r_`` and the like stack such entries, and so do ``mean`` and other reductions
of a list; every other name is NumPy's own::

    import mytorch.autodiff.numpy as np
"""

from __future__ import annotations

import functools
from typing import Any

import numpy

from mytorch.autodiff.traced import Traced, plain
from mytorch.autodiff.tree import flatten


def array(object: Any, dtype: Any = None, *, copy: bool | None = True, ndmin: int = 0, **kwargs: Any) -> Any:
    """numpy.array; of nested lists or tuples with traced entries, the stack of them."""
    if not _traced(object):
        return numpy.array(object, dtype, copy=copy, ndmin=ndmin, **kwargs)
    if kwargs:
        raise NotImplementedError(
            f"array of traced entries has no setting {next(iter(kwargs))!r}. It takes dtype, copy and ndmin."
        )
    result = _stacked(object)
    result = numpy.reshape(result, (1,) * (ndmin - result.ndim) + result.shape) if ndmin > result.ndim else result
    wanted = numpy.dtype(plain(result).dtype if dtype is None else dtype)
    return result.astype(wanted) if wanted != result.dtype else result.copy() if result is object and copy else result


def asarray(a: Any, dtype: Any = None, **kwargs: Any) -> Any:
    """numpy.asarray; a traced array is returned as it is."""
    return array(a, dtype, copy=None, **kwargs) if _traced(a) else numpy.asarray(a, dtype, **kwargs)


asanyarray = ascontiguousarray = asarray


def full(shape: Any, fill_value: Any, dtype: Any = None, **kwargs: Any) -> Any:
    """numpy.full, also of a traced number."""
    if not _traced(fill_value):
        return numpy.full(shape, fill_value, dtype, **kwargs)
    return array(numpy.broadcast_to(asarray(fill_value), shape), dtype, **kwargs)


def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """numpy.append, also of lists with traced entries."""
    return numpy.append(asarray(arr), asarray(values), axis)


def stack(arrays: Any, axis: int = 0, **kwargs: Any) -> Any:
    """numpy.stack, also of lists of lists with traced entries."""
    return numpy.stack([asarray(part) for part in arrays], axis, **kwargs)


def concatenate(arrays: Any, axis: int | None = 0, **kwargs: Any) -> Any:
    """numpy.concatenate, also of lists with traced entries."""
    return numpy.concatenate([asarray(part) for part in arrays], axis, **kwargs)


class _Joining:
    """``r_`` and ``c_``: numbers, lists and arrays joined by indexing, slices meaning ranges as in NumPy."""

    def __init__(self, whole: Any, columns: bool) -> None:
        self.whole, self.columns = whole, columns

    def __getitem__(self, key: Any) -> Any:
        if not _traced(key if isinstance(key, tuple) else (key,)):
            return self.whole[key]
        parts = key if isinstance(key, tuple) else (key,)
        if any(isinstance(part, str) for part in parts):
            raise NotImplementedError(
                "r_ and c_ of traced values take no directives as strings. Use np.concatenate or np.stack."
            )
        arrays = [numpy.r_[part] if isinstance(part, slice) else numpy.atleast_1d(asarray(part)) for part in parts]
        if self.columns:
            return numpy.concatenate([a[:, None] if a.ndim == 1 else a for a in arrays], axis=-1)
        return numpy.concatenate(arrays, axis=0)


r_, c_ = _Joining(numpy.r_, False), _Joining(numpy.c_, True)


def _traced(value: Any) -> bool:
    return any(
        isinstance(leaf, Traced) for leaf in (flatten(value)[0] if isinstance(value, (tuple, list)) else [value])
    )


def _stacked(value: Any) -> Any:
    if isinstance(value, Traced) or not isinstance(value, (tuple, list)):
        return value if isinstance(value, Traced) else numpy.asarray(value)
    parts = [_stacked(part) for part in value]
    if len({numpy.shape(part) for part in parts}) > 1:
        raise ValueError(f"array got parts of the shapes {[numpy.shape(p) for p in parts]}. They have to be equal.")
    return numpy.stack(parts)


def _of_lists(fun: Any) -> Any:
    """The function, which also takes a list with traced entries for its array."""

    @functools.wraps(fun)
    def call(a: Any, *args: Any, **kwargs: Any) -> Any:
        return fun(asarray(a) if _traced(a) else a, *args, **kwargs)

    return call


for _name in ("average", "cumprod", "cumsum", "max", "mean", "median", "min", "prod", "std", "sum", "var"):
    globals()[_name] = _of_lists(getattr(numpy, _name))


def __getattr__(name: str) -> Any:
    return getattr(numpy, name)


def __dir__() -> list[str]:
    return sorted({*dir(numpy), *globals()})
