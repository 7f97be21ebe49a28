"""Plain data as bytes: dicts and lists of arrays, numbers and strings cross between processes, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

KINDS = "biufc"
LIMIT = 16 << 20


class Malformed(ValueError):
    """The bytes are no plain data."""


def pack(value: Any) -> bytes:
    """A JSON header that describes the value, then the arrays' bytes one after the other."""
    buffers: list[bytes] = []
    header = json.dumps(_describe(value, buffers)).encode()
    return len(header).to_bytes(4, "big") + header + b"".join(buffers)


def unpack(data: bytes) -> Any:
    """What pack was given. Arrays are fresh and can be written to. Raises Malformed for anything else."""
    try:
        size = int.from_bytes(data[:4], "big")
        header = json.loads(data[4 : 4 + size].decode())
        value, used = _rebuild(header, memoryview(data), 4 + size)
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        IndexError,
        RecursionError,
        OverflowError,
        MemoryError,
    ) as error:
        raise Malformed(f"these bytes are no plain data ({type(error).__name__})") from None
    if used != len(data):
        raise Malformed("there are bytes left over")
    return value


def _describe(value: Any, buffers: list[bytes]) -> Any:
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        if array.dtype.kind not in KINDS:
            raise TypeError(f"an array of {array.dtype} cannot be sent; send numbers")
        buffers.append(array.tobytes())
        return {"array": [array.dtype.str, list(value.shape)]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return {"value": value}
    if isinstance(value, (list, tuple)):
        return {"list": [_describe(item, buffers) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[str(key), _describe(item, buffers)] for key, item in value.items()]}
    raise TypeError(f"a {type(value).__name__} cannot be sent; send arrays, numbers, strings, lists and dicts")


def _rebuild(node: Any, data: memoryview, start: int) -> tuple[Any, int]:
    ((kind, content),) = node.items()
    if kind == "value":
        if not (content is None or isinstance(content, (bool, int, float, str))):
            raise ValueError
        return content, start
    if kind == "array":
        dtype, shape = np.dtype(str(content[0])), tuple(int(n) for n in content[1])
        count = 1
        for n in shape:
            count *= n
        size = count * dtype.itemsize
        if dtype.kind not in KINDS or len(shape) > 16 or min(shape, default=0) < 0 or start + size > len(data):
            raise ValueError
        return np.frombuffer(data[start : start + size], dtype).reshape(shape).copy(), start + size
    if kind == "list":
        items = []
        for part in content:
            item, start = _rebuild(part, data, start)
            items.append(item)
        return items, start
    if kind == "dict":
        result = {}
        for key, part in content:
            result[str(key)], start = _rebuild(part, data, start)
        return result, start
    raise ValueError
