"""The C library: found or built at first use, cached, tested, and loaded."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mytorch.graph.backends import blas
from mytorch.graph.backends.c.table import enums

HERE = Path(__file__).resolve().parent
FLAGS = (
    *("-O2", "-ftree-vectorize", "-march=native", "-std=gnu11", "-fPIC", "-fvisibility=hidden"),
    *("-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd", "-ffp-contract=fast"),
)
# The parts that are compiled at the same time, each from a file with these macros.
PARTS = {
    "walk": ("walk.c",),
    "float": ("kernels.c", "-DT=float", "-DN(name)=name##_float", "-DM(name)=name##f"),
    "double": ("kernels.c", "-DT=double", "-DN(name)=name##_double", "-DM(name)=name"),
}
SECONDS = 120
# Bytes that all of Python's objects begin with.
HEAD = object.__basicsize__


class Unavailable(Exception):
    """Why plans cannot run in C here, in one line."""


class Library(NamedTuple):
    """walker: makes of a table the function that walks it. matcher: makes of a table the function that tells if a plan still
    holds. largest: the bytes of the largest right factor that the library multiplies itself.
    """

    walker: Callable[[np.ndarray], Callable[..., int]]
    matcher: Callable[[np.ndarray], Callable[..., int]]
    largest: int


@functools.lru_cache(maxsize=1)
def load() -> Library:
    """The library, built where no cached one fits. Raises Unavailable."""
    products = blas.find()
    if products is None:
        raise Unavailable("NumPy's BLAS has no sgemm and dgemm that can be found")
    _check_fields()
    path = _built(_table(products.bits))
    try:
        library = ctypes.PyDLL(str(path))
        python = ctypes.pythonapi
        needed = (python.PyLong_FromLong, python.PyEval_SaveThread, python.PyEval_RestoreThread, python.PyDict_GetItem)
        addresses = [ctypes.cast(function, ctypes.c_void_p).value for function in needed]
        library.mytorch_init((ctypes.c_void_p * 6)(products.sgemm, products.dgemm, *addresses))
        walk, matches = (
            ctypes.addressof(ctypes.c_char.in_dll(library, name)) for name in ("mytorch_walk", "mytorch_matches")
        )
        library.mytorch_largest.restype = ctypes.c_int64
        new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
            ("PyCFunction_NewEx", python)
        )
    except (OSError, AttributeError, ValueError) as error:
        raise Unavailable(f"the library in {path} cannot be loaded ({error})") from None
    return Library(
        lambda table: new(walk, table, None), lambda table: new(matches, table, None), library.mytorch_largest()
    )


class _Fields(ctypes.Structure):
    """The fields of an array object that the library reads, as in walk.c."""

    _fields_ = (
        ("data", ctypes.c_void_p), ("ndim", ctypes.c_int), ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.c_void_p), ("base", ctypes.c_void_p), ("dtype", ctypes.c_void_p), ("flags", ctypes.c_int),
    )  # fmt: skip


def _check_fields() -> None:
    """Raise Unavailable where array objects look otherwise than the library takes them to."""
    rows = np.zeros((2, 3))
    for array in (rows, rows.T, rows[1:], np.zeros(5, np.float32)):
        found = _Fields.from_address(id(array) + HEAD)
        if (
            ctypes.c_void_p.from_address(id(array) + HEAD - ctypes.sizeof(ctypes.c_void_p)).value != id(np.ndarray)
            or found.data != array.__array_interface__["data"][0]
            or found.ndim != array.ndim
            or tuple(found.shape[: array.ndim]) != array.shape
            or found.dtype != id(array.dtype)
            or bool(found.flags & 1) != array.flags.c_contiguous
            or not found.flags & 0x100
        ):
            raise Unavailable("arrays of this NumPy are laid out in an unknown way")


def _table(bits: int) -> str:
    """The text of ``table.h``."""
    return f"#define BLASINT int{bits}_t\n#define HEAD {HEAD}\n{enums()}\n"


def _compiler() -> str:
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        path = shutil.which(name) if name else None
        if path:
            return path
    raise Unavailable("no C compiler was found (cc, gcc or clang)")


def _built(table: str) -> Path:
    compiler = _compiler()
    sources = [
        (HERE / name).read_text(encoding="utf-8") for name in sorted(os.listdir(HERE)) if name.endswith((".c", ".h"))
    ]
    key = "\0".join([table, *sources, repr(PARTS), compiler, str(os.stat(compiler).st_mtime_ns), *FLAGS, _processor()])
    path = _folder() / f"mytorch-{hashlib.sha256(key.encode()).hexdigest()[:32]}.so"
    if not _is_whole(path):
        _build(path, table, compiler)
    return path


def _build(path: Path, table: str, compiler: str) -> None:
    # Only here, as these take longer to import than a library that is there takes to load.
    import subprocess
    import tempfile
    from concurrent.futures import ThreadPoolExecutor

    def run(command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line] or [f"exit {done.returncode}"]
            raise Unavailable(f"{command[0]} failed: {lines[0][:200]}")

    try:
        with tempfile.TemporaryDirectory(dir=path.parent) as name:
            folder = Path(name)
            (folder / "table.h").write_text(table, encoding="utf-8")
            objects = [str(folder / f"{part}.o") for part in PARTS]
            commands = [
                [compiler, *FLAGS, f"-I{folder}", "-c", str(HERE / file), *macros, "-o", made]
                for (file, *macros), made in zip(PARTS.values(), objects)
            ]
            with ThreadPoolExecutor(len(commands)) as pool:
                list(pool.map(run, commands))
            built = folder / "plan.so"
            run([compiler, *FLAGS, "-shared", *objects, "-o", str(built), "-lm"])
            os.replace(built, path)
            _sum_of(path).write_bytes(_digest(path))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"the library could not be built ({error})") from None


def _is_whole(path: Path) -> bool:
    """True where the cached library is as it was written. A damaged one could end the process instead of raising an error."""
    try:
        return _sum_of(path).read_bytes() == _digest(path)
    except OSError:
        return False


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).hexdigest().encode()


def _sum_of(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _folder() -> Path:
    """A folder of this user's own; a library that others could write would be theirs to run."""
    for parent in _parents():
        folder = Path(parent) / "mytorch"
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.stat()
            if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
                continue
            if os.access(folder, os.W_OK):
                return folder
    raise Unavailable("no private folder for the library can be written")


def _parents() -> Iterator[str]:
    yield os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    import tempfile  # writes a file to find the folder for such

    yield os.path.join(tempfile.gettempdir(), f"mytorch-{getattr(os, 'getuid', int)()}")


def _processor() -> str:
    """The processor, on which -march=native depends."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return f"{platform.machine()} {platform.processor()} {platform.node()}"
