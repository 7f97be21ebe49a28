"""Command line: reads the options, runs the comparisons, prints the tables, writes the JSON file."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import shutil
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from benchmarks import comparisons
from benchmarks.machine import facts
from benchmarks.processes import WorkerFailed
from benchmarks.race import Disagreement
from benchmarks.settings import BadRequest, Settings

DEFAULT_JSON = "results/benchmark.json"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. See --help.\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the comparisons that the arguments name.

    Returns 0, 1 (frameworks disagree), 2 (the request cannot be met) or 130 (Ctrl-C).
    """
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except BadRequest as error:
        return _fail(str(error), 2)
    except (Disagreement, WorkerFailed) as error:
        return _fail(str(error), 1)
    except KeyboardInterrupt:
        return _fail("stopped; nothing was written", 130)


def names() -> list[str]:
    """Names of all comparisons: the files in ``benchmarks/comparisons``."""
    return sorted(module.name for module in pkgutil.iter_modules(comparisons.__path__))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m benchmarks",
        description="The same work in mytorch and beside other frameworks, one process and one thread each. Frameworks "
        "that are not installed are left out with a note. The figures are ratios from one run on one machine.",
    )
    parser.add_argument("--quick", action="store_true", help="a smoke run of less than a minute; the figures are rough")
    parser.add_argument("--only", type=_list, metavar="NAMES", help=f"some of {','.join(names())} (default: all)")
    parser.add_argument("--rounds", type=_positive, metavar="N", help="rounds of each timing (default: 15, quick 5)")
    parser.add_argument("--json", type=Path, default=Path(DEFAULT_JSON), metavar="PATH", help="(default: %(default)s)")
    parser.add_argument("--seed", type=_positive, default=1, metavar="N", help="of weights, data, order (default: 1)")
    examples = {"net": "64-32-10", "batch": "1,32", "dtype": "float32", "framework": "numpy,torch"}
    for kind, example in examples.items():
        words = f"training step: only these, such as {example} (default: all)"
        parser.add_argument(f"--{kind}", type=_list, metavar=kind.upper(), help=words)
    return parser


def _run(options: argparse.Namespace) -> int:
    chosen = options.only or names()
    for name in chosen:
        if name not in names():
            raise BadRequest(f"There is no comparison {name}; choose from {', '.join(names())}.")
    # Better refused now than after ten minutes.
    _refuse_unwritable(options.json)
    filters = {kind: getattr(options, kind) for kind in ("net", "batch", "dtype", "framework")}
    settings = Settings(options.quick, options.rounds, options.seed, filters, _progress)
    modules = {name: importlib.import_module(f"benchmarks.comparisons.{name}") for name in chosen}
    for comparison in modules.values():
        comparison.check(settings)
    machine = facts()
    print(f"{machine['cpu']}, Python {machine['python']}, NumPy {machine['numpy']} with {machine['blas']}, one thread")
    began = time.perf_counter()
    results: dict[str, Any] = {}
    missed: list[str] = []
    for name, comparison in modules.items():
        result = results[name] = comparison.run(settings)
        _progress("")
        print(f"\n{comparison.TITLE}\n", *comparison.lines(result), sep="\n", flush=True)
        missed += comparison.missed(result)
    print(f"\n{len(missed)} missed targets" + (":" if missed else "."), *(f"  {line}" for line in missed), sep="\n")
    if options.quick and missed:
        print("A quick run is too short to judge by; run without --quick before you believe it.")
    report = {"machine": machine, "quick": options.quick, "seed": options.seed, "missed": missed, "results": results}
    _write(options.json, report)
    print(f"\n{time.perf_counter() - began:.0f} s. All figures: {options.json}")
    return 0


def _refuse_unwritable(path: Path) -> None:
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "Is a directory")
        probe = path.with_name(f".{path.name}.{os.getpid()}")
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(None, "Permission denied")
    except OSError as error:
        raise BadRequest(f"The results cannot be written to {path}: {error.strerror}. Choose another --json.") from None


def _write(path: Path, report: dict[str, Any]) -> None:
    """Write a neighbour and rename it, so that a run that is stopped leaves the last report as it was."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise BadRequest(f"The results could not be written to {path}: {error.strerror}.") from None


def _progress(text: str) -> None:
    """Show a line that the next one overwrites, on a terminal only."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{text[:width].ljust(width)}\r", end="", file=sys.stderr, flush=True)


def _fail(message: str, code: int) -> int:
    _progress("")
    print(f"python -m benchmarks: {message}", file=sys.stderr)
    return code


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, not {text}")
    return int(text)
