"""Images from outside, of any size and polarity, brought to the form that a trained network knows."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np

from hw_bonus.errors import BadInput

# Ink fainter than this share of the darkest is taken for noise of the paper.
FAINT = 0.15
# A wide digit is narrowed by this factor at the most, or a dash would become a block.
NARROWED = 1.5


def framing(images: np.ndarray, shape: tuple[int, int]) -> dict[str, Any]:
    """Framing of a data set's images (N, H * W), ink above paper.

    low, high: the pixels' range. height: of the ink's box, as a share of the image, a median. width: which nine boxes of ten do
    not exceed. centre: "mass" if
    the middle of the ink's mass lies nearer to the image's middle than the middle of its box does, else "box".
    """
    pixels = images.astype(np.float64).reshape(-1, *shape)
    low, high = float(pixels.min()), float(pixels.max())
    heights, widths, off_mass, off_box = [], [], [], []
    for image in (pixels[:500] - low) / ((high - low) or 1.0):
        box = ink_box(image)
        if box is not None:
            top, bottom, left, right = box
            heights.append((bottom - top) / shape[0])
            widths.append((right - left) / shape[1])
            middle = (shape[0] / 2, shape[1] / 2)
            off_mass.append(math.dist(_mass_centre(image), middle))
            off_box.append(math.dist(((top + bottom) / 2, (left + right) / 2), middle))
    if not heights:
        return {"low": low, "high": high, "height": 1.0, "width": 1.0, "centre": "box"}
    centre = "mass" if np.mean(off_mass) < np.mean(off_box) else "box"
    sides = {"height": float(np.median(heights)), "width": float(np.quantile(widths, 0.9))}
    return {"low": low, "high": high, **sides, "centre": centre}


def fitted(image: np.ndarray, shape: tuple[int, int], frame: dict[str, Any]) -> np.ndarray:
    """An image of any size as the network knows them, (H, W): ink bright, cut to its box, scaled and put in the middle.

    Raises BadInput for an image without ink.
    """
    ink = _ink(image)
    box = ink_box(ink)
    if box is None:
        raise BadInput("is of one colour; expected a digit on a plain ground")
    top, bottom, left, right = box
    tall = frame["height"] * shape[0] / (bottom - top)
    wide = min(tall, frame["width"] * shape[1] / (right - left))
    tall = min(tall, NARROWED * wide)
    y, x = _mass_centre(ink) if frame["centre"] == "mass" else ((top + bottom) / 2, (left + right) / 2)
    small = _cover(y, tall, ink.shape[0], shape[0]) @ ink @ _cover(x, wide, ink.shape[1], shape[1]).T
    return frame["low"] + np.minimum(small / (small.max() or 1.0), 1) * (frame["high"] - frame["low"])


def _ink(image: np.ndarray) -> np.ndarray:
    """Ink from 0 to 1, whatever the ground: the ground is the usual value at the border, ink what differs most from it."""
    wide = image.astype(np.float64)
    if not np.isfinite(wide).all():
        raise BadInput("holds NaN or infinity; expected grey values")
    border = np.concatenate([wide[0], wide[-1], wide[:, 0], wide[:, -1]])
    ground = float(np.median(border))
    above, below = wide.max() - ground, ground - wide.min()
    ink = wide - ground if above >= below else ground - wide
    top = max(above, below)
    return np.clip((ink / (top or 1.0) - FAINT) / (1 - FAINT), 0, 1)


def ink_box(ink: np.ndarray) -> tuple[int, int, int, int] | None:
    """Rows and columns from .. to of what is inked; None without ink."""
    rows, columns = np.flatnonzero((ink > FAINT).any(axis=1)), np.flatnonzero((ink > FAINT).any(axis=0))
    if not len(rows):
        return None
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _mass_centre(ink: np.ndarray) -> tuple[float, float]:
    total = ink.sum()
    rows, columns = (np.arange(n) + 0.5 for n in ink.shape)
    return float(ink.sum(axis=1) @ rows / total), float(ink.sum(axis=0) @ columns / total)


def _cover(centre: float, scale: float, old: int, new: int) -> np.ndarray:
    """Shares (new, old) of the old pixels in each new one, along one axis: the old place ``centre`` comes to the middle."""
    edges = centre + (np.arange(new + 1) - new / 2) / scale
    begins, ends = np.maximum(edges[:-1, None], np.arange(old)), np.minimum(edges[1:, None], np.arange(1, old + 1))
    return np.clip(ends - begins, 0, None) * scale


def read(path: Path) -> np.ndarray:
    """The images in a file, each (H, W): one of a picture, all of a .npy or IDX file. Raises BadInput."""
    if not path.is_file():
        raise BadInput(f"{path} does not exist; give a picture, a .npy or an IDX file")
    try:
        if path.suffix == ".npy":
            return _of_array(np.load(path, allow_pickle=False))
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        if raw[:3] == b"\0\0\x08" and len(raw) > 4:
            return _of_array(_idx(raw))
        return _picture(path)
    except BadInput as error:
        raise BadInput(f"{path} {error}") from None
    except Exception as error:  # NumPy, gzip and Pillow raise a dozen kinds of errors for damaged files
        raise BadInput(
            f"{path} cannot be read ({' '.join(str(error).split())}); give a picture, a .npy or an IDX file"
        ) from error


def _idx(raw: bytes) -> np.ndarray:
    shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def _of_array(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "biuf" or not array.size:
        raise BadInput(f"holds an array of dtype {array.dtype}, shape {array.shape}; expected images of numbers")
    if array.ndim == 1 or (array.ndim == 2 and 1 in array.shape):
        side = math.isqrt(array.size)
        if side * side == array.size:
            return array.reshape(1, side, side)
    if array.ndim == 3 and array.shape[2] in (3, 4) and array.shape[0] > 4:
        array = array[:, :, :3].mean(axis=2)
    if array.ndim == 2:
        return array[None]
    if array.ndim != 3:
        raise BadInput(f"holds an array of shape {array.shape}; expected (H, W) or (N, H, W)")
    return array


def _picture(path: Path) -> np.ndarray:
    try:
        from PIL import Image
    except ImportError:
        raise BadInput("is a picture, which needs Pillow; install it with: pip install '.[plots]'") from None
    with Image.open(path) as picture:
        if max(picture.size) > 20_000:
            raise BadInput(f"has {picture.size[0]} x {picture.size[1]} pixels; expected at most 20,000 on a side")
        if "A" in picture.getbands() or "transparency" in picture.info:  # what is transparent is ground
            ground = Image.new("RGBA", picture.size, "white")
            ground.alpha_composite(picture.convert("RGBA"))
            return np.asarray(ground.convert("L"))[None]
        return np.asarray(picture.convert("L"))[None]
