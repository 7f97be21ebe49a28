"""Random programs of recorded operations against central differences."""

from functools import partial

import numpy as np
import pytest

from mytorch import Autograd
from mytorch.gradcheck import gradcheck
from mytorch.nn import functional as F

hypothesis = pytest.importorskip("hypothesis", reason="Hypothesis is not installed, so no random programs were tried")
st = hypothesis.strategies

settings = hypothesis.settings(deadline=None, derandomize=True, max_examples=200, database=None)

UNARY = {
    "tanh": (np.tanh, F.tanh_backward),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), F.sigmoid_backward),
    "neg": (np.negative, F.neg_backward),
    "transpose": (np.transpose, F.transpose_backward),
    "copied transpose": (lambda x: x.T.copy(), F.transpose_backward),
    "sum": (lambda x: x.sum(axis=-1, keepdims=True), partial(F.sum_backward, axis=-1, keepdims=True)),
    "mean": (lambda x: x.mean(axis=0, keepdims=True), partial(F.mean_backward, axis=0, keepdims=True)),
    "first row": (lambda x: x[:1], partial(F.getitem_backward, index=slice(0, 1))),
    "rows twice": (lambda x: x[[0, -1, 0]], partial(F.getitem_backward, index=[0, -1, 0])),
    "softplus": (lambda x: np.log1p(np.exp(x)), F.softplus_backward),
}
BINARY = {
    "add": (np.add, F.add_backward),
    "sub": (np.subtract, F.sub_backward),
    "mul": (np.multiply, F.mul_backward),
    "matmul": (np.matmul, F.matmul_backward),
    "concatenate": (lambda a, b: np.concatenate([a, b], axis=0), partial(F.concatenate_backward, axis=0)),
}
STEPS = st.lists(
    st.tuples(st.sampled_from([*UNARY, *BINARY]), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=9
)
SHAPES = st.lists(st.sampled_from([(3, 4), (1, 4), (3, 1), (4, 3), (1, 1), (2, 3)]), min_size=1, max_size=4)


def fits(name, a, b):
    """True if NumPy takes the two shapes."""
    try:
        BINARY[name][0](np.ones(a.shape), np.ones(b.shape))
    except ValueError:
        return False
    return True


def program(engine, steps, leaves, slots):
    """A function that runs the steps, each on arrays chosen among all earlier ones, and records them."""

    def forward():
        arrays = list(leaves)
        for name, first, second in steps:
            a, b = arrays[first % len(arrays)], arrays[second % len(arrays)]
            if name in UNARY:
                compute, rule = UNARY[name]
                inputs = [a]
            elif fits(name, a, b):
                compute, rule = BINARY[name]
                inputs = [a, b]
            else:
                continue
            output = compute(*inputs)
            own = [next((slot for leaf, slot in slots if leaf is array), None) for array in inputs]
            engine.add_operation(inputs, output, own, rule)
            arrays.append(output)
        total = np.asarray(sum(float(np.sum(np.sin(array))) for array in arrays[len(leaves) :]))
        made = arrays[len(leaves) :]
        engine.add_operation(made, total, [None] * len(made), lambda g, *a: tuple(g * np.cos(x) for x in a))
        return total

    return forward


@pytest.mark.slow
@settings
@hypothesis.given(steps=STEPS, shapes=SHAPES, seed=st.integers(0, 2**16), slotted=st.integers(0, 15))
def test_random_programs(steps, shapes, seed, slotted):
    rng = np.random.default_rng(seed)
    engine = Autograd()
    leaves = [rng.uniform(-1, 1, shape) for shape in shapes]
    slots = [(leaf, np.full(leaf.shape, 2.0)) for number, leaf in enumerate(leaves) if slotted >> number & 1]
    forward = program(engine, steps, leaves, slots)
    forward()
    hypothesis.assume(len(engine.operation_list) > 1)
    before = [leaf.copy() for leaf in leaves]
    engine.zero_grad()
    forward()
    engine.backward(1.0)
    gradients = []
    for leaf in leaves:
        slot = next((slot for owner, slot in slots if owner is leaf), None)
        if slot is not None:
            gradients.append(slot - 2)
        elif engine.gradient_buffer.is_in_memory(leaf):
            gradients.append(engine.gradient_buffer.get_param(leaf).copy())
        else:
            gradients.append(np.zeros(leaf.shape))
    step = 1e-6
    for leaf, gradient in zip(leaves, gradients):
        direction = rng.standard_normal(leaf.shape)
        kept = leaf.copy()
        values = []
        for sign in (1, -1):
            leaf[...] = kept + sign * step * direction
            engine.zero_grad()
            values.append(float(forward()))
        leaf[...] = kept
        # Values of size up to 1e3 subtracted, over 2e-6: good to about 1e-7 of them, and the step's square.
        expected = (values[0] - values[1]) / (2 * step)
        scale = 1 + abs(expected) + max(map(abs, values)) + float(np.abs(gradient).sum())
        assert abs(float(np.sum(gradient * direction)) - expected) < 1e-6 * scale
    for leaf, old in zip(leaves, before):
        np.testing.assert_array_equal(leaf, old)


@pytest.mark.slow
@settings
@hypothesis.given(
    left=st.sampled_from([(), (1,), (4,), (3, 1), (3, 4), (2, 1, 4), (0, 4), (1, 1)]),
    right=st.sampled_from([(), (1,), (4,), (1, 4), (3, 4), (2, 3, 1), (0, 1), (3, 1)]),
    name=st.sampled_from(["add", "sub", "mul"]),
    seed=st.integers(0, 99),
)
def test_any_broadcast(left, right, name, seed):
    hypothesis.assume(fits(name, np.ones(left), np.ones(right)))
    rng = np.random.default_rng(seed)
    engine, a, b = Autograd(), np.asarray(rng.uniform(1, 2, left)), np.asarray(rng.uniform(1, 2, right))
    compute, rule = BINARY[name]

    def forward():
        y = np.asarray(compute(a, b))
        engine.add_operation([a, b], y, [None, None], rule)
        return y

    assert gradcheck(forward, engine) == a.size + b.size
