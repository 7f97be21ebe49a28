"""Similar submissions, for a human to judge: equal and nearly equal ones whatever their number, then pairs that stand out.

Weights are as in inverse document frequency: what many in the class wrote says little about a pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autograder.staff.pages.fingerprints import Fingerprint, Prints, handout_files

# The least score and the least weight of common fingerprints of a pair that is listed.
LEAST_SCORE, LEAST_EVIDENCE = 0.75, 12.0
# Nearly equal: this share of all fingerprints of two is common, and so many are. Equal code needs fewer.
LEAST_NEAR, LEAST_COMMON, LEAST_EQUAL = 0.8, 60, 15
MOST_PAIRS = 1000
CHUNK = 4096


@dataclass(frozen=True)
class Pair:
    """Two submissions by their keys, how alike they are (0 to 1) and the parts that agree most, as (in a, in b)."""

    a: str
    b: str
    score: float
    shared: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Group:
    """Submissions by their keys whose code is equal, or nearly. least: the least likeness (0 to 1) of those linked."""

    keys: tuple[str, ...]
    equal: bool
    least: float


@dataclass(frozen=True)
class Similar:
    """The findings for a person to look at: groups, the largest first, pairs that are in no group, and notes by key."""

    groups: tuple[Group, ...] = ()
    pairs: tuple[Pair, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()


def compare(prints: Mapping[str, Prints], *, owner: Callable[[str], str] = lambda key: key) -> Similar:
    """All that stands out in a class. owner: the student of a key; versions of one student are not compared."""
    equal = _equal(prints, owner)
    near = _near(prints, owner)
    # A group of equal ones within a group of nearly equal ones is shown as well: it is the stronger statement.
    groups = [*equal, *(group for group in near if set(group.keys) not in [set(one.keys) for one in equal])]
    together = [set(group.keys) for group in groups]
    pairs = similar({key: one.units for key, one in prints.items()}, owner=owner)
    rest = [pair for pair in pairs if not any({pair.a, pair.b} <= group for group in together)]
    notes = tuple((key, note) for key, one in prints.items() for note in one.notes)
    return Similar(tuple(groups), tuple(rest), notes)


def _own(units: Fingerprint) -> np.ndarray:
    return np.unique(np.array([h for hashes in units.values() for h in hashes], dtype=np.int64))


def _equal(prints: Mapping[str, Prints], owner: Callable[[str], str]) -> list[Group]:
    """Groups whose code is the same but for comments and spaces."""
    of: dict[str, list[str]] = {}
    for key, one in prints.items():
        if one.text and len(_own(one.units)) >= LEAST_EQUAL:
            of.setdefault(one.text, []).append(key)
    return _sorted(Group(tuple(keys), True, 1.0) for keys in of.values() if len({owner(key) for key in keys}) > 1)


def _near(prints: Mapping[str, Prints], owner: Callable[[str], str]) -> list[Group]:
    """Groups in which each is nearly equal to another one, however many have the same code."""
    keys = list(prints)
    own = [_own(prints[key].units) for key in keys]
    if len(keys) < 2:
        return []
    values, counts = np.unique(np.concatenate(own), return_counts=True)
    common = _common(own, values, counts, np.ones(len(values)))
    sizes = np.array([len(one) for one in own])
    likeness = common / np.maximum(sizes[:, None] + sizes[None, :] - common, 1)
    rows, columns = np.nonzero(np.triu((likeness >= LEAST_NEAR) & (common >= LEAST_COMMON), 1))
    pairs = [
        Pair(keys[i], keys[j], float(likeness[i, j]), ())
        for i, j in zip(rows.tolist(), columns.tolist())
        if owner(keys[i]) != owner(keys[j])
    ]
    return _sorted(
        Group(tuple(sorted({key for pair in group for key in (pair.a, pair.b)}, key=keys.index)), False,
              round(min(pair.score for pair in group), 3))
        for group in linked(pairs)
    )  # fmt: skip


def _sorted(groups: Iterable[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: (-len(group.keys), group.keys))


def linked(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Connected pairs as groups, the most alike first: a solution that went through many hands is one group."""
    above: dict[str, str] = {}

    def root(name: str) -> str:
        while above.get(name, name) != name:
            above[name] = name = above.get(above[name], above[name])
        return name

    for pair in pairs:
        above[root(pair.a)] = root(pair.b)
    found: dict[str, list[Pair]] = {}
    for pair in sorted(pairs, key=lambda p: -p.score):
        found.setdefault(root(pair.a), []).append(pair)
    return list(found.values())


def similar(
    fingerprints: Mapping[str, Fingerprint],
    *,
    owner: Callable[[str], str] = lambda key: key,
    least: float = LEAST_SCORE,
    most: int = MOST_PAIRS,
) -> list[Pair]:
    """Pairs that stand out, most alike first. owner: the student of a key; two versions of one student are not compared."""
    keys = list(fingerprints)
    if len(keys) < 2:
        return []
    own = [_own(fingerprints[k]) for k in keys]
    values, counts = np.unique(np.concatenate(own), return_counts=True)
    weights = _weights(counts, len(keys))
    total = np.array([weights[np.searchsorted(values, hashes)].sum() for hashes in own])
    common = _common(own, values, counts, weights)
    # A share of the smaller of the two: code that is added to a copy does not hide it.
    smaller = np.minimum(total[:, None], total[None, :])
    evidence = common >= LEAST_EVIDENCE
    score = np.where(evidence, common / np.maximum(smaller, 1e-9), 0.0)
    rows, columns = np.nonzero(np.triu(score, 1) >= least)
    order = sorted(zip(rows.tolist(), columns.tolist()), key=lambda ij: (-round(float(score[ij]), 3), -common[ij], ij))
    weight_of = dict(zip(values.tolist(), weights.tolist()))
    pairs: list[Pair] = []
    for i, j in order:
        a, b = keys[i], keys[j]
        if owner(a) != owner(b) and len(pairs) < most:
            shared = _shared(fingerprints[a], fingerprints[b], weight_of)
            pairs.append(Pair(a, b, round(min(float(score[i, j]), 1.0), 3), shared))
    return pairs


def _weights(counts: np.ndarray, submissions: int) -> np.ndarray:
    """Weights of fingerprints: 1 for one that two share, 0 for one that half of the class has (six, in a small class)."""
    half = max(submissions / 2, 6.0)
    return np.clip(1 - np.log(np.maximum(counts, 2) / 2) / np.log(half / 2), 0.0, 1.0)


def _common(own: list[np.ndarray], values: np.ndarray, counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The common weight of each pair, as a product of incidence matrices, a chunk of fingerprints at a time."""
    result = np.zeros((len(own), len(own)), dtype=np.float32)
    useful = values[(counts > 1) & (weights > 0)]
    factor = np.sqrt(weights[(counts > 1) & (weights > 0)]).astype(np.float32)
    places = [np.searchsorted(useful, hashes[np.isin(hashes, useful, assume_unique=True)]) for hashes in own]
    for start in range(0, len(useful), CHUNK):
        stop = min(start + CHUNK, len(useful))
        matrix = np.zeros((len(own), stop - start), dtype=np.float32)
        for row, place in enumerate(places):
            inside = place[(place >= start) & (place < stop)]
            matrix[row, inside - start] = factor[inside]
        result += matrix @ matrix.T
    return result


def _shared(a: Fingerprint, b: Fingerprint, weight: Mapping[int, float]) -> tuple[tuple[str, str], ...]:
    """Pairs of functions that agree most, heaviest first."""
    where: dict[int, str] = {h: unit for unit, hashes in b.items() for h in hashes}
    found = []
    for unit, hashes in a.items():
        votes: dict[str, float] = {}
        for h in hashes:
            if h in where:
                votes[where[h]] = votes.get(where[h], 0.0) + weight[h]
        if votes:
            other = max(votes, key=lambda key: votes[key])
            own = sum(weight[h] for h in hashes)
            if votes[other] > 0 and votes[other] >= 0.6 * own:
                # Functions of the homework's own files say more than added ones.
                foreign = ": " not in unit or not unit.rpartition(": ")[0].endswith(handout_files())
                found.append((foreign, -votes[other], _short(unit), _short(other)))
    return tuple((one, other) for _, _, one, other in sorted(found)[:8])


def _short(unit: str) -> str:
    """The function's name, without the folders of its file."""
    file, _, function = unit.rpartition(": ")
    return function or file.rpartition("/")[2]
