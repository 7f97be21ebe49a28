"""Guards: what a plan has taken for granted, checked by identity before each replay."""

from __future__ import annotations

import operator
import types
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

# Attributes in which the modules of mytorch.nn leave results.
RESULTS = ("state", "loss_val")
# Expected where a dict has no such key; the key of a guard of a list or dict itself; and those of a guard of the value in a
# ContextVar, and of the bytes of an array or buffer.
ABSENT, ITSELF, IN_CONTEXT, BYTES = object(), object(), object(), object()
# Expected of what changes, or may change, where no guard can look.
UNSEEN = object()
MAPPINGS = (dict, types.MappingProxyType)


class Guard(NamedTuple):
    """``holder[key] is expected`` for a dict, ``holder.cell_contents is expected`` for a closure's cell (key None).

    entries: ``expected`` lists the entries of a container, and the container found there still holds the same objects. With
    the key ITSELF that container is the holder; of a dict the keys and the values count.
    attribute: ``holder.key is expected``. With ``expected`` ABSENT the holder, a dict, has no such key.
    A random generator is entered under the key ITSELF and tests nothing: a proof looks at its position. The key IN_CONTEXT
    stands for the value of a ContextVar, ABSENT where none is set; BYTES for what an array or a buffer holds, compared with ==.
    With ``expected`` UNSEEN no plan is possible, because of ``what``.
    """

    holder: Any
    key: Any
    expected: Any
    what: str
    entries: bool = False
    attribute: bool = False


def guard(holder: Any, key: Any, value: Any, what: str, attribute: bool = False) -> Guard:
    """A guard of what a variable holds now; of a list each entry is compared."""
    if type(value) is list:
        return Guard(holder, key, list(value), what, True, attribute)
    return Guard(holder, key, value, what, attribute=attribute)


def same_entries(found: Any, expected: list[Any]) -> bool:
    """True where two containers hold the same objects in the same order."""
    return len(found) == len(expected) and all(map(operator.is_, found, expected))


def distinct(guards: Iterable[Guard]) -> list[Guard]:
    """Each guard once, without those that test nothing."""
    found = {(id(one.holder), one.key, one.attribute): one for one in guards}
    return [one for one in found.values() if one.holder is not one.expected]


def is_direct(one: Guard) -> bool:
    """True for a guard of one entry of a plain dict or of an object's class, which needs no Python to be tested."""
    if one.attribute:
        return one.key == "__class__" and one.expected is type(one.holder)
    return type(one.holder) is dict and type(one.key) is str and not one.entries


def expression(guards: Iterable[Guard], names: dict[str, Any]) -> str:
    """A Python expression that is true while all guards hold; what it names is entered into ``names``.

    It raises AttributeError, KeyError, TypeError or ValueError where a variable is gone or of another kind.
    """
    names.update(same_entries=same_entries, ABSENT=ABSENT)
    tests = []
    for one in guards:
        h, e, k = f"h{len(names)}", f"e{len(names)}", repr(one.key)
        names[h], names[e] = one.holder, one.expected
        is_list = True
        if one.key is ITSELF:
            is_dict = isinstance(one.holder, MAPPINGS)
            found, is_list = f"[*{h}, *{h}.values()]" if is_dict else h, is_dict or isinstance(one.holder, list)
        elif one.key is BYTES:
            found = f"{h}.tobytes()" if isinstance(one.holder, np.ndarray) else f"bytes({h})"
        elif one.key is IN_CONTEXT:
            found = f"{h}.get(ABSENT)"
        elif one.attribute:
            found = f"{h}.{one.key}"
        else:
            found = f"{h}.cell_contents" if one.key is None else f"{h}[{k}]"
        if one.key is BYTES:
            tests.append(f"{found} == {e}")
        elif one.expected is ABSENT and one.key is not IN_CONTEXT:
            tests.append(f"{k} not in {h}")
        elif not one.entries:
            tests.append(f"{found} is {e}")
        elif is_list and all(_compares_by_identity(item) for item in one.expected):
            tests.append(f"{found} == {e}")
        else:
            tests.append(f"same_entries({found}, {e})")
    return " and ".join(tests) or "True"


def _compares_by_identity(item: Any) -> bool:
    """True where a list that is compared with == finds another object: == takes half as long as a loop.

    == of arrays with more than one entry raises ValueError.
    """
    return item.size > 1 if type(item) is np.ndarray else type(item).__eq__ is object.__eq__


def of_kind(guards: Iterable[Guard], kind: type | tuple[type, ...]) -> Iterator[tuple[Any, Guard]]:
    """The objects of some kind that guards hold, directly or in a list or tuple."""
    for one in guards:
        waiting = list(one.expected) if one.entries else [one.expected]
        while waiting:
            item = waiting.pop()
            if isinstance(item, kind):
                yield item, one
            elif isinstance(item, tuple):
                waiting += item


def arrays_of(guards: Iterable[Guard]) -> Iterator[tuple[np.ndarray, str, Guard]]:
    """The arrays that guards hold, with their names."""
    for array, one in of_kind(guards, np.ndarray):
        yield array, one.what, one
