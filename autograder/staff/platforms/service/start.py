"""Start and watch of the grader on a platform. Its output counts only if it is complete and in time.

``python -I -B start.py autolab`` in the job directory, or ``start.py gradescope --root /autograder``. Works without NumPy,
so that it can report that NumPy is missing. The submission never gets this process's standard output.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
HOME = HERE.parents[3]
CONFIG = "config.json"
ERROR = "GRADER_ERROR"


class GraderFailed(Exception):
    """The grader gave no result. The message says why and reveals nothing of a hidden exercise."""


def main(arguments: list[str] | None = None) -> int:
    """Print the job's output (autolab) or write results.json (gradescope). Returns 1 and prints a reason if there is none."""
    parser = argparse.ArgumentParser(prog="start.py")
    parser.add_argument("platform", choices=("autolab", "gradescope"))
    parser.add_argument("--root", type=Path, default=Path("."))
    parser.add_argument("--keep", action="store_true", help="do not delete the unpacked grader")
    options = parser.parse_args(arguments)
    # The platforms read UTF-8, whatever this machine's locale is.
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    root = options.root.resolve()
    sys.path.insert(0, str(HOME))
    try:
        protect()
        if options.platform == "gradescope":
            close_folders(root)
        # Imported now, because the grader may delete its files later.
        from autograder.staff.files import replace_file

        config = json.loads((HOME / CONFIG).read_text(encoding="utf-8"))
        with unpacked_wheels(root, config) as site:
            command = [sys.executable, "-I", "-B", str(HERE / "job.py"), options.platform, "--root", str(root)]
            command += ["--site", str(site)] if site else []
            command += ["--keep"] if options.keep else []
            output = watched(command, float(config["limit"]), show_errors=options.platform == "gradescope")
        if options.platform == "gradescope":
            replace_file(root / "results" / "results.json", output)
        else:
            sys.stdout.buffer.write(output)
            sys.stdout.buffer.flush()
    except GraderFailed as error:
        print(f"{ERROR} - {error}")
        return 1
    except Exception as error:
        print(f"{ERROR} - the grader could not be started ({type(error).__name__})")
        return 1
    return 0


def protect() -> None:
    """On Linux: end with the shell, close this process's memory to others of the same user, adopt orphans."""
    if sys.platform == "linux":
        from autograder.worker import linux

        for measure in (linux.die_with_parent, linux.hide_memory, linux.adopt_orphans):
            with contextlib.suppress(OSError):
                measure()


def close_folders(root: Path) -> None:
    """As root, close source/, results/ and submission/ to other users. Removes an old result."""
    for name, mode in (("source", 0o700), ("results", 0o700), ("submission", 0o700)):
        folder = root / name
        if folder.is_symlink():
            raise GraderFailed(f"{name} is a link; it has to be a folder")
        if name == "results":
            folder.mkdir(exist_ok=True)
        if os.name == "posix" and os.geteuid() == 0 and folder.is_dir():
            folder.chmod(mode)
    (root / "results" / "results.json").unlink(missing_ok=True)


@contextlib.contextmanager
def unpacked_wheels(root: Path, config: dict[str, Any]) -> Iterator[Path | None]:
    """On Autolab, a temporary folder with the vendored wheels that fit this Python; else None. Raises GraderFailed."""
    wheels = HOME / "wheels"
    if config["platform"] != "autolab" or not wheels.is_dir():
        yield None
        return
    from autograder.staff.platforms.service.wheels import NoWheel, unpack

    with tempfile.TemporaryDirectory(prefix="mytorch-site-", dir=root, ignore_cleanup_errors=True) as site:
        try:
            unpack(wheels, Path(site))
        except (NoWheel, OSError) as error:
            raise GraderFailed(f"the vendored wheels cannot be used: {error}") from None
        yield Path(site)


def watched(command: list[str], limit: float, show_errors: bool = False) -> bytes:
    """Output of a command that has to exit with 0 within the limit. Ends every process that it started. Raises GraderFailed."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=None if show_errors else subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    parts: list[bytes] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda stream=process.stdout: parts.append(stream.read()), daemon=True)
    reader.start()
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        raise GraderFailed(f"the grader did not finish within {limit:g} seconds") from None
    finally:
        process.kill()
        sweep()
    # No process holds the other end of the pipe any more, so the reader ends.
    reader.join(5.0)
    output = b"".join(parts)
    if process.returncode == 2:
        raise GraderFailed(output.decode(errors="replace").strip()[:1000] or "the grader gave no reason")
    if process.returncode < 0:
        raise GraderFailed(f"the grader was killed by signal {-process.returncode}")
    if process.returncode or not output:
        raise GraderFailed(f"the grader ended early with exit code {process.returncode}")
    return output


def sweep(seconds: float = 5.0) -> None:
    """Kill all descendants of this process, daemons included, where /proc lists them (Linux)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        found = descendants()
        if not found:
            return
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def descendants() -> list[int]:
    """Process ids of all descendants; none without /proc."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parents[int(path.parent.name)] = int(path.read_text(errors="replace").rpartition(")")[2].split()[1])
    found, look = [], [os.getpid()]
    while look:
        parent = look.pop()
        children = [pid for pid, its in parents.items() if its == parent]
        found += children
        look += children
    return found


if __name__ == "__main__":
    sys.exit(main())
