"""The command line: ``python -m mytorch.viewer SCRIPT.py`` runs a program and writes the page of its list."""

from __future__ import annotations

import argparse
import sys
import traceback
from importlib import import_module
from pathlib import Path

from mytorch.viewer.page import open_or_say, write_recording
from mytorch.viewer.script import Run

USAGE = "python -m mytorch.viewer [--out FILE] [--backward N] [--no-browser] SCRIPT.py [arguments of the script]"


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, 1 if the program ended with an error, 2 for a command that cannot be carried out."""
    parser = argparse.ArgumentParser(prog="python -m mytorch.viewer", usage=USAGE, description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("steps.html"), help="the page to write (default: steps.html)")
    parser.add_argument("--backward", type=_positive, default=1, help="number of the backward pass to show, from 1 on")
    parser.add_argument("--no-browser", action="store_true", help="write the page and say where it lies")
    parser.add_argument(
        "--examples", type=Path, metavar="DIR", help="write the pages of the lecture's examples instead"
    )
    parser.add_argument("script", nargs="?", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        if options.examples is not None:
            return _examples(options.examples)
        if options.script is None:
            parser.error("name a script, as in: python -m mytorch.viewer mytorch/sandbox.py")
        if not options.script.is_file():
            parser.error(f"there is no script {options.script}")
        if options.out.is_dir():
            parser.error(f"{options.out} is a folder; give --out the name of a file")
        if not options.out.resolve().parent.is_dir():
            parser.error(f"there is no folder {options.out.resolve().parent}; make it first, or give another --out")
        return _run(options)
    except OSError as error:
        print(f"The page could not be written: {error}", file=sys.stderr)
        return 2


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("backward passes are counted from 1 on")
    return number


def _examples(folder: Path) -> int:
    try:
        examples = import_module("mytorch.viewer.examples")
    except ModuleNotFoundError:  # students get the page without them
        print("The examples are no part of this copy of MyTorch.", file=sys.stderr)
        return 2
    for page in examples.write_examples(folder):
        print(page)
    return 0


def _run(options: argparse.Namespace) -> int:
    run = Run(options.backward)
    run.program(options.script, options.arguments)
    code = _say_how_it_ended(run.error, options.script)
    if run.recording is None:
        print(
            f"{options.script} has recorded nothing, so there is no page. It has to record on a mytorch.Autograd, by "
            "layers, by add_operation or by mytorch.autodiff.trace.",
            file=sys.stderr,
        )
        return code or 2
    notes = []
    if run.walks < options.backward and run.walks:
        notes.append(
            f"The program made {run.walks} backward passes; number {options.backward} was asked for. This is the last list."
        )
    if code and run.error is not None:
        notes.append(f"The program ended with an error: {type(run.error).__name__}: {run.error}")
    write_recording(run.recording, options.out, options.script.name, notes)
    if options.no_browser:
        print(f"The list, step by step: {options.out}")
    else:
        open_or_say(options.out)
    return code


def _say_how_it_ended(error: BaseException | None, script: Path) -> int:
    """Print the traceback of the program's own frames. Returns the exit code: 0 where it ended well."""
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    trace = error.__traceback__
    own = trace
    while own is not None and own.tb_frame.f_code.co_filename != str(script):
        own = own.tb_next
    traceback.print_exception(type(error), error, own or trace)
    return 1


if __name__ == "__main__":
    sys.exit(main())
