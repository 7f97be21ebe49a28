"""Summary of a network: its layers, the shapes of their outputs, their parameters and bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mytorch.nn.modules.module import Module
from mytorch.tables import Table

HEADER = ("layer", "", "output", "parameters", "bytes")


def summary(net: Module, input_shape: Sequence[int] | None = None, dtype: Any = None) -> str:
    """A table of the layers in the order of their use.

    input_shape: of one batch, for example (1, 784). With it the network runs once on zeros, unrecorded and in evaluation mode,
    so that the shapes of the outputs are known; without it that column is missing. dtype: of these zeros; by default that of
    the first parameter.
    """
    return str(summary_table(net, input_shape, dtype))


def summary_table(net: Module, input_shape: Sequence[int] | None = None, dtype: Any = None) -> Table:
    """The table of ``summary`` as rows, which a notebook shows as HTML."""
    parameters = net.parameters()
    layers = {id(module): (name, module) for name, module in net.modules() if not any(True for _ in module.children())}
    if input_shape is None:
        uses: list[tuple[int, Any]] = [(key, None) for key in layers]
    else:
        uses = [use for use in _uses(net, tuple(input_shape), dtype or _dtype(parameters)) if use[0] in layers]
    counted: set[int] = set()
    rows = []
    for key, shape in uses:
        name, module = layers[key]
        arrays = [getattr(module, attribute) for attribute in module.parameter_names]
        own = [array for array in arrays if id(array) not in counted]
        counted.update(id(array) for array in own)
        count = f"{sum(array.size for array in own):,}" if own else "shared" if arrays else ""
        size = f"{sum(array.nbytes for array in own):,}" if own else ""
        rows.append((name or type(module).__name__, _kind(module), str(shape), count, size))
    total = sum(parameter.value.size for parameter in parameters)
    bytes_ = sum(parameter.value.nbytes for parameter in parameters)
    columns = [0, 1, 2, 3, 4] if input_shape is not None else [0, 1, 3, 4]
    table = [[row[i] for i in columns] for row in (HEADER, *rows, ("total", "", "", f"{total:,}", f"{bytes_:,}"))]
    return Table(table, numbers=(len(columns) - 2, len(columns) - 1), total=True)


def _kind(module: Module) -> str:
    text = repr(module)
    return text if text.endswith(")") and not text.startswith("<") else type(module).__name__


def _dtype(parameters: Sequence[Any]) -> Any:
    return parameters[0].value.dtype if parameters else np.float64


def _uses(net: Module, input_shape: tuple[int, ...], dtype: Any) -> list[tuple[int, tuple[int, ...]]]:
    """Each call of a module in one forward pass: its identity and the shape of its output, in the order of their ends."""
    found: list[tuple[int, tuple[int, ...]]] = []
    modules = [module for _, module in net.modules()]
    modes = [module.training for module in modules]

    def watched(module: Module, forward: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            y = forward(*args, **kwargs)
            found.append((id(module), np.shape(y)))
            return y

        return run

    try:
        for module in modules:
            module.forward = watched(module, module.forward)  # type: ignore[method-assign]
        net.eval()
        with net.autograd_engine.paused():
            net.forward(np.zeros(input_shape, dtype))
    finally:
        for module, mode in zip(modules, modes):
            vars(module).pop("forward", None)
            module.training = mode
    return found
