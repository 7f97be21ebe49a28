"""Data sets: both formats, all kinds of bad files, splits without leaks, normalisation by the train split alone."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from program import idx_bytes, make_images, write_course, write_idx

from hw_bonus import datasets, formats
from hw_bonus.errors import BadInput


def rows(images: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in images}


@pytest.mark.parametrize("split_seed", [0, 1, 7])
def test_the_digits_are_split_without_a_leak_and_stratified(split_seed: int) -> None:
    digits = datasets.load_digits(split_seed)
    parts = [rows(images) for images, _ in (digits.train, digits.val, digits.test)]
    assert sum(map(len, parts)) == 1797 == len(parts[0] | parts[1] | parts[2])
    assert digits.sizes() == (1258, 180, 359)
    everything = np.concatenate([y for _, y in (digits.train, digits.val, digits.test)])
    for _, labels in (digits.train, digits.val, digits.test):
        expected = np.bincount(everything) * len(labels) / 1797
        assert np.abs(np.bincount(labels) - expected).max() < 1.01


def test_the_split_depends_on_its_seed_alone() -> None:
    assert datasets.load_digits(3).fingerprint() == datasets.load_digits(3).fingerprint()
    assert datasets.load_digits(3).fingerprint() != datasets.load_digits(4).fingerprint()


@pytest.mark.slow
def test_the_digits_are_sklearns() -> None:
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    original = sklearn_datasets.load_digits()
    with np.load(datasets.DIGITS, allow_pickle=False) as ours:
        np.testing.assert_array_equal(ours["images"], original.data)
        np.testing.assert_array_equal(ours["labels"], original.target)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("dot", ["-", "."])
@pytest.mark.parametrize("below", ["", "raw", "MNIST/raw"])
def test_idx_files_are_read_under_all_their_names(tmp_path: Path, zipped: bool, dot: str, below: str) -> None:
    images, labels = make_images(30)
    write_idx(tmp_path / below, "train", images, labels, zipped, dot)
    write_idx(tmp_path / below, "t10k", images[:7], labels[:7], zipped, dot)
    splits = formats.read_folder(tmp_path)
    assert list(splits) == ["train", "test"]
    np.testing.assert_array_equal(splits["train"][0], images.reshape(30, 16))
    np.testing.assert_array_equal(splits["test"][1], labels[:7])
    assert splits["train"][1].dtype == np.int64


def test_course_files_are_read(tmp_path: Path) -> None:
    for split, seed in (("train", 1), ("val", 2), ("test", 3)):
        write_course(tmp_path, split, *make_images(20, seed))
    data = datasets.load(str(tmp_path))
    assert data.sizes() == (20, 20, 20)
    assert data.image_shape == (4, 4)
    np.testing.assert_array_equal(data.val[0], make_images(20, 2)[0].reshape(20, 16))


@pytest.mark.parametrize(
    ("present", "sizes"),
    [
        (["train"], (70, 10, 20)), (["val"], (70, 10, 20)), (["test"], (70, 10, 20)),
        (["train", "test"], (90, 10, 100)), (["train", "val"], (90, 10, 100)), (["val", "test"], (90, 10, 100)),
    ],
)  # fmt: skip
def test_missing_splits_are_made_and_it_says_so(tmp_path: Path, present: list[str], sizes: tuple[int, ...]) -> None:
    for seed, split in enumerate(present):
        write_course(tmp_path, split, *make_images(100, seed))
    data = datasets.load(str(tmp_path))
    assert data.sizes() == sizes
    assert present[0] in data.notes[0]


def test_test_data_of_another_folder_tests_and_nothing_else(tmp_path: Path) -> None:
    write_idx(tmp_path / "a", "t10k", *make_images(100, 1))
    write_course(tmp_path / "b", "val", *make_images(50, 2))
    data = datasets.load(str(tmp_path / "a"), str(tmp_path / "b"))
    assert data.sizes() == (90, 10, 50)
    np.testing.assert_array_equal(data.test[0], make_images(50, 2)[0].reshape(50, 16))
    write_idx(tmp_path / "a", "train", *make_images(80, 3))
    data = datasets.load(str(tmp_path / "a"), str(tmp_path / "b"))
    assert data.sizes() == (72, 8, 50)
    assert any("left out" in note for note in data.notes)


def test_images_on_both_sides_are_dropped_from_train(tmp_path: Path) -> None:
    images, labels = make_images(100)
    write_course(tmp_path, "train", images, labels)
    write_course(tmp_path, "val", images[:10], labels[:10])
    write_course(tmp_path, "test", images[5:20], labels[5:20])
    data = datasets.load(str(tmp_path))
    assert data.sizes() == (80, 5, 15)
    assert len(data.notes) == 3
    assert not rows(data.train[0]) & (rows(data.val[0]) | rows(data.test[0]))


def test_testing_on_the_training_data_is_refused(tmp_path: Path) -> None:
    write_course(tmp_path, "train", *make_images(50))
    with pytest.raises(BadInput, match="also a test image"):
        datasets.load(str(tmp_path), str(tmp_path))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normalisation_looks_at_train_alone(dtype: str) -> None:
    x = np.array([[0, 2], [4, 10]], np.uint8)
    y = np.array([0, 1])
    data = datasets.Dataset("", (x, y), (x + 100, y), (x + 200, y), 2)
    train, val, test = datasets.normalise(data, dtype)
    assert all(images.dtype == dtype for images, _ in (train, val, test))
    np.testing.assert_allclose(train[0], (x - 4.0) / np.std([0, 2, 4, 10]), rtol=1e-6)
    np.testing.assert_allclose(test[0] - train[0], 200 / np.std([0, 2, 4, 10]), rtol=1e-6)


def damaged_idx(folder: Path, how: str) -> None:
    images, labels = make_images(30)
    write_idx(folder, "train", images, labels)
    path = folder / "train-images-idx3-ubyte"
    raw = path.read_bytes()
    changed = {
        "empty": b"", "header": raw[:9], "truncated": raw[:-1], "longer": raw + b"x", "magic": b"\0\0\x08\1" + raw[4:],
        "gzip": gzip.compress(raw)[:-30], "zero": idx_bytes(images[:0]), "text": b"<html>not found</html>",
    }[how]  # fmt: skip
    path.write_bytes(changed)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("empty", "0 bytes"), ("header", "9 bytes"), ("truncated", "479 bytes"), ("longer", "481 bytes"),
        ("magic", "magic number 2049; expected 2051"), ("gzip", "cut off"), ("zero", "none of them 0"),
        ("text", "magic"),
    ],
)  # fmt: skip
def test_damaged_idx_files_are_refused(tmp_path: Path, how: str, says: str) -> None:
    damaged_idx(tmp_path, how)
    with pytest.raises(BadInput, match=says) as caught:
        formats.read_folder(tmp_path)
    assert "train-images" in str(caught.value)


class Trap:
    """Object that leaves a mark when it is unpickled."""

    def __reduce__(self) -> tuple:
        return (pytest.fail, ("an array was unpickled",))


IMAGES, LABELS = make_images(30)
FLAT = IMAGES.reshape(30, 16).astype(float)
WITH_NAN = np.where(np.arange(16) == 3, np.nan, FLAT)


@pytest.mark.parametrize(
    ("images", "labels", "says"),
    [
        (FLAT, LABELS[:-1], "30 images but train_labels.npy has 29"),
        (FLAT, LABELS + 1, "label 10 at position 9"),
        (FLAT, LABELS.astype(int) - 1, "label -1"),
        (FLAT, LABELS + 0.5, "label 0.5"),
        (FLAT, np.where(LABELS == 3, np.nan, LABELS), "label nan"),
        (FLAT, np.eye(10)[LABELS], "argmax"),
        (FLAT, LABELS.astype(str), "<U"),
        (FLAT[:0], LABELS[:0], "none of them 0"),
        (FLAT[0], LABELS, "expected \\(N, pixels\\)"),
        (WITH_NAN, LABELS, "NaN or infinity, first in image 0"),
        (FLAT * np.inf, LABELS, "NaN or infinity"),
        (FLAT + 1j, LABELS, "complex"),
        (np.array([Trap()] * 30, dtype=object), LABELS, "Python objects"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_bad_arrays_are_refused(tmp_path: Path, images: np.ndarray, labels: np.ndarray, says: str) -> None:
    np.save(tmp_path / "train_data.npy", images, allow_pickle=True)
    np.save(tmp_path / "train_labels.npy", labels)
    with pytest.raises(BadInput, match=says):
        formats.read_folder(tmp_path)


@pytest.mark.parametrize("keep", [0, 5, 60, 200, -1])
def test_cut_npy_files_are_refused(tmp_path: Path, keep: int) -> None:
    write_course(tmp_path, "train", IMAGES, LABELS)
    path = tmp_path / "train_data.npy"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadInput, match="cut off"):
        formats.read_folder(tmp_path)


def test_an_archive_under_an_npy_name_is_refused(tmp_path: Path) -> None:
    write_course(tmp_path, "train", IMAGES, LABELS)
    with (tmp_path / "train_data.npy").open("wb") as file:
        np.savez(file, images=IMAGES)
    with pytest.raises(BadInput, match="archive"):
        formats.read_folder(tmp_path)


def test_half_a_pair_is_refused(tmp_path: Path) -> None:
    write_course(tmp_path, "train", IMAGES, LABELS)
    (tmp_path / "train_labels.npy").unlink()
    with pytest.raises(BadInput, match="not the labels"):
        formats.read_folder(tmp_path)


def test_missing_empty_and_wrong_folders_are_refused(tmp_path: Path) -> None:
    for path, says in ((tmp_path / "none", "does not exist"), (tmp_path, "no data"), (Path(__file__), "is a file")):
        with pytest.raises(BadInput, match=says):
            formats.read_folder(path)


def test_different_sizes_and_kinds_are_refused(tmp_path: Path) -> None:
    write_course(tmp_path / "a", "train", *make_images(40, 1))
    write_course(tmp_path / "b", "test", *make_images(40, 2, size=5))
    with pytest.raises(BadInput, match=r"16 pixels.*25"):
        datasets.load(str(tmp_path / "a"), str(tmp_path / "b"))
    images, labels = make_images(40, 2)
    write_course(tmp_path / "b", "test", images / 255, labels)
    with pytest.raises(BadInput, match="one scale"):
        datasets.load(str(tmp_path / "a"), str(tmp_path / "b"))


def test_too_few_images_and_pixels_that_are_all_equal_are_refused(tmp_path: Path) -> None:
    write_course(tmp_path, "train", *make_images(3))
    with pytest.raises(BadInput, match="only 3 images"):
        datasets.load(str(tmp_path))
    y = np.arange(2)
    same = np.ones((2, 4))
    with pytest.raises(BadInput, match="standard deviation 0"):
        datasets.normalise(datasets.Dataset("", (same, y), (same, y), (same, y), 2))


def test_big_endian_and_float_data_are_read(tmp_path: Path) -> None:
    write_course(tmp_path, "train", IMAGES.astype(">f4"), LABELS)
    images, _ = formats.read_folder(tmp_path)["train"]
    assert images.dtype == np.float32
    assert images.dtype.isnative
    np.testing.assert_array_equal(images, IMAGES.reshape(30, 16))
