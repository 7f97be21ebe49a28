"""Names of arrays: from the variables of the program, and from the layers that hold them."""

from __future__ import annotations

import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator
from types import FrameType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from mytorch.operation import Operation
from mytorch.utils import GradientBuffer

locate = GradientBuffer.get_memory_loc

LAYER, VARIABLE = (
    1,
    1000,
)  # ranks: a variable's name is better than a layer's; of variables, that of the outermost function
MOST = 200  # entries of a list or a dict, and attributes, that are looked at
KEPT_BY_LAYERS = {"state", "output"}  # an attribute that only says who computed the array
SHORT = {"loss_val": "loss"}
LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


class Name(NamedTuple):
    """A name, the whole path to it (``net.layers[0].W``), and its rank: the highest one is used."""

    short: str
    path: str
    rank: int


class Names:
    """The best name of each array that is asked for, found by looking again and again while the program runs."""

    def __init__(self) -> None:
        self._wanted: set[Any] = set()
        self.found: dict[Any, Name] = {}

    def wanted(self, arrays: Iterable[np.ndarray]) -> None:
        """Ask for the names of these arrays."""
        self._wanted.update(map(locate, arrays))

    def noted(self, operation: Operation) -> None:
        """Take the names that a rule brings along, as those of ``mytorch.autodiff.trace`` do."""
        for array, name in zip(operation.inputs, getattr(operation.backward_operation, "input_names", ())):
            if name is not None:
                self._take(array, Name(name, name, VARIABLE))

    def look(self, frame: FrameType | None, into_objects: bool = True) -> None:
        """Look for the arrays in a frame's variables, and in those of the frames outside of it, up to the program's own.

        into_objects: also in the attributes of the objects there, which takes longer.
        """
        for depth, seen in _frames(frame):
            if seen.f_globals.get("__name__", "").partition(".")[0] == "mytorch":
                # The variables of a layer have the same names in every layer. The layer itself is worth a look.
                variables: dict[str, Any] = {"": seen.f_locals.get("self")}
            else:
                variables = seen.f_locals
            for name, value in list(variables.items())[:MOST]:
                if isinstance(value, np.ndarray):
                    if not name.startswith("_"):
                        self._take(value, Name(name, name, VARIABLE - depth))
                elif into_objects:
                    for attribute, path, array in _held(value, name, 4, set()):
                        self._take(array, Name(attribute, path.lstrip("."), LAYER - depth))

    def lacks(self, arrays: Iterable[Any]) -> bool:
        """True if one of these arrays has no name yet."""
        return any(isinstance(array, np.ndarray) and locate(array) not in self.found for array in arrays)

    def _take(self, array: Any, name: Name) -> None:
        location = locate(array) if isinstance(array, np.ndarray) else None
        if location is None or (self._wanted and location not in self._wanted):
            return
        if location not in self.found or self.found[location].rank < name.rank:
            self.found[location] = name


def _frames(frame: FrameType | None) -> list[tuple[int, FrameType]]:
    """A frame and those outside of it, up to the program's own, without the libraries', each with its depth in the stack."""
    stack: list[FrameType] = []
    while frame is not None:
        stack.append(frame)
        frame = frame.f_back
    found = []
    for place, frame in enumerate(stack):
        if not frame.f_code.co_filename.startswith((*LIBRARIES, "<frozen")):
            found.append((len(stack) - place, frame))
            if frame.f_code.co_name == "<module>":
                break
    return found


def _held(value: Any, path: str, depth: int, seen: set[int]) -> Iterator[tuple[str, str, np.ndarray]]:
    """The arrays that an object holds: the attribute's name, the path to it, and the array."""
    if depth == 0 or id(value) in seen:
        return
    seen.add(id(value))
    for name, step, inner in _entries(value):
        if isinstance(inner, np.ndarray):
            if name not in KEPT_BY_LAYERS:
                yield SHORT.get(name, name), path + step, inner
        elif not name.startswith("_"):
            yield from _held(inner, path + step, depth - 1, seen)


def _entries(value: Any) -> list[tuple[str, str, Any]]:
    """The entries of a list, a dict or an object of a class that is no part of Python or NumPy."""
    if isinstance(value, (list, tuple)):
        return [(f"item{i}", f"[{i}]", entry) for i, entry in enumerate(value[:MOST])]
    if isinstance(value, dict):
        texts = [(key, entry) for key, entry in list(value.items())[:MOST] if isinstance(key, str)]
        return [(key, f"[{key!r}]", entry) for key, entry in texts]
    if isinstance(value, (type, ModuleType)) or not hasattr(value, "__dict__"):
        return []
    module = type(value).__module__.partition(".")[0]
    if module in ("builtins", "numpy") or hasattr(value, "operation_list"):
        return []
    return [(name, f".{name}", entry) for name, entry in list(vars(value).items())[:MOST]]


def numbered(names: list[str]) -> list[str]:
    """The same names, each different from the others: W, W, b become W1, W2, b."""
    count = Counter(names)
    used = {name for name in names if count[name] == 1}
    free = dict.fromkeys(names, 1)
    result = []
    for name in names:
        if count[name] > 1:
            base = name + "_" * name[-1:].isdigit()
            while f"{base}{free[name]}" in used:
                free[name] += 1
            used.add(f"{base}{free[name]}")
            name, free[name] = f"{base}{free[name]}", free[name] + 1
        result.append(name)
    return result
