"""The page on which one draws a digit for the trained network: one file of HTML with the weights inside."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

from hw_bonus.model import Model

PARTS = Path(__file__).parent / "drawing"
EXAMPLES = 20


def page(model: Model, pixels: np.ndarray) -> str:
    """The page for a model. pixels (N, H * W): images that the page can show as examples, in the units of the data."""
    about = model.about
    layers = [{"W": _text(layer.W), "b": _text(layer.b)} for layer in model.net.linear_layers]
    names = ("sizes", "activation", "classes", "image_shape", "mean", "std", "frame", "data")
    embedded: dict[str, Any] = {name: about[name] for name in names}
    embedded["layers"] = layers
    embedded["examples"] = np.round(pixels[:EXAMPLES].astype(np.float64), 6).tolist()
    # A name of a folder could hold the end of a script.
    text = json.dumps(embedded, ensure_ascii=True).replace("<", "\\u003c")
    html = (PARTS / "page.html").read_text(encoding="utf-8")
    script = "\n".join((PARTS / name).read_text(encoding="utf-8") for name in ("network.js", "page.js"))
    html = html.replace("/*STYLE*/", (PARTS / "page.css").read_text(encoding="utf-8")).replace("/*SCRIPT*/", script)
    return html.replace("/*MODEL*/null", text)


def _text(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array, dtype="<f4").tobytes()).decode()
