"""Module, Sequential and Parameter: what layers have in common, and how an optimiser finds their arrays."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np


class Parameter:
    """The place in a layer of a trainable array, its gradient and, for some layers, its momentum.

    It looks the arrays up by name each time, so a layer whose ``W`` was bound to another array is still trained.
    """

    __slots__ = ("gradient_name", "momentum_name", "name", "owner")

    def __init__(self, owner: Any, name: str) -> None:
        self.owner = owner
        self.name = name
        self.gradient_name = f"d{name}"
        self.momentum_name = f"momentum_{name}" if hasattr(owner, f"momentum_{name}") else None

    @property
    def value(self) -> np.ndarray:
        """The trainable array."""
        return getattr(self.owner, self.name)

    @property
    def gradient(self) -> np.ndarray:
        """The array into which backward adds its gradient."""
        return getattr(self.owner, self.gradient_name)

    @property
    def momentum(self) -> np.ndarray | None:
        """The layer's own momentum array, if it has one."""
        return None if self.momentum_name is None else getattr(self.owner, self.momentum_name)

    def __repr__(self) -> str:
        return f"Parameter({type(self.owner).__name__}.{self.name}, shape {self.value.shape})"


class Module:
    """Base class of layers: a function with parameters and a state of its own.

    A subclass defines ``forward``; ``parameter_names`` lists its trainable arrays (``W`` has its gradient in ``dW``),
    ``buffer_names`` what else belongs into a saved state. Modules held as attributes, or in lists and dicts, are its children.
    """

    parameter_names: tuple[str, ...] = ()
    buffer_names: tuple[str, ...] = ()

    def __init__(self, autograd_engine: Any = None) -> None:
        if autograd_engine is not None and not hasattr(autograd_engine, "add_operation"):
            raise TypeError(
                f"{type(self).__name__} was given {autograd_engine!r} where it expects the engine. Mind the order of its "
                "arguments, as in Linear(in_features, out_features, engine) and Dropout(engine, 0.5)."
            )
        self.autograd_engine = autograd_engine
        self.training = True

    def forward(self, *args: Any, **kwargs: Any) -> np.ndarray:
        """Compute the output and record what was done."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def __call__(self, *args: Any) -> np.ndarray:
        return self.forward(*args)

    def children(self) -> Iterator[tuple[str, Module]]:
        """The modules that this one holds, with their names."""
        for name, value in vars(self).items():
            yield from _held(name, value)

    def modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all below it, each once, with dotted names."""
        seen: set[int] = set()
        waiting: list[tuple[str, Module]] = [(prefix, self)]
        while waiting:
            name, module = waiting.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield name, module
            below = [(f"{name}.{child}" if name else child, inner) for child, inner in module.children()]
            waiting.extend(reversed(below))

    def parameters(self) -> list[Parameter]:
        """Every trainable array once, in the order of the layers; layers may share one."""
        found: dict[int, Parameter] = {}
        for _, module in self.modules():
            for name in module.parameter_names:
                found.setdefault(id(getattr(module, name)), Parameter(module, name))
        return list(found.values())

    def zero_grad(self) -> None:
        """Fill the gradients with zeros, in place: whoever holds a gradient array keeps holding the right one."""
        for parameter in self.parameters():
            parameter.gradient.fill(0)

    def train(self) -> None:
        """Switch to training (dropout drops, batch norm uses the batch)."""
        for _, module in self.modules():
            module.training = True

    def eval(self) -> None:
        """Switch to evaluation."""
        for _, module in self.modules():
            module.training = False

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of the parameters and buffers, by dotted name."""
        return {name: np.copy(getattr(module, attribute)) for name, module, attribute in self._state()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Copy a saved state into this module's arrays, in place.

        Raises ValueError, before anything is changed, if names or shapes differ.
        """
        places = {name: getattr(module, attribute) for name, module, attribute in self._state()}
        if places.keys() != state.keys():
            missing, extra = sorted(places.keys() - state.keys()), sorted(state.keys() - places.keys())
            raise ValueError(
                f"This state is of another network: missing {missing or 'nothing'}, unknown {extra or 'nothing'}."
            )
        for name, array in places.items():
            if array.shape != np.shape(state[name]):
                raise ValueError(
                    f"This state is of another network: {name} has shape {np.shape(state[name])}, here {array.shape}."
                )
        for name, array in places.items():
            array[...] = state[name]

    def __repr__(self) -> str:
        """The layers that it holds, in the order in which they were given to it."""
        inside = ", ".join(f"{name}={child!r}" for name, child in self.children())
        return f"{type(self).__name__}({inside})"

    def _repr_html_(self) -> str:
        """The table of its layers in a notebook, with parameters and bytes."""
        # By its name, and only when it is asked for: the summary is built on modules.
        return import_module("mytorch.nn.summary").summary_table(self)._repr_html_()

    def _state(self) -> Iterator[tuple[str, Module, str]]:
        for name, module in self.modules():
            for attribute in (*module.parameter_names, *module.buffer_names):
                yield f"{name}.{attribute}" if name else attribute, module, attribute


def _held(name: str, value: Any) -> Iterator[tuple[str, Module]]:
    """The modules in a value, with dotted names: a module itself, or those in lists, tuples and dicts, nested ones too."""
    if isinstance(value, Module):
        yield name, value
    elif isinstance(value, (list, tuple, dict)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _held(f"{name}.{key}", item)


class Sequential(Module):
    """Passes the input through each module in turn, handing on the very arrays that they return."""

    def __init__(self, *layers: Module) -> None:
        super().__init__(getattr(layers[0], "autograd_engine", None) if layers else None)
        for layer in layers:
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential takes modules, as in ReLU(engine); it was given {layer!r}.")
            if layer.autograd_engine is not self.autograd_engine:
                raise ValueError(
                    f"{layer!r} records on another engine than the layers before it. Give all layers one engine."
                )
        self.layers = list(layers)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The last module's output; x itself if there is none."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def __getitem__(self, index: int) -> Module:
        return self.layers[index]

    def __len__(self) -> int:
        return len(self.layers)

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"
