"""Optimisers, learning-rate schedules and gradient clipping. All of them update the layers' arrays in place."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from mytorch.nn.modules.module import Module, Parameter
from mytorch.tables import Table

# Entries per block of a large array. An update passes over its arrays several times; block by block, all passes but the
# first find their data in the cache.
BLOCK = 1 << 17


class Optimizer:
    """Base class of optimisers: their parameters, their state and how it is saved.

    A subclass names its state arrays (one per parameter, of its shape) and updates one slice in ``_update``.
    ``setting_names`` are the attributes that its repr shows.
    """

    state_names: tuple[str, ...] = ()
    setting_names: tuple[str, ...] = ("lr", "weight_decay")

    def __init__(self, parameters: Iterable[Parameter], lr: float, weight_decay: float = 0.0) -> None:
        if isinstance(parameters, Module):
            raise TypeError(f"{type(self).__name__} was given a {type(parameters).__name__}; pass its parameters().")
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError("An optimiser needs parameters; pass network.parameters().")
        _require(lr >= 0, "lr", lr, "at least 0")
        _require(weight_decay >= 0, "weight_decay", weight_decay, "at least 0")
        self.lr = lr
        self.weight_decay = weight_decay
        self.steps = 0
        self.state = {name: [self._new_state(p) for p in self.parameters] for name in self.state_names}
        # Each parameter's arrays cut into blocks, kept as long as the layer keeps its arrays.
        self._plans: list[Any] = [None] * len(self.parameters)

    def step(self) -> None:
        """Update every parameter from its gradient, once."""
        self.steps += 1
        for index, parameter in enumerate(self.parameters):
            owner, plan = parameter.owner, self._plans[index]
            value, gradient = getattr(owner, parameter.name), getattr(owner, parameter.gradient_name)
            momentum = None if parameter.momentum_name is None else getattr(owner, parameter.momentum_name)
            if plan is None or plan[0] is not value or plan[1] is not gradient or plan[2] is not momentum:
                pieces = _in_blocks([value, gradient, *self._state_of(index)])
                plan = self._plans[index] = value, gradient, momentum, pieces, Constants(value.dtype)
            for piece in plan[3]:
                self._update(plan[4], *piece)

    def zero_grad(self) -> None:
        """Fill every gradient with zeros, in place."""
        for parameter in self.parameters:
            getattr(parameter.owner, parameter.gradient_name).fill(0)

    def state_dict(self) -> dict[str, Any]:
        """The state to resume a run bit for bit: plain numbers and copies of the state arrays."""
        saved: dict[str, Any] = {"lr": self.lr, "steps": self.steps}
        for index in range(len(self.parameters)):
            saved.update({f"{name}.{index}": a.copy() for name, a in zip(self.state_names, self._state_of(index))})
        return saved

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take up a saved state. Raises ValueError, before anything is changed, if it is another optimiser's."""
        mine = self.state_dict()
        if mine.keys() != saved.keys() or any(np.shape(mine[key]) != np.shape(saved[key]) for key in mine):
            raise ValueError(f"This state was not saved by {type(self).__name__} for a network of these sizes.")
        self.lr, self.steps = float(saved["lr"]), int(saved["steps"])
        for index in range(len(self.parameters)):
            for name, array in zip(self.state_names, self._state_of(index)):
                array[...] = saved[f"{name}.{index}"]

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.setting_names)
        count = len(self.parameters)
        numbers = sum(parameter.value.size for parameter in self.parameters)
        return f"{type(self).__name__}({count} array{'s' if count > 1 else ''} of {numbers:,} numbers, {settings})"

    def _repr_html_(self) -> str:
        """One row per parameter in a notebook: its shape and the norms of value and gradient."""
        rows: list[tuple[str, ...]] = [("parameter", "shape", "norm", "gradient's norm")]
        for parameter in self.parameters:
            name = f"{type(parameter.owner).__name__}.{parameter.name}"
            norms = [f"{_norm(array):.4g}" for array in (parameter.value, parameter.gradient)]
            rows.append((name, str(parameter.value.shape), *norms))
        return Table(rows, f"{self!r} after {self.steps} steps", numbers=(2, 3))._repr_html_()

    def _new_state(self, parameter: Parameter) -> np.ndarray:
        return np.zeros_like(parameter.value)

    def _state_of(self, index: int) -> list[np.ndarray]:
        return [arrays[index] for arrays in self.state.values()]

    def _update(self, constants: Constants, *arrays: np.ndarray) -> None:
        """Update one block, in place: value, gradient, the state arrays, scratch memory of the same shape."""
        raise NotImplementedError

    def _decayed(self, value: np.ndarray, gradient: np.ndarray, scratch: np.ndarray) -> np.ndarray:
        """gradient + weight_decay * value, without touching either."""
        if not self.weight_decay:
            return gradient
        np.multiply(value, self.weight_decay, out=scratch)
        scratch += gradient
        return scratch


class Constants(dict):
    """Numbers as 0-d arrays of one dtype: NumPy takes half as long to use one as to convert a Python float each time."""

    def __init__(self, dtype: np.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def __missing__(self, number: float) -> np.ndarray:
        if len(self) > 8:
            self.clear()
        array = self[number] = np.array(number, self.dtype)
        return array


class SGD(Optimizer):
    """Stochastic gradient descent with momentum (Polyak), Nesterov's variant and weight decay.

    With g the gradient (plus weight_decay * W): v = momentum * v + g, then W -= lr * v, or with Nesterov
    W -= lr * (g + momentum * v), as in Sutskever et al. (2013) and in PyTorch. v is the layer's own ``momentum_W`` where
    it has one.
    """

    state_names = ("velocity",)
    setting_names = ("lr", "momentum", "nesterov", "weight_decay")

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        _require(0 <= momentum < 1, "momentum", momentum, "from 0 to less than 1")
        if nesterov and momentum == 0:
            raise ValueError("Nesterov's variant looks ahead along the momentum; give a momentum above 0.")
        self.momentum = momentum
        self.nesterov = nesterov

    def _new_state(self, parameter: Parameter) -> np.ndarray:
        own = parameter.momentum
        return np.zeros_like(parameter.value) if own is None else own

    def _state_of(self, index: int) -> list[np.ndarray]:
        own = self.parameters[index].momentum
        return [self.state["velocity"][index] if own is None else own]

    def _update(self, constants: Constants, *arrays: np.ndarray) -> None:
        value, gradient, velocity, scratch = arrays
        if self.weight_decay:
            gradient = self._decayed(value, gradient, scratch)
        if not self.momentum:
            np.multiply(gradient, constants[self.lr], scratch)
        else:
            np.multiply(velocity, constants[self.momentum], velocity)
            np.add(velocity, gradient, velocity)
            if self.nesterov:
                np.add(gradient, self.momentum * velocity, scratch)
                scratch *= self.lr
            else:
                np.multiply(velocity, constants[self.lr], scratch)
        np.subtract(value, scratch, value)


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015): steps scaled by running means m of the gradient and v of its square.

    W -= lr * m_hat / (sqrt(v_hat) + eps), m_hat = m / (1 - beta1**t), v_hat = v / (1 - beta2**t). weight_decay is added
    to the gradient, as L2 regularisation is. m and v are float32 where W is float16.
    """

    state_names = ("m", "v")
    setting_names = ("lr", "betas", "eps", "weight_decay")

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, weight_decay)
        for beta in betas:
            _require(0 <= beta < 1, "each of betas", beta, "from 0 to less than 1")
        _require(eps >= 0, "eps", eps, "at least 0")
        self.betas = betas
        self.eps = eps

    def _new_state(self, parameter: Parameter) -> np.ndarray:
        # In half precision eps and the squares of small gradients would be 0, and a step 0 / 0.
        value = parameter.value
        return np.zeros_like(value, dtype=np.float32 if value.dtype == np.float16 else value.dtype)

    def _update(self, constants: Constants, *arrays: np.ndarray) -> None:
        value, gradient, m, v, scratch = arrays
        beta1, beta2 = self.betas
        gradient = self._decayed(value, gradient, scratch)
        m *= beta1
        m += np.multiply(gradient, 1 - beta1, dtype=m.dtype)
        v *= beta2
        v += (1 - beta2) * np.square(gradient, dtype=v.dtype)
        np.sqrt(v, out=scratch)
        scratch /= math.sqrt(1 - beta2**self.steps)
        scratch += self.eps
        np.divide(m, scratch, out=scratch)
        scratch *= self.lr / (1 - beta1**self.steps)
        value -= scratch


class AdamW(Adam):
    """Adam with weight decay apart from the gradient (Loshchilov and Hutter, 2019): W -= lr * weight_decay * W first."""

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def _decayed(self, value: np.ndarray, gradient: np.ndarray, scratch: np.ndarray) -> np.ndarray:
        value *= 1 - self.lr * self.weight_decay
        return gradient


class LRScheduler:
    """Learning-rate schedule: sets the optimiser's lr. Call step() once per epoch."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.initial_lr = optimizer.lr
        self.steps = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lr={self.optimizer.lr:g} after {self.steps} steps, {self.initial_lr:g} at first)"

    def lr_at(self, steps: int) -> float:
        """The learning rate after so many steps."""
        raise NotImplementedError

    def step(self) -> None:
        """One step further."""
        self.steps += 1
        self.optimizer.lr = self.lr_at(self.steps)

    def state_dict(self) -> dict[str, float]:
        """Two numbers, enough to go on."""
        return {"initial_lr": self.initial_lr, "steps": self.steps}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take up a saved state; the optimiser's lr follows."""
        self.initial_lr, self.steps = float(saved["initial_lr"]), int(saved["steps"])
        self.optimizer.lr = self.lr_at(self.steps)


class StepLR(LRScheduler):
    """lr times gamma after every step_size steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        super().__init__(optimizer)
        _require(step_size >= 1, "step_size", step_size, "at least 1")
        self.step_size = step_size
        self.gamma = gamma

    def lr_at(self, steps: int) -> float:
        return self.initial_lr * self.gamma ** (steps // self.step_size)


class CosineLR(LRScheduler):
    """Half a cosine from lr down to min_lr in total_steps (Loshchilov and Hutter, 2017), where it stays."""

    def __init__(self, optimizer: Optimizer, total_steps: int, min_lr: float = 0.0) -> None:
        super().__init__(optimizer)
        _require(total_steps >= 1, "total_steps", total_steps, "at least 1")
        self.total_steps = total_steps
        self.min_lr = min_lr

    def lr_at(self, steps: int) -> float:
        progress = min(steps / self.total_steps, 1.0)
        return self.min_lr + 0.5 * (self.initial_lr - self.min_lr) * (1 + math.cos(math.pi * progress))


def clip_grad_norm(parameters: Iterable[Parameter], max_norm: float) -> float:
    """Scale all gradients down together, in place, so that their common Euclidean norm is at most max_norm.

    Returns the norm from before. Pascanu, Mikolov and Bengio (2013), section 3.2. Raises ValueError for a norm that is
    NaN or infinite, which scaling would only spread.
    """
    _require(max_norm > 0, "max_norm", max_norm, "above 0")
    gradients = list({id(parameter.gradient): parameter.gradient for parameter in parameters}.values())
    # hypot does not overflow where the squares would, and each array's norm is scaled by its largest entry.
    norm = math.hypot(*map(_norm, gradients)) if gradients else 0.0
    if not math.isfinite(norm):
        raise ValueError(
            f"The gradients' norm is {norm}: some gradient is not finite. Autograd(debug=True) names the operation."
        )
    if norm > max_norm:
        for gradient in gradients:
            gradient *= max_norm / norm
    return norm


def _norm(array: np.ndarray) -> float:
    largest = float(np.max(np.abs(array), initial=0))
    if not 0 < largest < math.inf:
        return largest
    return largest * math.sqrt(float(np.sum(np.square(array / largest), dtype=np.float64)))


def _in_blocks(arrays: list[np.ndarray]) -> list[list[np.ndarray]]:
    """The arrays and one more as scratch memory, in blocks. Large ones that lie flat in memory are cut; others stay whole."""
    size = arrays[0].size
    if size <= BLOCK or not all(array.flags.c_contiguous for array in arrays):
        return [[*arrays, np.empty_like(arrays[-1])]]
    flat = [array.reshape(-1) for array in arrays]
    scratch = np.empty(BLOCK, arrays[-1].dtype)
    pieces = [[array[begin : begin + BLOCK] for array in flat] for begin in range(0, size, BLOCK)]
    return [[*piece, scratch[: piece[0].size]] for piece in pieces]


def _require(holds: bool, name: str, value: float, range_in_words: str) -> None:
    if not holds:
        raise ValueError(f"{name} is {range_in_words}; it was {value}.")
