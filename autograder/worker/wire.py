"""Wire format between processes: dicts and lists of arrays, numbers and strings as bytes, and nothing else."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np

KINDS = "biufc"
LIMIT = 16 << 20
# Limits of the header. A check sends some kilobytes; the limits make hostile bytes cheap to refuse.
HEADER_LIMIT = 1 << 20
MOST_NODES = 50_000
DEEPEST = 32
MOST_AXES = 16
LARGEST_AXIS = 1 << 31
DTYPE = re.compile(r"\|[b?iu]1|[<>=](?:[iu][248]|f(?:2|4|8|12|16)|c(?:8|16|24|32))", re.ASCII)


class Malformed(ValueError):
    """The bytes are not in this format."""


def pack(value: Any) -> bytes:
    """The value as bytes: a JSON header that describes it, then the bytes of its arrays. Raises TypeError for other types."""
    buffers: list[bytes] = []
    header = json.dumps(_describe(value, buffers), allow_nan=False).encode()
    return len(header).to_bytes(4, "big") + header + b"".join(buffers)


def framed(value: Any) -> bytes:
    """The packed value behind its length in eight bytes, as it goes through a pipe or socket."""
    data = pack(value)
    return len(data).to_bytes(8, "big") + data


def unpack(data: bytes) -> Any:
    """The value that was packed, with fresh, writable arrays. Raises Malformed for any other bytes.

    Memory and time stay proportional to the number of bytes, whatever sizes the header claims.
    """
    try:
        size = int.from_bytes(data[:4], "big")
        if len(data) > LIMIT or size > min(HEADER_LIMIT, len(data) - 4):
            raise ValueError
        header = json.loads(
            data[4 : 4 + size].decode(),
            object_pairs_hook=_one_pair,
            parse_int=_short_int,
            parse_float=_finite,
            parse_constant=_finite,
        )
        reader = _Reader(memoryview(data), 4 + size)
        value = reader.rebuild(header, 0)
    except (ValueError, TypeError, RecursionError, OverflowError, MemoryError) as error:
        raise Malformed(f"these bytes are no plain data ({type(error).__name__})") from None
    if reader.start != len(data):
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


def _one_pair(pairs: list[tuple[str, Any]]) -> tuple[str, Any]:
    """The single key and value of a JSON object. pack writes no object with more keys, nor one key twice."""
    ((kind, content),) = pairs
    return kind, content


def _short_int(text: str) -> int:
    if len(text) > 20:
        raise ValueError
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


class _Reader:
    """Reader of a value: follows the header and takes arrays from the bytes in turn."""

    def __init__(self, data: memoryview, start: int) -> None:
        self.data = data
        self.start = start
        self.nodes = 0

    def rebuild(self, node: Any, depth: int) -> Any:
        """The value that a node of the header describes. Raises ValueError or TypeError for a malformed node."""
        self.nodes += 1
        if not isinstance(node, tuple) or self.nodes > MOST_NODES or depth > DEEPEST:
            raise ValueError
        kind, content = node
        if kind == "value":
            if not (content is None or isinstance(content, (bool, int, float, str))):
                raise ValueError
            return content
        if not isinstance(content, list):
            raise ValueError
        if kind == "array":
            return self.array(*content)
        if kind == "list":
            return [self.rebuild(part, depth + 1) for part in content]
        if kind == "dict":
            result: dict[str, Any] = {}
            for key, part in content:
                if not isinstance(key, str) or key in result:
                    raise ValueError
                result[key] = self.rebuild(part, depth + 1)
            return result
        raise ValueError

    def array(self, code: Any, shape: Any) -> np.ndarray:
        """The next array, of this dtype (as in ``<f8``) and shape."""
        if (
            not isinstance(code, str)
            or not DTYPE.fullmatch(code)
            or not isinstance(shape, list)
            or len(shape) > MOST_AXES
        ):
            raise ValueError
        # bool is a subclass of int, but True is not a length.
        if not all(type(n) is int and 0 <= n < LARGEST_AXIS for n in shape):
            raise ValueError
        dtype = np.dtype(code)
        end = self.start + math.prod(shape) * dtype.itemsize
        if dtype.kind not in KINDS or end > len(self.data):
            raise ValueError
        array = np.frombuffer(self.data[self.start : end], dtype).reshape(shape).copy()
        self.start = end
        return array
