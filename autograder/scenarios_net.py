"""Scenarios of losses, layers and whole networks; importing this file registers them."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder import scenarios_program
from autograder.scenarios import SCENARIOS, Given, affine, cube, gradient, join, linear_layer, plain, plus, scenario

# All scenarios of all files: whoever runs them imports this name from here.
__all__ = ["SCENARIOS", "scenarios_program"]


@scenario
def loss_forward(student: Any, given: Given) -> dict[str, Any]:
    """Call a loss with an engine that records nothing."""
    loss = student.get("loss", given["loss"])(student.silent_engine())
    y, y_hat = given["y"], given["y_hat"]
    value = loss(y, y_hat)
    return {"loss": plain(value), "y_hat afterwards": plain(y_hat), "y afterwards": plain(y)}


@scenario
def loss_shape(student: Any, given: Given) -> dict[str, Any]:
    """The shape of a loss, and whether loss_val keeps it."""
    loss = student.get("loss", given["loss"])(student.silent_engine())
    value = loss(given["y"], given["y_hat"])
    return {"shape of the loss": np.array(np.shape(value)), "loss_val": plain(loss.loss_val)}


@scenario
def loss_backward(student: Any, given: Given) -> dict[str, Any]:
    """loss.backward() as the last step, behind a network where asked, in a second step where asked."""
    engine = student.engine()
    loss = student.get("loss", given["loss"])(engine)
    y, x = given["y"], given["x"]
    if given["where"] == "second step":
        loss(y, affine(engine, given["before"]))
        loss.backward()
        engine.zero_grad()
    y_hat = x if given["where"] == "alone" else affine(engine, cube(engine, x))
    loss(y, y_hat)
    loss.backward()
    result = {"gradient of y_hat": gradient(engine, y_hat)}
    if y_hat is not x:
        result["gradient of x"] = gradient(engine, x)
    return {**result, "y_hat afterwards": plain(x), "y afterwards": plain(y)}


@scenario
def linear_forward(student: Any, given: Given) -> dict[str, Any]:
    """The output of one layer, with an engine that records nothing."""
    layer = linear_layer(student, student.silent_engine(), given["W"], given["b"])
    x = given["x"]
    return {"output": plain(layer(x)), "x afterwards": plain(x)}


@scenario
def linear_backward(student: Any, given: Given) -> dict[str, Any]:
    """One or two layers, and where asked the same twice: two steps without or with zeroing in between."""
    engine = student.engine()
    layers = [linear_layer(student, engine, given["W"], given["b"])]
    if "W2" in given:
        layers.append(linear_layer(student, engine, given["W2"], given["b2"]))
    x = given["x"]
    held = [(layer.dW, layer.db) for layer in layers]
    for step in range(given["steps"]):
        engine.zero_grad()
        if given["zero"]:
            for layer in layers:
                layer.zero_grad()
        y = x
        for number, layer in enumerate(layers):
            y = layer(y if number == 0 else cube(engine, y))
        engine.backward(given["g"] * (step + 1.0))
    result = {"gradient of x": gradient(engine, x)}
    for number, (dW, db) in enumerate(held):
        suffix = str(number + 1) if len(held) > 1 else ""
        result.update({f"dW{suffix}": plain(dW), f"db{suffix}": plain(db)})
    return {**result, "x afterwards": plain(x), "W afterwards": plain(layers[0].W)}


@scenario
def linear_skip(student: Any, given: Given) -> dict[str, Any]:
    """h = first(x); second(h + x), or, with "shared", the first layer is used in both places."""
    engine = student.engine()
    first = linear_layer(student, engine, given["W"], given["b"])
    second = first if given["shared"] else linear_layer(student, engine, given["W2"], given["b2"])
    x = given["x"]
    h = first(x)
    if given["bend"]:
        h = cube(engine, h)
    s = plus(engine, h, x)
    y = second(s)
    if given["long"]:
        y = join(engine, y, x)
    engine.backward(given["g"] + 0 * y)
    result = {"gradient of x": gradient(engine, x), "dW1": plain(first.dW), "db1": plain(first.db)}
    if second is not first:
        result.update({"dW2": plain(second.dW), "db2": plain(second.db)})
    return result


@scenario
def mlp_step(student: Any, given: Given) -> dict[str, Any]:
    """Forward, loss, backward and step of an MLP with two layers; the weights afterwards."""
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
        result["loss"] = plain(mlp.total_loss(given["y"]))
        loss.backward()
        mlp.step()
    for number, layer in enumerate(layers, 1):
        result.update({f"W{number} after the steps": plain(layer.W), f"b{number} after the steps": plain(layer.b)})
    return result


@scenario
def float32_network(student: Any, given: Given) -> dict[str, Any]:
    """float32 through a Linear layer: the dtypes on the way."""
    engine = student.engine()
    layer = linear_layer(student, engine, given["W"], given["b"])
    x = given["x"]
    y = layer(x)
    engine.backward(np.ones_like(y))
    return {"output": plain(y), "dW": plain(layer.dW), "gradient of x": gradient(engine, x)}
