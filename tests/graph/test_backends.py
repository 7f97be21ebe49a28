"""The C backend takes part where it can; wherever it cannot, NumPy's takes over and says why."""

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mytorch.graph.backends as backends
from mytorch.graph.builder import Builder
from mytorch.graph.guards import ABSENT, Guard, is_direct
from mytorch.graph.passes.fusion import fusion
from mytorch.graph.plan import Plan, Value
from tests.graph.nets import batch, training
from tests.graph.test_equal import check

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = """
import sys
# An editable installation would find what is missing in the folder under test.
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in str(finder).lower()]
import numpy as np, mytorch
from mytorch import Autograd, nn, optim
engine = Autograd()
net, loss = nn.Linear(5, 3, engine, rng=0), nn.SoftmaxCrossEntropy(engine)
step = mytorch.compile(lambda x, y: loss(y, net(x)), optim.SGD(net.parameters(), lr=0.1))
rng = np.random.default_rng(0)
for n in (4, 4, 4, 4):
    value = step(rng.standard_normal((n, 5)), rng.integers(0, 3, n))
print(step.plan.backend)
"""


def backend_of(root=ROOT, program=PROGRAM, **environment):
    """The backend that a process of its own comes to."""
    environment = {**os.environ, "PYTHONPATH": str(root), **environment}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, cwd=root, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def c():
    """The C backend, where there is one."""
    module = pytest.importorskip("mytorch.graph.backends.c")
    try:
        module.self_test()
    except module.Unavailable as reason:
        pytest.skip(f"the C backend is not available: {reason}")
    return module


@pytest.mark.slow
def test_the_environment_chooses(c):
    assert backend_of(MYTORCH_BACKEND="c") == "c"
    assert backend_of(MYTORCH_BACKEND="numpy") == "numpy"
    assert backend_of(MYTORCH_BACKEND="auto") == "c"


def test_without_a_compiler_numpy_takes_over(tmp_path):
    said = backend_of(MYTORCH_BACKEND="c", PATH=str(tmp_path), CC="", XDG_CACHE_HOME=str(tmp_path))
    assert said == "numpy (C is not available: no C compiler was found (cc, gcc or clang))"


@pytest.mark.skipif(os.name != "posix", reason="the compiler of this test is a shell script")
def test_a_compiler_that_fails(tmp_path):
    compiler = tmp_path / "a compiler"
    compiler.write_text("#!/bin/sh\necho 'fatal error: out of order' >&2\nexit 1\n")
    compiler.chmod(0o755)
    said = backend_of(CC=str(compiler), XDG_CACHE_HOME=str(tmp_path / "a cache"), MYTORCH_BACKEND="c")
    assert said.startswith("numpy (C is not available")
    assert "out of order" in said


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
@pytest.mark.slow
def test_the_library_is_cached_in_a_private_folder(c, tmp_path):
    assert backend_of(XDG_CACHE_HOME=str(tmp_path / "with spaces"), MYTORCH_BACKEND="c") == "c"
    folder = tmp_path / "with spaces" / "mytorch"
    (library,) = folder.glob("*.so")
    assert folder.stat().st_mode & 0o077 == 0
    before = library.stat().st_mtime_ns
    assert backend_of(XDG_CACHE_HOME=str(tmp_path / "with spaces"), MYTORCH_BACKEND="c") == "c"
    assert library.stat().st_mtime_ns == before


@pytest.mark.skipif(os.name != "posix", reason="the compiler of this test is a shell script")
def test_a_compiler_is_asked_once_in_a_process(tmp_path):
    parts = pytest.importorskip("mytorch.graph.backends.c.library").PARTS
    compiler, calls = tmp_path / "a compiler", tmp_path / "calls"
    compiler.write_text(f"#!/bin/sh\necho called >> '{calls}'\nexit 1\n")
    compiler.chmod(0o755)
    counts = []
    for program in (PROGRAM, PROGRAM.replace("(4, 4, 4, 4)", "(1, 2, 3, 4)")):
        calls.write_text("")
        said = backend_of(
            program=program, CC=str(compiler), XDG_CACHE_HOME=str(tmp_path / "cache"), MYTORCH_BACKEND="c"
        )
        assert said.startswith("numpy (C is not available")
        counts.append(calls.read_text().count("called"))
    # Once for each part at the most: those that have not begun when another fails are left out.
    assert 0 < min(counts) <= max(counts) <= len(parts)


@pytest.mark.skipif(os.name != "posix", reason="the compiler of this test is a shell script")
@pytest.mark.parametrize("damage", [b"", b"who", b"whose"])
def test_a_damaged_library_is_built_anew(damage, tmp_path, monkeypatch):
    """Loading half a library would end the process."""
    library = pytest.importorskip("mytorch.graph.backends.c.library")
    compiler = tmp_path / "a compiler"
    compiler.write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\nprintf whole > "$2"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    built = library._built("a source")
    written = built.stat().st_mtime_ns
    assert library._built("a source") == built
    assert built.stat().st_mtime_ns == written
    built.write_bytes(damage)
    assert library._built("a source").read_bytes() == b"whole"


def test_a_self_test_that_fails(c, monkeypatch):
    from mytorch.graph.backends.c import backend

    backend.self_test.cache_clear()
    monkeypatch.setattr(backend, "_built", lambda plan: (lambda *given: (np.zeros((7, 3)),), []))
    with pytest.raises(c.Unavailable, match="other numbers than NumPy"):
        backend.self_test()
    monkeypatch.undo()
    backend.self_test.cache_clear()
    backend.self_test()


def test_no_products_to_be_found(c, monkeypatch):
    from mytorch.graph.backends import blas
    from mytorch.graph.backends.c import backend, library

    monkeypatch.setattr(blas, "find", lambda: None)
    for remembered in (library.load, backend.self_test, backend.unavailable):
        remembered.cache_clear()
    try:
        one = training("relu")
        step = one.compiled(backend="c")
        step(*batch(np.random.default_rng(0), 4, np.float64, "classes"))
        assert step.plan.backend == "numpy (C is not available: NumPy's BLAS has no sgemm and dgemm that can be found)"
    finally:
        monkeypatch.undo()
        for remembered in (library.load, backend.self_test, backend.unavailable):
            remembered.cache_clear()


@pytest.mark.slow
def test_the_folder_can_be_deleted(tmp_path):
    shutil.copytree(ROOT / "mytorch", tmp_path / "mytorch", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(tmp_path / "mytorch" / "graph" / "backends" / "c")
    assert backend_of(tmp_path, MYTORCH_BACKEND="c") == "numpy (the C backend is not installed)"


def as_it_lies(array, by_columns):
    return np.asfortranarray(array) if by_columns else array


@pytest.fixture(params=["BLAS where it copies nothing", "the library"])
def products(request, monkeypatch):
    """Products of small matrices, which BLAS mostly takes, also by the library itself."""
    if request.param == "the library":
        monkeypatch.setattr("mytorch.graph.backends.c.encode.reads_in_place", lambda *factors: False)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape", [(2, 2, 2), (7, 5, 3), (16, 32, 17), (19, 37, 50), (33, 66, 21), (10, 9, 600), (40, 700, 130)]
)
def test_products(c, products, shape, dtype):
    rng = np.random.default_rng(0)
    m, n, k = shape
    for turned in itertools.product([False, True], repeat=3):
        arrays = [rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)]
        p = Builder()
        held = [Value(a.shape, a.dtype, "held", array=as_it_lies(a, is_turned)) for a, is_turned in zip(arrays, turned)]
        y = p.matmul(*held)
        plan = Plan(p.instructions, [], [y], transposed=frozenset([y] if turned[2] else []))
        (found,) = c.build(plan)[0]()
        exact = arrays[0].astype(np.float64) @ arrays[1]
        np.testing.assert_allclose(found, exact, rtol=0, atol=np.finfo(dtype).eps * k * 4)


@pytest.mark.parametrize("layout", ["columns", "strided", "reversed", "int32 classes"])
def test_arguments_that_lie_otherwise(c, layout):
    one, other = training("relu"), training("relu")
    step = one.compiled(backend="c")
    rng = np.random.default_rng(0)
    for _ in range(6):
        x, y = batch(rng, 6, np.float64, "classes")
        if layout == "columns":
            given = np.asfortranarray(x), y
        elif layout == "strided":
            wide, doubled = np.zeros((6, 10)), np.zeros(12, np.int64)
            wide[:, ::2], doubled[::2] = x, y
            given = wide[:, ::2], doubled[::2]
        elif layout == "reversed":
            given = x[::-1].copy()[::-1], y[::-1].copy()[::-1]
        else:
            given = x, y.astype(np.int32)
        assert step(*given) == pytest.approx(other.eager(x, y), rel=1e-12)


@pytest.mark.parametrize("name", ["exp", "tanh", "log", "log1p", "erfc", "sqrt", "sign", "square", "absolute"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_elementwise_functions_over_their_whole_range(c, name, dtype):
    from mytorch.graph.backends import numpy_backend
    from mytorch.graph.backends.c import backend
    from mytorch.graph.builder import Builder
    from mytorch.graph.plan import Plan, Value

    edge = np.array(
        [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.625,
            -0.625,
            87.5,
            -87.5,
            89,
            -110,
            700,
            -700,
            720,
            -800,
            1e-30,
            np.inf,
            -np.inf,
            np.nan,
        ]
    )
    x = np.concatenate([edge, np.linspace(-30, 30, 1001), np.logspace(-8, 2, 300)]).astype(dtype)
    if name in ("log", "sqrt"):
        x = np.abs(x)
    if name == "log1p":
        x = np.maximum(x, dtype(-1 + 1e-6))
    p, given = Builder(), Value(x.shape, x.dtype, "argument", index=0)
    plan = Plan(p.instructions, [given], [p.emit(name, [given])])
    with np.errstate(all="ignore"):
        found, expected = backend.build(plan)[0](x)[0], numpy_backend.build(plan)[0](x)[0]
    # Results below the normal range are zero in C.
    tiny = np.finfo(dtype).tiny
    np.testing.assert_allclose(found, expected, rtol=4e-7 if dtype is np.float32 else 1e-15, atol=tiny)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (7, 3, 1), (48, 8, 1), (300, 70, 1), (50, 9, 257), (300, 70, 33)])
@pytest.mark.parametrize("optimizer", ["momentum", "nesterov"])
def test_gradient_and_update(c, products, sizes, optimizer):
    """Weights of every shape, for single rows and for more."""
    from mytorch import Autograd, nn
    from tests.graph import nets

    n_in, n_out, n = sizes
    trainings = []
    for _ in range(2):
        engine = Autograd()
        net = nn.Sequential(nn.Linear(n_in, n_out, engine, rng=0), nn.Tanh(engine), nn.Linear(n_out, 3, engine, rng=1))
        made = nets.OPTIMIZERS[optimizer](net.parameters())
        trainings.append(nets.Training(net, nn.SoftmaxCrossEntropy(engine), made, engine))
    one, other = trainings
    step = one.compiled(backend="c")
    rng = np.random.default_rng(0)
    for _ in range(4):
        x, y = rng.standard_normal((n, n_in)), rng.integers(0, 3, n)
        assert step(x, y) == pytest.approx(other.eager(x, y), rel=1e-11)
    assert step.plan is not None, step.reason
    assert nets.largest_difference(one, other) <= 1e-12


def test_an_entry_that_a_run_makes_and_reads(c):
    """The output of a run over a single entry is read anew by the run's next operation, not as it was before."""
    p = Builder()
    x = Value((1, 1), np.dtype(np.float64), "argument", index=0)
    y = p.exp(x)
    plan = Plan(p.instructions, [x], [y, p.add(y, 1.0)])
    run, _ = c.build(fusion(plan))
    for number in (0.0, 1.0):
        first, second = run(np.full((1, 1), number))
        assert (first.item(), second.item()) == pytest.approx((np.exp(number), np.exp(number) + 1), rel=1e-15)


class Other:
    """A class for an object to change to."""


CHANGES = {
    "another array": lambda held, given: held.update(W=held["W"].copy()),
    "no such key": lambda held, given: held.pop("W"),
    "a new key": lambda held, given: held.update(forward=None),
    "another class": lambda held, given: setattr(held["object"], "__class__", Other),
    "another dtype": lambda held, given: given.append(given.pop().astype(np.int32)),
    "another shape": lambda held, given: given.append(given.pop().T),
    "one axis less": lambda held, given: given.append(given.pop()[:, 0]),
    "a list": lambda held, given: given.append(given.pop().tolist()),
    "a subclass": lambda held, given: given.append(given.pop().view(np.recarray)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_library_finds_what_has_changed(c, change):
    held = {"W": np.zeros(1), "object": type("Own", (), {})()}
    direct = [
        Guard(held, "W", held["W"], "W"),
        Guard(held, "forward", ABSENT, "forward"),
        Guard(held["object"], "__class__", type(held["object"]), "class", attribute=True),
    ]
    assert all(map(is_direct, direct))
    given = [np.zeros(4), np.zeros((2, 3), np.int64)]
    matches = c.matcher(given, direct)
    assert matches(*given)
    assert matches(*[array.copy() for array in given])
    CHANGES[change](held, given)
    assert not matches(*given)


def test_the_names_of_backends():
    assert backends.chosen("numpy") == "numpy"
    with pytest.raises(ValueError, match="choose numpy, c or auto"):
        backends.chosen("gpu")


def test_long_steps_let_other_threads_run(c):
    check("relu", n=20_000, steps=3, backend="c")


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_numpy_updates_all_small_parameters_together(optimizer, monkeypatch):
    one = training("deep", optimizer=optimizer)
    step = one.compiled(backend="numpy")
    x, y = batch(np.random.default_rng(0), 6, np.float64, "classes")
    for _ in range(4):
        step(x, y)
    ((entry,),) = step.plans.values()
    subtract, sizes = entry.run.__globals__["subtract"], []

    def counted(*arguments):
        sizes.append(arguments[-1].size)
        return subtract(*arguments)

    monkeypatch.setitem(entry.run.__globals__, "subtract", counted)
    step(x, y)
    assert sizes[-1] == sum(parameter.value.size for parameter in one.net.parameters())
