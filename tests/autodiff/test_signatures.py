"""Every parameter of every function of the table: honoured as NumPy does, or refused in a sentence that names it."""

from __future__ import annotations

import copy
import inspect
import re
from typing import Any

import numpy as np
import pytest

from mytorch.autodiff import check_grads, vjp
from tests.autodiff.helper import differentiable, floats

X = np.array([[0.3, -1.2, 2.5, 0.9], [1.7, 0.4, -0.6, 2.1], [0.8, 1.1, 1.9, -2.2]])
V = X[0]
SQUARE = X[:, :3] + 3 * np.eye(3)
SPD = SQUARE @ SQUARE.T
HOLES = np.where(np.arange(12).reshape(3, 4) == 5, np.nan, X)
MASK = np.array([[True, False, True, True], [True, True, False, True], [False, True, True, True]])
W = np.stack([X, X**2])


def names(text: str) -> list[str]:
    return text.split()


# The arguments that a function needs; the first that is a float array is differentiated.
NEEDED: dict[str, tuple] = {
    **dict.fromkeys(
        names(
            "sum mean prod max min amax amin var std median ptp cumsum cumprod sort unwrap nan_to_num copy ravel transpose "
            "flip triu tril unique diff trapezoid trapz average flipud fliplr real imag angle sinc real_if_close diag "
            "atleast_1d atleast_2d atleast_3d matrix_transpose rot90 fft ifft rfft irfft fftn ifftn rfftn irfftn fft2 ifft2 "
            "rfft2 irfft2 fftshift ifftshift norm matrix_norm vector_norm svdvals qr hfft ihfft gradient cov corrcoef "
            "arccos arcsin arctanh log log10 log2 sqrt i0 sort_complex"
        ),
        (X,),
    ),
    **dict.fromkeys(names("nansum nanprod nanmax nanmin nanmean nanvar nanstd nanmedian nancumsum nancumprod"), (HOLES,)),
    **dict.fromkeys(names("quantile percentile nanquantile nanpercentile"), (X, 0.4)),
    **dict.fromkeys(names("inv det slogdet eig eigvals cond"), (SQUARE,)),
    **dict.fromkeys(names("cholesky eigh eigvalsh"), (SPD,)),
    **dict.fromkeys(names("concatenate stack vstack hstack dstack column_stack block"), ([X, 2 * X],)),
    **dict.fromkeys(names("linspace logspace geomspace"), (V[:1] + 1, V[2:3] + 1)),
    **dict.fromkeys(names("dot inner outer vdot kron convolve correlate"), (V, V[::-1])),
    **dict.fromkeys(names("array_split vsplit"), (X, 3)),
    **dict.fromkeys(names("polyder polyint poly roots unique_all unique_counts unique_inverse unique_values"), (V,)),
    **dict.fromkeys(names("polyadd polysub polymul polydiv"), (V, V[1:])),
    **dict.fromkeys(names("union1d intersect1d setdiff1d setxor1d"), (V, V + 10)),
    "polyfit": (np.array([0.0, 0.4, 1.0, 1.7]), V, 1), "insert": (X, 1, V), "apply_along_axis": (np.outer, 1, X, V[:2]),
    "apply_over_axes": (np.sum, X, [0]), "sliding_window_view": (X, (2, 3)), "astype": (X, np.float64),
    "histogram": ([0.1, 0.4, 0.5, 0.9], 3, None, None, V), "tensorinv": (SQUARE.reshape(3, 3, 1),),
    "tensorsolve": (SQUARE, V[:3]),
    "power": (V, 2.5), "logn": (2.0, V),
    "trace": (W,), "diagonal": (W,), "squeeze": (X[None],), "pinv": (SQUARE,), "svd": (SPD,), "split": (X, [1, 2]),
    "hsplit": (X, 2), "dsplit": (X.reshape(1, 3, 4), 2), "unstack": (X,), "clip": (X,), "where": (MASK, X, 2 * X),
    "select": ([MASK], [X]), "piecewise": (X, [X > 0.5], [lambda v, *a, **k: v * v]), "choose": ([0, 1, 1], [V[:3], V[1:]]),
    "take": (X, [0, 2]), "compress": ([True, False, True], X), "extract": (MASK, X), "partition": (X, 1),
    "full_like": (X, V[0]), "append": (X, X), "delete": (X, 1), "repeat": (X, 2), "tile": (X, 2), "resize": (X, (2, 5)),
    "roll": (X, 1), "rollaxis": (X, 1), "moveaxis": (X, 0, 1), "swapaxes": (X, 0, 1), "expand_dims": (X, 0),
    "reshape": (X, (4, 3)), "broadcast_to": (X, (2, 3, 4)), "broadcast_arrays": (X, V), "meshgrid": (V, V[:3]),
    "diagflat": (V,), "take_along_axis": (X, np.array([[0, 1, 2, 0]]), 0), "pad": (X, 1), "ediff1d": (V,),
    "cumulative_sum": (V,), "cumulative_prod": (V,), "tensordot": (X.reshape(2, 6), X.reshape(6, 2), 1),
    "cross": (X[:, :3], X[:, 1:]), "einsum": ("ij,jk", X, X.T), "interp": (V, np.array([-2.0, 0.1, 3.0]), V[:3]),
    "bincount": ([0, 2, 2, 1], V), "vander": (V,), "polyval": (V, V), "solve": (SQUARE, V[:3]), "lstsq": (X, V[:3]),
    "matrix_power": (SQUARE, 3), "multi_dot": ([X, X.T, X],), "matmul": (X, X.T), "vecdot": (X, X),
}  # fmt: skip
NEEDED_BY = {"linalg.outer": (V, V), "linalg.tensordot": (X.reshape(2, 6), X.T.reshape(6, 2)), "linalg.trace": (X,)}

# Values to try for a parameter: at least one of them has to be one that NumPy takes and that is not the default.
TRIED: dict[str, list] = {
    "axis": [0, 1, -1, (0, 1), None, np.int64(1)], "axes": [(1, 0), (0, 1), ([1], [0]), 1, (0,)],
    "keepdims": [True], "initial": [0.7, 3.5], "where": [MASK], "dtype": [np.float32, np.complex128], "ddof": [1],
    "correction": [1], "mean": [np.full((1, 1), 0.3)],
    "order": ["F", "A", "K"], "copy": [False, True], "subok": [False, True], "casting": ["unsafe"], "n": [2, 3, 5],
    "k": [1, -1, [0.5]], "norm": ["ortho", "forward"], "s": [(2, 3), (4, 5)], "kind": ["stable"], "stable": [True],
    "descending": [True],
    "period": [3.3],
    "offset": [1], "axis1": [2], "axis2": [2], "axisa": [0], "axisb": [0], "axisc": [0], "nan": [7.0], "posinf": [8.0],
    "neginf": [-8.0], "discont": [4.0], "deg": [True], "tol": [1.0],
    "mode": ["wrap", "clip", "valid", "same", "edge", "r"],
    "indexing": ["ij"], "sparse": [True], "shape": [(2, 2)], "device": ["cpu"], "return_index": [True],
    "return_inverse": [True], "return_counts": [True], "equal_nan": [False], "sorted": [False],
    "include_initial": [True],
    "method": ["lower", "hazen", "midpoint"], "interpolation": ["lower"], "overwrite_input": [True],
    "weights": [np.abs(X) + 1, np.abs(V[:3]) + 1], "returned": [True], "rcond": [1e-12, 0.5, None],
    "rtol": [1e-12, 0.5], "hermitian": [True], "ord": [1, 3, np.inf, -1, "nuc"],
    "UPLO": ["U"], "upper": [True], "full_matrices": [False], "compute_uv": [False], "p": [1, 2, "fro"], "num": [3],
    "endpoint": [False],
    "retstep": [True], "base": [2.0], "optimize": [True], "left": [-5.0], "right": [5.0], "minlength": [6], "N": [3],
    "increasing": [True], "prepend": [0.5], "append": [0.5], "to_end": [1.5], "to_begin": [1.5],
    "x": [X + np.arange(4), V],
    "dx": [0.5], "default": [3.0], "a_min": [-0.5], "a_max": [0.5], "min": [-0.5], "max": [0.5], "start": [1],
    "reps": [2],
    "edge_order": [2], "y": [X + 1, V + 1], "rowvar": [False], "bias": [True], "fweights": [[1, 2, 1, 3]],
    "aweights": [np.abs(V)], "m": [2], "full": [True], "w": [np.abs(V)], "cov": [True, "unscaled"], "writeable": [True],
    "assume_unique": [True], "return_indices": [True], "ind": [1],
    "stat_length": [2], "constant_values": [4.0], "newshape": [(2, 6)],
}  # fmt: skip
# Other settings that a parameter needs beside it.
BESIDE: dict[tuple[str, str], dict] = {
    **{(name, "where"): {"initial": -9.0} for name in ("max", "amax", "nanmax")},
    **{(name, "where"): {"initial": 9.0} for name in ("min", "amin", "nanmin")},
    ("clip", "out"): {"a_min": 0.0, "a_max": 1.0}, ("clip", "a_min"): {"a_max": None}, ("clip", "a_max"): {"a_min": None},
    **{(f"{nan}{name}", "weights"): {"method": "inverted_cdf"} for nan in ("", "nan") for name in ("quantile", "percentile")},
}  # fmt: skip
# Parameters of which NumPy takes the default alone, if the array is one of floats.
DEFAULT_ALONE = {("sort", "order"), ("partition", "order"), ("partition", "kind"), ("reshape", "newshape")}


def name_of(fun: Any) -> str:
    return f"{fun.__module__}.{fun.__name__}".removeprefix("numpy.")


SYMMETRIC = {np.linalg.cholesky, np.linalg.eigh, np.linalg.eigvalsh}  # read one triangle, which stands for the matrix
FUNCTIONS = {name_of(fun): fun for fun in differentiable() if not isinstance(fun, np.ufunc)}


def parameters() -> list[tuple[str, str]]:
    """Each function with each of the parameters that its needed arguments leave."""
    found = []
    for name, fun in sorted(FUNCTIONS.items()):
        try:
            signature = inspect.signature(fun)
        except ValueError:  # some functions of older NumPys tell nobody
            continue
        args = needed(name)
        taken = signature.bind_partial(*args).arguments
        found += [
            (name, p.name)
            for p in signature.parameters.values()
            if p.name not in taken and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        ]
    return found


def needed(name: str) -> tuple:
    return NEEDED_BY.get(name) or NEEDED[name.rpartition(".")[2]]


def first_float(args: tuple) -> int:
    """The number of the argument to differentiate: the first array of floats, or list of such arrays."""
    return next(i for i, x in enumerate(args) if getattr(x[0] if type(x) is list else x, "dtype", None) == np.float64)


def flat(result: Any) -> tuple:
    return tuple(result) if isinstance(result, (list, tuple)) else (result,)


def compare(fun: Any, parameter: str, args: tuple, keywords: dict) -> str:
    """Call a function with a setting: "no" if NumPy refuses it, "refused" if we do with a reason, otherwise "honoured"."""
    i = first_float(args)
    args = copy.deepcopy(args)  # overwrite_input means it
    try:
        expected = flat(fun(*copy.deepcopy(args), **keywords))
    except Exception:
        return "no"

    def f(x: Any) -> Any:
        x = (x + np.swapaxes(x, -1, -2)) / 2 if fun in SYMMETRIC else x
        x = x + 0.0 if parameter == "overwrite_input" else x
        return floats(flat(fun(*args[:i], x, *args[i + 1 :], **keywords)))

    try:
        values = vjp(f, args[i])[0]
    except (TypeError, NotImplementedError) as error:
        if not re.search(rf"{fun.__name__}\b.*\b{parameter}\b", str(error)):
            raise
        return "refused"
    wanted = floats(expected)
    assert len(values) == len(wanted)
    for got, value in zip(values, wanted):
        assert np.asarray(got).dtype == np.asarray(value).dtype
        eps = np.finfo(np.asarray(value).dtype).eps
        np.testing.assert_allclose(got, value, rtol=1e4 * eps, atol=1e3 * eps)
    if wanted and all(np.isfinite(value).all() and np.finfo(np.asarray(value).dtype).eps < 1e-15 for value in wanted):
        check_grads(f, (args[i],), order=1)
    return "honoured"


@pytest.mark.parametrize(("name", "parameter"), parameters())
@pytest.mark.filterwarnings("ignore")
def test_parameter(name: str, parameter: str) -> None:
    fun, args = FUNCTIONS[name], needed(name)
    default = inspect.signature(fun).parameters[parameter].default
    beside = BESIDE.get((name, parameter), {})
    others = [np.zeros_like(fun(*args, **beside))] if parameter == "out" else TRIED[parameter]
    outcomes = set()
    for value in others:
        if isinstance(value, np.ndarray) or type(value) is not type(default) or value != default:
            outcomes.add(compare(fun, parameter, args, {parameter: value, **beside}))
    if parameter == "out":
        assert outcomes == {"refused"}
    elif (name, parameter) in DEFAULT_ALONE:
        assert outcomes == {"no"}
    else:
        assert outcomes & {"honoured", "refused"}, "no value was tried that NumPy takes"


WRONG: dict[str, list] = {
    "keepdims": ["x", 1.0],
    "axis": [7, -3, "x", 1.5, (0, 0)], "mode": ["nonsense"], "norm": ["nonsense"], "kind": ["nonsense"], "order": ["X"],
    "method": ["nonsense"], "indexing": ["zz"], "casting": ["no", "nonsense"], "dtype": ["nonsense"], "ddof": ["x"],
    "num": [-1], "ord": ["zz"], "UPLO": ["Z"], "axis1": [9], "axes": [(0, 0), 9], "n": [-1, 0], "s": [(1,)], "k": ["x"],
    "shape": [(7,)], "where": [np.ones((2, 2), bool)], "initial": ["x"], "weights": [np.ones(7)], "offset": ["x"],
    "N": [-1], "minlength": [-1], "prepend": [np.ones((7, 7))], "discont": ["x"], "stat_length": [0], "q": [2.0],
}  # fmt: skip


@pytest.mark.parametrize(("name", "parameter"), [pair for pair in parameters() if pair[1] in WRONG])
@pytest.mark.filterwarnings("ignore")
def test_wrong_settings_are_refused_as_numpy_refuses_them(name: str, parameter: str) -> None:
    fun, args = FUNCTIONS[name], needed(name)
    i = first_float(args)
    for value in WRONG[parameter]:
        f = lambda x, v=value: floats(flat(fun(*args[:i], x, *args[i + 1 :], **{parameter: v})))  # noqa: E731
        try:
            f(args[i])
        except Exception:
            with pytest.raises(Exception):  # noqa: B017
                vjp(f, args[i])


def test_every_function_has_its_arguments() -> None:
    assert not {name for name in FUNCTIONS if name not in NEEDED_BY and name.rpartition(".")[2] not in NEEDED}
