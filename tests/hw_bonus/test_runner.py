"""The command-line program: results, resuming, interruption, bad input, exit codes."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from program import FAST, RUNNER, make_images, refused, run, start, write_course, write_idx

from hw_bonus import checkpoint, options, session, training
from tests.clocks import at_most, patience

posix_only = pytest.mark.skipif(os.name != "posix", reason="signals work differently there")


def contents(path: Path) -> dict[str, bytes]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name].tobytes() for name in archive.files}


@pytest.mark.slow
def test_without_options_it_reaches_what_the_readme_promises(tmp_path: Path) -> None:
    with at_most(30):  # 4 seconds as a rule
        out, err = run("--no-plots", cwd=tmp_path)
    metrics = json.loads((tmp_path / "results" / "metrics.json").read_text())
    assert metrics["test_accuracy"] >= 0.975
    assert sum(map(sum, metrics["confusion_matrix"])) == metrics["data"]["test"] == 359
    assert len(metrics["history"]["val_loss"]) == metrics["epochs"]
    assert "Test accuracy" in out
    assert err == ""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_every_seed_reaches_it(tmp_path: Path, seed: int) -> None:
    run("--seed", seed, "--no-plots", cwd=tmp_path)
    assert json.loads((tmp_path / "results" / "metrics.json").read_text())["test_accuracy"] >= 0.975


@pytest.mark.slow
def test_the_pictures_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out, _ = run("--hidden", "12", "--epochs", 2, "--out", "mes résultats/neu", cwd=tmp_path)
    folder = tmp_path / "mes résultats" / "neu"
    for name in ("curves.png", "confusion.png", "mistakes.png", "weights.png"):
        assert (folder / name).read_bytes()[:4] == b"\x89PNG"
        assert (folder / name).stat().st_size > 5000
        assert name in out


@pytest.mark.slow
def test_without_matplotlib_one_line_says_how_to_get_pictures(tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "matplotlib.py").write_text("raise ImportError('hidden for a test')")
    env = {"PYTHONPATH": str(tmp_path / "hidden")}
    out, err = run("--hidden", "8", "--epochs", 1, cwd=tmp_path, env=env)
    assert "pip install '.[plots]'" in out
    assert err == ""
    written = {path.name for path in (tmp_path / "results").iterdir()}
    assert written == {"checkpoint.npz", "draw.html", "metrics.json", "model.npz"}


@pytest.mark.slow
def test_it_runs_from_anywhere_with_the_mytorch_beside_it(tmp_path: Path) -> None:
    for name in ("mytorch", "hw_bonus"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one was imported')")
    run(*FAST, "--epochs", 1, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--optimizer", "nesterov", "--schedule", "step", "--step-size", 2, "--dtype", "float64", "--clip-norm", 1),
        ("--optimizer", "adam", "--schedule", "none", "--dropout", 0, "--noise", 0, "--activation", "gelu"),
    ],
)
def test_interrupted_and_resumed_ends_where_an_uninterrupted_run_ends(tmp_path: Path, more: tuple) -> None:
    common = ("--no-plots", "--hidden", "20,10", "--seed", 3, "--epochs", 6, *more)
    run(*common, "--save", "whole.npz", "--out", "a", cwd=tmp_path)
    run(*common, "--save", "part.npz", "--out", "b", "--stop-after", 2, cwd=tmp_path)
    assert contents(tmp_path / "part.npz") != contents(tmp_path / "whole.npz")
    run("--resume", "part.npz", "--no-plots", "--out", "b", "--stop-after", 1, cwd=tmp_path)
    run("--resume", "part.npz", "--no-plots", "--out", "b", cwd=tmp_path)
    assert contents(tmp_path / "part.npz") == contents(tmp_path / "whole.npz")
    a, b = (json.loads((tmp_path / d / "metrics.json").read_text()) for d in "ab")
    for metrics in (a, b):
        del metrics["training_seconds"]
    assert a == b


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_the_best_model_and_resuming_it_changes_nothing(tmp_path: Path, number: int, code: int) -> None:
    common = (*FAST, "--epochs", 16)
    process = start(*common, "--batch-size", 4, cwd=tmp_path)
    assert process.stdout
    for line in process.stdout:
        if line.startswith("epoch  2"):
            process.send_signal(number)
            break
    out, err = process.communicate(timeout=patience(60))
    assert process.returncode == code
    assert err == ""
    assert "best model so far" in out
    where = os.path.join("results", "checkpoint.npz")
    assert where in out
    run("--resume", where, "--no-plots", cwd=tmp_path)
    run(*common, "--batch-size", 4, "--out", "whole", cwd=tmp_path)
    assert contents(tmp_path / where) == contents(tmp_path / "whole" / "checkpoint.npz")


@pytest.mark.slow
@posix_only
def test_kill_9_while_saving_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    """A process saves a large file again and again, and is killed at a random moment."""
    script = (
        "import sys, numpy as np\nfrom hw_bonus import checkpoint\n"
        "for n in range(10**6):\n"
        "    checkpoint.save(sys.argv[1], {'n': n}, {'model': {'W': np.full(10**6, n)}})\n"
        "    print(n, flush=True)\n"
    )
    import subprocess

    path = tmp_path / "run.npz"
    for pause in (0.0, 0.004, 0.013):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(path)], cwd=RUNNER.parents[1], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        for _ in range(3):
            process.stdout.readline()
        time.sleep(pause)
        process.kill()
        process.communicate()
        assert list(tmp_path.iterdir()) == [path], "no temporary file stays"
        meta, groups = checkpoint.load(path)
        assert meta["n"] >= 2
        assert (groups["model"]["W"] == meta["n"]).all()


def test_a_save_that_fails_leaves_the_previous_one_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    checkpoint.save(path, {"n": 1}, {})
    before = path.read_bytes()

    def fail(file) -> None:
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        checkpoint.write_atomically(path, fail)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_second_run_into_the_same_folder_says_that_it_replaces(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for number in range(2):
        assert main_in_process([*FAST, "--epochs", 1]) == 0
        assert ("replaces" in capsys.readouterr().out) == bool(number)


@pytest.mark.slow
@posix_only
def test_a_reader_that_leaves_ends_the_program_quietly(tmp_path: Path) -> None:
    process = start(*FAST, "--epochs", 20, cwd=tmp_path)
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.wait(timeout=patience(60))
    process.stderr.close()
    assert process.returncode == 141
    assert err == ""


@pytest.mark.slow
def test_a_loss_that_becomes_nan_stops_with_advice(tmp_path: Path) -> None:
    _, err = run(*FAST, "--optimizer", "sgd", "--lr", 1e30, "--dropout", 0, cwd=tmp_path, code=1)
    assert "--lr 1e+30" in err
    assert "smaller --lr" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--hidden", "0"], "'0' was given"), (["--hidden", "8,-1"], "'-1'"), (["--hidden", "8,x"], "'x'"),
        (["--hidden", ""], "whole number"), (["--batch-size", "0"], "at least 1"), (["--batch-size", "2.5"], "'2.5'"),
        (["--epochs", "-3"], "'-3'"), (["--lr", "nan"], "above 0"), (["--lr", "inf"], "above 0"),
        (["--lr", "0"], "above 0"),
        (["--lr", "-1"], "above 0"), (["--momentum", "1"], "below 1"), (["--dropout", "1"], "below 1"),
        (["--weight-decay", "nan"], "at least 0"), (["--activation", "swish"], "swish"),
        (["--dtype", "float16"], "float16"),
        (["--seed", "-1"], "'-1'"), (["--threads", "0"], "'0'"), (["--classes", "1"], "'1'"), (["--what"], "--what"),
        (["--optimizer", "nesterov", "--momentum", "0"], "momentum above 0"), (["--data", "nowhere"], "does not exist"),
        (["--test-data", "x"], "without --data"), (["--resume", "none.npz"], "does not exist"),
        (["--hidden", "100000000000"], "memory"),
    ],
)  # fmt: skip
def test_bad_options_get_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture, arguments, says
) -> None:
    os.chdir(tmp_path)
    assert main_in_process(arguments) == 2
    err = capsys.readouterr().err
    assert says in err
    assert len(err.splitlines()) == 1


def main_in_process(arguments: list[str]) -> int:
    """The program in this process, which is a hundred times faster than in its own."""
    from hw_bonus import mlp_runner

    return mlp_runner.main([*map(str, arguments)])


def test_an_unknown_backend_gets_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("MYTORCH_BACKEND", "gpu")
    assert main_in_process([]) == 2
    assert "MYTORCH_BACKEND: There is no backend 'gpu'; choose numpy, c or auto." in capsys.readouterr().err


@pytest.mark.slow
def test_bad_data_gets_one_line_and_exit_code_2_from_the_program(tmp_path: Path) -> None:
    images, labels = make_images(50)
    write_idx(tmp_path / "été 1", "train", images, labels[:-1])
    assert "50 images" in refused("--data", "été 1", cwd=tmp_path)


@pytest.mark.slow
def test_data_in_a_folder_with_spaces_and_accents(tmp_path: Path) -> None:
    write_course(tmp_path / "mes données", "train", *make_images(200))
    out, _ = run("--data", "mes données", *FAST, "--epochs", 3, cwd=tmp_path)
    assert "only train is there" in out


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a file in the way is another error there")
def test_unwritable_places_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "--out" in refused(*FAST, "--out", "file/below", cwd=tmp_path)
    assert "--save" in refused(*FAST, "--save", "file/run.npz", cwd=tmp_path)
    assert "is a folder" in refused(*FAST, "--save", ".", cwd=tmp_path)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    assert main_in_process([*FAST, "--epochs", 3, "--stop-after", 1, "--save", "run.npz"]) == 0
    return tmp_path / "run.npz"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--hidden", "9"], "--hidden 8, but --hidden 9"), (["--dtype", "float64"], "--dtype"),
        (["--seed", "1"], "--seed"),
        (["--split-seed", "1"], "--split-seed"), (["--optimizer", "sgd"], "--optimizer adamw"),
        (["--data", "other"], "other data"),
    ],
)  # fmt: skip
def test_a_checkpoint_of_another_run_is_refused(saved: Path, capsys: pytest.CaptureFixture, arguments, says) -> None:
    write_course(saved.parent / "other", "train", *make_images(50))
    capsys.readouterr()
    assert main_in_process(["--resume", saved, *arguments]) == 2
    assert says in capsys.readouterr().err


def edit(path: Path, change) -> None:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    meta = json.loads(str(arrays["meta"][()]))
    change(meta, arrays)
    arrays["meta"] = np.asarray(json.dumps(meta))
    with path.open("wb") as file:
        np.savez(file, **arrays)


def other_shape(meta, arrays) -> None:
    arrays["model/linear_layers.0.W"] = np.zeros((3, 3))


def not_a_number(meta, arrays) -> None:
    arrays["best/linear_layers.0.W"] = arrays["best/linear_layers.0.W"] * np.nan


DAMAGES = [
    other_shape,
    not_a_number,
    lambda meta, arrays: arrays.pop("model/linear_layers.0.W"),
    lambda meta, arrays: meta.update(format="something else"),
    lambda meta, arrays: meta.update(options={"hidden": "-3"}),
    lambda meta, arrays: meta.update(options=None),
    lambda meta, arrays: meta.update(history=[]),
    lambda meta, arrays: meta.update(random=None),
    lambda meta, arrays: meta.update(schedule={}),
    lambda meta, arrays: meta.pop("epoch"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused(saved: Path, capsys: pytest.CaptureFixture, damage) -> None:
    edit(saved, damage)
    capsys.readouterr()
    assert main_in_process(["--resume", saved]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("where", [0, 10, 0.5, 0.9, "flip"])
def test_a_broken_checkpoint_file_is_refused(saved: Path, capsys: pytest.CaptureFixture, where) -> None:
    raw = bytearray(saved.read_bytes())
    if where == "flip":
        raw[len(raw) // 3] ^= 0xFF
    else:
        raw = raw[: int(where * len(raw)) if isinstance(where, float) else where]
    saved.write_bytes(raw)
    capsys.readouterr()
    assert main_in_process(["--resume", saved]) == 2
    assert "damaged or no checkpoint" in capsys.readouterr().err


def test_help_names_every_option_with_its_default(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        options.OPTIONS.parse(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.count("(default:") >= len(options.DEFAULTS)
    for name in options.DEFAULTS:
        assert f"--{name.replace('_', '-')}" in text


def test_options_survive_the_checkpoint() -> None:
    for given in ([], ["--hidden", "none", "--lr", "0.1", "--data", "x"], ["--hidden", "3,4", "--optimizer", "sgd"]):
        opts = options.complete(options.OPTIONS.parse(given))
        back = options.complete(options.OPTIONS.from_text(options.OPTIONS.to_text(opts)))
        assert {**vars(back), "data": None} == {**vars(opts), "data": None}


def test_the_best_epoch_is_the_latest_that_validation_cannot_tell_from_the_best() -> None:
    def history(*errors: int) -> list[list[float]]:
        return [[0, 0, 0, e / 100, 0] for e in errors]

    assert training.is_best(history(9), 100)
    assert training.is_best(history(9, 4, 6), 100)
    assert not training.is_best(history(9, 4, 7), 100)
    assert training.is_best(history(0, 1), 100)
    assert not training.is_best(history(0, 2), 100)
    assert session  # imported so that a mistake in it fails here too
