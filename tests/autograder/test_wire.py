"""The wire format: packed values come back, and any other bytes are refused without harm."""

from __future__ import annotations

import json
import tracemalloc
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.worker.wire import HEADER_LIMIT, LIMIT, Malformed, pack, unpack
from tests.clocks import at_most


def test_what_is_packed_comes_back() -> None:
    arrays = [
        np.float32(3) * np.ones((2, 3), np.float32).T,
        np.zeros((0, 4)),
        np.array(5),
        np.array([True]),
        np.arange(3) + 1j,
    ]
    value = {"arrays": arrays, "text": "é: \n", "none": None, "nested": {"x": [1, 2.5, False]}}
    back = unpack(pack(value))
    assert back.pop("arrays")[0].flags.writeable
    again = unpack(pack(value))
    for one, other in zip(arrays, again.pop("arrays")):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(one, other)
    assert again == {"text": "é: \n", "none": None, "nested": {"x": [1, 2.5, False]}}


@pytest.mark.parametrize("value", [object(), np.array([None]), np.array(["a"]), {"f": len}])
def test_only_plain_values_are_packed(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be sent"):
        pack(value)


def framed(header: object, rest: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(4, "big") + text + rest


def raw(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04.",
        framed([]),
        framed({"value": {"x": 1}}),
        framed({"value": 1}, b"left over"),
        framed({"array": ["<f8", [2]]}, b"short"),
        framed({"array": ["|O", [1]]}, b"12345678"),
        framed({"array": ["<f8", [-1]]}),
        framed({"array": ["<f8", [10**30]]}),
        framed({"array": ["nonsense", [1]]}, b"12345678"),
        framed({"list": 3}),
        framed({"dict": [["only a key"]]}),
        (1 << 30).to_bytes(4, "big") + b"{}",
        framed({"value": 1})[:-1],
        b"\x00\x00\x20\x00" + b'{"list":[' * 910 + b"]}" * 910,
        *(
            framed({"array": [code, [1]]}, bytes(size))
            for code, size in (
                ("O", 8),
                ("|O", 8),
                ("V8", 8),
                ("|V8", 8),
                ("|V0", 0),
                ("<U3", 12),
                ("|S4", 4),
                ("<M8[s]", 8),
                ("<m8[ns]", 8),
                ("f8,i4", 12),
                ("(2,)<f8", 16),
                ("float64", 8),
                ("d", 8),
                ("", 8),
                ("<f8 ", 8),
                ("<i3", 3),
                ("|f8", 8),
                ("<U0", 0),
                ("[('a','<f8')]", 8),
                ("<f8\n", 8),
                ("<c4", 4),
                ("<f\u0661", 8),
            )
        ),
        *(
            framed({"array": ["<f8", shape]}, bytes(8))
            for shape in (
                [True],
                [1.0],
                ["1"],
                [None],
                [[1]],
                "1",
                1,
                {"value": 1},
                [-1, -1],
                [1] * 17,
                [1 << 62, 0],
                [-0.0],
            )
        ),
        framed({"array": ["<f8", [0, 1 << 40]]}),
        framed({"array": ["<f8", [1], 3]}, bytes(8)),
        framed({"array": {"value": 1}}),
        framed({"dict": [["a", {"value": 1}], ["a", {"value": 2}]]}),
        framed({"dict": [[1, {"value": 1}]]}),
        framed({"dict": [[None, {"value": 1}]]}),
        framed({"dict": {"value": 1}}),
        framed({"dict": ["ab"]}),
        framed({"value": [1]}),
        framed({"value": 1, "list": []}),
        framed({"something": 1}),
        framed({"something": []}),
        raw(b'{"value": 1, "value": 2}'),
        raw(b'{"value": NaN}'),
        raw(b'{"value": -Infinity}'),
        raw(b'{"value": 1e999}'),
        raw(b'{"value": ' + b"9" * 30 + b"}"),
        raw(b'{"value": "\xff"}'),
        raw(b"[" * 500_000),
        raw(b'{"list": [' + b'{"value":1},' * 99 + b"]}"),
        bytes(LIMIT + 1),
    ],
)
@pytest.mark.slow
def test_anything_else_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        unpack(data)


@pytest.mark.slow
def test_limits_of_size_alone_are_refused() -> None:
    """Right in every other way: too large a header, too many nodes, too deep."""
    assert unpack(pack([[1]])) == [[1]]
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    for value in ("x" * HEADER_LIMIT, [[]] * 60_000, deep, np.zeros(LIMIT // 8)):
        with pytest.raises(Malformed):
            unpack(pack(value))


def test_numbers_that_json_has_no_word_for_are_not_packed() -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            pack({"x": value})


def test_every_kind_of_number_comes_back() -> None:
    for code in ("?", "b", "B", "h", "H", "i", "I", "q", "Q", "e", "f", "d", "g", "F", "D", "G"):
        for order in "<>":
            array = np.arange(6).astype(np.dtype(code).newbyteorder(order)).reshape(2, 3)
            back = unpack(pack(array))
            assert (back.dtype, back.tolist()) == (array.dtype, array.tolist())


def is_plain(value: Any, depth: int = 0) -> bool:
    if isinstance(value, list):
        return depth < 99 and all(is_plain(item, depth + 1) for item in value)
    if isinstance(value, dict):
        return depth < 99 and all(type(k) is str and is_plain(v, depth + 1) for k, v in value.items())
    if isinstance(value, np.ndarray):
        return type(value) is np.ndarray and value.dtype.kind in "biufc" and value.dtype.names is None
    return value is None or type(value) in (bool, int, float, str)


SHAPE = st.lists(st.integers(-1, 4) | st.sampled_from([True, 1.0, "2", 1 << 70, None]), max_size=4) | st.integers()
CODE = st.sampled_from(["<f8", ">f8", "|b1", "<i4", "<c16", "O", "<U1", "V8", "<M8[s]"]) | st.text(max_size=5)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
NODES = st.recursive(
    st.fixed_dictionaries({"value": LEAVES}) | st.fixed_dictionaries({"array": st.tuples(CODE, SHAPE)}) | LEAVES,
    lambda inner: (
        st.fixed_dictionaries({"list": st.lists(inner, max_size=4)})
        | st.fixed_dictionaries({"dict": st.lists(st.tuples(LEAVES, inner), max_size=4)})
        | st.dictionaries(st.sampled_from(["value", "list", "dict", "array", "x"]), inner, max_size=2)
    ),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(header=NODES, rest=st.binary(max_size=64))
def test_a_hostile_header_gives_plain_data_or_is_malformed(header: Any, rest: bytes) -> None:
    try:
        value = unpack(framed(header, rest))
    except Malformed:
        return
    assert is_plain(value)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=60).map(raw))
def test_random_bytes_give_plain_data_or_are_malformed(data: bytes) -> None:
    try:
        value = unpack(data)
    except Malformed:
        return
    assert is_plain(value)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_right_bytes_with_some_changed_give_plain_data_or_are_malformed(data: Any) -> None:
    whole = bytearray(pack({"status": "ok", "values": [{"x": np.ones((2, 3)), "y": np.arange(4)}], "check": 3}))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    for bad in (bytes(whole), bytes(whole[:cut])):
        try:
            value = unpack(bad)
        except Malformed:
            continue
        assert is_plain(value)


def _full(text: bytes, many: bytes, end: bytes) -> bytes:
    """A header as long as is allowed."""
    count = (HEADER_LIMIT - len(text) - len(end)) // len(many)
    return raw(text + (many * count).removesuffix(b",") + end)


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        _full(b'{"list":[', b'{"value":1},', b"]}"),
        _full(b'{"list":[', b'{"list":[]},', b"]}"),
        _full(b'{"list":[', b'{"array":["<f8",[0,0,0]]},', b"]}"),
        _full(b"[", b"[],", b"]"),
        _full(b'{"value":"', b"xx", b'"}'),
        _full(b'{"value":', b"1", b"}"),
        _full(b'{"value":"', b"\\u0041x", b'"}'),
        raw(b'{"list":[' * 100_000),
        raw(b"[" * HEADER_LIMIT),
        HEADER_LIMIT.to_bytes(4, "big") * (LIMIT // 4),
    ],
    ids=range(10),
)
def test_the_largest_headers_cost_little(data: bytes) -> None:
    tracemalloc.start()
    try:
        with at_most(8), suppress(Malformed):  # tracemalloc makes it several times slower
            unpack(data)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 128 << 20
