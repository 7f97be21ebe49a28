"""Layers, activations and losses that record what they compute."""

from mytorch.nn.modules.activation import GELU, Identity, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from mytorch.nn.modules.checkpoint import Checkpoint, in_segments
from mytorch.nn.modules.dropout import Dropout
from mytorch.nn.modules.embedding import Embedding, EmbeddingBag
from mytorch.nn.modules.linear import Linear
from mytorch.nn.modules.loss import MSELoss, SoftmaxCrossEntropy
from mytorch.nn.modules.module import Module, Parameter, Sequential
from mytorch.nn.modules.normalization import BatchNorm1d, LayerNorm
from mytorch.nn.summary import summary

__all__ = [
    "BatchNorm1d",
    "Checkpoint",
    "Dropout",
    "Embedding",
    "EmbeddingBag",
    "GELU",
    "Identity",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MSELoss",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Softplus",
    "Tanh",
    "in_segments",
    "summary",
]
