"""Signs of marks without work: found in code that was written for marks, and in no honest solution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from autograder.exercises import EXERCISES
from autograder.staff.classroom import flags
from autograder.staff.handout import contents
from autograder.staff.record import UNREADABLE, blank
from tests.autograder.catalogue import MISTAKES
from tests.autograder.class_tools import grade, records
from tests.autograder.hostile_handins import FOR_MARKS
from tests.autograder.solutions import STYLES
from tests.autograder.workshop import fill, handout
from tests.clocks import at_most

FIRST, ENGINE = "mytorch/__init__.py", "mytorch/autograd_engine.py"


def record(share: float = 1.0, hidden: float = 1.0) -> Any:
    """The record of a submission that earned these shares of the open and the hidden marks."""
    rows = [
        {"name": e.name, "points": e.points, "earned": e.points * share, "hidden": False, "passed": share == 1}
        for e in EXERCISES
    ] + [{"name": "Hidden Engine", "points": 10.0, "earned": 10 * hidden, "hidden": True, "passed": hidden == 1}]
    checks = [{"exercise": "Functional", "check": "sub_backward: same shapes", "earned": 1.0 * (share > 0)}]
    return {**blank(source="a", grader="g", possible=60), "exercises": rows, "checks": checks}


def kinds(files: Mapping[str, str], of: Any) -> list[str]:
    code = {name: text.encode() for name, text in files.items() if name.startswith(("mytorch/", "hw_bonus/"))}
    return [flag["kind"] for flag in flags.flags_of(of, code)]


@pytest.mark.parametrize("style", STYLES)
def test_no_right_solution_is_flagged(style: str) -> None:
    assert kinds(fill(STYLES[style]), record()) == []


def test_no_honest_mistake_is_flagged() -> None:
    """A sample of the catalogue; the reference, whose other packages no student hands in, is left out."""
    for mistake in MISTAKES[::9]:
        if not mistake.name.startswith("reference: "):
            assert kinds(mistake.files(), record(0.5, 0.5)) == [], mistake.name
    assert kinds(handout(), record(0, 0)) == []


HARMLESS = {"the status of a pass", "prints a fake score line, then sleeps", "pickle gadgets instead of frames"}


@pytest.mark.parametrize("name", sorted(FOR_MARKS.keys() - HARMLESS))
def test_code_that_wants_marks_is_flagged(name: str) -> None:
    found = kinds({**handout(), FIRST: FOR_MARKS[name]}, record(0, 0))
    assert set(found) <= {flags.LOOKS, flags.REPLACES}
    assert found


WAYS = {
    "import autograder.worker.scenarios": flags.LOOKS,
    "x = __import__('autograder.test_autograd')": flags.LOOKS,
    "name = 'auto' 'grader'; path = '/proc/self/mem'": flags.LOOKS,
    "frame = sys._getframe(1).f_back": flags.LOOKS,
    "exec(text)": flags.LOOKS,
    "found = gc.get_objects()": flags.LOOKS,
    "m = sys.modules['a']": flags.LOOKS,
    "np.add = lambda a, b: a": flags.REPLACES,
    "np.linalg.norm = None": flags.REPLACES,
    "setattr(np, 'add', None)": flags.REPLACES,
    "json.dumps = struct.pack = None": flags.REPLACES,
    # Solutions write these.
    "x = np.add(1, 2)": "",
    "if np.ndim(x) == 0: y = 1": "",
    "pattern = re.compile('x')": "",
    "self.modules = []": "",
    "'the autograder says so'": "",
    "# autograder": "",
    "np.random.seed = 3": "",
}


@pytest.mark.parametrize("line", WAYS)
def test_lines_are_told_apart(line: str) -> None:
    assert kinds({FIRST: f"x = 1\n{line}\n", **_solved()}, record()) == [WAYS[line]] * bool(WAYS[line])


def _solved() -> dict[str, str]:
    return {name: text for name, text in fill(STYLES["simple"]).items() if name != FIRST}


def test_evidence_names_the_place() -> None:
    text = "\n".join(["# a comment " * 20] * 3000 + ["import autograder"] * 9)
    (flag,) = flags.flags_of(record(), {name: code.encode() for name, code in {**_solved(), FIRST: text}.items()})
    assert flag["evidence"].startswith(f"{FIRST}, line 3001: import autograder; ")
    assert flag["evidence"].endswith("and 4 more")


def test_a_copy_of_the_checks_is_flagged() -> None:
    copied = contents()["autograder/test_autograd.py"].decode()
    copied = copied.replace("autograder", "mytorch.mine").replace("scenarios", "s")
    assert flags.COPIES in kinds({**_solved(), "mytorch/mine.py": copied}, record())


def test_marks_for_stubs_are_flagged() -> None:
    found = flags.flags_of(record(), {name: text.encode() for name, text in handout().items()})
    assert [flag["kind"] for flag in found] == [flags.STUBS]
    for part in ("Autograd.backward is not there, and Autograd Backward has 5 of 5", "sub_backward"):
        assert part in found[0]["evidence"]
    # The same functions in another file of the submission are written.
    moved = {**handout(), "mytorch/functional_hw1.py": _solved()["mytorch/nn/functional.py"]}
    found = flags.flags_of(record(), {name: text.encode() for name, text in moved.items()})
    assert "sub_backward" not in found[0]["evidence"]


@pytest.mark.parametrize(
    ("shares", "apart"), [((1, 0.2), True), ((0.95, 0.4), True), ((0.5, 0.1), False), ((1, 0.6), False)]
)
def test_open_and_hidden_marks_that_contradict_each_other(shares: tuple[float, float], apart: bool) -> None:
    assert kinds(_solved(), record(*shares)) == [flags.APART] * apart


def test_nothing_is_said_of_what_did_not_run() -> None:
    assert kinds({FIRST: "import autograder"}, {**record(), "status": UNREADABLE}) == []


def test_hostile_sources_cost_no_time() -> None:
    bombs = {
        "brackets": "(" * 50_000, "quotes": "'" * 50_000, "comments": "#\n" * 300_000, "dots": "a" + ".b" * 50_000,
        "lines": "x\n" * 900_000, "one line": "x = " + "-" * 200_000, "broken": "\x00\udcff" * 10,
    }  # fmt: skip
    with at_most(4):
        code = {f"mytorch/{name}.py": text.encode("utf-8", "surrogatepass") for name, text in bombs.items()}
        assert flags.LARGE in [flag["kind"] for flag in flags.flags_of(record(0, 0), code)]


@pytest.mark.slow
def test_flags_are_kept_in_the_record(tmp_path: Any) -> None:
    from tests.autograder.archive_tools import GOOD, tar

    (tmp_path / "class").mkdir()
    code = {**GOOD, ENGINE: b"# marks 7\nimport ctypes\n"}
    (tmp_path / "class" / "a@x.edu_1_handin.tar").write_bytes(tar(code))
    assert grade(tmp_path / "class", tmp_path / "out") == 0
    (found,) = records(tmp_path / "out").values()
    assert flags.LOOKS in [flag["kind"] for flag in found["flags"]]
    assert found["total"] == 7
    assert "ctypes" not in next((tmp_path / "out" / "feedback").glob("*.json")).read_text()
    assert "ctypes" in (tmp_path / "out" / "class.html").read_text()
