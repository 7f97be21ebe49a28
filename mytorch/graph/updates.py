"""The end of a training step as instructions: gradients stored, clipped, and the optimiser's update."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from mytorch import optim
from mytorch.graph import guards
from mytorch.graph.builder import Builder
from mytorch.graph.errors import NoPlan
from mytorch.graph.plan import Value
from mytorch.graph.primitives import update_flops

# The numbers that an update reads at each call.
SCALARS = {
    "sgd": ("lr", "momentum", "weight_decay"),
    "adam": ("rate", "correction", "decay", "eps", "weight_decay", "beta1", "beta2", "rest1", "rest2"),
}


class Update(NamedTuple):
    """optimizer: whose parameters are updated. max_norm: of all its gradients together, or None. keep_gradients: leave the
    gradients where an eager step leaves them.
    """

    optimizer: Any
    max_norm: float | None = None
    keep_gradients: bool = True


def kind_of(optimizer: Any) -> str:
    """``sgd``, ``adam``, or ``optimizer`` for one of another class, whose own step is called."""
    if "step" in vars(optimizer) or "_update" in vars(optimizer):
        return "optimizer"
    return {optim.SGD: "sgd", optim.Adam: "adam", optim.AdamW: "adam"}.get(type(optimizer), "optimizer")


def emit(p: Builder, held: Any, update: Update, slots: dict[int, tuple[Value, np.ndarray]]) -> None:
    """Append what follows the backward pass.

    slots: the gradients that have arrived, by the id of the array to update. A slot of the optimiser's was zeroed before, so
    it is overwritten, also where nothing arrives; any other is added to, as the eager step does.
    """
    optimizer, max_norm, keep_gradients = update
    if "zero_grad" in vars(optimizer) or type(optimizer).zero_grad is not optim.Optimizer.zero_grad:
        raise NoPlan("the optimiser has a zero_grad of its own")
    p.origin = "gradients"
    kind = kind_of(optimizer)
    parameters = optimizer.parameters
    mine = {id(parameter.gradient): parameter.gradient for parameter in parameters}
    gradients: dict[int, Value] = {}
    for key, array in mine.items():
        arrived = slots.get(key)
        gradients[key] = arrived[0] if arrived else p.constant(0, array.dtype, array.shape)
    if max_norm is not None:
        clipped = [Value(g.shape, g.dtype) for g in gradients.values()]
        p.effect("clip", list(gradients.values()), flops=4 * sum(g.size for g in clipped), max_norm=float(max_norm))
        p.instructions[-1].outputs = tuple(clipped)
        gradients = dict(zip(gradients, clipped))
    for key, (gradient, array) in slots.items():
        if key not in mine:
            p.effect("accumulate", [gradient], [held.value(array, "a gradient")], flops=gradient.size)
    if keep_gradients or kind == "optimizer":
        for key, gradient in gradients.items():
            p.effect("store", [gradient], [held.value(mine[key], "a gradient")])
    p.origin = "update"
    if kind == "optimizer":
        written = [held.value(parameter.value, "a parameter") for parameter in parameters]
        p.effect("optimizer", [], written, optimizer=optimizer)
        return
    for index, parameter in enumerate(parameters):
        value = held.value(parameter.value, "a parameter")
        state = [
            held.add(array, f"{value.name}.{name}")
            for array, name in zip(optimizer._state_of(index), optimizer.state_names)
        ]
        writes = [value, *(state if kind == "adam" or optimizer.momentum else [])]
        attrs: dict[str, Any] = {"optimizer": optimizer}
        if kind == "sgd":
            has_momentum = bool(optimizer.momentum)
            attrs.update(momentum=has_momentum, nesterov=has_momentum and bool(optimizer.nesterov))
            attrs.update(weight_decay=bool(optimizer.weight_decay))
        else:
            attrs.update(decay=bool(optimizer.weight_decay), apart=type(optimizer) is optim.AdamW)
        gradient = gradients[id(parameter.gradient)]
        p.effect(kind, [gradient], writes, flops=update_flops(kind, value.size), **attrs)


def guards_of(optimizer: Any) -> list[guards.Guard]:
    """The assumptions of an update: the parameters, their arrays, the state's arrays."""
    attributes = vars(optimizer)
    found = [
        guards.Guard(attributes, "parameters", list(optimizer.parameters), "the optimiser's parameters", entries=True)
    ]
    for parameter in optimizer.parameters:
        owner, what = parameter.owner, f"{type(parameter.owner).__name__}.{parameter.name}"
        for name in (parameter.name, parameter.gradient_name, parameter.momentum_name):
            if name in getattr(owner, "__dict__", ()):
                found.append(guards.Guard(vars(owner), name, vars(owner)[name], what))
            elif name is not None:  # a property or a slot
                found.append(guards.Guard(owner, name, getattr(owner, name), what, attribute=True))
    found.append(guards.Guard(optimizer, "__class__", type(optimizer), "the optimiser's class", attribute=True))
    for name in ("step", "_update", "zero_grad"):
        value = attributes.get(name, guards.ABSENT)
        found.append(guards.Guard(attributes, name, value, f"the optimiser's {name}"))
    state = attributes.get("state", {})
    found += [
        guards.Guard(state, name, list(arrays), f"the optimiser's {name}", True) for name, arrays in state.items()
    ]
    return found


def conditions_of(optimizer: Any) -> tuple[list[str], dict[str, Any]]:
    """Expressions that hold as long as the update has the same form: which numbers are zero, which variant is used."""
    kind, names = kind_of(optimizer), {"optimizer": optimizer}
    if kind == "sgd":
        return [
            f"{'' if optimizer.momentum else 'not '}optimizer.momentum",
            f"{'' if optimizer.weight_decay else 'not '}optimizer.weight_decay",
            f"{'' if optimizer.nesterov else 'not '}optimizer.nesterov",
        ], names
    if kind == "adam":
        names["betas"] = optimizer.betas
        return [
            f"{'' if optimizer.weight_decay else 'not '}optimizer.weight_decay",
            "optimizer.betas is betas",
        ], names
    return [], names


def adam_scalars(optimizer: Any) -> tuple[float, ...]:
    """The numbers of ``SCALARS["adam"]`` for step number t = ``optimizer.steps``: rate is lr / (1 - beta1**t), correction
    sqrt(1 - beta2**t), decay the factor by which AdamW shrinks the parameters, rest 1 - beta.
    """
    beta1, beta2 = optimizer.betas
    t, lr, weight_decay = optimizer.steps, optimizer.lr, optimizer.weight_decay
    rate, correction = lr / (1 - beta1**t), math.sqrt(1 - beta2**t)
    return rate, correction, 1 - lr * weight_decay, optimizer.eps, weight_decay, beta1, beta2, 1 - beta1, 1 - beta2
