"""Time of grading a class of right, wrong and hostile submissions: ``python -m benchmarks.class_grading``."""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from autograder.staff.packing import tar_bytes
from tests.autograder.catalogue import MISTAKES
from tests.autograder.hostile_handins import FOR_MARKS, SELF_HARM
from tests.autograder.solutions import STYLES
from tests.autograder.workshop import Files, fill, handout, reference

ROOT = Path(__file__).resolve().parent.parent
FIRST, ENGINE = "mytorch/__init__.py", "mytorch/autograd_engine.py"
# Marks for handing back what was given: the identity, and the spots of the buffer.
ECHO = 6
LOOPS = ("an endless loop", "an endless loop with every signal ignored", "prints gigabytes")


def kinds() -> dict[str, Files]:
    """Files of every kind of submission by its name: right-..., wrong-..., hostile-... ."""
    right = fill(STYLES["simple"])
    found = {f"right-{name}": fill(bodies) for name, bodies in STYLES.items()}
    found["right-reference"] = {
        n: t for n, t in reference().items() if n.startswith("mytorch/") or n == "hw_bonus/mlp.py"
    }
    found["wrong-empty handout"] = handout()
    for mistake in MISTAKES:
        found[f"wrong-{mistake.name}"] = mistake.files()
    for name, code in FOR_MARKS.items():
        found[f"hostile-{name}"] = {**handout(), FIRST: code + handout()[FIRST]}
    plain = {name: text.replace("from __future__ import annotations\n", "") for name, text in right.items()}
    for name, code in SELF_HARM.items():
        found[f"hostile-{name}"] = {name: f"{code}\n{text}" for name, text in plain.items()}
    return found


def submissions(count: int) -> Iterator[tuple[str, Files]]:
    """Submissions of all kinds in turn, spread evenly. No two of them are byte for byte the same."""
    groups: dict[str, list[tuple[str, Files]]] = {}
    for name, files in kinds().items():
        groups.setdefault(name.split("-")[0], []).append((name, files))
    # Of ten, one is right, seven are wrong and two are hostile.
    order = {key: cycle(group) for key, group in groups.items()}
    pattern = cycle(["wrong", "wrong", "hostile", "wrong", "wrong", "right", "wrong", "wrong", "hostile", "wrong"])
    for number, key in enumerate(islice(pattern, count)):
        name, files = next(order[key])
        yield name, {**files, ENGINE: f"{files[ENGINE]}\n# {number}\n"}


def write_tar(files: Files, path: Path) -> None:
    path.write_bytes(tar_bytes({name: text.encode("utf-8", "surrogatepass") for name, text in files.items()}))


def resident(pid: int) -> float:
    """Resident memory of a process in MiB; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def grade(folder: Path, reports: Path, jobs: int | None) -> tuple[float, list[tuple[int, float]]]:
    """Seconds that the command takes, and pairs (submissions done, its memory in MiB) meanwhile."""
    command = [sys.executable, "-m", "autograder.staff", "grade", str(folder), "--out", str(reports)]
    command += [] if jobs is None else ["--jobs", str(jobs)]
    began = time.monotonic()
    memory = []
    with (reports.parent / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        while process.poll() is None:
            time.sleep(0.25)
            memory.append((len(list((reports / "records").glob("*.json"))), resident(process.pid)))
    seconds = time.monotonic() - began
    if process.returncode:
        sys.exit(
            f"grading ended with exit code {process.returncode}:\n{(reports.parent / 'log.txt').read_text()[-2000:]}"
        )
    return seconds, [(done, size) for done, size in memory if size]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.class_grading", description=__doc__)
    parser.add_argument("--submissions", type=int, default=500, metavar="N")
    parser.add_argument("--jobs", type=int, metavar="N", help="submissions at a time (default: as many as grade takes)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mytorch-class-") as scratch:
        folder, reports = Path(scratch) / "class", Path(scratch) / "reports"
        folder.mkdir()
        names = {}
        for number, (name, files) in enumerate(submissions(options.submissions)):
            names[f"student{number:04}"] = name
            write_tar(files, folder / f"student{number:04}_1_handin.tar")
        seconds, memory = grade(folder, reports, options.jobs)
        records = [json.loads(path.read_bytes()) for path in sorted((reports / "records").glob("*.json"))]
        again, _ = grade(folder, reports, options.jobs)
        with (reports / "gradebook.csv").open(encoding="utf-8-sig", newline="") as stream:
            rows = sum(1 for _ in csv.reader(stream)) - 1
    return report(options.submissions, seconds, again, memory, records, names, rows)


def report(
    count: int,
    seconds: float,
    again: float,
    memory: list[tuple[int, float]],
    records: list[dict],
    names: dict,
    rows: int,
) -> int:
    """Print the figures beside the targets. Returns 1 where a mark is wrong."""
    print(f"{count} submissions in {seconds:.1f} s, {seconds / count * 1000:.0f} ms each (target: 500 in 300 s)")
    print(f"the same once more, nothing changed: {again:.1f} s; rows in the gradebook: {rows}")
    by_kind: dict[str, list[float]] = {}
    for record in records:
        by_kind.setdefault(names[record["student"]].split("-")[0], []).append(record["seconds"])
    for kind, times in sorted(by_kind.items()):
        print(f"  {kind}: {len(times)}, median {statistics.median(times):.2f} s, longest {max(times):.2f} s")
    for record in sorted(records, key=lambda r: -r["seconds"])[:3]:
        print(f"  slow: {record['seconds']:.1f} s, {names[record['student']]}")
    loops = [r["seconds"] for r in records if names[r["student"]].removeprefix("hostile-") in LOOPS]
    if loops:
        print(f"  endless loops: {len(loops)}, longest {max(loops):.2f} s (limit of an import 5 s, of a check 2 s)")
    early = [size for done, size in memory if done <= count // 4]
    late = [size for done, size in memory if count * 3 // 4 <= done < count]
    if early and late:
        most = max(size for _, size in memory)
        print(
            f"memory of the grader: up to {max(early):.0f} MiB in the first quarter, {max(late):.0f} MiB in the last, ",
            end="",
        )
        print(f"{most:.0f} MiB with the class page at the end")
    print(f"level: {', '.join(records[0]['level'])}; status: {dict(Counter(r['status'] for r in records))}")
    wrong = []
    for record in records:
        kind, name = names[record["student"]].split("-", 1)
        right = record["total"] == record["possible"] if kind == "right" else record["total"] <= record["possible"]
        if kind == "hostile":
            right = record["total"] <= ECHO
        if not right or record["status"] != "graded":
            wrong.append(f"{record['student']} ({kind}: {name}): {record['status']} {record['total']}")
    fine = f"every right one got all marks, no hostile one more than {ECHO}"
    print("\n".join(["", "wrong marks:", *wrong]) if wrong else fine)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
