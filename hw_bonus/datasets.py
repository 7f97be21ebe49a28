"""Data sets: the embedded digits or a folder, split without leaks and normalised by the train split."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hw_bonus.errors import BadInput
from hw_bonus.formats import Pair, read_folder

DIGITS = Path(__file__).parent / "data" / "digits.npz"
VAL_SHARE, TEST_SHARE = 0.1, 0.2


@dataclass(frozen=True)
class Dataset:
    """Three splits, each (images (N, D), labels (N,) int64). notes: sentences about how they were made."""

    name: str
    train: Pair
    val: Pair
    test: Pair
    classes: int
    notes: list[str] = field(default_factory=list)

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of an image. Where the number of pixels is no square, an image is one row."""
        pixels = self.train[0].shape[1]
        side = math.isqrt(pixels)
        return (side, side) if side * side == pixels else (1, pixels)

    def sizes(self) -> tuple[int, int, int]:
        """Numbers of images to train, to validate and to test."""
        return len(self.train[1]), len(self.val[1]), len(self.test[1])

    def fingerprint(self) -> int:
        """Checksum of all images and labels."""
        crc = 0
        for images, labels in (self.train, self.val, self.test):
            crc = zlib.crc32(labels.tobytes(), zlib.crc32(images.tobytes(), crc))
        return crc


def load(data: str | None = None, test_data: str | None = None, classes: int = 10, split_seed: int = 0) -> Dataset:
    """Data set of the options --data and --test-data; without --data the embedded digits.

    Raises BadInput if the data cannot be used.
    """
    if data is None:
        if test_data is not None:
            raise BadInput("--test-data was given without --data; give --data PATH to train on as well")
        if classes != 10:
            raise BadInput(f"--classes {classes} was given, but the UCI digits have 10; it is for --data")
        return load_digits(split_seed)
    if test_data is None:
        return arrange(str(data), read_folder(data, classes), classes, split_seed)
    splits, tests = read_folder(data, classes), read_folder(test_data, classes)
    return arrange_with_test(str(data), splits, str(test_data), tests, classes, split_seed)


def load_digits(split_seed: int = 0) -> Dataset:
    """The 1,797 UCI digits (8x8 pixels, 0 to 16): 70% to train, 10% to validate, 20% to test, equal shares of each class."""
    try:
        with np.load(DIGITS, allow_pickle=False) as archive:
            pair = archive["images"], archive["labels"].astype(np.int64)
    except Exception as error:  # np.load and zipfile raise half a dozen kinds of errors for a damaged archive
        raise BadInput(f"{DIGITS} is missing or damaged; restore it from the repository") from error
    dataset = arrange("UCI digits", {"all": pair}, 10, split_seed)
    return replace(dataset, notes=dataset.notes[1:])


def arrange(name: str, splits: dict[str, Pair], classes: int, split_seed: int) -> Dataset:
    """Three splits from one, two or three. Three stay; of two, the first is divided; one is divided into all three."""
    names = list(splits)
    if len(names) == 3:
        train, val, test = splits.values()
        notes = ["train, val and test are used as they are"]
    elif len(names) == 2:
        pool, test = splits.values()
        train, val = split_pair(pool, [VAL_SHARE], split_seed, names[0])
        notes = [f"trains on {names[0]} (10% of it kept for validation), tests on {names[1]}"]
    else:
        (pool,) = splits.values()
        train, val, test = split_pair(pool, [VAL_SHARE, TEST_SHARE], split_seed, names[0])
        notes = [f"only {names[0]} is there: split 70% train, 10% validation, 20% test, equal shares of each class"]
    return _without_leaks(Dataset(name, train, val, test, classes, notes))


def arrange_with_test(
    name: str, splits: dict[str, Pair], test_name: str, tests: dict[str, Pair], classes: int, split_seed: int
) -> Dataset:
    """Data set that trains on one folder and tests on another: on its test split, or on all of it if it has none."""
    notes = []
    if "test" in tests:
        test, used = tests["test"], "test"
    else:
        test, used = _join(list(tests.values())), " and ".join(tests)
    own = dict(splits)
    if len(own) > 1 and "test" in own:
        del own["test"]
        notes.append(f"the test split of {name} is left out, because --test-data was given")
    if len(own) == 2:
        train, val = own.values()
        notes.append(f"trains on train and validates on val of {name}")
    else:
        ((only, pool),) = own.items()
        train, val = split_pair(pool, [VAL_SHARE], split_seed, only)
        notes.append(f"trains on {only} of {name} (10% of it kept for validation)")
    notes.append(f"tests on {used} of {test_name}")
    a, b = train[0], test[0]
    if a.shape[1] != b.shape[1]:
        raise BadInput(f"{name} has images of {a.shape[1]} pixels, {test_name} of {b.shape[1]}; expected the same size")
    return _without_leaks(Dataset(f"{name} + {test_name}", train, val, test, classes, notes))


def _join(pairs: list[Pair]) -> Pair:
    return np.concatenate([x for x, _ in pairs]), np.concatenate([y for _, y in pairs])


def split_pair(pair: Pair, shares: list[float], seed: int, name: str = "the data") -> list[Pair]:
    """Stratified split into [the rest, first share, second share, ...].

    The same seed gives the same split. In every part, each class has its proportion to within one image.
    """
    images, labels = pair
    n = len(labels)
    counts = [round(n * share) for share in shares]
    if min(counts) == 0:
        raise BadInput(f"{name} has only {n} images, too few to split; expected at least 10")
    rng = np.random.default_rng(seed)
    # Each image gets its rank within its class as a fraction. The images with the smallest fractions are taken first,
    # so that every class is used at the same pace and the wanted total is hit exactly.
    fraction = np.empty(n)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        fraction[members] = (np.arange(len(members)) + rng.random()) / len(members)
    order = np.argsort(fraction, kind="stable")
    cuts = np.cumsum(counts)
    parts = [np.sort(part) for part in np.split(order, cuts)]  # the shares, then the rest
    return [(images[part], labels[part]) for part in parts[-1:] + parts[:-1]]


def _without_leaks(dataset: Dataset) -> Dataset:
    """Data set without the train images that are also in val or test, and without the val images that are also in test."""
    kinds = {("float" if x.dtype.kind == "f" else "integer") for x, _ in (dataset.train, dataset.val, dataset.test)}
    if len(kinds) > 1:
        raise BadInput("the splits mix whole-number and floating-point images; expected one scale; convert one of them")
    notes = list(dataset.notes)
    test_rows = _rows(dataset.test[0])
    val, dropped_val = _drop(dataset.val, test_rows)
    train, dropped_train = _drop(dataset.train, test_rows | _rows(val[0]))
    for dropped, name, others in ((dropped_val, "val", "test"), (dropped_train, "train", "val or test")):
        if dropped:
            notes.append(f"left out of {name}: {dropped} images that are also in {others}")
    if len(train[1]) == 0 or len(val[1]) == 0:
        raise BadInput(f"every train or val image of {dataset.name} is also a test image; give other data to test on")
    return replace(dataset, train=train, val=val, notes=notes)


def _rows(images: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in images}


def _drop(pair: Pair, rows: set[bytes]) -> tuple[Pair, int]:
    images, labels = pair
    keep = np.array([row.tobytes() not in rows for row in images], dtype=bool)
    return (pair, 0) if keep.all() else ((images[keep], labels[keep]), int((~keep).sum()))


def normalise(dataset: Dataset, dtype: str | type = np.float64) -> tuple[Pair, Pair, Pair]:
    """Splits with pixels (x - mean) / std, both taken from the train split alone. Images become dtype.

    Raises BadInput where all training pixels are equal or not finite.
    """
    mean, std = mean_and_std(dataset)

    def scaled(pair: Pair) -> Pair:
        images = ((pair[0].astype(np.float64) - mean) / std).astype(dtype)
        return images, pair[1]

    return scaled(dataset.train), scaled(dataset.val), scaled(dataset.test)


def mean_and_std(dataset: Dataset) -> tuple[float, float]:
    """Mean and standard deviation of the training pixels. Raises BadInput where these are equal or not finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(dataset.train[0].mean(dtype=np.float64)), float(dataset.train[0].std(dtype=np.float64))
    if not (math.isfinite(mean) and math.isfinite(std)) or std == 0:
        raise BadInput(f"training pixels have mean {mean} and standard deviation {std}; expected pixels that differ")
    return mean, std
