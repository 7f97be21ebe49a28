"""Plain data between processes: what is packed comes back, anything else is refused without harm."""

from __future__ import annotations

import json

import numpy as np
import pytest

from autograder.plain import Malformed, pack, unpack


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
    ],
)
def test_anything_else_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        unpack(data)
