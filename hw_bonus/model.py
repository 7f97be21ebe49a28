"""A trained network in a file that is complete by itself: what it takes to read an image with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import mytorch
from hw_bonus import checkpoint, datasets, images
from hw_bonus.errors import BadInput
from hw_bonus.mlp import MLP
from hw_bonus.runs import ACTIVATIONS
from mytorch import nn
from mytorch.nn.nonlinear import softmax


def describe(dataset: datasets.Dataset, hidden: list[int], activation: str, dtype: str) -> dict[str, Any]:
    """The description of a network for this data, as JSON can hold it."""
    mean, std = datasets.mean_and_std(dataset)
    height, width = dataset.image_shape
    return {
        "kind": "images",
        "sizes": [height * width, *hidden, dataset.classes],
        "activation": activation,
        "dtype": dtype,
        "classes": [str(number) for number in range(dataset.classes)],
        "image_shape": [height, width],
        "mean": mean,
        "std": std,
        "frame": images.framing(dataset.train[0], dataset.image_shape),
        "data": dataset.name,
    }


@dataclass(frozen=True)
class Model:
    """A network and its description."""

    net: MLP
    about: dict[str, Any]

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of the images that it takes."""
        height, width = self.about["image_shape"]
        return height, width

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Probability of each class, (N, C), for images (N, H * W) in the units of the training data."""
        x = ((pixels.astype(np.float64) - self.about["mean"]) / self.about["std"]).astype(self.about["dtype"])
        with self.net.autograd_engine.paused():
            scores = [self.net.forward(x[i : i + 1024]) for i in range(0, len(x), 1024)]
        return softmax(np.concatenate(scores).astype(np.float64))

    def read(self, image: np.ndarray) -> np.ndarray:
        """An image of any size as the network sees it, (H, W). Raises BadInput for one without ink."""
        return images.fitted(image, self.image_shape, self.about["frame"])


def load(path: str | Path) -> Model:
    """The model of a file that mlp_runner.py wrote: model.npz or a checkpoint. Raises BadInput."""
    try:
        state, about = mytorch.load(path)
    except FileNotFoundError as error:
        raise BadInput(f"there is no model {path}; train one with mlp_runner.py") from error
    except ValueError:
        try:
            meta, arrays = checkpoint.load(path)
        except BadInput as error:
            raise BadInput(f"{path} is damaged or no model; give the model.npz of mlp_runner.py") from error
        state, about = arrays.get("best", {}), meta.get("about") or {}
    if about.get("kind") != "images":
        raise BadInput(f"{path} is no model of images; give the model.npz of mlp_runner.py")
    try:
        engine = mytorch.Autograd()
        first, *hidden, last = about["sizes"]
        activations = [ACTIVATIONS[about["activation"]](engine) for _ in hidden]
        criterion = nn.SoftmaxCrossEntropy(engine)
        net = MLP(first, last, hidden, activations, criterion, 0.0, engine, dtype=np.dtype(about["dtype"]))
        net.load_state_dict(state)
        net.eval()
        model = Model(net, about)
        model.probabilities(np.zeros((1, model.image_shape[0] * model.image_shape[1])))
        assert {"low", "high", "height", "width", "centre"} <= about["frame"].keys()
        assert len(about["classes"]) == last
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path} is damaged or of another version ({error}); train it anew") from error
    return model
