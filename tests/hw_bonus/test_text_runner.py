"""text_runner.py as people call it: what it promises, resuming, a saved model's answers, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from program import TEXT_RUNNER, run

from hw_bonus import checkpoint, text_runner
from hw_bonus.text.options import DEFAULTS, OPTIONS
from tests.clocks import at_most

SMALL = ("--hidden", "6", "--embedding", "4", "--no-plots")


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """80 sentences whose class one word tells."""
    rng = np.random.default_rng(0)
    filler = ["film", "book", "it", "was", "the", "a", "very", "old"]
    lines = []
    for i in range(80):
        words = [*rng.choice(filler, 3), ["awful", "great"][i % 2], str(i)]
        lines.append(f"{' '.join(words)}\t{['no', 'yes'][i % 2]}")
    path = tmp_path / "des phrases.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def main(*arguments: object) -> int:
    """The program in this process, which is a hundred times faster than in its own."""
    return text_runner.main([*map(str, arguments)])


def contents(path: Path) -> dict[str, bytes]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name].tobytes() for name in archive.files}


@pytest.mark.slow
def test_without_options_it_beats_a_trigram_model_and_invents_names(tmp_path: Path) -> None:
    with at_most(30):  # 5 seconds as a rule
        out, err = run("--no-plots", cwd=tmp_path, program=TEXT_RUNNER)
    metrics = json.loads((tmp_path / "results_text" / "metrics.json").read_text())
    assert metrics["test_loss"] < metrics["trigram_test_loss"] - 0.15
    assert metrics["backend"] in ("c", "numpy")
    assert len(metrics["invented"]) == 10
    assert out.count("held-out loss") == 20
    assert sum(line.startswith("      ") and line.count(",") == 9 for line in out.splitlines()) == 3
    assert err == ""


@pytest.mark.slow
def test_sentences_from_data_to_an_answer(tmp_path: Path, reviews: Path) -> None:
    pytest.importorskip("matplotlib")
    out, err = run("--data", reviews, "--epochs", 30, "--lr", 0.03, cwd=tmp_path, program=TEXT_RUNNER)
    folder = tmp_path / "results_text"
    assert err == ""
    assert json.loads((folder / "metrics.json").read_text())["test_accuracy"] == 1
    assert "--say" in out
    out, err = run("--say", "This, it was GREAT", cwd=tmp_path, program=TEXT_RUNNER)
    assert out.startswith("yes, with probability")
    assert "(unknown word)" in out
    assert err == ""
    for name in ("loss.png", "words.png", "confusion.png", "say.png"):
        assert (folder / name).read_bytes()[:4] == b"\x89PNG"
        assert (folder / name).stat().st_size > 5000


@pytest.mark.slow
def test_the_pictures_of_names(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert main("--epochs", 1, "--hidden", 8) == 0
    assert sorted(path.name for path in (tmp_path / "results_text").glob("*.png")) == ["letters.png", "loss.png"]


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--eager",), ("--optimizer", "nesterov", "--lr", 0.5, "--clip-norm", 1)])
@pytest.mark.parametrize("kind", ["names", "sentences"])
def test_interrupted_and_resumed_ends_where_an_uninterrupted_run_ends(
    tmp_path: Path, reviews: Path, kind, more
) -> None:
    data = ("--data", reviews) if kind == "sentences" else ("--batch-size", 1000)
    common = (*SMALL, *data, "--epochs", 4, *more)
    eager = [option for option in more if option == "--eager"]
    assert main(*common, "--save", "whole.npz", "--out", "a") == 0
    assert main(*common, "--save", "part.npz", "--out", "b", "--stop-after", 1) == 0
    assert contents(tmp_path / "part.npz") != contents(tmp_path / "whole.npz")
    assert main("--resume", "part.npz", "--no-plots", "--out", "b", *eager) == 0
    assert contents(tmp_path / "part.npz") == contents(tmp_path / "whole.npz")
    a, b = (json.loads((tmp_path / d / "metrics.json").read_text()) for d in "ab")
    for metrics in (a, b):
        del metrics["training_seconds"]
    assert a == b


@pytest.mark.slow
def test_eager_and_compiled_runs_agree(tmp_path: Path, reviews: Path) -> None:
    losses = []
    for more in ([], ["--eager"]):
        assert main(*SMALL, "--data", reviews, "--epochs", 5, "--dtype", "float64", *more) == 0
        metrics = json.loads((tmp_path / "results_text" / "metrics.json").read_text())
        losses.append([metrics["test_loss"], *metrics["history"]["train_loss"]])
    np.testing.assert_allclose(*losses, rtol=1e-10)


def refused(capsys: pytest.CaptureFixture, *arguments: object) -> str:
    capsys.readouterr()
    assert main(*arguments) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert err.startswith("text_runner.py: ")
    return err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "nowhere"], "does not exist"), (["--names", "nowhere"], "cannot read"),
        (["--names", "a", "--data", "b"], "both given"), (["--model", "x"], "without --say"),
        (["--context", "0"], "'0'"), (["--embedding", "x"], "'x'"), (["--dropout", "1"], "below 1"),
        (["--data", ".", "--context", "3"], "--context"), (["--word-dropout", "0.5"], "--word-dropout"),
        (["--min-count", "2"], "--min-count"), (["--say", "  "], "no words"), (["--say", "hello"], "no model"),
        (["--resume", "none.npz"], "does not exist"), (["--what"], "--what"), (["--hidden", "100000000000"], "memory"),
        (["--optimizer", "nesterov", "--momentum", "0"], "momentum above 0"),
    ],
)  # fmt: skip
def test_bad_options_get_one_line_and_exit_code_2(capsys: pytest.CaptureFixture, arguments, says) -> None:
    assert says in refused(capsys, *arguments)


def test_a_model_that_cannot_answer_is_refused(tmp_path: Path, reviews: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(*SMALL, "--data", reviews, "--epochs", 1, "--save", "words.npz") == 0
    assert main("--say", "good film", "--model", "words.npz", "--no-plots") == 0
    meta, arrays = checkpoint.load(tmp_path / "words.npz")
    checkpoint.save("of names.npz", {**meta, "about": {"kind": "names", "letters": "ab"}}, arrays)
    assert "no model of sentences" in refused(capsys, "--say", "hello", "--model", "of names.npz")
    del arrays["best"]["bag.W"]
    checkpoint.save("damaged.npz", meta, arrays)
    assert "damaged" in refused(capsys, "--say", "hello", "--model", "damaged.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK")
    assert "damaged" in refused(capsys, "--say", "hello", "--model", "broken.npz")
    assert "another run" in refused(capsys, "--resume", "words.npz", "--embedding", 5)
    reviews.write_text(reviews.read_text().replace("film", "play"))
    assert "other data" in refused(capsys, "--resume", "words.npz")


def test_a_loss_that_becomes_nan_stops_with_advice(reviews: Path, capsys: pytest.CaptureFixture) -> None:
    more = ("--optimizer", "sgd", "--lr", 1e30, "--dropout", 0)
    assert main(*SMALL, "--data", reviews, *more) == 1
    err = capsys.readouterr().err
    assert "smaller --lr" in err
    assert len(err.splitlines()) == 1


def test_help_names_every_option_with_its_default(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        OPTIONS.parse(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.count("(default:") >= len(DEFAULTS)
    for name in DEFAULTS:
        assert f"--{name.replace('_', '-')}" in text
