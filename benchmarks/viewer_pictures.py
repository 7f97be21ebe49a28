"""Pictures of docs/viewer.md, taken of real pages in a browser: ``python -m benchmarks.viewer_pictures`` (extra browser).

It also writes the lecture's pages into docs/steps.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from mytorch import Autograd, nn
from mytorch.nn.functional import add_backward, exp_backward, tanh_backward
from mytorch.viewer import watch, write
from mytorch.viewer.examples import write_examples

ROOT = Path(__file__).resolve().parent.parent
IMAGES, STEPS = ROOT / "docs" / "images", ROOT / "docs" / "steps"


def network(engine: Autograd) -> None:
    """A training step on twelve digits, with a skip connection."""
    data = np.load(ROOT / "hw_bonus" / "data" / "digits.npz")
    x, labels = data["images"][:12].reshape(12, 64) / 16.0, data["labels"][:12].astype(int)
    first, second = nn.Linear(64, 16, engine, rng=0), nn.Linear(16, 16, engine, rng=1)
    last = nn.Linear(16, 10, engine, rng=2)
    tanh, relu, criterion = nn.Tanh(engine), nn.ReLU(engine), nn.SoftmaxCrossEntropy(engine)
    with watch(engine):
        hidden = tanh(first(x))
        change = relu(second(hidden))
        total = change + hidden
        engine.add_operation([change, hidden], total, [None, None], add_backward)
        criterion(labels, last(total))
        criterion.backward()


def finding(engine: Autograd) -> None:
    """A copy between two operations."""
    x = np.array([0.5, 1.0])
    with watch(engine):
        y = np.exp(x)
        engine.add_operation([x], y, [None], exp_backward)
        copied = np.array(y)
        z = np.tanh(copied)
        engine.add_operation([copied], z, [None], tanh_backward)
        engine.backward(z)


def main() -> None:
    """Write the pages, and take the pictures."""
    from playwright.sync_api import sync_playwright

    folder = Path(tempfile.mkdtemp())
    pages: dict[str, tuple[Path, int]] = {}
    for name, program, title, step in (
        ("network", network, "A training step with a skip connection", 11),
        ("finding", finding, "A copy cuts the path", 5),
    ):
        engine = Autograd()
        program(engine)
        pages[name] = write(engine, folder / f"{name}.html", title), step
    pages["modes"] = write_examples(STEPS)[0], 12
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (path, step) in pages.items():
            take(browser, path, step, IMAGES / f"viewer-{name}.png")


def take(browser: Any, path: Path, step: int, picture: Path) -> None:
    """Take a picture of a page at a step."""
    page = browser.new_page(viewport={"width": 1360, "height": 860}, reduced_motion="reduce")
    page.goto(f"{path.resolve().as_uri()}#step={step}")
    page.screenshot(path=str(picture))
    print(picture)


if __name__ == "__main__":
    main()
