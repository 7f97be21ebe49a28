"""Backward functions with settings of their own: products, reductions, shapes, layers."""

from functools import partial

import numpy as np
import pytest

from mytorch.nn import functional as F
from tests.numerics import LAYOUTS, assert_close, call_rule, check_integers, check_rule, laid_out

MATMUL_SHAPES = [
    ((4,), (4,)),
    ((4,), (4, 3)),
    ((3, 4), (4,)),
    ((3, 4), (4, 2)),
    ((1, 4), (4, 1)),
    ((4,), (2, 4, 3)),
    ((2, 3, 4), (4,)),
    ((2, 3, 4), (4, 5)),
    ((3, 4), (2, 4, 5)),
    ((2, 3, 4), (2, 4, 5)),
    ((1, 3, 4), (2, 4, 5)),
    ((2, 3, 4), (1, 4, 5)),
    ((2, 1, 3, 4), (5, 4, 2)),
    ((5, 3, 4), (2, 1, 4, 2)),
    ((2, 1, 1, 4), (1, 3, 4, 2)),
    ((2, 3, 2, 4), (4, 2)),
    ((0, 4), (4, 3)),
    ((3, 0), (0, 2)),
    ((3, 4), (4, 0)),
    ((0,), (0,)),
    ((2, 3, 0), (0, 2)),
    ((2, 3, 4), (4, 0)),
    ((0, 3, 4), (4, 2)),
    ((2, 3, 0), (2, 0, 2)),
]
OUTER_SHAPES = [((3,), (4,)), ((1,), (4,)), ((), (4,)), ((2, 3), (4,)), ((0,), (4,)), ((3,), (0,)), ((2, 2), (3, 1))]
PRODUCTS = [(np.matmul, F.matmul_backward, *shapes) for shapes in MATMUL_SHAPES]
PRODUCTS += [(np.outer, F.outer_backward, *shapes) for shapes in OUTER_SHAPES]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("forward", "rule", "left", "right"), PRODUCTS)
def test_products(forward, rule, left, right, layout, rng):
    inputs = [laid_out(rng.standard_normal(shape), layout) for shape in (left, right)]
    check_rule(forward, rule, inputs, grad_layout=layout)
    output = forward(*inputs)
    check_integers(rule, [rng.integers(-9, 9, shape) for shape in (left, right)], output.shape, np.int32)


@pytest.mark.parametrize(("left", "right"), MATMUL_SHAPES)
def test_matmul_equals_pytorch(left, right, torch, rng):
    a, b = rng.standard_normal(left), rng.standard_normal(right)
    ta, tb = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    y = ta @ tb
    g = rng.standard_normal(tuple(y.shape))
    y.backward(torch.tensor(g))
    for got, tensor in zip(F.matmul_backward(g, a, b), (ta, tb)):
        assert_close(got, tensor.grad.numpy(), 1e-12)


AXES = [
    ((), None),
    ((), ()),
    ((5,), None),
    ((5,), 0),
    ((5,), -1),
    ((3, 4), None),
    ((3, 4), 0),
    ((3, 4), 1),
    ((3, 4), -2),
    ((3, 4), (0, 1)),
    ((3, 4), ()),
    ((2, 3, 4), 1),
    ((2, 3, 4), (0, 2)),
    ((2, 3, 4), (2, 0)),
    ((2, 3, 4), (-1, 0)),
    ((2, 3, 4), (-1, -2)),
    ((2, 3, 4), None),
    ((3, 3), 0),
    ((3, 3), 1),
    ((0,), None),
    ((0, 3), 1),
    ((0, 3), 0),
    ((3, 0), 0),
]


@pytest.mark.parametrize("layout", ["C", "transposed", "reversed"])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("shape", "axis"), AXES)
@pytest.mark.parametrize("mean", [False, True], ids=["sum", "mean"])
def test_reductions(mean, shape, axis, keepdims, layout, rng):
    rule = partial(F.mean_backward if mean else F.sum_backward, axis=axis, keepdims=keepdims)

    def forward(x):
        total = np.sum(x, axis=axis, keepdims=keepdims)
        return total / max(x.size / max(total.size, 1), 1) if mean else total

    x = laid_out(rng.standard_normal(shape), layout)
    check_rule(forward, rule, [x], grad_layout=layout)
    check_integers(rule, [rng.integers(0, 9, shape)], np.shape(forward(x)), np.int64)


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("mean", [False, True], ids=["sum", "mean"])
def test_kept_axes_say_what_was_reduced(mean, axis, rng):
    rule, total = (F.mean_backward, np.mean) if mean else (F.sum_backward, np.sum)
    x = rng.standard_normal((4, 3, 2))
    check_rule(lambda x: total(x, axis=axis, keepdims=True), rule, [x])


@pytest.mark.parametrize("shape", [(3,), (4,), (2, 1), (4, 2)])
def test_a_reduction_without_its_axis_is_refused_where_the_shapes_don_t_say_it(shape):
    with pytest.raises(ValueError, match="Record the axis"):
        F.sum_backward(np.ones(shape), np.ones((4, 3)))


INDICES = [
    0,
    -1,
    np.int64(1),
    slice(1, 3),
    slice(None, None, -2),
    Ellipsis,
    None,
    (slice(None), 1),
    (..., 0, None),
    (1, 2),
    [0, 0, 2],
    np.array([[0, 2], [2, 2]]),
    np.array(1),
    (np.array([0, 0, 1]), np.array([3, 3, 2])),
    (slice(None), [1, 1]),
    ([0, 0], slice(1, 3)),
    ((0, 0, 2),),
    ((1, 1), (2, 2)),
    np.array([True, False, True]),
    np.array([[True, False, True, True]] * 3),
    np.array([], dtype=int),
    slice(2, 2),
]


@pytest.mark.parametrize("layout", ["C", "fortran", "reversed"])
@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_getitem(index, layout, rng):
    x = laid_out(rng.standard_normal((3, 4)), layout)
    rule = partial(F.getitem_backward, index=index)
    check_rule(lambda a: a[index], rule, [x])
    check_integers(rule, [rng.integers(0, 9, (3, 4))], x[index].shape, np.uint8)


@pytest.mark.parametrize("axes", [None, (0, 1, 2), (2, 0, 1), (1, 2, 0), (-1, 0, -2), (1, 0, 2)])
def test_transpose_axes(axes, rng):
    x = laid_out(rng.standard_normal((2, 3, 4)), "C")
    check_rule(lambda a: a.transpose(axes), partial(F.transpose_backward, axes=axes), [x])


@pytest.mark.parametrize("shape", [(12,), (4, 3), (1, 12, 1), (2, 6)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_reshape_to(shape, layout, rng):
    x = laid_out(rng.standard_normal((3, 4)), layout)
    check_rule(lambda a: a.reshape(shape), F.reshape_backward, [x])


@pytest.mark.parametrize(
    ("shapes", "axis"),
    [
        ([(3,), (2,)], 0),
        ([(3,), (2,), (4,)], -1),
        ([(2, 3), (2, 1)], 1),
        ([(2, 3), (4, 3)], 0),
        ([(2, 3), (2, 2), (2, 1)], -1),
        ([(2, 3), (4,), ()], None),
        ([(0, 3), (2, 3)], 0),
        ([(0,), (0,)], 0),
    ],
)
@pytest.mark.parametrize("layout", ["C", "transposed", "reversed"])
def test_concatenate(shapes, axis, layout, rng):
    arrays = [laid_out(rng.standard_normal(shape), layout) for shape in shapes]
    rule = partial(F.concatenate_backward, axis=axis)
    check_rule(lambda *a: np.concatenate(a, axis), rule, arrays)
    check_integers(rule, [rng.integers(0, 9, s) for s in shapes], np.concatenate(arrays, axis).shape, np.int64)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("leading", [(), (1,), (4,), (7,), (0,), (2, 3), (1, 1), (2, 0)])
def test_linear_rule(leading, layout, rng):
    inputs = [laid_out(rng.standard_normal(shape), layout) for shape in [(*leading, 3), (2, 3), (2, 1)]]
    check_rule(lambda x, W, b: x @ W.T + b[:, 0], F.linear_backward, inputs, grad_layout=layout)


@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (1, 1), (0, 3)])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("log", [False, True], ids=["softmax", "log_softmax"])
def test_softmaxes(log, shape, axis, layout, rng):
    def softmax(x):
        e = np.exp(x)
        return e / np.sum(e, axis=axis, keepdims=True)

    x = laid_out(rng.standard_normal(shape), layout)
    rule = partial(F.log_softmax_backward if log else F.softmax_backward, axis=axis)
    check_rule((lambda a: np.log(softmax(a))) if log else softmax, rule, [x], grad_layout=layout)
    check_integers(rule, [rng.integers(-3, 3, shape)], shape, np.int64)


@pytest.mark.parametrize("indices", [np.array([1, 1, 0, 1]), np.array([[2, 2], [0, 2]]), np.array(1), np.empty(0, int)])
def test_embedding_rule(indices, rng):
    W = laid_out(rng.standard_normal((3, 2)), "C")
    check_rule(lambda w: w[indices], lambda g, w: F.embedding_backward(g, w, indices)[0], [W])
    assert F.embedding_backward(np.ones((*indices.shape, 2)), W, indices)[1] is None


@pytest.mark.parametrize("shape", [(), (1,), (5,), (3, 4), (0,), (2, 3, 2)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_mse_rule(shape, layout, rng):
    inputs = [laid_out(rng.standard_normal(shape), layout) for _ in range(2)]
    check_rule(lambda y, t: np.sum((y - t) ** 2).reshape(1) / max(y.size, 1), F.mse_backward, inputs)
    check_integers(F.mse_backward, [rng.integers(0, 9, shape) for _ in range(2)], (1,), np.uint8)


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize(("shape", "axes"), [((4, 3), (0,)), ((7, 3), (1,)), ((2, 3, 5), (0, 2)), ((2, 3, 5), (1, 2))])
@pytest.mark.parametrize("layout", ["C", "transposed", "reversed"])
def test_normalize_rule(shape, axes, layout, fixed, rng):
    by_batch = 0 in axes
    wide = tuple(1 if (axis in axes) == by_batch else n for axis, n in enumerate(shape))
    x, gamma, beta = (laid_out(rng.standard_normal(s), layout) for s in (shape, wide, wide))

    def statistics(x):
        mean = x.mean(axis=axes, keepdims=True)
        return mean, 1 / np.sqrt(((x - mean) ** 2).mean(axis=axes, keepdims=True) + 1e-5)

    constants = statistics(x)

    def forward(x, gamma, beta):
        mean, inverse_std = constants if fixed else statistics(x)
        return (x - mean) * inverse_std * gamma + beta

    def rule(g, x, gamma, beta):
        mean, inverse_std = (array.astype(x.dtype) for array in statistics(x.astype(np.float64)))
        settings = {"axes": axes, "shape": wide, "mean": mean, "inverse_std": inverse_std, "fixed": fixed}
        return F.normalize_backward(g, x, gamma, beta, **settings)

    # The standard deviation's rounding is seen through a difference of means, so one digit less than usual.
    check_rule(forward, rule, [x, gamma, beta], grad_layout=layout)


@pytest.mark.parametrize("scores", [(1, 5), (4, 5), (7, 5), (2, 3, 5), (5,), (9, 2), (2, 9)])
@pytest.mark.parametrize("layout", ["C", "transposed", "reversed"])
@pytest.mark.parametrize("kind", ["classes", "one-hot", "weights"])
def test_cross_entropy_rule(scores, layout, kind, rng):
    pred = laid_out(rng.standard_normal(scores), layout)
    classes = rng.integers(0, scores[-1], scores[:-1])
    weights = np.eye(scores[-1])[classes] if kind != "weights" else rng.uniform(0.1, 1, scores)
    truth = classes if kind == "classes" else weights

    def forward(p):
        return -np.sum(weights * np.log(np.exp(p) / np.sum(np.exp(p), -1, keepdims=True))).reshape(1) / max(
            classes.size, 1
        )

    check_rule(forward, lambda g, p: F.SoftmaxCrossEntropy_backward(g, p, truth)[0], [pred])
    assert F.SoftmaxCrossEntropy_backward(np.ones(1), pred, truth)[1] is None


@pytest.mark.parametrize(("added", "shape"), [((3, 4), ()), ((2, 3, 4), (4,)), ((3, 4), (3, 1)), ((3, 4), (3, 4))])
def test_unbroadcast_sums_what_was_repeated(added, shape):
    np.testing.assert_array_equal(F.unbroadcast(np.ones(added), shape), np.full(shape, np.prod(added) / np.prod(shape)))


def test_complex_gradients_keep_their_imaginary_part_only_for_complex_inputs():
    g = np.array([1 + 2j])
    assert F.mul_backward(g, np.array([3.0]), np.array([2j]))[0].dtype == np.float64
    assert F.mul_backward(g, np.array([3j]), np.array([2j]))[0].dtype == np.complex128


def test_a_call_returns_one_gradient_per_input():
    assert len(call_rule(partial(F.concatenate_backward, axis=0), np.ones(3), [np.ones(1), np.ones(2)])) == 2
