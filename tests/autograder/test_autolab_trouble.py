"""Autolab's package in trouble: hostile hand-ins, a grader that fails or is killed, secrets that are deleted."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from autograder.staff.packing import tar_bytes
from autograder.staff.platforms import autolab
from autograder.staff.platforms.formats import autolab_problems
from autograder.staff.platforms.service import job
from tests.autograder import platform_tools as tools
from tests.autograder.autolab_tools import MAKE, graded, needs_make, place, replaced
from tests.clocks import patience

pytestmark = needs_make


@pytest.mark.slow
def test_what_hostile_code_cannot_do(autolab_package: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "job"
    scores = tools.fake(tools.problems_and_points())
    everywhere = (
        f"for number in range(20):\n    try: os.write(number, {scores}.encode())\n    except OSError: pass\n"
        f"for path in glob.glob('/proc/[0-9]*/fd/1') + [{str(folder / 'Makefile')!r}, {str(folder / 'out')!r}]:\n"
        f"    try: open(path, 'a').write({scores})\n    except OSError: pass"
    )
    start = "import atexit, glob, os, signal, threading, time"
    files = tools.acting(
        {
            "Identity": f"{start}\nprint({scores}, flush=True)\n{everywhere}\ntime.sleep(1000)",
            "Sigmoid": f"{start}\natexit.register(print, {scores})\nthreading.Thread(target=lambda: (time.sleep(8), "
            f"os.write(1, {scores}.encode()))).start()",
            "Tanh": f"{start}\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(8)\n"
            f"        os.write(1, {scores}.encode())\n    os._exit(0)",
            "ReLU": f"{start}\ntry: os.kill(os.getppid(), 9)\nfinally: os.kill(-1, 9)",
        }
    )
    folder = place(autolab_package, tools.handin(files), folder)
    started = time.monotonic()
    output = tools.run([*tools.in_a_namespace(), MAKE], folder)[1]
    assert time.monotonic() - started < patience(60)
    marks = graded(output)
    assert marks["Identity Forward"] == 0
    assert marks["ReLU Forward"] == 0
    assert sum(marks[name] for name in ("Functional", "Linear", "SoftmaxCrossEntropy Backward")) == 15
    assert not (folder / "out").exists()
    assert b"echo" not in (folder / "Makefile").read_bytes().replace(autolab_package["autograde-Makefile"], b"")


SNOOP = """
import glob, os
found = [p for p in glob.glob({job!r} + "/**", recursive=True) if p.endswith(("config.json", "hidden.py", "autograde.tar"))]
found += [p for p in glob.glob("/proc/[0-9]*/cwd/autograde.tar")]
if not found: raise ValueError("nothing to see")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("keep", "found"), [("", 0), ("KEEP=1", 1)])
def test_secrets_are_gone_where_the_file_system_is_open(
    autolab_package: dict[str, bytes], tmp_path: Path, keep: str, found: int
) -> None:
    """The second run shows that the submission would have found them."""
    config = json.loads(tools.untar(autolab_package["autograde.tar"])[f"{job.TOP}/config.json"])
    config["without"] = ["namespaces", "uid", "landlock", "seccomp"]
    tar = replaced(autolab_package, {f"{job.TOP}/config.json": json.dumps(config)})
    files = tools.acting({"Identity": SNOOP.format(job=str(tmp_path / "job"))})
    folder = place({**autolab_package, "autograde.tar": tar}, tools.handin(files), tmp_path / "job")
    output = tools.run([MAKE, *([keep] if keep else [])], folder)[1]
    assert graded(output)["Identity Forward"] == found
    assert ("grader's files deleted" in output.decode()) != bool(keep)


KILL = "import os, signal; os.kill({}, signal.SIGKILL)"
PARENT_OF = "int(open('/proc/%d/stat' % os.getppid()).read().rpartition(')')[2].split()[1])"
FAILURES = {
    "the job is killed": ({"service/job.py": KILL.format("os.getpid()")}, "killed by signal 9"),
    "the job prints half and dies": (
        {"service/job.py": 'print(\'{"scores": {"Linear": 5}\', flush=True); 1 / 0'},
        "ended early with exit code 1",
    ),
    "the job says nothing": ({"service/job.py": ""}, "ended early with exit code 0"),
    "the job does not compile": ({"service/job.py": "def f(:"}, "ended early"),
    "the job hangs": ({"service/job.py": "import time; time.sleep(60)", "config.json": '{"limit": 1, "platform": "autolab"}'},
                      "within 1 seconds"),
    "a daemon lives on": (
        {"service/job.py": "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        "
         "time.sleep(1.5); open('later', 'w')\n    os._exit(0)\nprint('{}', flush=True); os._exit(1)"},
        "ended early with exit code 1",
    ),
    "the settings are broken": ({"config.json": "{"}, "could not be started"),
    "the start is killed": ({"service/start.py": KILL.format("os.getpid()")}, "ended from outside"),
    "the start does not compile": ({"service/start.py": "def f(:"}, "ended from outside"),
    "the shell is killed": ({"service/start.py": KILL.format("os.getppid()")}, "did not come to an end"),
    "make is killed": ({"service/start.py": KILL.format(PARENT_OF)}, ""),
    "an import of ours fails": ({"service/text.py": "raise ValueError('secret')"}, "ValueError in text.py, line 1"),
    "a reason in another script": (
        {"service/text.py": "import sys\nraise sys.modules['__main__'].CannotFinish('größer')"}, "GRADER_ERROR - größer",
    ),
    "a record of ours is wrong": ({"service/autolab.py": "def render(view, config):\n    return b'hello'"}, "format"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", FAILURES)
def test_whatever_fails_the_last_line_is_one_of_scores(
    autolab_package: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    pieces, part = FAILURES[name]
    folder = place({**autolab_package, "autograde.tar": replaced(autolab_package, pieces)}, b"", tmp_path / "job")
    if name == "a record of ours is wrong":
        (folder / "handin.tar").write_bytes(tools.handin(tools.solved()))

    output = tools.run([MAKE], folder, LC_ALL="en_US.ISO-8859-1")[1]
    text = output.decode()
    if name == "make is killed":
        assert autolab_problems(output, list(tools.problems_and_points()), columns=1, feedback=False) == []
        return
    assert set(graded(output).values()) == {0}
    assert "GRADER_ERROR" in text
    assert "tell staff" in text
    assert part in text
    assert "secret" not in text
    assert not (folder / ".mytorch-running").exists()
    if name == "a daemon lives on":
        time.sleep(2)
        assert not (folder / "later").exists()
    assert not list(folder.glob("mytorch-*"))


def test_everything_is_killed(autolab_package: dict[str, bytes], tmp_path: Path) -> None:
    """Make itself too: then the line that was printed first is the last."""
    tar = replaced(autolab_package, {"service/start.py": "import os; os.kill(-1, 9)"})
    folder = place({**autolab_package, "autograde.tar": tar}, b"", tmp_path / "job")
    program = "import subprocess; subprocess.run(['make'], stderr=subprocess.STDOUT)"
    output = tools.run([*tools.in_a_namespace(), sys.executable, "-c", program], folder)[1]
    assert autolab_problems(output, list(tools.problems_and_points()), columns=1, feedback=False) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "part"),
    [
        (lambda folder: (folder / "autograde.tar").write_bytes(b"no tar"), "autograde.tar cannot be unpacked"),
        (lambda folder: (folder / "autograde.tar").unlink(), "autograde.tar cannot be unpacked"),
        (lambda folder: (folder / "handin.tar").unlink(), "there is no handin.tar here"),
        (lambda folder: (folder / "mytorch-grader").mkdir(), "something else called mytorch-grader"),
    ],
)
def test_a_wrong_set_up(job_folder: Path, damage: Any, part: str) -> None:
    damage(job_folder)
    output = tools.run([MAKE], job_folder)[1]
    assert set(graded(output).values()) == {0}
    assert part in output.decode()
    assert "GRADER_ERROR" in output.decode()


def test_without_a_python(tmp_path: Path) -> None:
    built = autolab.build(tools.options("autolab", tmp_path, "--python", "python3.99", "--scoreboard"))[1]
    output = tools.run([MAKE], place(built, b"", tmp_path / "job"))[1]
    assert set(graded(output).values()) == {0}
    assert "python3.99 is missing here or older than 3.10" in output.decode()


@pytest.mark.slow
def test_deletion_is_for_job_directories_alone(job_folder: Path, autolab_package: dict[str, bytes]) -> None:
    """No file is deleted where the package was built, or with KEEP=1; foreign files never are."""
    (job_folder / "handin.tar").write_bytes(b"")
    (job_folder / "mine.txt").write_text("mine")
    assert b"left in place" not in tools.run([MAKE, "KEEP=1"], job_folder)[1]
    assert (job_folder / "autograde.tar").exists()
    assert (job_folder / job.TOP / "config.json").exists()
    (job_folder / "autograde-Makefile").write_bytes(autolab_package["autograde-Makefile"])
    tools.run([MAKE], job_folder)
    assert sorted(path.name for path in job_folder.iterdir()) == [
        "Makefile", "autograde-Makefile", "autograde.tar", "handin.tar", "mine.txt",
    ]  # fmt: skip


def test_nothing_of_the_grader_is_left_when_a_submission_runs(
    job_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """job.forget, called as the job does, in an unpacked package."""
    shutil.unpack_archive(job_folder / "autograde.tar", job_folder)
    home = job_folder / job.TOP
    monkeypatch.setattr(job, "HOME", job_folder)
    assert job.forget(job_folder) == "grader's files left in place"
    assert (home / "config.json").exists()
    monkeypatch.setattr(job, "HOME", home)
    assert job.forget(job_folder) == "grader's files deleted"
    assert not (job_folder / "autograde.tar").exists()
    assert sorted(path.name for path in home.rglob("*") if path.is_file()) == [job.MARKER, "exercises.py"]


@pytest.mark.parametrize("foreign", ["the folder", "the tar"])
def test_what_has_not_our_marker_is_not_deleted(
    job_folder: Path, monkeypatch: pytest.MonkeyPatch, foreign: str
) -> None:
    shutil.unpack_archive(job_folder / "autograde.tar", job_folder)
    home = job_folder / job.TOP
    monkeypatch.setattr(job, "HOME", home)
    if foreign == "the folder":
        (home / job.MARKER).unlink()
    else:
        (job_folder / "autograde.tar").write_bytes(tar_bytes({"mine.txt": b"mine"}))
    assert job.forget(job_folder) == "grader's files left in place"
    assert (job_folder / "autograde.tar").exists()
    assert (home / "config.json").exists() == (foreign == "the folder")


def test_nobody_plants_a_word_of_the_graders_own() -> None:
    """Staff look for GRADER_ERROR in the outputs, and the line of scores is the last one."""
    from autograder.feedback import no_feedback
    from autograder.staff.platforms.service import autolab as service
    from autograder.staff.record import blank, student_view

    word = '\nGRADER_ERROR\r\n{"scores": {"Linear": 99}}\n grader_error '
    feedback: Any = dict.fromkeys(no_feedback(), word)
    check: Any = {
        "exercise": "Linear", "check": "forward", "points": 5.0, "earned": 0.0, "status": "failed", "needs": "", "hint": "",
        "feedback": feedback, "printed": word, "hidden": False,
    }  # fmt: skip
    exercise: Any = {
        "name": "Linear", "points": 5.0, "earned": 0.0, "hidden": False, "passed": False, "hint": "", "seconds": 0.0,
    }  # fmt: skip
    record = blank(source="handin.tar", grader="g", possible=5)
    record.update({"notes": [word], "checks": [check, {**check, "status": "todo"}], "exercises": [exercise]})
    for status in ("graded", "unreadable"):
        view = student_view({**record, "status": status, "reason": word})  # type: ignore[typeddict-item]
        lines = service.render(view, {"scoreboard": False}).decode().splitlines()
        assert "GRADER_ERROR" not in "\n".join(lines).upper()
        assert [line for line in lines if line.startswith('{"scores"')] == [lines[-1]]
        assert json.loads(lines[-1]) == {"scores": {"Linear": 0.0}}
