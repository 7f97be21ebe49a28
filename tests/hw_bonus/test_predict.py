"""predict.py and what it stands on: images of any kind, models complete by themselves, bad input in one line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from program import idx_bytes

import mytorch
from hw_bonus import datasets, images, mlp_runner, model, predict
from hw_bonus.errors import BadInput

FRAME = {"low": 0.0, "high": 16.0, "height": 1.0, "width": 0.75, "centre": "box"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short training on the digits."""
    folder = tmp_path_factory.mktemp("trained") / "mes résultats"
    assert mlp_runner.main(["--epochs", "25", "--hidden", "64,32", "--no-plots", "--out", str(folder)]) == 0
    return folder


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Test images of the digits, (N, 8, 8), and their labels."""
    pixels, labels = datasets.load_digits().test
    return pixels.reshape(-1, 8, 8), labels


def test_the_model_is_complete_by_itself(trained: Path) -> None:
    metrics = json.loads((trained / "metrics.json").read_text())
    for name in ("model.npz", "checkpoint.npz"):
        loaded = model.load(trained / name)
        pixels, labels = digits()
        predictions = loaded.probabilities(pixels.reshape(len(pixels), -1)).argmax(axis=1)
        assert (predictions != labels).sum() == metrics["test_errors"]
    assert loaded.about["sizes"] == [64, 64, 32, 10]
    assert loaded.image_shape == (8, 8)


CHANGES = {
    "as it is": lambda image: image,
    "larger": lambda image: np.kron(image, np.ones((20, 20))),
    "light on dark, other range": lambda image: np.kron(image, np.ones((9, 9))) / 16 * 255,
    "dark on light": lambda image: 255 - np.kron(image, np.ones((9, 9))) * 15,
    "in a corner of a large sheet": lambda image: np.pad(
        255 - np.kron(image, np.ones((9, 9))) * 15, ((10, 200), (150, 5)), constant_values=255
    ),
    "of few grey values": lambda image: 0.2 + 0.1 * np.kron(image, np.ones((5, 5))) / 16,
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_size_polarity_and_place_do_not_matter(trained: Path, change: str) -> None:
    loaded = model.load(trained / "model.npz")
    pixels, labels = digits()
    plain, seen = (
        np.array([loaded.read(make(image)) for image in pixels]) for make in (lambda image: image, CHANGES[change])
    )
    assert seen.min() >= 0
    assert seen.max() <= 16
    np.testing.assert_allclose(seen, plain, atol=0.2)
    right = (loaded.probabilities(seen.reshape(len(seen), -1)).argmax(axis=1) == labels).mean()
    assert right > 0.85, "this short training reads 94% of them as they are in the data"


def test_a_drawing_is_cut_scaled_and_put_in_the_middle() -> None:
    sheet = np.zeros((100, 60))
    sheet[20:60, 40:50] = 1.0
    seen = images.fitted(sheet, (8, 8), FRAME)
    # 40 rows become 8, so 10 columns become 2, in the middle.
    np.testing.assert_allclose(seen, np.pad(np.full((8, 2), 16.0), ((0, 0), (3, 3))), atol=1e-12)
    np.testing.assert_allclose(images.fitted(5 - 3 * sheet, (8, 8), FRAME), seen, atol=1e-12)
    # 40 columns become 6, as wide as digits are; 10 rows would become 1.5, and are stretched by no more than a half.
    dash = images.fitted(sheet.T, (8, 8), FRAME)
    np.testing.assert_allclose(dash[4], [0, 16, 16, 16, 16, 16, 16, 0], atol=1e-9)
    np.testing.assert_allclose(dash.sum(axis=0)[1:7] / 16, 2.25, atol=1e-9)
    by_mass = images.fitted(
        np.triu(np.ones((40, 40))), (8, 8), {**FRAME, "width": 1.0, "height": 0.5, "centre": "mass"}
    )
    rows, columns = np.indices((8, 8)) + 0.5
    assert abs((by_mass * rows).sum() / by_mass.sum() - 4) < 0.2
    assert abs((by_mass * columns).sum() / by_mass.sum() - 4) < 0.2


def test_how_data_is_framed() -> None:
    dataset = datasets.load_digits()
    frame = images.framing(dataset.train[0], (8, 8))
    assert frame == {"low": 0.0, "high": 16.0, "height": 1.0, "width": 0.75, "centre": "box"}
    blank = images.framing(np.zeros((3, 64)), (8, 8))
    assert (blank["height"], blank["width"]) == (1.0, 1.0)


def test_pictures_arrays_and_idx_files(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    pillow = pytest.importorskip("PIL.Image")
    pixels, labels = digits()
    image = np.kron(pixels[0], np.ones((10, 10), np.uint8)) * 15
    files = []
    for name, mode in (("grey.png", "L"), ("colour.png", "RGB"), ("une photo é.jpg", "RGB"), ("palette.gif", "P")):
        files.append(tmp_path / name)
        pillow.fromarray(255 - image).convert(mode).save(files[-1])
    clear = np.zeros((*image.shape, 4), np.uint8)
    clear[:, :, 3] = image
    files.append(tmp_path / "transparent.png")
    pillow.fromarray(clear).save(files[-1])
    files += [tmp_path / name for name in ("one.npy", "flat.npy", "images-idx3-ubyte", "zipped.gz")]
    np.save(files[5], image)
    np.save(files[6], pixels[0].reshape(-1) / 16.0)
    files[7].write_bytes(idx_bytes(pixels[:1]))
    files[8].write_bytes(gzip.compress(idx_bytes(pixels[:1])))
    assert predict.main([str(trained / "model.npz"), *map(str, files)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(files)
    for line, file in zip(lines, files):
        assert line.startswith(f"{file}: {labels[0]}, ")
        assert "% sure" in line


def test_it_shows_what_it_saw_and_leaves_out_what_is_too_much(trained: Path, tmp_path: Path, capsys) -> None:
    np.save(tmp_path / "many.npy", digits()[0][:30])
    assert predict.main([str(trained / "model.npz"), "--show", str(tmp_path / "many.npy")]) == 0
    out = capsys.readouterr().out
    assert out.count("% sure") == 20
    assert out.count("  +----------------+") == 40
    assert "the other 10 images were left out" in out


def test_an_existing_model_is_measured(trained: Path, capsys: pytest.CaptureFixture) -> None:
    assert predict.main([str(trained / "model.npz"), "--evaluate"]) == 0
    accuracy = json.loads((trained / "metrics.json").read_text())["test_accuracy"]
    assert f"{accuracy:.2%} of 359 test images right" in capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture, *arguments: object) -> str:
    capsys.readouterr()
    assert predict.main([*map(str, arguments)]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert err.startswith("predict.py: ")
    return err


def test_bad_input_gets_one_line_and_exit_code_2(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    good = trained / "model.npz"
    for name, raw in (
        ("text.png", b"hello"),
        ("empty.png", b""),
        ("cut.npy", b"\x93NUMPY\x01\x00"),
        ("z.gz", b"\x1f\x8bx"),
    ):
        (tmp_path / name).write_bytes(raw)
        assert name in refused(capsys, good, tmp_path / name)
    arrays = {
        "blank": (np.zeros((9, 9)), "of one colour"), "nan": (np.full((9, 9), np.nan), "NaN"),
        "words": (np.array(["a"]), "dtype"), "none": (np.zeros((0, 4)), "shape (0, 4)"),
        "deep": (np.zeros((2, 3, 4, 5)), "(2, 3, 4, 5)"),
    }  # fmt: skip
    for name, (array, says) in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
        assert says in refused(capsys, good, tmp_path / f"{name}.npy")
    assert "does not exist" in refused(capsys, good, tmp_path / "nowhere.png")
    assert "no model" in refused(capsys, tmp_path / "nowhere.npz", "x.png")
    assert "damaged or no model" in refused(capsys, trained / "metrics.json", "x.png")
    assert "expected images" in refused(capsys, good)
    assert "without --evaluate" in refused(capsys, good, "x.png", "--data", "y")
    assert "required" in refused(capsys)
    assert "does not exist" in refused(capsys, good, "--evaluate", "--data", tmp_path / "nowhere")


@pytest.mark.parametrize("change", ["sizes", "activation", "frame", "mean", "state", "kind"])
def test_a_model_of_another_kind_is_refused(trained: Path, tmp_path: Path, change: str) -> None:
    state, about = mytorch.load(trained / "model.npz")
    if change == "state":
        state.popitem()
    else:
        about[change] = {"sizes": [64, 10], "activation": "swish", "frame": {}, "mean": "x", "kind": "names"}[change]
    mytorch.save(tmp_path / "m.npz", state, about)
    with pytest.raises(BadInput):
        model.load(tmp_path / "m.npz")
