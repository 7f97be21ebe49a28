"""Scenarios of backward functions, activations, losses, linear layers and whole networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.worker.scenarios.common import (
    ONE_ARRAY,
    Given,
    affine,
    call,
    cube,
    gradient,
    join,
    linear_layer,
    parameter,
    plain,
    plus,
    scenario,
    walk_back,
    zero_layer,
)


@scenario
def rule(student: Any, given: Given) -> dict[str, Any]:
    """Call one backward function, then read its arguments again: it has to leave them unchanged."""
    function = student.get("functional", given["rule"])
    inputs = [given[name] for name in ("a", "b") if name in given]
    grad = given["grad"]
    settings = {name: given[name] for name in ("axis", "keepdims") if name in given}
    returned = function(grad, *inputs, **settings)
    names = ["a", "b"][: len(inputs)]
    if isinstance(returned, (tuple, list)) and all(more is None for more in returned[len(inputs) :]):
        # Entries beyond the inputs belong to nothing.
        returned = returned[0] if len(inputs) == len(returned[:1]) else returned[: len(inputs)]
    if len(inputs) == 1:
        result = {"gradient of a": plain(returned)}
    elif isinstance(returned, (tuple, list)) and len(returned) == len(inputs):
        result = {f"gradient of {name}": plain(value) for name, value in zip(names, returned)}
    else:
        result = {
            f"gradient of {name}": f"{plain(returned) if not isinstance(returned, np.ndarray) else ONE_ARRAY}"
            for name in names
        }
    result.update({f"{name} afterwards": plain(value) for name, value in zip((*names, "grad_output"), (*inputs, grad))})
    return result


@scenario
def activation_forward(student: Any, given: Given) -> dict[str, Any]:
    """Call an activation with an engine that records nothing."""
    layer = student.get("activation", given["activation"])(student.silent_engine())
    x = given["x"]
    # An earlier output must not stay.
    call(layer, -0.5 * x)
    y = call(layer, x)
    return {"output": plain(y), "state": plain(layer.state), "x afterwards": plain(x)}


@scenario
def activation_backward(student: Any, given: Given) -> dict[str, Any]:
    """Backward through an activation: as last operation, in the middle, used twice, or in a second step."""
    engine = student.engine()
    layer = student.get("activation", given["activation"])(engine)
    x, where = given["x"], given["where"]
    if where == "second step":
        first = cube(engine, call(layer, affine(engine, given["before"])))
        engine.backward(np.ones(first.shape))
        engine.zero_grad()
    h = affine(engine, x) if where in ("middle", "second step", "used twice") else x
    y = call(layer, h)
    elsewhere = _that_records_nothing(engine) if where == "middle" else None
    if elsewhere is not None:
        # Another object of the class, in another network: what each of them keeps is its own.
        call(student.get("activation", given["activation"])(elsewhere), 0.25 - 0.75 * h)
    if where in ("middle", "second step"):
        # Where y is 0, its cube alone would send nothing back, whatever the activation does.
        z = cube(engine, affine(engine, y))
        engine.backward(given["g"] + 0 * z)
    elif where == "used twice":
        z = join(engine, y, h)
        z = plus(engine, z, cube(engine, y))
        engine.backward(given["g"] + 0 * z)
    else:
        engine.backward(given["g"])
    return {"gradient of x": gradient(engine, x), "x afterwards": plain(x)}


def _that_records_nothing(engine: Any) -> Any:
    """A second engine of the same class, whatever that class says about its number; None for one that cannot be copied."""

    def add_operation(*arguments: Any, **settings: Any) -> None:
        """Let go of the operation."""
        del arguments, settings

    try:
        quiet = object.__new__(type(engine))
        quiet.__dict__.update(engine.__dict__)
        quiet.add_operation = add_operation
    except (TypeError, AttributeError):
        return None
    return quiet


@scenario
def loss_forward(student: Any, given: Given) -> dict[str, Any]:
    """Call a loss with an engine that records nothing."""
    loss = student.get("loss", given["loss"])(student.silent_engine())
    y, y_hat = given["y"], given["y_hat"]
    value = call(loss, y, y_hat)
    return {"loss": plain(value), "y_hat afterwards": plain(y_hat), "y afterwards": plain(y)}


@scenario
def loss_shape(student: Any, given: Given) -> dict[str, Any]:
    """Shape of a loss, and the loss kept in loss_val."""
    loss = student.get("loss", given["loss"])(student.silent_engine())
    value = call(loss, given["y"], given["y_hat"])
    return {"shape of the loss": np.array(np.shape(value)), "loss_val": plain(loss.loss_val)}


@scenario
def loss_backward(student: Any, given: Given) -> dict[str, Any]:
    """loss.backward(): alone, behind a network, or in a second step."""
    engine = student.engine()
    loss = student.get("loss", given["loss"])(engine)
    y, x = given["y"], given["x"]
    if given["where"] == "second step":
        walk_back(loss, call(loss, y, affine(engine, given["before"])), engine)
        engine.zero_grad()
    y_hat = x if given["where"] == "alone" else affine(engine, cube(engine, x))
    walk_back(loss, call(loss, y, y_hat), engine)
    result = {"gradient of y_hat": gradient(engine, y_hat)}
    if y_hat is not x:
        result["gradient of x"] = gradient(engine, x)
    return {**result, "y_hat afterwards": plain(x), "y afterwards": plain(y)}


@scenario
def linear_forward(student: Any, given: Given) -> dict[str, Any]:
    """Output of one layer, with an engine that records nothing."""
    layer = linear_layer(student, student.silent_engine(), given["W"], given["b"])
    x = given["x"]
    return {"output": plain(call(layer, x)), "x afterwards": plain(x)}


@scenario
def linear_backward(student: Any, given: Given) -> dict[str, Any]:
    """Backward through one or two layers, for one or two steps, with or without zeroing in between."""
    engine = student.engine()
    layers = [linear_layer(student, engine, given["W"], given["b"])]
    if "W2" in given:
        layers.append(linear_layer(student, engine, given["W2"], given["b2"]))
    x = given["x"]
    for step in range(given["steps"]):
        engine.zero_grad()
        if given["zero"]:
            for layer in layers:
                zero_layer(layer)
        y = x
        for number, layer in enumerate(layers):
            y = call(layer, y if number == 0 else cube(engine, y))
        engine.backward(given["g"] * (step + 1.0))
    result = {"gradient of x": gradient(engine, x)}
    for number, layer in enumerate(layers, 1):
        result.update({f"{name}{number if len(layers) > 1 else ''}": parameter(layer, name) for name in ("dW", "db")})
    return {**result, "x afterwards": plain(x), **{f"{n} afterwards": parameter(layers[0], n) for n in "Wb"}}


@scenario
def linear_skip(student: Any, given: Given) -> dict[str, Any]:
    """Backward through second(first(x) + x); with "shared", first is used in both places."""
    engine = student.engine()
    first = linear_layer(student, engine, given["W"], given["b"])
    second = first if given["shared"] else linear_layer(student, engine, given["W2"], given["b2"])
    x = given["x"]
    h = call(first, x)
    if given["bend"]:
        h = cube(engine, h)
    s = plus(engine, h, x)
    y = call(second, s)
    if given["long"]:
        y = join(engine, y, x)
    engine.backward(given["g"] + 0 * y)
    result = {"gradient of x": gradient(engine, x), "dW1": parameter(first, "dW"), "db1": parameter(first, "db")}
    if second is not first:
        result.update({"dW2": parameter(second, "dW"), "db2": parameter(second, "db")})
    return result


@scenario
def mlp_step(student: Any, given: Given) -> dict[str, Any]:
    """Training steps of an MLP with two layers: forward, loss, backward, step, and the weights at the end."""
    engine = student.engine()
    W1, W2 = given["W1"], given["W2"]
    Identity, loss = student.get("activation", "Identity"), student.get("loss", "SoftmaxCrossEntropy")(engine)
    activations = [student.get("activation", given["activation"])(engine), Identity(engine)]
    mlp = student.get("mlp", "MLP")(
        W1.shape[1], W2.shape[0], [W1.shape[0]], activations, loss, given["lr"], engine, momentum=given["momentum"]
    )
    layers = mlp.linear_layers
    for layer, W in zip(layers, (W1, W2)):
        layer.W[...] = W
        layer.b[...] = 0.1
    result: dict[str, Any] = {}
    for _ in range(given["steps"]):
        mlp.zero_grads()
        output = mlp.forward(given["x"])
        result.setdefault("output", plain(output))
        value = mlp.total_loss(given["y"])
        result["loss"] = plain(value)
        walk_back(loss, value, engine)
        mlp.step()
    for number, layer in enumerate(layers, 1):
        result.update({f"{name}{number} after the steps": parameter(layer, name) for name in ("W", "b")})
    return result


@scenario
def float32_network(student: Any, given: Given) -> dict[str, Any]:
    """Forward and backward of a Linear layer in float32."""
    engine = student.engine()
    layer = linear_layer(student, engine, given["W"], given["b"])
    x = given["x"]
    y = call(layer, x)
    engine.backward(np.ones_like(y))
    return {"output": plain(y), "dW": plain(layer.dW), "gradient of x": gradient(engine, x)}
