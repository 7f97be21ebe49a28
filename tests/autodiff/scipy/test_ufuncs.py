"""Every ufunc of scipy.special is differentiable to second order, of zero derivative, or refused by its name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

sc = pytest.importorskip("scipy.special")

from mytorch.autodiff import grad, jvp, vjp  # noqa: E402
from mytorch.autodiff.scipy import bessels, gammas, others  # noqa: E402, F401

UFUNCS = {name: getattr(sc, name) for name in dir(sc) if isinstance(getattr(sc, name), np.ufunc)}

PRO, OBL = float(sc.pro_cv(1, 2, 1.2)), float(sc.obl_cv(1, 2, 1.2))

# Arguments at which each function is smooth; a line for those that 0.6 (one argument) or 1.3, 0.6 (two) does not suit.
POINTS: dict[str, list[tuple]] = {
    "bdtr": [(2.5, 7, 0.3), (2.7, 7, 0.6)], "bdtrc": [(2.5, 7, 0.3)], "bdtri": [(2.5, 7, 0.3)],
    "betainc": [(1.2, 2.3, 0.4)], "betaincc": [(1.2, 2.3, 0.4)], "betaincinv": [(1.2, 2.3, 0.4)],
    "betainccinv": [(1.2, 2.3, 0.4)], "btdtr": [(1.2, 2.3, 0.4)], "btdtri": [(1.2, 2.3, 0.4)],
    "binom": [(3.3, 1.2)], "exp1": [(0.6,), (4.0,)], "expi": [(0.6,), (-2.0,)],
    "cosm1": [(0.6,), (1e-3,)], "dawsn": [(0.6,), (-3.0,), (40.0,), (-50.0,)],
    "erfcx": [(0.6,), (-1.0,), (35.0,), (200.0,)], "log_ndtr": [(0.6,), (-9.0,), (-60.0,)], "ndtri_exp": [(-0.6,), (-40.0,)],
    "ellipe": [(0.6,), (0.01,), (0.0,), (-3.0,)], "ellipk": [(0.6,), (0.01,), (0.0,), (-3.0,)],
    "ellipkm1": [(0.6,), (0.99,), (1.0,), (3.0,)], "agm": [(1.3, 0.6), (2.0, 2.0), (1.0, 30.0)],
    "ellipkinc": [(0.7, 0.3), (0.7, 0.02), (2.4, 0.0), (2.4, -2.0)],
    "ellipeinc": [(0.7, 0.3), (0.7, 0.02), (2.4, 0.0), (2.4, -2.0)],
    "ellipj": [(0.7, 0.3), (0.7, 0.02), (2.4, 0.4)],
    "elliprc": [(1.3, 0.6), (0.6, 1.3), (1.0, 1.01), (1.0, 1.0), (1.0, -0.5)],
    "elliprd": [(1.3, 0.6, 2.0), (1.0, 1.0, 1.0), (2.0, 0.5, 2.0), (0.1, 1.0, 1.01)],
    "elliprf": [(1.3, 0.6, 2.0), (0.2, 0.6, 0.9)], "elliprg": [(1.3, 0.6, 2.0)],
    "elliprj": [(1.3, 0.6, 2.0, 0.9), (1.0, 1.0, 1.0, 1.0), (1.0, 2.0, 2.0, 2.0), (40.0, 0.5, 2.0, 40.1)],
    "exprel": [(0.6,), (0.0,), (-3.0,), (1e-9,)], "expn": [(0, 0.6), (1, 0.6), (2, 0.6), (5, 2.0)],
    "fdtr": [(2.0, 5.0, 1.4)], "fdtrc": [(2.0, 5.0, 1.4)], "fdtri": [(2.0, 5.0, 0.4)],
    "gdtr": [(1.3, 2.2, 0.7)], "gdtrc": [(1.3, 2.2, 0.7)], "gdtrix": [(1.3, 2.2, 0.4)], "gdtria": [(0.4, 2.2, 1.4)],
    "hankel1": [(1.3, 0.6)], "huber": [(1.3, 0.6), (0.6, -1.3)], "hyp1f1": [(1.2, 2.3, 0.4), (0.5, 1.5, -3.0)],
    "hyp2f1": [(1.2, 0.3, 2.3, 0.4)], "hyperu": [(1.2, 2.3, 0.7)], "hyp0f1": [(1.3, 0.6), (2.0, -3.0)],
    "i0e": [(0.6,), (-0.6,), (60.0,), (-80.0,)], "i1e": [(0.6,), (-0.6,), (60.0,), (-80.0,)],
    "k0e": [(0.6,), (60.0,), (1e4,)], "k1e": [(0.6,), (60.0,), (1e4,)], "kve": [(1.3, 0.6), (2.5, 80.0)],
    "ive": [(1.3, 0.6), (2.5, 80.0), (0, -90.0)], "airye": [(0.6,), (2.0,)], "log1p": [(0.6,), (-0.4,)],
    "log_wright_bessel": [(0.7, 1.3, 0.6)], "wright_bessel": [(0.7, 1.3, 0.6)], "lpmv": [(1, 2, 0.4), (0, 3, 0.3)],
    "nbdtr": [(2, 7, 0.3)], "nbdtrc": [(2, 7, 0.3)], "nbdtri": [(2, 7, 0.3)],
    "nrdtrimn": [(0.3, 1.2, 0.7)], "nrdtrisd": [(0.7, 0.3, 0.2)],
    "pbwa": [(0.5, 0.6)], "pdtr": [(2.5, 1.3), (2.6, 0.4)], "pdtrc": [(2.5, 1.3)], "pdtri": [(2, 0.4)],
    "stdtr": [(3.0, 0.6), (5.0, -2.0)], "stdtrit": [(3.0, 0.6)], "chdtri": [(3.0, 0.6)],
    "radian": [(1.3, 2.0, 0.6)], "rgamma": [(0.6,), (-1.0,), (0.0,), (2.5,), (-2.3,)],
    "spence": [(0.6,), (1.0,), (0.95,), (3.0,)], "sici": [(0.6,), (9.0,)], "shichi": [(0.6,), (3.0,)],
    "tklmbda": [(0.6, 1.3), (0.3, 0.2), (5.0, 0.7)], "voigt_profile": [(0.6, 1.2, 0.4)], "xlogy": [(1.3, 0.6), (0.0, 0.6)],
    "chndtr": [(2.3, 3.2, 0.7), (9.0, 1.5, 4.0)], "chndtrix": [(0.4, 3.2, 0.7)],
    "kl_div": [(1.3, 0.6)], "owens_t": [(0.6, 1.3)], "psi": [(0.6,), (-1.4,)], "gamma": [(0.6,), (-1.4,)],
    "boxcox": [(1.3, 0.6), (1.3, 0.0)], "boxcox1p": [(1.3, 0.6), (1.3, 0.0)], "inv_boxcox": [(1.3, 0.6), (1.3, 1e-3)],
    "inv_boxcox1p": [(1.3, 0.6), (1.3, 1e-3)], "itairy": [(0.6,), (-0.6,)], "zetac": [(2.5,)], "poch": [(1.3, 0.6)],
    "pseudo_huber": [(1.3, 0.6), (0.6, -2.0)], "log_expit": [(0.6,), (-3.0,)], "mathieu_sem": [(2, 0.7, 30.0)],
    "mathieu_cem": [(2, 0.7, 30.0)], "mathieu_modcem1": [(2, 0.7, 0.6)], "mathieu_modcem2": [(2, 0.7, 0.6)],
    "mathieu_modsem1": [(2, 0.7, 0.6)], "mathieu_modsem2": [(2, 0.7, 0.6)], "kolmogorov": [(0.9,)], "smirnov": [(3, 0.4)],
    "pro_ang1": [(1, 2, 1.2, 0.4)], "obl_ang1": [(1, 2, 1.2, 0.4)], "pro_rad1": [(1, 2, 1.2, 1.4)],
    "pro_rad2": [(1, 2, 1.2, 6.0)], "obl_rad1": [(1, 2, 1.2, 0.8)], "obl_rad2": [(1, 2, 1.2, 6.0)],
    "pro_ang1_cv": [(1, 2, 1.2, PRO, 0.4)], "obl_ang1_cv": [(1, 2, 1.2, OBL, 0.4)], "pro_rad1_cv": [(1, 2, 1.2, PRO, 1.4)],
    "pro_rad2_cv": [(1, 2, 1.2, PRO, 6.0)], "obl_rad1_cv": [(1, 2, 1.2, OBL, 0.8)], "obl_rad2_cv": [(1, 2, 1.2, OBL, 6.0)],
    "yn": [(0, 0.6), (2, 1.4)], "kn": [(0, 0.6), (2, 1.4)], "jv": [(0, 0.6), (1.3, 2.0)], "wrightomega": [(0.6,), (-3.0,)],
}  # fmt: skip
for degree in [name for name in UFUNCS if name.startswith("eval_")]:
    extra = {2: (), 3: (1.3,), 4: (1.3, 0.7)}[UFUNCS[degree].nin]
    POINTS[degree] = [(n, *extra, x) for n in (0, 1, 4) for x in (0.3, 0.8)]

# SciPy's own values of these have no more digits than this, as those of their derivatives show.
LOSS = {"chndtrix": 1e-8, "itairy": 1e-7, "obl_rad2": 1e-6, "obl_rad2_cv": 1e-6, "pro_rad2": 1e-6, "pro_rad2_cv": 1e-6}
# The arguments, by number, in which ufuncs are refused: orders, degrees and shapes of families, and a few functions whole.
REFUSALS: dict[tuple, str] = {
    (
        0,
    ): """chdtr chdtrc chdtri eval_chebyc eval_chebys eval_chebyt eval_chebyu eval_hermite eval_hermitenorm eval_laguerre
        eval_legendre eval_sh_chebyt eval_sh_chebyu eval_sh_legendre expn gammainc gammaincc gammainccinv gammaincinv hankel1
        hankel1e hankel2 hankel2e hyp0f1 iv ive jn jv jve kn kv kve modstruve pbdv pbvv pbwa stdtr stdtrit struve yn yv yve
        kolmogi kolmogorov zetac""",
    (1,): "bdtr bdtrc bdtri chndtr chndtrix gdtr gdtrc gdtria gdtrix tklmbda",
    (
        0,
        1,
    ): """betainc betaincc betainccinv betaincinv btdtr btdtri eval_gegenbauer eval_genlaguerre fdtr fdtrc fdtri hyp1f1
        hyperu log_wright_bessel lpmv mathieu_cem mathieu_modcem1 mathieu_modcem2 mathieu_modsem1 mathieu_modsem2 mathieu_sem
        nbdtr nbdtrc nbdtri wright_bessel chdtriv mathieu_a mathieu_b pdtrik smirnov smirnovi stdtridf""",
    (1, 2): "besselpoly",
    (
        0,
        1,
        2,
    ): """bdtrik bdtrin btdtria btdtrib chndtridf chndtrinc fdtridfd gdtrib nbdtrik nbdtrin nctdtr nctdtridf nctdtrinc
        nctdtrit obl_cv pro_cv eval_jacobi eval_sh_jacobi hyp2f1 obl_ang1 obl_rad1 obl_rad2 pro_ang1 pro_rad1 pro_rad2""",
    (0, 1, 2, 3): """ncfdtr ncfdtri ncfdtridfd ncfdtridfn ncfdtrinc obl_ang1_cv obl_rad1_cv obl_rad2_cv pro_ang1_cv
        pro_rad1_cv pro_rad2_cv sph_harm""",
}
REFUSED = {name: arguments for arguments, names in REFUSALS.items() for name in names.split()}
ZERO = {"round", "gammasgn"}


def points(name: str) -> list[tuple]:
    nin = UFUNCS[name].nin
    return POINTS.get(name) or [(0.6,) if nin == 1 else (1.3, 0.6) if nin == 2 else (1.3, 0.7, 0.6, 0.4, 0.3)[:nin]]


def total(fun: Any, *args: Any) -> Any:
    """All results of a ufunc, real and imaginary parts, with weights, in one number."""
    results = fun(*args)
    parts = results if isinstance(results, tuple) else (results,)
    return sum((0.7 + k) * (np.real(y) + 0.3 * np.imag(y)) for k, y in enumerate(parts))


def slope(f: Any, x: float) -> float:
    """A difference quotient of order 8 (Fornberg 1988), whose step suits functions that vary over about |x| + 0.1."""
    h = 0.004 * (abs(x) + 0.1)
    weights = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
    return sum(w * (f(x + k * h) - f(x - k * h)) for k, w in weights.items()) / h


def cases() -> Iterator[Any]:
    for name in sorted(UFUNCS):
        for point in points(name):
            for i in range(len(point)):
                yield pytest.param(name, point, i, id=f"{name}{point}-{i}")


@pytest.mark.parametrize(("name", "point", "i"), list(cases()))
@pytest.mark.filterwarnings("ignore")
def test_both_modes_to_second_order_or_refused_by_name(name: str, point: tuple, i: int) -> None:
    def f(x: Any) -> Any:
        return total(UFUNCS[name], *point[:i], x, *point[i + 1 :])

    x = float(point[i])
    if name in ZERO:
        assert jvp(f, (x,), (1.0,)) == (f(x), 0)
        return
    if i in REFUSED.get(name, ()):
        for transform in (grad(f), lambda x: jvp(f, (x,), (1.0,))):
            with pytest.raises(
                NotImplementedError, match=rf"^scipy\.special\.({name}|{UFUNCS[name].__name__}) .*plain number"
            ):
                transform(x)
        return
    first = grad(f)(x)
    assert vjp(f, x)[0] == f(x)
    if isinstance(point[i], int):
        return
    loss = LOSS.get(name, 1e-9)
    expected = slope(f, x)
    assert first == pytest.approx(expected, rel=loss, abs=loss * abs(f(x)))
    forward = lambda x: jvp(f, (x,), (1.0,))[1]  # noqa: E731
    assert forward(x) == pytest.approx(first, rel=1e-12)
    second = slope(forward, x)
    assert grad(grad(f))(x) == pytest.approx(second, rel=loss, abs=10 * loss * abs(first))
    assert jvp(forward, (x,), (1.0,))[1] == pytest.approx(grad(grad(f))(x), rel=1e-11, abs=1e-12 * abs(first))
