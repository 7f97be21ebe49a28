"""Training step of a ReLU network in each framework: the same work, written as the framework's users write it.

A step is the forward pass, the loss as a Python float, the backward pass and SGD with momentum. The batches come from a
pool and are already arrays of the framework. All begin with the same weights, drawn from a seed in float64.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from itertools import cycle, pairwise
from typing import Any

import numpy as np

LR = 1e-4
MOMENTUM = 0.9

Step = Callable[[Any, Any], float]
Layers = list[tuple[np.ndarray, np.ndarray]]
# A framework's maker takes the layers' (W, b) and returns a step and a function that prepares an array for it.
Maker = Callable[[Layers], tuple[Step, Callable[[np.ndarray], Any]]]


def version(framework: str) -> str:
    """Version of a framework. Raises ImportError where it is not installed."""
    framework = framework.removesuffix("_numpy").removesuffix("_c")
    module = importlib.import_module(framework)
    if framework == "autograd":
        from importlib import metadata

        return metadata.version("autograd")
    return module.__version__


def make_step(
    framework: str, sizes: list[int], batch: int, dtype: str, seed: int = 0, optimizer: str = "sgd"
) -> Callable[[], float]:
    """Function without arguments that makes one training step on the next batch of a pool and returns the loss.

    optimizer: ``sgd``, with momentum, or for some frameworks ``adam``.
    """
    rng = np.random.default_rng([seed, *sizes, batch])
    layers = []
    for n_in, n_out in pairwise(sizes):
        bound = n_in**-0.5
        W, b = rng.uniform(-bound, bound, (n_out, n_in)), rng.uniform(-bound, bound, n_out)
        layers.append((W.astype(dtype), b.astype(dtype)))
    step, prepare = (MAKERS if optimizer == "sgd" else ADAM_MAKERS)[framework](layers)
    # With random labels there is nothing to learn. A loss that falls to zero would make the numbers denormal, which is slow.
    pool = []
    for _ in range(max(8, 256 // batch)):
        x, y = rng.standard_normal((batch, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], batch)
        pool.append((prepare(x), prepare(y)))
    batches = cycle(pool)
    return lambda: step(*next(batches))


def _mytorch_net(layers: Layers, adam: bool) -> tuple[Any, Any, Any, Any]:
    from mytorch import Autograd
    from mytorch.nn import Linear, Module, ReLU, Sequential, SoftmaxCrossEntropy
    from mytorch.optim import SGD, Adam

    engine = Autograd()
    modules: list[Module] = []
    for W, b in layers:
        if modules:
            modules.append(ReLU(engine))
        linear = Linear(W.shape[1], W.shape[0], engine, dtype=W.dtype)
        linear.W[...], linear.b[:, 0] = W, b
        modules.append(linear)
    net = Sequential(*modules)
    parameters = net.parameters()
    optimizer = Adam(parameters, lr=LR) if adam else SGD(parameters, lr=LR, momentum=MOMENTUM)
    return engine, net, SoftmaxCrossEntropy(engine), optimizer


def _mytorch(layers: Layers, adam: bool = False) -> tuple[Step, Callable[[np.ndarray], Any]]:
    engine, net, criterion, optimizer = _mytorch_net(layers, adam)

    def step(x: np.ndarray, y: np.ndarray) -> float:
        engine.zero_grad()
        optimizer.zero_grad()
        loss = criterion(y, net(engine.data(x)))
        criterion.backward()
        optimizer.step()
        return float(loss[0])

    return step, lambda array: array


def compiled(
    layers: Layers, backend: str, adam: bool = False, **options: Any
) -> tuple[Step, Callable[[np.ndarray], Any]]:
    """The same step compiled; ImportError where this backend is not to be had, so that it is left out with a note."""
    import mytorch

    engine, net, criterion, optimizer = _mytorch_net(layers, adam)
    step = mytorch.compile(lambda x, y: criterion(y, net(engine.data(x))), optimizer, backend=backend, **options)
    if backend == "c":
        from mytorch.graph.backends import c

        try:
            c.self_test()
        except c.Unavailable as reason:
            raise ImportError(str(reason)) from None
    return step, lambda array: array


def _numpy(layers: Layers) -> tuple[Step, Callable[[np.ndarray], Any]]:
    # A competent program by hand: weights (in, out), gradients and momentum in arrays of their own, updates in place, no
    # gradient for the input. The mask and the softmax are taken from the arrays of the forward pass.
    weights = [np.ascontiguousarray(W.T) for W, _ in layers]
    biases = [b.copy() for _, b in layers]
    parameters = weights + biases
    gradients = [np.empty_like(p) for p in parameters]
    momenta = [np.zeros_like(p) for p in parameters]
    weight_gradients, bias_gradients = gradients[: len(weights)], gradients[len(weights) :]
    last = len(weights) - 1

    def step(x: np.ndarray, y: np.ndarray) -> float:
        activations = [x]
        for i, (W, b) in enumerate(zip(weights, biases)):
            z = activations[i] @ W
            z += b
            activations.append(np.maximum(z, 0, out=z) if i < last else z)
        scores = activations.pop()
        rows = np.arange(len(y))
        scores -= scores.max(axis=1, keepdims=True)
        true_scores = scores[rows, y]
        np.exp(scores, out=scores)
        total = scores.sum(axis=1, keepdims=True)
        loss = float((np.log(total[:, 0]) - true_scores).mean())
        delta = scores
        delta /= total
        delta[rows, y] -= 1
        delta /= len(y)
        for i in range(last, -1, -1):
            # A single row's outer product is no work for a matrix product.
            product = np.multiply if len(y) == 1 else np.matmul
            product(activations[i].T, delta, out=weight_gradients[i])
            np.sum(delta, axis=0, out=bias_gradients[i])
            if i:
                delta = delta @ weights[i].T
                delta *= activations[i] > 0
        for p, g, v in zip(parameters, gradients, momenta):
            v *= MOMENTUM
            v += g
            np.multiply(v, LR, out=g)
            p -= g
        return loss

    return step, lambda array: array


def _torch(layers: Layers, adam: bool = False) -> tuple[Step, Callable[[np.ndarray], Any]]:
    import torch

    torch.set_num_threads(1)
    modules: list[Any] = []
    for W, b in layers:
        if modules:
            modules.append(torch.nn.ReLU())
        linear = torch.nn.Linear(W.shape[1], W.shape[0], dtype=torch.from_numpy(W).dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W))
            linear.bias.copy_(torch.from_numpy(b))
        modules.append(linear)
    net, criterion = torch.nn.Sequential(*modules), torch.nn.CrossEntropyLoss()
    optimizer: Any = torch.optim.SGD(net.parameters(), lr=LR, momentum=MOMENTUM)
    if adam:
        optimizer = torch.optim.Adam(net.parameters(), lr=LR)

    def step(x: Any, y: Any) -> float:
        optimizer.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, torch.from_numpy


def _jax(layers: Layers) -> tuple[Step, Callable[[np.ndarray], Any]]:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", layers[0][0].dtype == np.float64)
    parameters = [(jnp.asarray(W.T), jnp.asarray(b)) for W, b in layers]
    momenta = jax.tree.map(jnp.zeros_like, parameters)

    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        for W, b in parameters[:-1]:
            x = jax.nn.relu(x @ W + b)
        W, b = parameters[-1]
        log_probabilities = jax.nn.log_softmax(x @ W + b)
        return -jnp.take_along_axis(log_probabilities, y[:, None], axis=1).mean()

    def update(parameters: Any, momenta: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, y)
        momenta = jax.tree.map(lambda v, g: MOMENTUM * v + g, momenta, gradients)
        return jax.tree.map(lambda p, v: p - LR * v, parameters, momenta), momenta, loss

    compiled = jax.jit(update, donate_argnums=(0, 1))

    def step(x: Any, y: Any) -> float:
        nonlocal parameters, momenta
        parameters, momenta, loss = compiled(parameters, momenta, x, y)
        return float(loss)

    return step, jnp.asarray


def _autograd(layers: Layers) -> tuple[Step, Callable[[np.ndarray], Any]]:
    import autograd
    import autograd.numpy as anp
    from autograd.scipy.special import logsumexp

    parameters = [(np.ascontiguousarray(W.T), b.copy()) for W, b in layers]
    momenta = [(np.zeros_like(W), np.zeros_like(b)) for W, b in parameters]

    def loss_of(parameters: Any, x: np.ndarray, y: np.ndarray) -> Any:
        for W, b in parameters[:-1]:
            x = anp.maximum(anp.dot(x, W) + b, 0)
        W, b = parameters[-1]
        scores = anp.dot(x, W) + b
        return anp.mean(logsumexp(scores, axis=1) - scores[np.arange(len(y)), y])

    value_and_grad = autograd.value_and_grad(loss_of)

    def step(x: np.ndarray, y: np.ndarray) -> float:
        loss, gradients = value_and_grad(parameters, x, y)
        for layer in zip(parameters, momenta, gradients):
            for p, v, g in zip(*layer):
                v *= MOMENTUM
                v += g
                p -= LR * v
        return float(loss)

    return step, lambda array: array


MAKERS: dict[str, Maker] = {
    "mytorch": _mytorch,
    "mytorch_numpy": partial(compiled, backend="numpy"),
    "mytorch_c": partial(compiled, backend="c"),
    "numpy": _numpy,
    "torch": _torch,
    "jax": _jax,
    "autograd": _autograd,
}
ADAM_MAKERS: dict[str, Maker] = {
    "mytorch": partial(_mytorch, adam=True),
    "mytorch_numpy": partial(compiled, backend="numpy", adam=True),
    "mytorch_c": partial(compiled, backend="c", adam=True),
    "torch": partial(_torch, adam=True),
}
