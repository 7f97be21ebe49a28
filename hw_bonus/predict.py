"""Command-line program that reads images with a trained network: ``python hw_bonus/predict.py results/model.npz digit.png``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Imports find the mytorch beside this file before an installed one. This folder itself is left out, because its file names
# could hide other packages.
ROOT, HERE = Path(__file__).resolve().parent.parent, Path(__file__).resolve().parent
sys.path[:] = [str(ROOT), *(entry for entry in sys.path if entry != str(HERE))]

from hw_bonus import command  # noqa: E402

DEFAULTS: dict[str, Any] = {"model": None, "images": [], "show": False, "evaluate": False, "data": None, "threads": 1}
MOST = 20  # images of one file that are told one by one

DESCRIPTION = """Reads images with a network that mlp_runner.py has trained.
An image is a picture (PNG, JPEG and so on), a .npy or an IDX file, of any size, dark on light or light on dark."""

EXAMPLES = """examples:
  python hw_bonus/predict.py results/model.npz digit.png
  python hw_bonus/predict.py results/model.npz --show photo.jpg
  python hw_bonus/predict.py results/model.npz --evaluate --data path/to/mnist
"""


def _build() -> command.Parser:
    parser = command.Parser(prog="predict.py", description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("model", metavar="MODEL", help="model.npz or a checkpoint of mlp_runner.py")
    parser.add_argument("images", metavar="IMAGE", nargs="*", help="pictures, .npy or IDX files")
    parser.add_argument("--show", action="store_true", help="show what the network saw")
    parser.add_argument("--evaluate", action="store_true", help="measure the model on the test split of --data")
    parser.add_argument("--data", metavar="PATH", help="folder of data as for mlp_runner.py (default: the UCI digits)")
    parser.add_argument("--threads", metavar="N", type=command.COUNT, help="threads for matrix products (default: 1)")
    return parser


OPTIONS = command.Options(DEFAULTS, tuple(DEFAULTS), (), _build)


def main(argv: list[str] | None = None) -> int:
    """Runs the program. Returns 0, 2 (bad input), 130 (Ctrl-C) or 141 (nobody reads the output)."""
    return command.run("predict.py", OPTIONS, _session, argv, "files")


def _session() -> Callable[[dict[str, Any]], int]:
    return run


def run(given: dict[str, Any]) -> int:
    """Tells what is in the images, or how well the model does. Raises BadInput."""
    from hw_bonus import model
    from hw_bonus.errors import BadInput

    given = {**DEFAULTS, **given}
    if given["data"] is not None and not given["evaluate"]:
        raise BadInput("--data was given without --evaluate; give both, or images")
    if bool(given["images"]) == given["evaluate"]:
        raise BadInput("expected images, or --evaluate with --data; --help shows examples")
    loaded = model.load(given["model"])
    if given["evaluate"]:
        return _evaluate(loaded, given["data"])
    for name in given["images"]:
        _tell(loaded, Path(name), given["show"])
    return 0


def _tell(loaded: Any, path: Path, show: bool) -> None:
    import numpy as np

    from hw_bonus import images
    from hw_bonus.errors import BadInput

    found = images.read(path)
    try:
        seen = np.array([loaded.read(image) for image in found[:MOST]])
    except BadInput as error:
        raise BadInput(f"{path} {error}") from None
    for number, (pixels, chances) in enumerate(zip(seen, loaded.probabilities(seen.reshape(len(seen), -1)))):
        order = np.argsort(-chances, kind="stable")
        second = (
            f" (or {loaded.about['classes'][order[1]]}: {chances[order[1]]:.1%})" if chances[order[0]] < 0.9 else ""
        )
        which = f"{path}[{number}]" if len(found) > 1 else str(path)
        print(f"{which}: {loaded.about['classes'][order[0]]}, {chances[order[0]]:.1%} sure{second}")
        if show:
            print("\n".join(picture(pixels, loaded.about["frame"])))
    if len(found) > MOST:
        print(f"{path}: the other {len(found) - MOST} images were left out")


def picture(pixels: Any, frame: dict[str, Any]) -> list[str]:
    """An image as lines of text, two characters for each pixel."""
    shades = " .:-=+*#%@"
    ink = (pixels - frame["low"]) / ((frame["high"] - frame["low"]) or 1.0)
    rows = ["".join(2 * shades[round(float(value) * (len(shades) - 1))] for value in row.clip(0, 1)) for row in ink]
    return ["  +" + "-" * len(rows[0]) + "+", *(f"  |{row}|" for row in rows), "  +" + "-" * len(rows[0]) + "+"]


def _evaluate(loaded: Any, data: str | None) -> int:
    from hw_bonus import datasets
    from hw_bonus.errors import BadInput

    dataset = datasets.load(data, None, len(loaded.about["classes"]), 0)
    pixels, labels = dataset.test
    if dataset.image_shape != loaded.image_shape:
        sizes = ["x".join(map(str, shape)) for shape in (dataset.image_shape, loaded.image_shape)]
        raise BadInput(f"{dataset.name} has images of {sizes[0]} pixels; the model was trained on {sizes[1]}")
    predictions = loaded.probabilities(pixels).argmax(axis=1)
    right = int((predictions == labels).sum())
    print(f"{dataset.name}: {right / len(labels):.2%} of {len(labels)} test images right ({len(labels) - right} wrong)")
    for k, name in enumerate(loaded.about["classes"]):
        own = labels == k
        if own.any():
            print(f"  {name}: {(predictions[own] == k).mean():.1%} of {int(own.sum())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
