"""The lines of the NumPy backend: products in strips and with a factor turned round, numbers, masks, and large parameters."""

import itertools
import math

import numpy as np
import pytest

from mytorch import Autograd, nn
from mytorch.graph.backends import blas, numpy_backend, numpy_products
from mytorch.graph.backends.numpy_lines import FUNCTIONS
from mytorch.graph.backends.numpy_products import MOST, MOST_DOTS, Factor, strip
from mytorch.graph.backends.source import Source
from mytorch.graph.binding import ALIGNMENT, Binding
from mytorch.graph.builder import Builder
from mytorch.graph.plan import PIECE, Plan, Value
from tests.graph import nets


def held(array):
    return Value(array.shape, array.dtype, "held", array=array)


def as_it_lies(array, by_columns):
    return np.asfortranarray(array) if by_columns else array


def lines_of(plan):
    source = Source(Binding(plan), FUNCTIONS)
    numpy_backend.emit(source, plan.instructions)
    return source.lines


# Whole, in strips, in scalar products, and where the smaller factor is turned round.
SHAPES = [(2, 2, 2), (96, 400, 40), (32, 64, 128), (1024, 64, 32), (70, 1030, 33)]


@pytest.mark.parametrize(
    ("shape", "core", "dtype"),
    [
        *((shape, "SkylakeX", np.float32) for shape in SHAPES),
        (SHAPES[1], "SkylakeX", np.float64),
        (SHAPES[1], "", np.float32),
    ],
)
def test_products(shape, core, dtype, monkeypatch):
    monkeypatch.setattr(blas, "core", lambda: core)
    rng = np.random.default_rng(0)
    m, k, n = shape
    a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    exact = a.astype(np.float64) @ b
    cut = False
    for a_by_columns, b_by_columns, out_by_columns, is_given in itertools.product([False, True], repeat=4):
        p = Builder()
        left = Value(a.shape, a.dtype, "argument", index=0) if is_given else held(as_it_lies(a, a_by_columns))
        y = p.matmul(left, held(as_it_lies(b, b_by_columns)))
        transposed = frozenset([y] if out_by_columns else [])
        plan = Plan(p.instructions, [left] if is_given else [], [y], transposed=transposed)
        given = [as_it_lies(a, a_by_columns)] if is_given else []
        (found,) = numpy_backend.build(plan)[0](*given)
        np.testing.assert_allclose(found, exact, rtol=0, atol=np.finfo(dtype).eps * k * 4)
        cut |= len(lines_of(plan)) > 1
    assert cut == (core == "SkylakeX" and shape != (2, 2, 2))


def matrix(rows, columns, by_rows=True):
    return Factor("t", (rows, columns), by_rows)


@pytest.mark.parametrize(
    ("left", "right", "height"),
    [
        (matrix(32, 784), matrix(784, 32), 32),  # small enough as it is
        (matrix(256, 784), matrix(784, 32), 32),
        (matrix(256, 784), matrix(784, 32, False), 32),  # scalar products
        (matrix(128, 256), matrix(256, 32), 64),  # two equal strips, where 120 rows would leave 8
        (matrix(128, 32), matrix(32, 256, False), 0),  # strips of 4 rows are not worth their calls
        (matrix(1024, 64), matrix(64, 32, False), 0),  # nor are short scalar products
        (matrix(128, 20), matrix(20, 8, False), 0),
        (matrix(256, 784, False), matrix(784, 32), 0),  # a strip of columns is none that BLAS likes
        (matrix(100, 100, False), matrix(100, 100), 100),
        (matrix(2000, 2000), matrix(2000, 2000), 0),
    ],
)
def test_the_height_of_strips(left, right, height):
    assert strip(left, right) == height
    columns = right.shape[1]
    assert height * left.shape[1] * columns <= MOST
    assert right.by_rows or not left.by_rows or height * columns <= MOST_DOTS


def test_the_smaller_factor_is_turned_round(monkeypatch):
    monkeypatch.setattr(blas, "core", lambda: "SkylakeX")
    for shape, name in (((32, 64, 300), "left"), ((1000, 64, 32), "right")):
        m, k, n = shape
        p = Builder()
        values = {"left": held(np.ones((m, k))), "right": held(np.asfortranarray(np.ones((k, n))))}
        plan = Plan(p.instructions, [], [p.matmul(*values.values())])
        source = Source(Binding(plan), FUNCTIONS)
        numpy_products.multiply(source, plan.instructions[0])
        copy, *products = source.lines
        assert copy.startswith("copyto(turned")
        assert copy.endswith(f", {source(values[name])})")
        assert all("turned" in line for line in products)


@pytest.mark.parametrize("a", [1.5, -1.5, 0.0, -0.0, math.nan, math.inf])
@pytest.mark.parametrize("b", [2.0, 0.0, -0.0, math.nan, math.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_quotient_of_one_entry(a, b, dtype):
    p = Builder()
    x, y = (Value((1, 1), np.dtype(dtype), "argument", index=index) for index in range(2))
    run, _ = numpy_backend.build(Plan(p.instructions, [x, y], [p.div(x, y)]))
    arrays = [np.array([[number]], dtype) for number in (a, b)]
    with np.errstate(all="ignore"):
        (found,), expected = run(*arrays), arrays[0] / arrays[1]
    assert found.tobytes() == expected.tobytes() or (np.isnan(found) and np.isnan(expected))


@pytest.mark.parametrize("number", [0.0, 0.25])
@pytest.mark.parametrize("shape", [(3, 4), (40, 30), (2, PIECE // 2 + 1)])
@pytest.mark.parametrize("by_columns", [False, True])
def test_masks_and_the_larger_of_an_array_and_a_number(number, shape, by_columns):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    x[0, 0], x[-1, -1], x[0, 1] = math.nan, 0, -math.inf
    p = Builder()
    given = Value(x.shape, x.dtype, "argument", index=0)
    y = p.maximum(given, number)
    outputs = [y, p.positive(y)]
    transposed = frozenset(outputs if by_columns else [])
    larger, mask = numpy_backend.build(Plan(p.instructions, [given], outputs, transposed=transposed))[0](x)
    np.testing.assert_array_equal(larger, np.maximum(x, np.float32(number)))
    assert mask.dtype == np.float32
    np.testing.assert_array_equal(mask, larger > 0)


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_parameters_of_all_sizes_lie_side_by_side(optimizer, monkeypatch):
    monkeypatch.setattr(numpy_backend, "LARGE", 1000)
    engine = Autograd()
    sizes = [(64, 48), (48, 16), (16, 8), (8, 3)]
    layers = [nn.Linear(n_in, n_out, engine, rng=0) for n_in, n_out in sizes]
    large, small, held_elsewhere, _ = layers
    kept = held_elsewhere.W
    net = nn.Sequential(*layers)
    one = nets.Training(net, nn.SoftmaxCrossEntropy(engine), nets.OPTIMIZERS[optimizer](net.parameters()), engine)
    step = one.compiled(backend="numpy")
    rng = np.random.default_rng(0)
    for _ in range(4):
        step(rng.standard_normal((5, 64)), rng.integers(0, 3, 5))
    assert step.plan is not None, step.reason
    for name in ("W", "dW"):
        assert getattr(large, name).base is not None
        assert getattr(large, name).base is getattr(small, name).base
        for layer in (large, small):
            assert getattr(layer, name).__array_interface__["data"][0] % ALIGNMENT == 0
    assert held_elsewhere.W is kept
    # The large weight is updated as soon as its gradient is there, the small ones in the end.
    ((entry,),) = step.plans.values()
    first = next(names for names in entry.writes_of if names)
    assert first[0] == "Linear0.W"
