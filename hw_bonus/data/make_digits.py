"""Rebuilds digits.npz from scikit-learn's copy of the UCI digits. Only this program needs scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits


def main() -> None:
    digits = load_digits()
    images = digits.data.astype(np.uint8)
    assert images.shape == (1797, 64)
    assert (images == digits.data).all()
    path = Path(__file__).with_name("digits.npz")
    np.savez_compressed(path, images=images, labels=digits.target.astype(np.uint8))
    print(f"wrote {path.name}: {len(images)} images, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
