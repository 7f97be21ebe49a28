"""Networks that Hypothesis puts together: compiled and eager steps leave the same after thirty steps."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mytorch import Autograd, nn
from mytorch.graph import PASSES
from tests.graph.nets import LOSSES, OPTIMIZERS, Skip, Training, largest_difference

# Sums in another order, carried through thirty steps.
TOLERANCE = {np.float64: 1e-12, np.float32: 1e-5}

BETWEEN = {
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "gelu": nn.GELU, "silu": nn.SiLU,
    "softplus": nn.Softplus, "softmax": nn.Softmax, "identity": nn.Identity, "dropout": lambda e: nn.Dropout(e, 0.3, rng=1),
}  # fmt: skip
SIZED = {"batchnorm": nn.BatchNorm1d, "layernorm": nn.LayerNorm}

layer = st.one_of(
    st.tuples(st.just("linear"), st.integers(1, 9)),
    st.tuples(st.sampled_from([*BETWEEN, *SIZED]), st.just(0)),
    st.tuples(st.just("skip"), st.sampled_from([*BETWEEN])),
)


@st.composite
def cases(draw):
    """Layers, sizes, loss, optimiser and how the step is compiled."""
    return {
        "n_in": draw(st.integers(1, 9)),
        "layers": draw(st.lists(layer, max_size=6)),
        "n_out": draw(st.integers(2, 5)),
        "n": draw(st.sampled_from([1, 2, 3, 7, 16, 33])),
        "loss": draw(st.sampled_from([*LOSSES])),
        "optimizer": draw(st.sampled_from([*OPTIMIZERS])),
        "dtype": draw(st.sampled_from([np.float64, np.float32])),
        "passes": draw(st.sets(st.sampled_from(PASSES)).map(sorted) | st.none()),
        "keep_gradients": draw(st.booleans()),
        "max_norm": draw(st.sampled_from([None, None, 0.1])),
        "words": draw(st.booleans()),
    }


def make(case) -> Training:
    engine, rng, dtype = Autograd(), np.random.default_rng(0), case["dtype"]
    width = case["n_in"]
    layers: list[nn.Module] = []
    if case["words"]:
        layers.append(nn.Embedding(11, width, engine, rng=rng, dtype=dtype))
    for kind, size in case["layers"]:
        if kind == "linear":
            layers.append(nn.Linear(width, size, engine, rng=rng, dtype=dtype))
            width = size
        elif kind == "skip":
            layers.append(Skip(BETWEEN[size](engine), engine))
        elif kind in SIZED and not (kind == "batchnorm" and case["n"] == 1):
            layers.append(SIZED[kind](width, engine, dtype=dtype))
        elif kind in BETWEEN:
            layers.append(BETWEEN[kind](engine))
    net = nn.Sequential(*layers, nn.Linear(width, case["n_out"], engine, rng=rng, dtype=dtype))
    loss = LOSSES[case["loss"]](engine)
    return Training(net, loss, OPTIMIZERS[case["optimizer"]](net.parameters()), engine, case["max_norm"])


def batches(case, count):
    rng, n, dtype = np.random.default_rng(3), case["n"], case["dtype"]
    for _ in range(count):
        x = rng.integers(0, 11, n) if case["words"] else rng.standard_normal((n, case["n_in"])).astype(dtype)
        y = rng.integers(0, case["n_out"], n)
        if case["loss"] == "mse":
            yield x, rng.standard_normal((n, case["n_out"])).astype(dtype)
        else:
            yield x, np.eye(case["n_out"], dtype=dtype)[y] if case["loss"] == "one_hot" else y


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=cases())
def test_random_networks(case, backend):
    one, other = make(case), make(case)
    step = one.compiled(passes=case["passes"], keep_gradients=case["keep_gradients"], backend=backend)
    tolerance = TOLERANCE[case["dtype"]]
    kinds = {kind for kind, _ in case["layers"]}
    if "batchnorm" in kinds or ("adam" in case["optimizer"] and kinds & SIZED.keys()):
        # Batches of few samples may hardly vary, and dividing by that magnifies rounding. A bias before a normalisation has
        # a gradient of zero but for rounding, and Adam divides it by 1e-8.
        tolerance *= 1000
    for x, y in batches(case, 30):
        value, expected = step(x, y), other.eager(x, y)
        if not abs(expected) < 1e3:
            return  # a training that diverges carries every rounding along
        assert value == pytest.approx(expected, rel=tolerance, abs=tolerance)
    assert step.plan is not None, step.reason
    if not case["keep_gradients"]:
        for mine, theirs in zip(one.optimizer.parameters, other.optimizer.parameters):
            mine.gradient[...] = theirs.gradient
    assert largest_difference(one, other) <= tolerance
