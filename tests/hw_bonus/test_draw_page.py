"""The page to draw on, in a real browser: its arithmetic is Python's, strokes are read, keys work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw_bonus import datasets, draw_page, images, model
from hw_bonus.mlp import MLP
from hw_bonus.runs import ACTIVATIONS
from mytorch import Autograd, nn


def a_model(
    activation: str = "relu", hidden: tuple[int, ...] = (24, 12), shape: tuple[int, int] = (8, 8)
) -> model.Model:
    """An untrained network of this form."""
    engine, rng = Autograd(), np.random.default_rng(0)
    size = shape[0] * shape[1]
    net = MLP(
        size, 10, list(hidden), [ACTIVATIONS[activation](engine) for _ in hidden], nn.SoftmaxCrossEntropy(engine), 0.1,
        engine, rng=rng, dtype=np.float32,
    )  # fmt: skip
    for layer in net.linear_layers:
        layer.W *= 3
    frame = {"low": 0.0, "high": 16.0, "height": 1.0, "width": 0.75, "centre": "mass" if shape != (8, 8) else "box"}
    about = {
        "kind": "images", "sizes": [size, *hidden, 10], "activation": activation, "dtype": "float32",
        "classes": [str(k) for k in range(10)], "image_shape": list(shape), "mean": 4.9, "std": 6.0, "frame": frame,
        "data": "</script><b>odd name</b>",
    }  # fmt: skip
    net.eval()
    return model.Model(net, about)


@pytest.mark.slow
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_the_forward_pass_is_pythons(open_page: Any, tmp_path: Path, activation: str) -> None:
    tested = a_model(activation)
    pixels = datasets.load_digits().test[0][:25].astype(np.float64)
    path = tmp_path / "draw.html"
    path.write_text(draw_page.page(tested, pixels), encoding="utf-8")
    page = open_page(path)
    found = page.evaluate("images => images.map((x) => network.forward(x).probabilities)", pixels.tolist())
    np.testing.assert_allclose(found, tested.probabilities(pixels), atol=1e-5)
    assert np.ptp(found, axis=0).max() > 0.05, "the outputs differ from image to image"


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (1, 10)])
def test_a_drawing_is_fitted_as_in_python(open_page: Any, tmp_path: Path, shape: tuple[int, int]) -> None:
    tested = a_model(shape=shape, hidden=())
    path = tmp_path / "draw.html"
    path.write_text(draw_page.page(tested, np.zeros((0, shape[0] * shape[1]))), encoding="utf-8")
    page = open_page(path)
    rng = np.random.default_rng(1)
    for _ in range(4):
        ink = np.zeros((70, 50))
        top, left = rng.integers(5, 30, 2)
        ink[top : top + rng.integers(5, 35), left : left + rng.integers(3, 15)] = 1.0
        ink[top : top + 4, left : left + rng.integers(3, 18)] = 0.6
        found = page.evaluate("([ink, r, c]) => Array.from(fitted(ink, r, c, MODEL))", [ink.ravel().tolist(), 70, 50])
        # Python first takes faint ink away, which the page's clean ink does not need.
        clean = np.clip((ink - images.FAINT) / (1 - images.FAINT), 0, 1)
        again = page.evaluate("([ink, r, c]) => Array.from(fitted(ink, r, c, MODEL))", [clean.ravel().tolist(), 70, 50])
        np.testing.assert_allclose(again, tested.read(ink).ravel(), atol=1e-9)
        assert max(found) == pytest.approx(16)
    assert page.evaluate("fitted(new Float64Array(100), 10, 10, MODEL)") is None


@pytest.mark.slow
def test_strokes_examples_and_keys(open_page: Any, tmp_path: Path) -> None:
    tested = a_model()
    pixels = datasets.load_digits().test[0][:3].astype(np.float64)
    path = tmp_path / "mon dessin é.html"
    path.write_text(draw_page.page(tested, pixels), encoding="utf-8")
    page = open_page(path, width=390, color_scheme="dark")
    assert page.locator("#digit").inner_text() == "?"
    assert "odd name" in page.locator("#about").inner_text()
    box = page.locator("#paper").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 20, steps=8)
    page.mouse.up()
    page.wait_for_function("document.getElementById('digit').textContent !== '?'")
    shares = [float(text.strip("<%")) for text in page.locator(".share").all_inner_texts()]
    assert sum(shares) == pytest.approx(100, abs=1)
    page.keyboard.press("Escape")
    assert page.locator("#digit").inner_text() == "?"
    for number in (0, 1, 2, 0):
        page.keyboard.press("e")
        best = int(tested.probabilities(pixels[number : number + 1]).argmax())
        assert page.locator("#digit").inner_text() == str(best)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "clear"
    page.keyboard.press("Enter")
    assert page.locator("#digit").inner_text() == "?"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than a phone"


def test_the_page_is_one_file_that_no_name_can_break() -> None:
    html = draw_page.page(a_model(), np.zeros((0, 64)))
    assert html.count("</script>") == 2
    assert "<b>odd name" not in html
    assert "http" not in html
    embedded = html.split("const MODEL = ", 1)[1].split(";\n</script>", 1)[0]
    assert json.loads(embedded)["data"] == "</script><b>odd name</b>"
