"""The plain form of a function that is handed to SciPy: traced arguments in one vector, the result as a plain array."""

from __future__ import annotations

from typing import Any

import numpy as np

from mytorch.autodiff.aliases import Array, Function
from mytorch.autodiff.scipy.registering import is_traced
from mytorch.autodiff.traced import Traced, plain
from mytorch.autodiff.tree import flatten


class Parameters:
    """The arguments ``args=`` of a call, trees. ``vector``: their traced leaves, end to end; the others are constants."""

    def __init__(self, args: Any) -> None:
        self.leaves, self.build = flatten(args if isinstance(args, tuple) else (args,))
        parts = [np.ravel(leaf) for leaf in self.leaves if isinstance(leaf, Traced)]
        self.vector = np.concatenate(parts) if parts else np.zeros(0)

    def arguments(self, vector: Array) -> list:
        """The arguments with the entries of a vector in place of the traced leaves."""
        given, start = [], 0
        for leaf in self.leaves:
            if isinstance(leaf, Traced):
                given.append(np.reshape(vector[start : start + leaf.size], leaf.shape))
                start += leaf.size
            else:
                given.append(leaf)
        return list(self.build(iter(given)))


def as_array(x: Any) -> Array:
    """A number, an array, or a list of numbers of which some may be traced, as one array of floats."""
    if isinstance(x, (list, tuple)) and is_traced(x):
        return np.stack([as_array(part) for part in x])
    if isinstance(x, Traced):
        return x
    x = np.asarray(x)
    return x if x.dtype.kind in "fc" else x.astype(float)


def plain_result(f: Function, name: str) -> Function:
    """f, whose result is checked not to be traced: SciPy would copy it into a plain array, without its gradient."""

    def call(*args: Any) -> Any:
        value = f(*args)
        if is_traced(value):
            raise TypeError(
                f"The function given to scipy.integrate.{name} uses a traced value that is none of its arguments, so its "
                "gradient would be lost. Pass it to the function through args=."
            )
        return plain(value)

    return call
