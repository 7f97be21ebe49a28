"""Formulas: for each operation its output and what its rule sends to each input, to be read beside the numbers.

``{a}``, ``{b}``, ``{c}`` stand for the inputs, ``{y}`` for the output and ``{g}`` for the output's gradient.
"""

from __future__ import annotations

from typing import NamedTuple


class Formula(NamedTuple):
    """output: the formula of the operation. gradients: what each input receives; empty where nothing flows.

    elementwise: entry by entry, so that forward mode is the same product with the input's tangent in the gradient's place.
    """

    output: str
    gradients: tuple[str, ...]
    elementwise: bool = False


_TABLE = {
    "identity copy positive": Formula("{a}", ("{g}",), True),
    "neg negative": Formula("−{a}", ("−{g}",), True),
    "add": Formula("{a} + {b}", ("{g}", "{g}"), True),
    "sub subtract": Formula("{a} − {b}", ("{g}", "−{g}"), True),
    "mul multiply": Formula("{a} · {b}", ("{g} · {b}", "{g} · {a}"), True),
    "div divide": Formula("{a} / {b}", ("{g} / {b}", "−{g} · {a} / {b}²"), True),
    "power": Formula("{a} ^ {b}", ("{g} · {b} · {a} ^ ({b} − 1)", "{g} · {y} · ln {a}"), True),
    "square": Formula("{a}²", ("{g} · 2 · {a}",), True),
    "sqrt": Formula("√{a}", ("{g} / (2 √{a})",), True),
    "reciprocal": Formula("1 / {a}", ("−{g} / {a}²",), True),
    "exp": Formula("exp({a})", ("{g} · exp({a})",), True),
    "log": Formula("ln {a}", ("{g} / {a}",), True),
    "log2": Formula("log₂ {a}", ("{g} / ({a} · ln 2)",), True),
    "log10": Formula("log₁₀ {a}", ("{g} / ({a} · ln 10)",), True),
    "log1p": Formula("ln(1 + {a})", ("{g} / (1 + {a})",), True),
    "expm1": Formula("exp({a}) − 1", ("{g} · exp({a})",), True),
    "sin": Formula("sin {a}", ("{g} · cos {a}",), True),
    "cos": Formula("cos {a}", ("−{g} · sin {a}",), True),
    "tan": Formula("tan {a}", ("{g} · (1 + {y}²)",), True),
    "abs absolute": Formula("|{a}|", ("{g} · sign {a}",), True),
    "tanh": Formula("tanh {a}", ("{g} · (1 − {y}²)",), True),
    "sigmoid": Formula("σ({a})", ("{g} · {y} · (1 − {y})",), True),
    "softplus": Formula("ln(1 + exp {a})", ("{g} · σ({a})",), True),
    "silu": Formula("{a} · σ({a})", ("{g} · (σ({a}) + {y} · (1 − σ({a})))",), True),
    "gelu": Formula("{a} · Φ({a})", ("{g} · (Φ({a}) + {a} · φ({a}))",), True),
    "leaky_relu": Formula("{a} where {a} > 0, else slope · {a}", ("{g} where {a} > 0, else slope · {g}",), True),
    "max": Formula("max({a}, 0)", ("{g} where {a} > 0, else 0",), True),
    "maximum": Formula("max({a}, {b})", ("{g} where {a} > {b}, else 0", "{g} where {b} > {a}, else 0"), True),
    "matmul dot": Formula("{a} {b}", ("{g} {b}ᵀ", "{a}ᵀ {g}")),
    "outer": Formula("{a} {b}ᵀ", ("{g} {b}", "{g}ᵀ {a}")),
    "linear": Formula("{a} {b}ᵀ + {c}ᵀ", ("{g} {b}", "{g}ᵀ {a}", "column sums of {g}")),
    "sum": Formula("sum of {a}", ("{g}, once for each entry that was added",)),
    "mean": Formula("mean of {a}", ("{g} / number of entries, once for each of them",)),
    "reshape ravel squeeze expand_dims": Formula("{a} in another shape", ("{g} in the old shape",)),
    "transpose": Formula("{a}ᵀ", ("{g}ᵀ",)),
    "getitem": Formula("{a}[index]", ("{g} at the index, 0 elsewhere",)),
    "concatenate": Formula("the arrays, joined", ("its own piece of {g}",)),
    "embedding": Formula("rows {b} of {a}", ("each row: the sum of {g} where it was looked up", "")),
    "dropout": Formula("{a} · scale", ("{g} · scale",)),
    "softmax": Formula("softmax({a})", ("{y} · ({g} − sum({g} · {y}))",)),
    "log_softmax": Formula("ln softmax({a})", ("{g} − softmax({a}) · sum({g})",)),
    "mse": Formula("mean of ({a} − {b})²", ("{g} · 2 ({a} − {b}) / size", "{g} · 2 ({b} − {a}) / size")),
    "SoftmaxCrossEntropy": Formula(
        "mean of −ln softmax({a}) at the class {b}", ("{g} · (softmax({a}) − {b}) / rows, {b} as one-hot", "")
    ),
    "normalize": Formula(
        "{b} · x̂ + {c},  x̂ = ({a} − mean) / std",
        ("(h − mean(h) − x̂ · mean(h · x̂)) / std,  h = {g} · {b}", "sum of {g} · x̂", "sum of {g}"),
    ),
}
FORMULAS = {name: formula for names, formula in _TABLE.items() for name in names.split()}
