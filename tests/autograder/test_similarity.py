"""Similar submissions: a copy in other clothes is found, solutions of one's own are not, and no source does harm."""

from __future__ import annotations

import json
import os
import random
import re
from functools import cache
from pathlib import Path

import pytest

from autograder.staff.pages import fingerprints
from autograder.staff.pages.fingerprints import Fingerprint, Prints
from autograder.staff.pages.similarity import Similar, compare, similar
from tests.autograder import workshop
from tests.autograder.mistakes_engine import ENGINE_MISTAKES
from tests.autograder.mistakes_rules import RULE_MISTAKES
from tests.autograder.solutions import SIMPLE, STYLES
from tests.clocks import at_most

Files = dict[str, str]
RENAMED = {
    "gradients": "grads", "operation": "op", "array": "arr", "value": "val", "slot": "target", "grad_output": "upstream",
    "product": "prod", "shifted": "moved", "logs": "lp", "record": "rec", "negative": "minus", "power": "expo",
    "above": "num", "below": "den", "sizes": "dims", "linear": "layer", "epoch": "ep", "rows": "index", "stats": "table",
    "transposed": "tt", "index": "position", "weights": "ww", "truth": "tr", "result": "out", "zero": "nothing",
}  # fmt: skip


def renamed(files: Files) -> Files:
    """Other names for everything local."""
    for old, new in RENAMED.items():
        files = {name: re.sub(rf"(?<![.\w]){old}\b(?!\()", new, text) for name, text in files.items()}
    return files


def commented(files: Files) -> Files:
    """Comments, docstrings of one's own, empty lines, other spaces and other quotes."""
    result = {}
    for name, text in files.items():
        text = re.sub(r"(?m)^( +)((?:self|return|for|if)\b.*)$", r"\1# now comes the next step\n\1\2  # done", text)
        text = re.sub(r"(?m)^( +)return ", r'\1"""Gives back."""\n\n\1return ', text)
        result[name] = text.replace(", ", " ,  ")
    return result


def reordered(files: Files) -> Files:
    """The functions of functional.py and the classes of activation.py the other way round."""
    result = dict(files)
    for name in ("mytorch/nn/functional.py", "mytorch/nn/modules/activation.py"):
        parts = re.split(r"(?m)^(?=def |class )", files[name])
        result[name] = parts[0] + "\n".join(reversed(parts[1:]))
    return result


def numbered(files: Files) -> Files:
    """Other numbers, other strings, brackets that change nothing."""
    return {
        name: re.sub(r"(?m)^( +)return ([^(,\n]+)$", r"\1return (\2)", re.sub(r"(?<![.\w])2(?![.\w])", "2.0", text))
        for name, text in files.items()
    }


def moved(files: Files) -> Files:
    """All files in another folder."""
    return {f"my homework/{name}": text for name, text in files.items()}


DISGUISES = [renamed, numbered, commented, reordered, moved]


def fingerprint(folder: Path) -> Fingerprint:
    return fingerprints.fingerprint(folder).units


@cache
def of_style(style: str) -> Files:
    """A solution without the page to step through, which is given, and which nobody disguises."""
    return {name: text for name, text in workshop.fill(STYLES[style]).items() if "mytorch/viewer/" not in name}


@pytest.fixture(scope="module")
def styles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Fingerprint]:
    """Solutions that were written in ways of their own, the reference, and a handout in which nothing was done."""
    top = tmp_path_factory.mktemp("styles")
    files = {
        **{style: of_style(style) for style in STYLES},
        "reference": workshop.reference(),
        "nothing": workshop.handout(),
    }
    return {name: fingerprint(workshop.write(one, top / name)) for name, one in files.items()}


ONE = """
class Sigmoid(Activation):
    def forward(self, x: Array) -> Array:
        '''A docstring.'''
        self.state = 1 / (1 + np.exp(-x))  # why
        text, half = "one", 0.5
        return (self.state *
                half)
"""
OTHER = """
class Sigmoid(Activation):
  @staticmethod
  def forward(me,

              inputs):
    me.state = (2.0 / (3 + (np.exp(-inputs))))
    other, a2 = f'{two}', 1e-7
    return me.state * a2
"""


def test_what_tells_nothing_is_normalised() -> None:
    names = fingerprints._handout()[1]
    (name, one), _ = fingerprints.units(ONE, names)
    assert (name, one) == next(fingerprints.units(OTHER, names))
    assert name == "Sigmoid.forward"
    assert " ".join(one) == 'v . state = 0 / 0 + v . exp - v ; v , v = "" , 0 ; return v . state * v ;'
    assert one != next(fingerprints.units(ONE.replace("exp", "log"), names))[1]


def test_names_of_the_homework_count_and_those_of_the_autograder_do_not() -> None:
    alone, after_a_dot = fingerprints._handout()[1]
    assert {"Autograd", "get_training_stats", "zip"} <= alone
    assert {"add_operation", "exp"} <= after_a_dot
    # A disguise may call a variable like a function of the autograder.
    assert not {"table", "linear", "judge"} & alone


@pytest.mark.slow
def test_nothing_of_the_handout_counts(styles: dict[str, Fingerprint]) -> None:
    assert styles["nothing"] == {}
    assert sum(map(len, styles["simple"].values())) > 200
    for unit in ("mytorch/nn/functional.py: add_backward", "mytorch/utils.py: GradientBuffer.add_spot"):
        assert unit not in styles["simple"]
    assert "mytorch/autograd_engine.py: Autograd.backward" in styles["simple"]


def test_styles_of_their_own_are_not_listed(styles: dict[str, Fingerprint]) -> None:
    assert similar(styles) == []
    # Even these share the bodies that the styles have in common; what was written anew is far apart.
    assert {(p.a, p.b) for p in similar(styles, least=0.4)} <= {
        ("simple", "zeros"),
        ("simple", "fused"),
        ("simple", "lists"),
    }


@pytest.mark.parametrize("style", ["simple", "fused", "lists", "zeros"])
@pytest.mark.parametrize("disguise", DISGUISES, ids=lambda d: d.__name__)
@pytest.mark.slow
def test_a_copy_in_disguise_is_found(style: str, disguise, styles: dict[str, Fingerprint], tmp_path: Path) -> None:
    files = disguise(of_style(style))
    assert files != of_style(style)
    copy = fingerprint(workshop.write(files, tmp_path))
    (pair,) = similar({**styles, "copy": copy})
    assert (pair.a, pair.b) == (style, "copy")
    assert 0.9 <= pair.score <= 1
    assert {"Autograd.backward"} <= {name for one in pair.shared for name in one}


@pytest.mark.parametrize("style", ["simple", "fused", "lists", "zeros"])
def test_all_disguises_at_once(style: str, styles: dict[str, Fingerprint], tmp_path: Path) -> None:
    files = of_style(style)
    for disguise in DISGUISES:
        files = disguise(files)
    for name, text in files.items():
        compile(text, name, "exec")
    found = similar({**styles, "copy": fingerprint(workshop.write(files, tmp_path))})
    assert [(p.a, p.b) for p in found] == [(style, "copy")]


def test_a_partly_rewritten_copy_with_things_added_is_found(styles: dict[str, Fingerprint], tmp_path: Path) -> None:
    mixed = {**STYLES["lists"], "Sigmoid.forward": SIMPLE["Sigmoid.forward"], "exp_backward": SIMPLE["exp_backward"]}
    files = workshop.patch(
        workshop.fill(mixed), [("mytorch/nn/functional.py", "", workshop.reference()["hw_bonus/training.py"])]
    )
    found = similar({**styles, "copy": fingerprint(workshop.write(renamed(files), tmp_path))})
    assert ("lists", "copy") in [(p.a, p.b) for p in found]


@pytest.mark.slow
def test_what_half_of_the_class_wrote_is_no_evidence(styles: dict[str, Fingerprint], tmp_path: Path) -> None:
    """The same solution with a mistake each: in a class of these nobody stands out, but two of another kind do."""
    mistakes = [m for m in (*ENGINE_MISTAKES, *RULE_MISTAKES) if m.base == "student"][:40]
    klass = {
        m.name: fingerprint(workshop.write(workshop.patch(of_style("simple"), m.changes), tmp_path / str(i)))
        for i, m in enumerate(mistakes)
    }
    assert similar(klass) == []
    found = similar({**klass, "one": styles["lists"], "other": styles["lists"], "fused": styles["fused"]})
    assert [(p.a, p.b) for p in found] == [("one", "other")]
    # All of them together are one group, whatever weights say.
    (group,) = compare({name: Prints(units, name) for name, units in klass.items()}).groups
    assert (set(group.keys), group.equal) == (set(klass), False)


def test_a_ring_is_found_as_a_whole(styles: dict[str, Fingerprint]) -> None:
    noise = random.Random(0)
    klass = {f"s{i}": {"f.py: f": [noise.getrandbits(32) for _ in range(300)]} for i in range(30)}
    found = similar({**klass, **{f"ring{i}": styles["lists"] for i in range(8)}})
    assert len(found) == 8 * 7 // 2
    assert all(p.a.startswith("ring") and p.score == 1 for p in found)


def test_versions_of_one_student_are_not_compared(styles: dict[str, Fingerprint]) -> None:
    klass = {"ada 1": styles["lists"], "ada 2": styles["lists"], "bob 1": styles["fused"]}
    assert len(similar(klass)) == 1
    assert similar(klass, owner=lambda key: key.split()[0]) == []


def test_two_who_did_little_are_not_listed(tmp_path: Path) -> None:
    done = {name: SIMPLE[name] for name in ("exp_backward", "log_backward", "mul_backward", "ReLU.forward")}
    files = workshop.handout()
    for name in workshop.stubs():
        if name in done:
            files = {
                file: workshop.STUB.sub(
                    lambda m, n=name: f"    {done[n]}\n" if m[1] == n and "." not in n else m[0], text
                )
                for file, text in files.items()
            }
    one = fingerprint(workshop.write(files, tmp_path))
    assert one
    assert similar({"a": one, "b": one}) == []


@pytest.mark.parametrize("size", [0, 1])
def test_nobody_to_compare_with(size: int, styles: dict[str, Fingerprint]) -> None:
    assert similar(dict(list(styles.items())[:size])) == []
    assert similar({"a": {}, "b": {}}) == []


def test_fingerprints_are_json_and_the_same_each_time(styles: dict[str, Fingerprint], tmp_path: Path) -> None:
    again = fingerprint(workshop.write(of_style("simple"), tmp_path))
    assert json.loads(json.dumps(again)) == styles["simple"] == again
    assert len(json.dumps(again)) < 12_000


def test_a_class_of_500_takes_seconds(styles: dict[str, Fingerprint]) -> None:
    noise = random.Random(1)
    klass = {
        f"s{i}": {
            u: [h if noise.random() < 0.4 else noise.getrandbits(32) for h in hs] for u, hs in styles[style].items()
        }
        for i, style in zip(range(500), ["simple", "fused", "lists", "zeros"] * 125)
    }
    with at_most(5):
        similar({**klass, "s500": klass["s3"]})


def prints(folder: Path, files: Files) -> Prints:
    return fingerprints.fingerprint(workshop.write(files, folder))


def keys(found: Similar) -> list[tuple[set[str], bool]]:
    return [(set(group.keys), group.equal) for group in found.groups]


@pytest.mark.parametrize("others", [0, 1, 30])
def test_twelve_equal_ones_stand_out_in_any_class(others: int, styles: dict[str, Fingerprint], tmp_path: Path) -> None:
    noise = random.Random(4)
    klass = {f"s{i}": Prints({"f.py: f": [noise.getrandbits(32) for _ in range(200)]}, f"t{i}") for i in range(others)}
    clothes = [of_style("lists"), commented(of_style("lists")), numbered(of_style("lists"))]
    some = [prints(tmp_path / str(i), files) for i, files in enumerate(clothes)]
    ring = {f"ring{i}": some[i % 2] for i in range(12)}
    found = compare({**klass, **ring, "close": some[2], "apart": Prints(styles["fused"], "fused")})
    assert keys(found) == [(set(ring), True), ({*ring, "close"}, False)]
    # What is in a group is not repeated as 66 pairs.
    assert found.pairs == ()


def test_equal_ones_of_one_student_and_of_nobody_are_no_group(styles: dict[str, Fingerprint], tmp_path: Path) -> None:
    one = Prints(styles["lists"], "same")
    assert compare({"ada 1": one, "ada 2": one}, owner=lambda key: key.split()[0]) == Similar()
    handout = prints(tmp_path, workshop.handout())
    assert compare({f"s{i}": handout for i in range(9)}) == Similar()
    two = {"ada": one, "bob": Prints(styles["lists"], "another text")}
    assert keys(compare(two)) == [({"ada", "bob"}, False)]
    assert compare({"only": one}) == compare({}) == Similar()


def test_the_largest_group_comes_first(styles: dict[str, Fingerprint]) -> None:
    sizes = {"lists": 3, "fused": 5}
    klass = {f"{style}{i}": Prints(styles[style], style) for style, size in sizes.items() for i in range(size)}
    assert [len(group.keys) for group in compare(klass).groups] == [5, 3]


FLOODS = {
    "comments": "# nothing\n" * 30_000,
    "one comment": "#" + "x" * 300_000 + "\n",
    "a string": '"""' + "x" * 300_000 + '"""\n',
    "strings": "'x' ; 'y'\n" * 40_000,
    "empty lines": " \t\n" * 120_000,
    "spaces": "x = " + " " * 300_000 + "1\n",
}


@pytest.mark.parametrize("kind", FLOODS)
def test_nothing_unseen_pushes_code_out_of_sight(kind: str, styles: dict[str, Fingerprint], tmp_path: Path) -> None:
    files = of_style("lists")
    flooded = {name: FLOODS[kind] + text for name, text in files.items() if name.startswith("mytorch/nn/")}
    assert len(FLOODS[kind]) > fingerprints.MOST_IN_FILE
    with at_most(4):
        found = prints(tmp_path, {**files, **flooded})
    assert [(p.a, p.b) for p in similar({**styles, "copy": found.units})] == [("lists", "copy")]
    assert found.notes == ()


def test_what_is_too_large_is_said(tmp_path: Path) -> None:
    name = "mytorch/nn/functional.py"
    found = prints(tmp_path, {name: "x = x + 1\n" * 40_000})
    assert found.notes == (f"{name} has 390 KiB of code, of which the first 256 are compared",)
    assert compare({"a": found}).notes == (("a", found.notes[0]),)
    assert Prints.from_json(json.loads(json.dumps(found.as_json()))) == found


GARBAGE = {
    "nul": b"\0" * 100_000,
    "random": random.Random(2).randbytes(300_000),
    "utf-16": "def f():\n    return 1\n".encode("utf-16") * 1000,
    "open": b'x = """never closed ' * 5000,
    "escaped": b'"""' + b'\\"""' * 60_000,
    "quotes": b"'\"" * 100_000 + b"\\",
    "brackets": b"(" * 250_000,
    "nested": b"x = " + b"-" * 250_000 + b"1",
    "indents": b"".join(b" " * (i % 400) + b"def f():\n" for i in range(1200)),
    "classes": b"".join(b" " * i + b"class A:\n" for i in range(600)),
    "defs": b"def\nclass\nasync def\ndef def def:\ndef f(\n",
    "one line": b"a+" * 125_000,
    "huge": b"x = x + 1\n" * 1_000_000,
    "huge names": b"def " + b"n" * 250_000 + b"():\n    return x + y + z + a + b + c + d + e\n",
    "lines": b"\r\r\n\x0c\x0b\x1c\x85" * 30_000,
    "digits": "٣²①".encode() * 50_000,
}


@pytest.mark.parametrize("kind", GARBAGE)
@pytest.mark.slow
def test_garbage_does_no_harm(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "mytorch/nn/functional.py"
    path.parent.mkdir(parents=True)
    path.write_bytes(GARBAGE[kind])
    with at_most(4):
        found = fingerprint(tmp_path)
    assert len(json.dumps(found)) < 150_000
    similar({"a": found, "b": found})


def test_links_pipes_and_heaps_of_files_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("def f(a):\n    return a + a * a - a / a + a + a\n")
    folder = tmp_path / "x"
    folder.mkdir()
    os.symlink(tmp_path / "secret.txt", folder / "link.py")
    os.symlink(folder, folder / "loop")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.py")
    assert fingerprint(folder) == {}
    for i in range(fingerprints.MOST_FILES + 50):
        (folder / f"f{i}.py").write_text(f"def f(a):\n    return a + a * a - a / a + {'a + ' * (i % 7)}a\n")
    assert 0 < len(fingerprint(folder)) <= fingerprints.MOST_FILES


@pytest.mark.slow
def test_the_homeworks_own_files_come_before_padding(styles: dict[str, Fingerprint], tmp_path: Path) -> None:
    noise = random.Random(3)
    words = [" ".join(noise.choice(("if", "or", "+", "-", "for", "in", "x")) for _ in range(20)) for _ in range(9000)]
    padding = {f"aaa{i}.py": "\n".join(words) for i in range(6)}
    found = similar({**styles, "copy": fingerprint(workshop.write({**padding, **of_style("lists")}, tmp_path))})
    assert [(p.a, p.b) for p in found] == [("lists", "copy")]
