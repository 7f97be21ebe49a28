"""Images and labels from disk: IDX files (MNIST, Fashion-MNIST) and .npy arrays, all checked."""

from __future__ import annotations

import gzip
import math
import zipfile
import zlib
from pathlib import Path

import numpy as np

from hw_bonus.errors import BadInput

Pair = tuple[np.ndarray, np.ndarray]  # images (N, D), labels (N,) int64

IDX_PREFIX = {"train": "train", "test": "t10k"}
SPLITS = ("train", "val", "test")
SUBFOLDERS = ("", "raw", "MNIST/raw", "FashionMNIST/raw")  # the last two: where torchvision puts them
EXPECTED = (
    "expected train-images-idx3-ubyte and train-labels-idx1-ubyte (or t10k-...; .gz or not), "
    "or train_data.npy and train_labels.npy (or val_..., test_...)"
)


def read_folder(path: str | Path, classes: int = 10) -> dict[str, Pair]:
    """Splits of a folder by name, in the order train, val, test: (images (N, D) of the file's dtype, labels (N,) int64).

    Raises BadInput for anything missing, damaged or inconsistent.
    """
    folder = Path(path)
    try:
        if not folder.exists():
            raise BadInput(f"data folder {folder} does not exist; {EXPECTED}")
        if not folder.is_dir():
            raise BadInput(f"{folder} is a file; give the folder that holds it ({EXPECTED})")
        splits: dict[str, Pair] = {}
        for split in SPLITS:
            files = _find_npy(folder, split) or _find_idx(folder, split)
            if files:
                splits[split] = _check_pair(*files, classes)
    except OSError as error:
        raise BadInput(f"cannot read {folder}: {error.strerror or error}") from error
    if not splits:
        raise BadInput(f"{folder} holds no data that can be read; {EXPECTED}")
    sizes = {images.shape[1] for images, _ in splits.values()}
    if len(sizes) > 1:
        raise BadInput(f"the splits in {folder} have images of different sizes: {sorted(sizes)} pixels")
    return splits


def _both(folder: Path, images: Path | None, labels: Path | None, what: str) -> tuple[Path, Path] | None:
    if images and labels:
        return images, labels
    if images or labels:
        found, missing = ("images", "labels") if images else ("labels", "images")
        raise BadInput(f"{folder} has the {found} of {what} but not the {missing}; put both there")
    return None


def _find_npy(folder: Path, split: str) -> tuple[Path, Path] | None:
    images, labels = folder / f"{split}_data.npy", folder / f"{split}_labels.npy"
    return _both(folder, images if images.exists() else None, labels if labels.exists() else None, split)


def _find_idx(folder: Path, split: str) -> tuple[Path, Path] | None:
    prefix = IDX_PREFIX.get(split)
    if prefix is None:
        return None

    def find(kind: str, rank: int) -> Path | None:
        for sub in SUBFOLDERS:
            for dot in "-.":
                for suffix in ("", ".gz"):
                    path = folder / sub / f"{prefix}-{kind}{dot}idx{rank}-ubyte{suffix}"
                    if path.is_file():
                        return path
        return None

    return _both(folder, find("images", 3), find("labels", 1), prefix)


def _check_pair(images_path: Path, labels_path: Path, classes: int) -> Pair:
    read = read_npy if images_path.suffix == ".npy" else read_idx
    images = _check_images(read(images_path), images_path)
    labels = _check_labels(read(labels_path), labels_path, classes)
    if len(images) != len(labels):
        raise BadInput(
            f"{images_path} has {len(images)} images but {labels_path.name} has {len(labels)} labels; "
            "expected one label per image"
        )
    return images, labels


def _check_images(images: np.ndarray, path: Path) -> np.ndarray:
    if images.ndim not in (2, 3) or images.size == 0:
        raise BadInput(f"{path} has shape {images.shape}; expected (N, pixels) or (N, height, width), none of them 0")
    if images.dtype.kind not in "uif":
        raise BadInput(f"{path} holds {images.dtype}; expected numbers (uint8 from 0 to 255 as a rule)")
    if not np.isfinite(images).all():
        row = int(np.flatnonzero(~np.isfinite(images.reshape(len(images), -1)).all(axis=1))[0])
        raise BadInput(f"{path} has NaN or infinity, first in image {row}; expected finite numbers; clean it first")
    return np.ascontiguousarray(images.reshape(len(images), -1), dtype=images.dtype.newbyteorder("="))


def _check_labels(labels: np.ndarray, path: Path, classes: int) -> np.ndarray:
    if labels.ndim != 1 or labels.size == 0:
        hint = " (one-hot? save labels.argmax(axis=1))" if labels.ndim == 2 else ""
        raise BadInput(f"{path} has shape {labels.shape}; expected (N,) class numbers{hint}")
    if labels.dtype.kind not in "uif":
        raise BadInput(f"{path} holds {labels.dtype}; expected whole numbers from 0 to {classes - 1}")
    # Every comparison with NaN is false, so this form finds NaN too.
    wrong = np.flatnonzero(~((labels >= 0) & (labels < classes) & (labels == np.floor(labels))))
    if len(wrong):
        raise BadInput(
            f"{path} has label {labels[wrong[0]]} at position {wrong[0]}; expected whole numbers from 0 to "
            f"{classes - 1} (--classes sets how many there are)"
        )
    return labels.astype(np.int64)


def read_npy(path: str | Path) -> np.ndarray:
    """Array of a .npy file, read without pickle. Raises BadInput if the file is damaged or holds objects."""
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, SyntaxError) as error:
        if isinstance(error, ValueError) and "Object arrays" in str(error):
            raise BadInput(f"{path} holds Python objects; expected an array of numbers saved by np.save") from error
        raise BadInput(
            f"{path} is empty, cut off or no .npy file; expected an array saved by np.save; make or download it again"
        ) from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise BadInput(f"{path} is an .npz archive; expected one array saved by np.save")
    return array


def read_idx(path: str | Path) -> np.ndarray:
    """Array of an IDX file of unsigned bytes, gzipped or not. Raises BadInput if the file is damaged.

    The format: two zero bytes, 0x08 (unsigned byte), the number of dimensions, each size as a big-endian
    32-bit integer, then the data. Images have 3 dimensions (magic number 2051), labels 1 (2049).
    """
    path = Path(path)
    again = "download it again"
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except (EOFError, zlib.error, gzip.BadGzipFile, OSError) as error:
        raise BadInput(f"{path} is cut off or damaged ({error}); {again}") from error
    rank = 3 if "idx3" in path.name else 1
    expected_magic = 2048 + rank
    if len(raw) < 4 + 4 * rank:
        raise BadInput(f"{path} has {len(raw)} bytes, too few even for its header; {again}")
    magic = int.from_bytes(raw[:4], "big")
    if magic != expected_magic:
        raise BadInput(f"{path} starts with magic number {magic}; expected {expected_magic} ({rank}-d IDX); {again}")
    shape = tuple(int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank))
    have, want = len(raw) - 4 - 4 * rank, math.prod(shape)
    if have != want:
        raise BadInput(f"{path} has {have} bytes of data; its header {shape} promises {want}; {again}")
    return np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * rank).reshape(shape)
