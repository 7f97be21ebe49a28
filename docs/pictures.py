"""Moving pictures for the README: ``python docs/pictures.py`` walks through the two pages in a browser and writes GIFs.

Needs Chromium, playwright and Pillow (``pip install -e ".[browser,plots]"``). Both pages come from this repository: the page
of a small network's list, and the page to draw on of a network that the program trains first, in a few seconds.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
IMAGES = ROOT / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LARGEST = 1_000_000  # bytes
COLOURS = 64
Frame = tuple[bytes, int]  # a PNG and the milliseconds for which it is shown

# Digits as strokes in a square of side 1, from the top left. A stroke is a curve through its points.
DIGITS = {
    "3": [[(0.3, 0.2), (0.55, 0.12), (0.7, 0.28), (0.46, 0.47), (0.72, 0.62), (0.6, 0.84), (0.28, 0.8)]],
    "7": [[(0.27, 0.16), (0.5, 0.16), (0.74, 0.16), (0.6, 0.48), (0.45, 0.88)]],
    "0": [[(0.52, 0.14), (0.32, 0.28), (0.28, 0.6), (0.46, 0.86), (0.7, 0.7), (0.72, 0.35), (0.52, 0.14)]],
    "4": [
        [(0.56, 0.12), (0.42, 0.34), (0.27, 0.58), (0.5, 0.6), (0.76, 0.58)],
        [(0.62, 0.4), (0.6, 0.62), (0.58, 0.9)],
    ],
}


def curve(points: list[tuple[float, float]], per_piece: int = 8) -> np.ndarray:
    """Points (N, 2) on the cubic Catmull-Rom curve through the given ones."""
    p = np.array([points[0], *points, points[-1]])
    t = np.linspace(0, 1, per_piece, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:])
    ]
    return np.concatenate([*pieces, p[-1:]])


def write_list(path: Path) -> None:
    """The page of a network with a skip connection, one backward pass."""
    from mytorch import Autograd, nn
    from mytorch.nn.functional import add_backward
    from mytorch.viewer import watch, write

    engine = Autograd()
    first, tanh = nn.Linear(2, 3, engine, rng=0), nn.Tanh(engine)
    second, last = nn.Linear(3, 3, engine, rng=1), nn.Linear(3, 2, engine, rng=2)
    loss = nn.SoftmaxCrossEntropy(engine)
    x, labels = np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([0, 1])
    with watch(engine):
        h = tanh(first(x))
        inner = second(h)
        both = h + inner
        engine.add_operation([h, inner], both, [None, None], add_backward)
        loss(labels, last(both))
        loss.backward()
    write(engine, path, "A network with a skip connection")


def steps_frames(page: Any) -> Iterator[Frame]:
    """One frame per step, forward and back."""
    last = int(page.locator("#slider").get_attribute("max"))
    for step in range(last + 1):
        page.evaluate(f"go({step})")
        page.wait_for_timeout(350)
        yield page.screenshot(), 3000 if step == last else 1100


def write_drawing(path: Path) -> None:
    """The page to draw on, of a network that is trained on the digits of this repository."""
    command = [sys.executable, "hw_bonus/mlp_runner.py", "--no-plots", "--out", str(path.parent / "results")]
    subprocess.run(command, cwd=ROOT, check=True)
    shutil.copy(path.parent / "results" / "draw.html", path)


def drawing_frames(page: Any) -> Iterator[Frame]:
    """Digits are drawn with the mouse, and the network reads while they are."""
    for digit, strokes in DIGITS.items():
        page.locator("#clear").click()
        box = page.locator("#paper").bounding_box()
        for stroke in strokes:
            for number, (x, y) in enumerate(curve(stroke)):
                page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
                if number == 0:
                    page.mouse.down()
                if number % 6 == 5:
                    page.wait_for_timeout(120)
                    yield page.screenshot(), 150
            page.mouse.up()
        page.mouse.move(5, 5)
        page.wait_for_timeout(300)
        read = page.locator("#digit").inner_text()
        if read != digit:
            raise SystemExit(f"The network reads a drawn {digit} as {read}. Draw it in another way in DIGITS.")
        yield page.screenshot(), 1600


def write_gif(frames: list[Frame], path: Path, width: int) -> None:
    """The frames as a GIF that repeats for ever; all share the colours of one palette. Raises SystemExit above LARGEST."""
    from PIL import Image

    shots = [Image.open(io.BytesIO(png)).convert("RGB") for png, _ in frames]
    size = width, round(shots[0].height * width / shots[0].width)
    shots = [shot.resize(size, Image.Resampling.LANCZOS) for shot in shots]
    # Colours that only some of the frames have, those of a gradient that arrives, are in the palette too.
    samples = shots[:: max(1, len(shots) // 8)]
    together = Image.new("RGB", (size[0], size[1] * len(samples)))
    for number, shot in enumerate(samples):
        together.paste(shot, (0, number * size[1]))
    palette = together.quantize(COLOURS)
    first, *others = [shot.quantize(palette=palette, dither=Image.Dither.NONE) for shot in shots]
    times = [time for _, time in frames]
    first.save(path, save_all=True, append_images=others, duration=times, loop=0, optimize=False)
    print(f"{path.relative_to(ROOT)}: {len(frames)} frames, {path.stat().st_size:,} bytes")
    if path.stat().st_size > LARGEST:
        raise SystemExit(f"{path} has more than {LARGEST:,} bytes. Take fewer frames, or a smaller width.")


def main() -> int:
    """Write both pictures; returns 0, 2 without a browser or a library."""
    try:
        import PIL  # noqa: F401
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        print(f'{error.name} is not installed: python -m pip install -e ".[browser,plots]"', file=sys.stderr)
        return 2
    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser_path is None:
        print("No Chromium or Chrome is installed.", file=sys.stderr)
        return 2
    jobs = (
        ("steps", write_list, steps_frames, (1150, 978), "light", 860),
        ("draw", write_drawing, drawing_frames, (1000, 850), "dark", 660),
    )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for name, write, take, (width, height), scheme, gif_width in jobs:
            path = Path(folder) / f"{name}.html"
            write(path)
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(path.as_uri())
            write_gif(list(take(page)), IMAGES / f"{name}.gif", gif_width)
            page.close()
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
