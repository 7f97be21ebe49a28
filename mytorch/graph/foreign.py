"""Foreign objects: what can be told of an object of Python's or of an installed package without reading its code."""

from __future__ import annotations

import dis
import operator
import re
import struct
import threading
import types
import weakref
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from functools import cached_property, partial, partialmethod, singledispatchmethod
from typing import Any

import numpy as np

GETTERS = (operator.attrgetter, operator.itemgetter, operator.methodcaller)
# Objects that look as if they could change behind their methods, but do not, or not in a way that a step depends on.
HARMLESS = (type(threading.Lock()), type(threading.RLock()), struct.Struct, re.Match)
# Instructions of Python that put text together or add.
JOINING = ("FORMAT_", "BUILD_STRING", "BINARY_OP", "BINARY_ADD", "BINARY_MODULO")


def wrapped(value: Any) -> Iterator[Any]:
    """The functions and objects that a callable object or a descriptor passes its calls on to."""
    if isinstance(value, (partial, partialmethod)):
        yield from (value.func, value.args, value.keywords)
    elif isinstance(value, GETTERS):
        yield from value.__reduce__()[:2]
    elif isinstance(value, (KeysView, ValuesView, ItemsView)):
        yield getattr(value, "mapping", None)
    elif isinstance(value, singledispatchmethod):
        yield from (value.func, value.dispatcher)
    elif isinstance(value, types.MethodType):
        yield from (value.__self__, value.__func__)
    elif isinstance(value, (types.BuiltinMethodType, types.MethodWrapperType)):
        yield value.__self__
    elif isinstance(value, (staticmethod, classmethod)):
        yield value.__func__
    elif isinstance(value, property):
        yield value.fget
    elif isinstance(value, cached_property):
        yield value.func
    elif isinstance(value, weakref.ref):
        yield value()
    else:
        yield getattr(value, "__dict__", {}).get("__wrapped__")


def joins_text(code: types.CodeType) -> bool:
    """True for code that puts a string together, perhaps the name in a getattr."""
    is_called = not {"join", "format"}.isdisjoint(code.co_names)
    return is_called or any(one.opname.startswith(JOINING) for one in dis.get_instructions(code))


def is_buffer(value: Any) -> bool:
    """True for an object that shows memory, such as a number of ctypes, a memoryview or a mapped file."""
    try:
        memoryview(value)
    except (TypeError, ValueError, BufferError):
        return False
    return not isinstance(value, np.generic)


def is_closed(value: Any) -> bool:
    """True for an object written in C that may have a state which shows nowhere, such as a SimpleQueue.

    What is equal by value does not change, by convention; a function written in C has a name.
    """
    kind = type(value)
    root = kind.__module__.split(".")[0]
    if isinstance(value, np.random.BitGenerator):
        return True
    if root in ("builtins", "numpy") or isinstance(value, (*HARMLESS, *GETTERS)) or hasattr(value, "__dict__"):
        return False
    if hasattr(kind, "__get__"):  # what it gives is an attribute of its owner
        return False
    if any("__slots__" in vars(owner) for owner in kind.__mro__) or (callable(value) and hasattr(value, "__name__")):
        return False
    return kind.__hash__ in (None, object.__hash__)
