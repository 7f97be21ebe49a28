"""The rules of layers and losses that are one operation: dropout, normalisation, mean squared error, softmax cross-entropy."""

from __future__ import annotations

import numpy as np

from mytorch.graph.builder import Builder, samples
from mytorch.graph.errors import NoPlan
from mytorch.graph.plan import Value
from mytorch.graph.primitives import INDEX
from mytorch.graph.registry import Recorded, entry
from mytorch.graph.rules import flat_rows
from mytorch.nn import functional as F
from mytorch.nn.modules.dropout import Dropout
from mytorch.nn.modules.normalization import BatchNorm1d, LayerNorm

# The eager error for indices that name no class.
OUT_OF_CLASSES = "The ground truth names class {wrong}, but the scores are for {below} classes, 0 to {last}."


def _dropout_forward(p: Builder, r: Recorded) -> Value:
    (x,), layer = r.inputs, r.layer
    if r.settings.get("scale") is None:
        r.residuals = None
        return x
    if type(layer) is not Dropout:
        raise NoPlan("its random mask was not drawn by mytorch.nn.Dropout, so that it cannot be drawn anew")
    draws = p.emit("random", [], layer=layer, shape=x.shape, dtype=np.dtype(np.float64))
    dtype = p.floating(x).dtype
    r.residuals = p.div(p.cast(p.greater_equal(draws, float(layer.p)), dtype), 1 - layer.p)
    return p.mul(x, r.residuals)


@entry(F.dropout_backward, _dropout_forward)
def _dropout(p, r, g):
    return (g if r.residuals is None else p.mul(g, r.residuals),)


@entry(F.mse_backward, lambda p, r: _mse_forward(p, r))
def _mse(p, r, g):
    y, y_hat = r.inputs
    difference = p.sub(p.floating(y), y_hat)
    grad = p.mul(difference, p.mul(p.reshape(g, ()), 2 / max(y.size, 1)))
    return grad, p.neg(grad)


def _mse_forward(p: Builder, r: Recorded) -> Value:
    y, y_hat = r.inputs
    difference = p.sub(p.floating(y), y_hat)
    loss = p.div(p.sum(p.square(difference), None, keepdims=True), float(max(difference.size, 1)))
    return p.cast(p.reshape(loss, r.shape), r.dtype)


def _cross_entropy_forward(p: Builder, r: Recorded) -> Value:
    pred, truth = r.inputs
    if pred.size == 0:
        raise NoPlan("it has no entries")
    scores = flat_rows(p, p.floating(pred))
    n = scores.shape[0]
    shifted = p.sub(scores, p.max(scores, 1, keepdims=True))
    e = p.exp(shifted)
    total = p.sum(e, 1, keepdims=True)
    if truth.shape == pred.shape:
        entries = None
        losses = p.mul(p.reshape(truth, scores.shape), p.sub(p.log(total), shifted))
    else:
        p.effect("check_index", [truth], below=scores.shape[1], error=ValueError, text=OUT_OF_CLASSES)
        truth = p.reshape(truth, (n,))
        if truth.dtype == np.uint64:  # NumPy would add these to int64 as floats
            truth = p.cast(truth, INDEX)
        entries = p.emit("entries", [truth, scores], classes=scores.shape[1], shape=(n,), dtype=INDEX)
        true = p.emit("pick", [shifted, entries])
        losses = p.sub(p.log(p.reshape(total, (n,))), true)
    r.residuals = e, total, entries
    return p.cast(p.reshape(p.div(p.sum(losses), float(n)), r.shape), r.dtype)


@entry(F.SoftmaxCrossEntropy_backward, _cross_entropy_forward)
def _cross_entropy(p, r, g):
    pred, truth = r.inputs
    e, total, entries = r.residuals
    scale = p.div(p.reshape(g, ()), float(max(samples(pred.shape), 1)))
    if entries is None:
        truth = p.reshape(truth, e.shape)
        grad = p.mul(p.sub(p.mul(p.div(e, total), p.sum(truth, 1, keepdims=True)), truth), scale)
    else:
        # softmax times scale in one sweep: what differs from row to row is divided first.
        scaled = p.mul(e, p.div(scale, total))
        grad = p.emit("put", [scaled, entries, p.sub(p.emit("pick", [scaled, entries]), scale)])
    return p.reshape(grad, pred.shape), None


def _normalize_forward(p: Builder, r: Recorded) -> Value:
    x, gamma, beta = r.inputs
    layer, axes, shape = r.layer, r.settings["axes"], r.settings["shape"]
    if type(layer) not in (BatchNorm1d, LayerNorm):
        raise NoPlan("its mean and variance were not computed by mytorch.nn.BatchNorm1d or LayerNorm")
    fixed = r.settings.get("fixed", False)
    if fixed:
        mean = p.reshape(r.held(layer.running_mean, "running_mean"), shape)
        var = p.reshape(r.held(layer.running_var, "running_var"), shape)
        if r.settings["mean"].shape != shape:
            raise NoPlan("its fixed mean is not the running mean of the layer")
    else:
        floats = p.floating(x)
        mean = p.mean(floats, axes, keepdims=True)
        difference = p.sub(floats, mean)
        var = p.mean(p.mul(difference, difference), axes, keepdims=True)
    inverse_std = p.div(1.0, p.sqrt(p.add(var, float(layer.eps))))
    x_hat = p.mul(p.sub(x, mean), inverse_std)
    r.residuals = x_hat, inverse_std, fixed
    if not fixed and type(layer) is BatchNorm1d:
        count = x.size // layer.gamma.size
        moments = (
            (layer.running_mean, "running_mean", mean, 1.0),
            (layer.running_var, "running_var", var, count / (count - 1)),
        )
        for array, name, moment, factor in moments:
            running = r.held(array, name)
            target = p.mul(p.reshape(moment, array.shape), factor)
            p.effect("accumulate", [p.mul(float(layer.momentum), p.sub(target, running))], [running], flops=array.size)
    return p.add(p.mul(p.reshape(gamma, shape), x_hat), p.reshape(beta, shape))


@entry(F.normalize_backward, _normalize_forward)
def _normalize(p, r, g):
    _, gamma, beta = r.inputs
    axes, shape = r.settings["axes"], r.settings["shape"]
    x_hat, inverse_std, fixed = r.residuals
    scaled = p.mul(g, p.reshape(gamma, shape))
    if fixed:
        grad_x = p.mul(scaled, inverse_std)
    else:
        first = p.mean(scaled, axes, keepdims=True)
        second = p.mean(p.mul(scaled, x_hat), axes, keepdims=True)
        grad_x = p.mul(inverse_std, p.sub(p.sub(scaled, first), p.mul(x_hat, second)))
    grad_gamma = p.reshape(p.unbroadcast(p.mul(g, x_hat), shape), gamma.shape)
    return grad_x, grad_gamma, p.reshape(p.unbroadcast(g, shape), beta.shape)
