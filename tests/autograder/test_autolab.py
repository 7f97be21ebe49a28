"""Autolab's package, run as the service runs it: ``make`` in a flat folder with Makefile, autograde.tar and handin.tar."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from autograder.staff.packing import tar_bytes
from autograder.staff.platforms import autolab
from autograder.staff.platforms.formats import autolab_problems
from autograder.staff.platforms.service import job
from tests.autograder import platform_tools as tools

MAKE = "make"
pytestmark = pytest.mark.skipif(
    shutil.which(MAKE) is None or shutil.which("tar") is None, reason="make or tar is missing, which Autolab uses"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("dist")
    return autolab.build(tools.options("autolab", out, "--scoreboard"))[1]


@pytest.fixture
def folder(built: dict[str, bytes], tmp_path: Path) -> Path:
    return place(built, tools.handin(tools.solved()), tmp_path / "job")


def place(built: dict[str, bytes], handin: bytes, folder: Path) -> Path:
    """A job directory as the service makes it."""
    folder.mkdir()
    (folder / "Makefile").write_bytes(built["autograde-Makefile"])
    (folder / "autograde.tar").write_bytes(built["autograde.tar"])
    (folder / "handin.tar").write_bytes(handin)
    return folder


def replaced(built: dict[str, bytes], pieces: dict[str, str]) -> bytes:
    return tar_bytes(tools.with_pieces(tools.untar(built["autograde.tar"]), pieces))


def graded(output: bytes, columns: int = 1) -> dict[str, Any]:
    """The scores, after the output was found to be what the service takes."""
    assert autolab_problems(output, list(tools.problems_and_points()), columns=columns) == [], output.decode()
    scores = json.loads(output.decode().splitlines()[-1])["scores"]
    assert scores.keys() == tools.problems_and_points().keys()
    return scores


def test_the_same_bytes_each_time(built: dict[str, bytes], tmp_path: Path) -> None:
    assert autolab.build(tools.options("autolab", tmp_path, "--scoreboard"))[1] == built
    assert list(built) == ["autograde-Makefile", "autograde.tar"]


def test_what_is_in_the_package(built: dict[str, bytes]) -> None:
    names = tools.untar(built["autograde.tar"])
    assert all(name.startswith(f"{job.TOP}/") for name in names)
    for unwanted in (
        "handout",
        "agreement",
        "page",
        "skeleton",
        "mytorch/",
        "tests",
        "autolab.py/",
        "package",
        "classroom",
    ):
        assert not [name for name in names if unwanted in name.removeprefix(job.TOP)], unwanted
    assert f"{job.TOP}/{job.MARKER}" in names


def test_a_right_solution(folder: Path) -> None:
    code, output = tools.run([MAKE], folder)
    assert code == 0
    scores = graded(output)
    assert scores == tools.problems_and_points(), output.decode()
    lines = output.decode().splitlines()
    assert json.loads(lines[-1])["scoreboard"] == [sum(scores.values())]
    feedback = json.loads(lines[-2])
    assert feedback["stages"] == list(scores)
    assert all(check["passed"] for stage in feedback["stages"] for check in feedback[stage].values())
    assert len(feedback["Linear"]) > 3
    assert "Total" in output.decode()
    assert sorted(path.name for path in folder.iterdir()) == ["Makefile", "handin.tar"]


def test_a_wrong_one_is_told_what_is_wrong(built: dict[str, bytes], tmp_path: Path) -> None:
    files = tools.acting({"ReLU": "x = x.copy(); raise ValueError('shape: \\x1b[31m é: <b>')"})
    files |= {"Makefile": "all:\n\techo mine\n", "autograde.tar": "x", "autograder/exercises.py": "raise SystemExit(3)"}
    files |= {"numpy.py": "raise SystemExit(3)", "mytorch-grader/autograder/staff/platforms/service/job.py": "print(1)"}
    folder = place(built, tools.handin(files), tmp_path / "job")
    output = tools.run([MAKE], folder, LC_ALL="C", LANG="C")[1]
    scores = graded(output)
    hidden = {name for name in scores if name.startswith("Hidden")}
    assert {n for n, p in tools.problems_and_points().items() if scores[n] < p} - hidden == {
        "ReLU Forward",
        "ReLU Backward",
    }
    feedback = json.loads(output.decode().splitlines()[-2])
    hints = [check["hint"] for check in feedback["ReLU Forward"].values() if not check["passed"]]
    assert "ValueError : shape" in hints[0]
    assert "\x1b" not in output.decode()
    assert "mytorch/nn/modules/activation.py" in output.decode()
    for name in hidden:
        assert list(feedback[name]) == ["hidden"]


@pytest.mark.slow
def test_what_hostile_code_cannot_do(built: dict[str, bytes], tmp_path: Path) -> None:
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
    folder = place(built, tools.handin(files), folder)
    started = time.monotonic()
    output = tools.run([*tools.in_a_namespace(), MAKE], folder)[1]
    assert time.monotonic() - started < 60
    marks = graded(output)
    assert marks["Identity Forward"] == 0
    assert marks["ReLU Forward"] == 0
    assert sum(marks[name] for name in ("Functional", "Linear", "SoftmaxCrossEntropy Backward")) == 15
    assert not (folder / "out").exists()
    assert b"echo" not in (folder / "Makefile").read_bytes().replace(built["autograde-Makefile"], b"")


SNOOP = """
import glob, os
found = [p for p in glob.glob({job!r} + "/**", recursive=True) if p.endswith(("config.json", "hidden.py", "autograde.tar"))]
found += [p for p in glob.glob("/proc/[0-9]*/cwd/autograde.tar")]
if not found: raise ValueError("nothing to see")
"""


@pytest.mark.parametrize(("keep", "found"), [("", 0), ("KEEP=1", 1)])
def test_secrets_are_gone_where_the_file_system_is_open(
    built: dict[str, bytes], tmp_path: Path, keep: str, found: int
) -> None:
    """The second run shows that the submission would have found them."""
    config = json.loads(tools.untar(built["autograde.tar"])[f"{job.TOP}/config.json"])
    config["without"] = ["namespaces", "uid", "landlock", "seccomp"]
    tar = replaced(built, {f"{job.TOP}/config.json": json.dumps(config)})
    files = tools.acting({"Identity": SNOOP.format(job=str(tmp_path / "job"))})
    folder = place({**built, "autograde.tar": tar}, tools.handin(files), tmp_path / "job")
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


@pytest.mark.parametrize("name", FAILURES)
def test_whatever_fails_the_last_line_is_one_of_scores(built: dict[str, bytes], tmp_path: Path, name: str) -> None:
    pieces, part = FAILURES[name]
    folder = place({**built, "autograde.tar": replaced(built, pieces)}, b"", tmp_path / "job")
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


def test_everything_is_killed(built: dict[str, bytes], tmp_path: Path) -> None:
    """Make itself too: then the line that was printed first is the last."""
    tar = replaced(built, {"service/start.py": "import os; os.kill(-1, 9)"})
    folder = place({**built, "autograde.tar": tar}, b"", tmp_path / "job")
    program = "import subprocess; subprocess.run(['make'], stderr=subprocess.STDOUT)"
    output = tools.run([*tools.in_a_namespace(), sys.executable, "-c", program], folder)[1]
    assert autolab_problems(output, list(tools.problems_and_points()), columns=1, feedback=False) == []


@pytest.mark.parametrize(
    ("damage", "part"),
    [
        (lambda folder: (folder / "autograde.tar").write_bytes(b"no tar"), "autograde.tar cannot be unpacked"),
        (lambda folder: (folder / "autograde.tar").unlink(), "autograde.tar cannot be unpacked"),
        (lambda folder: (folder / "handin.tar").unlink(), "there is no handin.tar here"),
        (lambda folder: (folder / "mytorch-grader").mkdir(), "something else called mytorch-grader"),
    ],
)
def test_a_wrong_set_up(folder: Path, damage: Any, part: str) -> None:
    damage(folder)
    output = tools.run([MAKE], folder)[1]
    assert set(graded(output).values()) == {0}
    assert part in output.decode()
    assert "GRADER_ERROR" in output.decode()


def test_without_a_python(tmp_path: Path) -> None:
    built = autolab.build(tools.options("autolab", tmp_path, "--python", "python3.99", "--scoreboard"))[1]
    output = tools.run([MAKE], place(built, b"", tmp_path / "job"))[1]
    assert set(graded(output).values()) == {0}
    assert "python3.99 is missing here or older than 3.10" in output.decode()


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("numpy-9.9-py3-none-any.whl", "NumPy cannot be imported by"),
        ("numpy-9.9-cp38-cp38-win_amd64.whl", "no wheel of numpy fits Python 3"),
    ],
)
def test_vendored_wheels_are_used_and_removed(tmp_path: Path, name: str, part: str) -> None:
    """Nothing else is used in their place: this NumPy cannot be imported."""
    wheels = tools.wheel(tmp_path / "wheels", name, {"numpy/__init__.py": "raise ImportError('the vendored one')"})
    built = autolab.build(tools.options("autolab", tmp_path, "--wheels", str(wheels), "--scoreboard"))[1]
    folder = place(built, b"", tmp_path / "job")
    output = tools.run([MAKE], folder)[1]
    assert set(graded(output).values()) == {0}
    assert part in output.decode()
    assert ("the vendored one" in output.decode()) == ("any" in name)
    assert sorted(path.name for path in folder.iterdir()) == ["Makefile", "autograde.tar", "handin.tar"]


def test_as_a_user_without_rights(built: dict[str, bytes]) -> None:
    """As on the service, where the tests themselves run as root."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("not root, so the other tests ran as such a user")
    nobody: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
    command = [sys.executable, "-I", "-c", "import numpy"]
    try:
        subprocess.run(command, **nobody, cwd="/", capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this Python cannot be run by another user")
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        folder = place(built, tools.handin(tools.solved()), Path(scratch) / "job")
        for path in (folder, *folder.iterdir()):
            os.chown(path, 65534, 65534)
        done = subprocess.run([MAKE], **nobody, cwd=folder, env=tools.ENVIRONMENT, capture_output=True, check=False)
    assert graded(done.stdout) == tools.problems_and_points(), done.stdout.decode()


@pytest.mark.parametrize("data", [b"no archive", tools.handin({"notes.txt": "nothing"})], ids=["text", "other files"])
def test_a_hand_in_that_is_none_gets_zeros_and_a_reason(folder: Path, data: bytes) -> None:
    (folder / "handin.tar").write_bytes(data)
    code, output = tools.run([MAKE], folder)
    assert code == 0
    assert set(graded(output).values()) == {0}
    assert "GRADER_ERROR" not in output.decode()
    assert "Your submission cannot be graded: handin.tar" in output.decode()
    assert "checks passed" not in output.decode()
    assert "not graded" in output.decode()
    assert "handin.tar" in json.loads(output.decode().splitlines()[-2])["Linear"]["all"]["hint"]


def test_deletion_is_for_job_directories_alone(folder: Path, built: dict[str, bytes]) -> None:
    """Where the package was built, and with KEEP=1, nothing of staff's is deleted; foreign files never are."""
    (folder / "handin.tar").write_bytes(b"")
    (folder / "mine.txt").write_text("mine")
    assert b"left in place" not in tools.run([MAKE, "KEEP=1"], folder)[1]
    assert (folder / "autograde.tar").exists()
    assert (folder / job.TOP / "config.json").exists()
    (folder / "autograde-Makefile").write_bytes(built["autograde-Makefile"])
    tools.run([MAKE], folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "Makefile", "autograde-Makefile", "autograde.tar", "handin.tar", "mine.txt",
    ]  # fmt: skip


def test_nothing_of_the_grader_is_left_when_a_submission_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """job.forget, called as the job does, in an unpacked package."""
    shutil.unpack_archive(folder / "autograde.tar", folder)
    home = folder / job.TOP
    monkeypatch.setattr(job, "HOME", folder)
    assert job.forget(folder) == "grader's files left in place"
    assert (home / "config.json").exists()
    monkeypatch.setattr(job, "HOME", home)
    assert job.forget(folder) == "grader's files deleted"
    assert not (folder / "autograde.tar").exists()
    assert sorted(path.name for path in home.rglob("*") if path.is_file()) == [job.MARKER, "exercises.py"]


@pytest.mark.parametrize("foreign", ["the folder", "the tar"])
def test_what_has_not_our_marker_is_not_deleted(folder: Path, monkeypatch: pytest.MonkeyPatch, foreign: str) -> None:
    shutil.unpack_archive(folder / "autograde.tar", folder)
    home = folder / job.TOP
    monkeypatch.setattr(job, "HOME", home)
    if foreign == "the folder":
        (home / job.MARKER).unlink()
    else:
        (folder / "autograde.tar").write_bytes(tar_bytes({"mine.txt": b"mine"}))
    assert job.forget(folder) == "grader's files left in place"
    assert (folder / "autograde.tar").exists()
    assert (home / "config.json").exists() == (foreign == "the folder")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--limit", "180"], "by 10 at least"),
        (["--limit", "5"], "too short"),
        (["--python", "python3; rm -rf /"], "no name of a program"),
        (["--handin", "../x.tar"], "no plain file name"),
        (["--handin", "Makefile"], "no plain file name"),
        (["--wheels", "nowhere"], "holds no wheel of NumPy"),
    ],
)
def test_options_that_make_no_sense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], part: str
) -> None:
    assert autolab.run(tools.options("autolab", tmp_path, *arguments)) == 2
    assert part in capsys.readouterr().err


def test_the_command_says_what_to_set_up(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "autograder.staff", "autolab", "--out", str(tmp_path / "dist"), "--scoreboard"]
    code, output = tools.run(command, tools.workshop.ROOT)
    assert code == 0
    for part in (
        "Problems of the assessment",
        "Autograd Add Operation            5",
        "timeout",
        '{"scoreboard": [{"hdr"',
    ):
        assert part in output.decode()
    first = (tmp_path / "dist" / "autograde.tar").read_bytes()
    assert tools.run(command, tools.workshop.ROOT)[0] == 0
    assert (tmp_path / "dist" / "autograde.tar").read_bytes() == first, "the class seed was drawn anew"
    assert (tmp_path / "dist" / "class_seed.txt").stat().st_mode & 0o077 == 0
