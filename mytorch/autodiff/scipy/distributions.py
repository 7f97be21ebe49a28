"""Distributions of scipy.stats with derivatives: the rules of all methods from the slopes of the logarithm of the density."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mytorch.autodiff.aliases import Array, Function
from mytorch.autodiff.kinds import primitive
from mytorch.autodiff.scipy.registering import SpecialFunction, Unknown, at, is_traced
from mytorch.autodiff.traced import TABLE, plain


class Distribution:
    """A distribution of SciPy. Methods with a rule take traced arguments; everything else is SciPy's own.

    Called with parameters, it is the distribution with these parameters (SciPy's "frozen" one).
    """

    def __init__(self, original: Any, parameters: Sequence[str]) -> None:
        self.original = original
        self.parameters = parameters
        self.name = f"scipy.stats.{original.name}"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["original"], name)

    def __call__(self, *args: Any, **kwargs: Any) -> Frozen:
        return Frozen(self, args, kwargs)

    def _add(self, method: str, partials: list) -> None:
        """Give a method its rule: a partial derivative for x and for each parameter."""
        original = getattr(self.original, method)
        function = primitive(original)
        TABLE[function] = SpecialFunction(function, f"{self.name}.{method}", tuple(partials))

        def call(x: Array, *args: Any, **kwargs: Any) -> Any:
            if not is_traced((x, args, kwargs)):
                return original(x, *args, **kwargs)
            return function(x, *self._arguments(method, args, kwargs))

        call.__name__, call.__doc__ = method, original.__doc__
        setattr(self, method, call)

    def _arguments(self, method: str, args: tuple, kwargs: dict[str, Any]) -> list:
        given = dict(zip(self.parameters, args)) | kwargs
        values = {"loc": 0, "scale": 1} | given
        missing = [name for name in self.parameters if name not in values]
        unknown = [name for name in given if name not in self.parameters]
        if missing or unknown or len(given) < len(args) + len(kwargs):
            raise TypeError(
                f"{self.name}.{method} got wrong parameters ({', '.join(missing + unknown) or 'one of them twice'}). It takes "
                f"{', '.join(self.parameters)}."
            )
        return [values[name] for name in self.parameters]


class Frozen:
    """A distribution with given parameters, which may be traced."""

    def __init__(self, distribution: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        self.distribution, self.args, self.kwargs = distribution, args, kwargs

    def __getattr__(self, name: str) -> Any:
        distribution = self.__dict__["distribution"]
        if name in vars(distribution) and name not in ("original", "parameters", "name"):
            method = getattr(distribution, name)
            return lambda x: method(x, *self.args, **self.kwargs)
        return getattr(distribution.original(*self.args, **self.kwargs), name)


class Continuous(Distribution):
    """slope: of log f along z; by_parameter: of log f by each shape; of_cdf: of the distribution function F by each shape.

    falling: f / F as a function of z, where it keeps more digits than exp(log f - log F); the distribution is symmetric then.
    """

    def __init__(
        self, original: Any, slope: Function, by_parameter: Sequence[Any] = (), of_cdf: Sequence[Any] = (),
        falling: Function | None = None,
    ) -> None:  # fmt: skip
        shapes = original.shapes.split(", ") if original.shapes else []
        super().__init__(original, [*shapes, "loc", "scale"])

        logs = [  # the slopes of log f by x, each shape, loc and scale
            _inside(lambda z, s, scale: slope(z, *s) / scale),
            *[_inside(lambda z, s, scale, d=d: d(z, *s)) for d in by_parameter],
            _inside(lambda z, s, scale: -slope(z, *s) / scale),
            _inside(lambda z, s, scale: -(1 + z * slope(z, *s)) / scale),
        ]
        self._add("logpdf", logs)
        self._add("pdf", [lambda y, *args, d=d: y * d(_log(y), *args) for d in logs])
        moves = [lambda z, s, f: f, *[None] * len(shapes), lambda z, s, f: -f, lambda z, s, f: -z * f]

        def slopes(sign: int, density: Function, share: Function) -> list:
            """Of F or of a function of it, whose derivative by F is ``share``; ``density`` is f times that."""

            def along(y: Array, *args: Any, move: Function) -> Array:
                z, s, _ = _standard(*args)
                return sign * move(z, s, density(y, *args))

            def by(y: Array, *args: Any, d: Function) -> Array:
                z, s, _ = _standard(*args)
                return sign * share(y) * d(z, *s)

            wanted: list[Any] = [_bound(along, move=move) if move else None for move in moves]
            for i, d in enumerate(of_cdf):
                wanted[1 + i] = d if isinstance(d, Unknown) else _bound(by, d=d)
            return wanted

        def density(y: Array, *args: Any) -> Array:
            return self.pdf(*args)

        def relative(side: int) -> Function:
            if falling is not None:
                return lambda y, *args: falling(side * _standard(*args)[0]) / args[-1]
            return lambda y, *args: np.exp(_minus(self.logpdf(*args), y))

        self._add("cdf", slopes(1, density, lambda y: 1))
        self._add("sf", slopes(-1, density, lambda y: 1))
        self._add("logcdf", slopes(1, relative(1), lambda y: np.exp(-y)))
        self._add("logsf", slopes(-1, relative(-1), lambda y: np.exp(-y)))


class Discrete(Distribution):
    """by_parameter: of log P(k) by each shape; of_cdf: of the distribution function by each shape, at k rounded down."""

    def __init__(self, original: Any, by_parameter: Sequence[Any], of_cdf: Sequence[Any]) -> None:
        super().__init__(original, [*original.shapes.split(", "), "loc"])
        ends = (Unknown("k"), Unknown("loc"))

        def masses(log: bool) -> list:
            def by(y: Array, k: Array, *args: Any, d: Function) -> Array:
                log_y = plain(y) if log else _log(y)
                possible = ~np.isneginf(log_y)
                value = np.where(possible, d(at(possible, k - args[-1], 0), *args[:-1]), 0)
                return value if log else y * value

            return [ends[0], *[d if isinstance(d, Unknown) else _bound(by, d=d) for d in by_parameter], ends[1]]

        def totals(share: Function) -> list:
            def by(y: Array, k: Array, *args: Any, d: Function) -> Array:
                k = np.floor(k - args[-1])
                inside = (plain(y) > -np.inf) & (k >= 0)
                return np.where(inside, share(y) * d(at(inside, k, 0), *args[:-1]), 0)

            return [ends[0], *[d if isinstance(d, Unknown) else _bound(by, d=d) for d in of_cdf], ends[1]]

        self._add("logpmf", masses(True))
        self._add("pmf", masses(False))
        self._add("cdf", totals(lambda y: 1))
        self._add("sf", totals(lambda y: -1))
        self._add("logcdf", totals(lambda y: np.exp(-y)))
        self._add("logsf", totals(lambda y: -np.exp(-y)))


def _standard(x: Array, *parameters: Any) -> tuple:
    """z, the shapes, and the scale."""
    *shapes, loc, scale = parameters
    return (x - loc) / scale, shapes, scale


def _inside(d: Function) -> Function:
    """A slope of log f where f is not 0, and 0 elsewhere."""

    def slope(y: Array, *args: Any) -> Array:
        z, shapes, scale = _standard(*args)
        outside = np.isneginf(plain(y))
        value = np.where(outside, 0, d(at(~outside, z, 0.5), shapes, scale))
        return np.where(np.isnan(plain(y)), np.nan, value)  # a parameter is impossible

    return slope


def _minus(a: Array, b: Array) -> Array:
    """a - b, and -inf where a is."""
    zero = np.isneginf(plain(a))
    return np.where(zero, -np.inf, at(~zero, a, 0) - at(~zero, b, 0))


def _log(y: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(plain(y))


def _bound(function: Function, **settings: Any) -> Function:
    return lambda *args: function(*args, **settings)
