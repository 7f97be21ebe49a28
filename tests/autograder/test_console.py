"""The stand-ins for the console do what programs ask of real ones, and keep what is printed up to a limit."""

from __future__ import annotations

import codecs
import faulthandler
import gc
import io
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from autograder.worker.console import Console, Keyboard


@contextmanager
def console() -> Iterator[bytearray]:
    """Stand-ins for all three streams; yields the bytes that are printed."""
    printed, before = bytearray(), (sys.stdin, sys.stdout, sys.stderr)
    sys.stdin, sys.stdout, sys.stderr = Keyboard(), Console(1, printed), Console(2, printed)
    try:
        yield printed
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


def utf8() -> None:
    sys.stdout.reconfigure(encoding="utf-8", errors="strict", line_buffering=True)  # type: ignore[union-attr]
    print("\N{SNOWMAN}")


def wrapped_and_dropped() -> None:
    sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
    print("\N{SNOWMAN}", flush=True)
    # The wrapper closes what it wraps when it goes, here as with a real stream.
    sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
    gc.collect()
    print("after", flush=True)


def detached() -> None:
    sys.stdout = codecs.getwriter("utf-8")(sys.stdout.detach())  # type: ignore[union-attr]
    print("\N{SNOWMAN}")
    sys.stdout = codecs.getwriter("utf-8")(sys.stdout.detach())


def printed() -> None:
    print("a", "\N{SNOWMAN}", sep="-", end="!", file=sys.stderr, flush=True)
    sys.stdout.write("b\n")
    sys.stdout.writelines(["c", "d"])
    sys.stdout.buffer.write("\N{SNOWMAN}".encode())
    print("\ud800")  # what cannot be encoded is escaped


def logged() -> None:
    handler = logging.StreamHandler()
    logger = logging.Logger("a logger")
    logger.addHandler(handler)
    logger.warning("\N{SNOWMAN}")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("careful", stacklevel=1)


@pytest.mark.parametrize("program", [utf8, wrapped_and_dropped, detached, printed, logged], ids=lambda f: f.__name__)
def test_programs_that_use_the_console_run_and_are_heard(program: Callable[[], None]) -> None:
    with console() as kept:
        program()
    assert "\N{SNOWMAN}" in kept.decode()


def test_a_console_has_the_attributes_of_one() -> None:
    with console() as kept:
        streams = sys.stdin, sys.stdout, sys.stderr
    for number, stream in enumerate(streams):
        assert stream.encoding.lower() == "utf-8"
        assert stream.fileno() == number
        assert not stream.isatty()
        assert not stream.closed
    assert [stream.readable() for stream in streams] == [True, False, False]
    assert [stream.writable() for stream in streams] == [False, True, True]
    assert streams[1].name
    assert kept == b""


def test_faulthandler_can_be_enabled() -> None:
    was = faulthandler.is_enabled()
    with console():
        faulthandler.enable()
    if not was:
        faulthandler.disable()


def test_somebody_presses_enter() -> None:
    with console() as kept:
        answers = input("go on? "), sys.stdin.readline()
        # It ends: a loop over standard input does too.
        rest = sum(1 for _ in sys.stdin)
        with pytest.raises(EOFError):
            input()
    assert answers == ("", "\n")
    assert 0 < rest < 1000
    assert kept == b"go on? "


def test_only_the_beginning_is_kept() -> None:
    data = bytearray()
    stream = Console(1, data, limit=10)
    for _ in range(1000):
        print("0123456", file=stream)
    assert data == b"0123456\n01"
