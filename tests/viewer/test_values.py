"""Values: small arrays digit by digit, large ones by a sample that holds true entries."""

import base64
import json

import numpy as np
import pytest

from mytorch.viewer.values import CELLS, PAGE, Values, cells_for


def put(array, cells=CELLS, images=False):
    values = Values(cells)
    return values.pool[values.put(array, images)]


def grid(value):
    return np.frombuffer(base64.b64decode(value["data"]), "<f4").reshape(value["rows"], value["columns"])


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 2, 3)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_small_arrays_keep_every_digit(rng, shape, dtype):
    array = rng.standard_normal(shape).astype(dtype)
    value = json.loads(json.dumps(put(array)))
    assert (value["kind"], value["dtype"], value["shape"]) == ("numbers", np.dtype(dtype).name, list(shape))
    assert np.array_equal(np.array(value["numbers"], dtype).reshape(shape), array)


@pytest.mark.parametrize(
    ("array", "numbers"),
    [
        (np.array([np.nan, np.inf, -np.inf, 1.5]), ["NaN", "∞", "-∞", 1.5]),
        (np.array([True, False]), [1, 0]),
        (np.array([1, 2**60 + 1]), [1, str(2**60 + 1)]),
        (np.array([1 + 2j, -0.5j]), ["1+2i", "-0-0.5i"]),
    ],
)
def test_numbers_that_json_has_no_word_for_are_texts(array, numbers):
    value = put(array)
    assert value["numbers"] == numbers
    json.dumps(value, allow_nan=False)


@pytest.mark.parametrize(("array", "kind"), [(np.zeros((0, 3)), "empty"), (np.array(["a"]), "other")])
def test_arrays_without_numbers(array, kind):
    assert put(array)["kind"] == kind


@pytest.mark.parametrize("shape", [(100,), (7, 90), (300, 400), (5, 1000), (100_000,), (2, 3, 400), (100_000, 2)])
@pytest.mark.parametrize("cells", [16, 300, CELLS])
def test_a_heat_map_holds_entries_of_the_array(rng, shape, cells):
    array = rng.standard_normal(shape)
    value = put(array, cells)
    rows, columns = value["steps"]
    flat = array.reshape(-1, shape[-1]) if len(shape) > 1 else array.reshape(1, -1)
    assert np.array_equal(grid(value), flat[::rows, ::columns].astype("f4"))
    assert value["rows"] * value["columns"] <= cells
    assert value["rows"] * value["columns"] > min(cells, array.size) / 5
    assert (value["low"], value["high"]) == (array.min(), array.max())
    assert value["mean"] == pytest.approx(array.mean(), abs=1e-12)


def test_a_sample_is_counted():
    values = Values(100)
    values.put(np.arange(60.0))
    assert values.sampled == 0
    values.put(np.arange(400.0))
    assert values.sampled == 1


def test_the_range_is_that_of_the_finite_entries():
    array = np.arange(100.0)
    array[[0, 5, 99]] = np.nan, np.inf, -np.inf
    value = put(array)
    assert (value["low"], value["high"], value["not_finite"]) == (1, 98, 3)
    assert put(np.full(100, np.nan))["not_finite"] == 100


def test_large_complex_arrays_are_shown_by_their_absolute_values():
    value = put(np.full(100, 3 + 4j))
    assert value["magnitude"]
    assert (value["low"], value["high"]) == (5, 5)


@pytest.mark.parametrize(
    ("shape", "side", "rows"),
    [
        ((20, 64), 8, 20),
        ((20, 784), 28, 5),
        ((784,), 28, 1),
        ((6, 28, 28), 28, 5),
        ((20, 60), 0, 20),
        ((3, 5, 64), 0, 15),
    ],
)
def test_images_are_kept_whole(shape, side, rows):
    value = put(np.zeros(shape), images=True)
    assert (value["image"], value["rows"]) == (side, rows)
    assert put(np.zeros(shape))["image"] == 0


def test_equal_values_are_put_in_once():
    values = Values()
    assert values.put(np.ones(3)) == values.put(np.ones(3)) != values.put(np.ones(3, np.float32))


def test_the_page_has_room_for_all_heat_maps():
    for arrays in (1, 100, 5000):
        assert arrays * cells_for(arrays) * 16 / 3 <= PAGE
