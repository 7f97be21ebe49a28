"""Errors for what a traced function must not do. Each message says what to write instead."""

from __future__ import annotations

import sys
from itertools import takewhile
from typing import Any

CUT = "{what} would take the number out of the trace, and its gradient would silently be zero. {instead}"

INSTEAD = {
    "float(x)": "Keep x as it is: NumPy's functions take it like an array (np.sin(x), not math.sin(x)). For printing use "
    'print(x) or f"{x}".',
    "complex(x)": "Keep x as it is, or write x.astype(complex).",
    "np.asarray(x)": "x already behaves as an array; to build one from several numbers use np.stack([a, b]) instead of "
    "np.array([a, b]), np.concatenate for arrays, and np.broadcast_to(v, shape) instead of np.full(shape, v). Or write "
    "import mytorch.autodiff.numpy as np: its array, asarray, full, append and r_ take such values.",
    "hash(x)": "A set, a dict or a cache would know the value and not its trace. Use id(x), or a plain number as the key.",
    "pickle.dumps(x)": "Return x from the function and store it outside, or copy it with copy.copy(x).",
    "x.tobytes()": "Store arrays outside of the function that is differentiated.",
    "x.tofile()": "Store arrays outside of the function that is differentiated.",
    "x.dump()": "Store arrays outside of the function that is differentiated.",
    "x.dumps()": "Store arrays outside of the function that is differentiated.",
    "x.item()": "Keep x as it is, or index it: x[0].",
    "np.nditer(x)": "Iterate over x itself, for row in x, or over its indices: for index in np.ndindex(x.shape).",
    "x.tolist()": "Iterate over x itself: for entry in x.",
}

WITH_RULES = ("integrate", "linalg", "signal", "sparse", "special", "stats")
"""The modules of SciPy some of whose functions mytorch.autodiff.scipy has rules for."""


def cut(what: str, instead: str | None = None) -> TypeError:
    """The error for what would cut the path of the gradient."""
    function = _called_by_scipy()
    if function is not None:
        module = function.split(".")[1]
        what = f"{function} copies its arguments into plain arrays, which"
        instead = (
            "Call it outside of the function that is differentiated, or give it a rule: see mytorch.autodiff.primitive."
        )
        if module in WITH_RULES:
            instead = (
                f"Many functions of scipy.{module} have a derivative in a module of the same name: from mytorch.autodiff.scipy "
                f"import {module}. Any other needs a rule: see mytorch.autodiff.primitive."
            )
    return TypeError(CUT.format(what=what, instead=instead or INSTEAD[what]))


def in_place(what: str, instead: str) -> TypeError:
    """The error for writing into a traced array."""
    return TypeError(
        f"{what} writes into an array that is being differentiated, and the list of operations needs the values from "
        f"before. Make a new array instead: {instead}"
    )


def subclass(array: Any, where: str) -> TypeError:
    """The error for arrays of a subclass, such as masked arrays and np.matrix, whose operations mean something else."""
    name = f"{type(array).__module__}.{type(array).__name__}".replace("numpy", "np", 1)
    return TypeError(
        f"{where} is a {name}, a subclass of np.ndarray with operations of its own, which the rules do not know. Pass a plain "
        "array, np.asarray(x), and the mask of a masked array as an array beside it."
    )


WRITES = {
    "x[i] = v": "x = np.where(mask, v, x) with a boolean mask, or np.concatenate([x[:i], [v], x[i+1:]]) along the axis.",
    "out=": "y = np.add(a, b), and total = total + y instead of total += y where total is a plain array.",
    "x.sort()": "x = np.sort(x).",
    "x.partition()": "x = np.partition(x, kth).",
    "x.fill(v)": "x = np.broadcast_to(v, shape).",
    "x.put(i, v)": "x = np.where(mask, v, x).",
    "x.resize(shape)": "x = np.resize(x, shape) of a plain array, or x.reshape(shape).",
}


RESULT = (
    "The function returned {what}. What is differentiated returns floats: return the number that depends on the arguments. "
    "has_aux=True passes other results on beside it."
)


def no_float(leaves: list) -> TypeError:
    """The error for a function that returned nothing with a derivative."""
    what = f"a value of type {type(leaves[0]).__name__}" if leaves else "None"
    dtype = getattr(leaves[0], "dtype", None) if leaves else None
    return TypeError(RESULT.format(what=what if dtype is None else f"a value of dtype {dtype}"))


STORED = (
    "A value that is being differentiated was stored in a plain array (total[i] = x), which takes the number out of the trace, "
    "and its gradient would silently be zero. Collect the values in a list and join them: np.stack(values), or np.concatenate "
    "for arrays; np.where(mask, x, total) replaces some entries of an array."
)


def in_our_words(error: Exception) -> TypeError | None:
    """Our error for one of NumPy's that a traced value has caused: stored in a plain array, or given to np.nditer."""
    cause = error.__cause__
    if isinstance(cause, TypeError) and "out of the trace" in str(cause):
        return TypeError(STORED)
    return cut("np.nditer(x)") if "WRITEBACKIFCOPY" in str(error) else None


def full_name(function: Any) -> str:
    """A function's name as one writes it: np.sort, np.linalg.norm, scipy.special.erf; otherwise its own name."""
    name = getattr(function, "__name__", repr(function))
    for module in ("scipy.special", "scipy.special._ufuncs"):  # a ufunc does not know its module
        if getattr(sys.modules.get(module), name, None) is function:
            return f"scipy.special.{name.lstrip('_')}"
    module = _public(getattr(function, "__module__", None) or "numpy")
    return f"{module.replace('numpy', 'np', 1)}.{name}" if module.partition(".")[0] in ("numpy", "scipy") else name


def _public(module: str) -> str:
    """The module under which a function is offered: scipy.linalg, and not scipy.linalg._basic where it is written."""
    return ".".join(takewhile(lambda part: not part.startswith("_"), module.split(".")))


def _called_by_scipy() -> str | None:
    """The function of SciPy that has just asked a traced value for a number or an array, if one has."""
    name, frame = None, sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        library = module.partition(".")[0]
        if library == "scipy":
            decorated = frame.f_locals.get("f")  # in scipy._lib lie the decorators of its functions
            if not module.startswith("scipy._"):
                name = f"{_public(module)}.{frame.f_code.co_name}"
            elif getattr(decorated, "__module__", "").startswith("scipy."):
                name = full_name(decorated)
        elif name or library not in ("mytorch", "numpy"):
            break
        frame = frame.f_back  # type: ignore[assignment]
    return name


def no_float_argument(array: Any) -> TypeError:
    """The error for an argument to differentiate that holds integers, or no numbers at all."""
    given = f"An argument of dtype {array.dtype} was given"
    if array.dtype.kind in "iub":
        instead = "x.astype(float)" if array.ndim else repr(float(array))
        return TypeError(
            f"{given}, and integers have no derivative. Pass floats: {instead}. (argnums chooses the arguments to "
            "differentiate.)"
        )
    kinds = {"O": "objects", "U": "strings", "S": "bytes", "M": "dates", "m": "time spans"}
    return TypeError(
        f"{given}: {kinds.get(array.dtype.kind, 'records')} cannot be differentiated. Pass arrays of floats; argnums chooses "
        "the arguments to differentiate, the others may be anything."
    )


def not_one_number(value: Any, shape: tuple | None) -> TypeError:
    """The error for grad of a function with several results, or of a result with several entries."""
    what = f"a {type(value).__name__}" if shape is None else f"an array of shape {shape}"
    return TypeError(
        f"grad differentiates functions that return one number, and this one returned {what}. Reduce it to a scalar "
        "(result.sum() or result.mean()), or use jacobian(fun), or elementwise_grad(fun) for a function that works entry by "
        "entry."
    )


def complex_result() -> TypeError:
    """The error for grad of a complex result that nobody called holomorphic."""
    return TypeError(
        "grad differentiates real-valued functions, and this one returned a complex number. Take a real part of it, such as "
        "np.abs(result)**2, or pass holomorphic=True if it has a complex derivative."
    )


def changed(array: Any, where: str) -> RuntimeError:
    """The error for an array that was changed before the backward pass read it."""
    return RuntimeError(
        f"An array of shape {array.shape}, used as {where if ' ' in where else 'a constant of ' + where}, was changed between "
        "the forward pass and the backward pass, so its gradients would be wrong. Leave arrays as they are until the gradient "
        "is there, or give the function a copy: array.copy()."
    )


IN_PLACE = {"copyto", "place", "put", "putmask", "put_along_axis", "fill_diagonal"}
"""Functions of NumPy that write into their argument."""

COUNTED = "A count jumps where an entry crosses an edge. np.histogram has a derivative with respect to its weights."
# Names that NumPy 2 has dropped, and what takes their place.
OLD_NAMES = {
    "alltrue": "all", "asfarray": "asarray", "cumproduct": "cumprod", "in1d": "isin", "msort": "sort", "product": "prod",
    "round_": "round", "sometrue": "any",
}  # fmt: skip

REASONS = {
    **{old: f"NumPy 2 has dropped this name. Write np.{new}(...)." for old, new in OLD_NAMES.items()},
    **dict.fromkeys(("save", "savetxt", "savez", "savez_compressed"), INSTEAD["x.tofile()"]),
    **dict.fromkeys(("histogram2d", "histogramdd", "histogram_bin_edges"), COUNTED),
    "trim_zeros": "Its length depends on the values. Write x[a:b] with the bounds that np.flatnonzero(x) names.",
}
"""Functions of NumPy without a rule: the reason, or the way out."""


def no_rule(function: Any) -> NotImplementedError:
    """The error for a function that the table does not know."""
    name = getattr(function, "__name__", repr(function))
    if name in IN_PLACE:
        instead = f"{WRITES['x.fill(v)']} Or: {WRITES['x[i] = v']}"
        return NotImplementedError(str(in_place(f"np.{name} (or np.full with a traced number)", instead)))
    full = full_name(function)
    if name in REASONS:
        return NotImplementedError(f"{full} has no rule of differentiation. {REASONS[name]}")
    return NotImplementedError(
        f"{full} has no rule of differentiation. Write it in functions that have one, or give it one in two lines:\n"
        "    from mytorch.autodiff import explicit\n"
        f"    explicit({full}, jvps=[lambda t, y, x: ...])  # the tangent of y = {full}(x) where x has tangent t\n"
        f"(elementwise({full}, lambda y, x: dy/dx) if it works entry by entry.)"
    )
