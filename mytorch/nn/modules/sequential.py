"""Sequential: modules one after another."""

from __future__ import annotations

import numpy as np

from mytorch.nn.modules.module import Module


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
