"""The extra as a package: not needed, not imported by itself, loaded when it is wanted, and SciPy's own everywhere else."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

sc = pytest.importorskip("scipy.special")

import scipy.integrate  # noqa: E402
import scipy.linalg  # noqa: E402
import scipy.optimize  # noqa: E402
import scipy.signal  # noqa: E402
import scipy.sparse.linalg  # noqa: E402
import scipy.stats  # noqa: E402

import mytorch.autodiff.scipy  # noqa: E402
from mytorch.autodiff import grad, primitives  # noqa: E402

MODULES = ["integrate", "linalg", "signal", "special", "stats", "sparse.linalg"]


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def module(name: str) -> Any:
    ours: Any = mytorch.autodiff.scipy
    for part in name.split("."):
        ours = getattr(ours, part)
    return ours


@pytest.mark.slow
def test_autodiff_imports_without_scipy_and_does_not_import_it() -> None:
    assert run("import sys, mytorch.autodiff; print('scipy' in sys.modules)") == "False"
    without = (
        "import sys; sys.modules['scipy'] = None; import mytorch.autodiff as a; print(a.grad(lambda x: x * x)(3.0))"
    )
    assert run(without) == "6.0"
    refused = (
        "import sys; sys.modules['scipy'] = None\ntry: import mytorch.autodiff.scipy\nexcept ImportError as e: print(e)"
    )
    assert "pip install 'mytorch[scipy]'" in run(refused)


def test_a_ufunc_loads_its_rule() -> None:
    code = (
        "import sys, mytorch.autodiff as a, scipy.special as sc\n"
        "print('mytorch.autodiff.scipy' in sys.modules, a.grad(sc.expit)(0.0), 'scipy.stats' in sys.modules)"
    )
    assert run(code) == "False 0.25 False"


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_does_not_define_is_scipys(name: str) -> None:
    ours, theirs = module(name), sys.modules[f"scipy.{name}"]
    for public in theirs.__all__:
        assert hasattr(ours, public), public
        if not hasattr(getattr(ours, public), "__wrapped__") and inspect.isfunction(getattr(ours, public)):
            assert getattr(ours, public) is getattr(theirs, public)
    with pytest.raises(AttributeError, match="no_such_thing"):
        ours.no_such_thing  # noqa: B018


def test_packages_beside_them_are_scipys() -> None:
    assert mytorch.autodiff.scipy.optimize is scipy.optimize
    assert mytorch.autodiff.scipy.sparse.csr_matrix is scipy.sparse.csr_matrix


@pytest.mark.parametrize("name", MODULES)
def test_names_and_results_for_plain_arrays_are_scipys_own(name: str) -> None:
    """A function of ours takes SciPy's documentation and signature; called with plain arrays it is SciPy's."""
    ours, theirs = module(name), sys.modules[f"scipy.{name}"]
    wrapped = [public for public in theirs.__all__ if hasattr(getattr(ours, public), "__wrapped__")]
    own = [public for public in wrapped if getattr(ours, public) is not getattr(theirs, public)]
    for public in own:
        assert getattr(ours, public).__doc__ == getattr(theirs, public).__doc__
        assert inspect.signature(getattr(ours, public)) == inspect.signature(getattr(theirs, public))
    assert own or name == "stats"


def test_functions_are_named_as_in_scipy() -> None:
    assert {"erf", "logsumexp", "expm", "svd", "eigh"} <= set(primitives())
    for f, message in (
        (lambda x: sc.erf(x, where=x > 0), r"scipy\.special\.erf\(\.\.\., where=\) has no rule"),
        (lambda x: sc.erf(x, out=np.zeros(2)), r"scipy\.special\.erf\(\.\.\., out=y\)"),
        (lambda x: sc.xlogy.reduce(x), r"scipy\.special\.xlogy\.reduce has no rule"),
        (lambda x: sc.erf.at(x, 0), r"scipy\.special\.erf\.at writes"),
        (lambda x: sc.ellip_harm(1.0, 2.0, 1, 1, x), r"scipy\.special\.ellip_harm has no rule"),
        (
            lambda x: scipy.linalg.solve_triangular(np.eye(2), x),
            r"scipy\.linalg\.solve_triangular copies .*scipy import linalg",
        ),
        (lambda x: sc.logsumexp(x), r"scipy\.special\.logsumexp copies .*scipy import special"),
        (lambda x: scipy.optimize.minimize(np.sum, x).x, r"scipy\.optimize\.minimize copies .*primitive"),
    ):
        with pytest.raises((NotImplementedError, TypeError), match=message):
            grad(lambda x, f=f: np.sum(f(x)))(np.array([0.5, 1.5]))
