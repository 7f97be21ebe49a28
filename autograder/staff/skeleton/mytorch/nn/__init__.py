"""Layers, activations and losses that record what they compute."""

from mytorch.nn.modules.activation import Identity, ReLU, Sigmoid, Tanh
from mytorch.nn.modules.linear import Linear
from mytorch.nn.modules.loss import MSELoss, SoftmaxCrossEntropy
from mytorch.nn.modules.module import Module

__all__ = ["Identity", "Linear", "MSELoss", "Module", "ReLU", "Sigmoid", "SoftmaxCrossEntropy", "Tanh"]
