"""Differences between the skeleton and the reference that are meant, each with its reason. What is not listed has to agree."""

from __future__ import annotations

from typing import NamedTuple

STUB = "stub"  # students write it
LEFT_OUT = "left out"  # the reference alone has it
PARAMETERS = "parameters"  # the reference takes further ones, all with defaults
BODY = "body"  # students are given other code
MARK = "mark"  # the reference has a decorator that its engine reads


class Difference(NamedTuple):
    """names: dotted names in one file, separated by spaces; ``*`` in them stands for anything."""

    kind: str
    file: str
    names: str
    why: str


ENGINE = "mytorch/autograd_engine.py"
LAYERS = "mytorch/nn/__init__.py"
FUNCTIONAL = "mytorch/nn/functional.py"
ACTIVATION = "mytorch/nn/modules/activation.py"
LINEAR = "mytorch/nn/modules/linear.py"
LOSS = "mytorch/nn/modules/loss.py"
MLP = "hw_bonus/mlp.py"

DIFFERENCES = (
    Difference(STUB, ENGINE, "Autograd.add_operation Autograd.backward", "section 4.1 of the writeup"),
    Difference(
        STUB,
        FUNCTIONAL,
        "sub_backward mul_backward div_backward exp_backward log_backward max_backward matmul_backward outer_backward "
        "sum_backward SoftmaxCrossEntropy_backward",
        "sections 4.2 and 4.4",
    ),
    Difference(STUB, ACTIVATION, "Identity.forward Sigmoid.forward Tanh.forward ReLU.forward", "section 4.3"),
    Difference(STUB, LOSS, "MSELoss.forward SoftmaxCrossEntropy.forward", "section 4.4"),
    Difference(STUB, LINEAR, "Linear.forward", "section 4.5"),
    Difference(
        STUB, MLP, "MLP.__init__ MLP.forward MLP.zero_grads MLP.step get_training_stats", "section 4.6, for practice"
    ),
    Difference(BODY, ENGINE, "Autograd.__init__ Autograd.zero_grad", "the reference remembers data and a last scalar"),
    Difference(
        BODY,
        ENGINE,
        "Autograd.data Autograd.is_data",
        "a student's engine computes the gradient of data too, which does no harm",
    ),
    Difference(
        LEFT_OUT,
        "mytorch/__init__.py",
        "compile __getattr__ load save",
        "static graphs and files are no part of the homework",
    ),
    Difference(LEFT_OUT, ENGINE, "Autograd.memory_buffer", "a name from other generations of the homework"),
    Difference(
        LEFT_OUT,
        FUNCTIONAL,
        "abs_backward bag_weights concatenate_backward dropout_backward embedding_backward embedding_bag_backward "
        "gelu_backward getitem_backward "
        "identity_backward leaky_relu_backward linear_backward log_softmax_backward mean_backward mse_backward neg_backward "
        "normalize_backward power_backward reshape_backward sigmoid_backward silu_backward softmax_backward "
        "softplus_backward sqrt_backward tanh_backward transpose_backward true_entries unbroadcast",
        "rules that the homework does not ask for, and helpers",
    ),
    Difference(PARAMETERS, FUNCTIONAL, "max_backward", "a second input, for the maximum of two arrays"),
    Difference(PARAMETERS, FUNCTIONAL, "SoftmaxCrossEntropy_backward", "values that the forward pass has kept"),
    Difference(
        MARK, FUNCTIONAL, "add_backward sub_backward max_backward sum_backward", "a student's engine reads no marks"
    ),
    Difference(LEFT_OUT, LINEAR, "linear_of_data_backward", "for inputs that are data"),
    Difference(LEFT_OUT, LAYERS, "Parameter", "for optimisers"),
    Difference(
        LEFT_OUT,
        LAYERS,
        "BatchNorm1d Checkpoint Dropout Embedding EmbeddingBag GELU LayerNorm LeakyReLU Sequential SiLU Softmax Softplus "
        "in_segments summary",
        "layers that the homework does not ask for",
    ),
    Difference(
        LEFT_OUT, ACTIVATION, "GELU LeakyReLU SiLU Softmax Softplus", "activations that the homework does not ask for"
    ),
    Difference(
        LEFT_OUT,
        ACTIVATION,
        "*.compute *.backward_operation Activation.forward",
        "the reference's activations name their function and its rule; students write both in forward",
    ),
    Difference(LEFT_OUT, MLP, "MLP.lr train_batch evaluate", "the reference's way to train and validate"),
    Difference(PARAMETERS, MLP, "MLP.__init__", "optimisers, seeds and dtypes of the reference's program"),
)

# Lines of the reference's solutions that stand in given files as well and say nothing.
COMMON_LINES = (
    "if isinstance(value, (tuple, list)):",
    "mlp.zero_grads()",
    "with engine.paused():",
    "with contextlib.suppress(OSError):",
)
