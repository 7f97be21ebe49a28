"""Correct solutions of older generations in other places and habits: the original one, moved and changed."""

from __future__ import annotations

from tests.autograder.solutions_older import (
    ACTIVATION,
    ENGINE,
    FUNCTIONAL,
    LINEAR,
    LOSS,
    MLP,
    ORIGINAL,
    UTILS,
    Files,
)


def moved(files: Files, places: dict[str, str], changes: list[tuple[str, str]]) -> Files:
    """The files in other places, with each text replaced in all of them; every text has to be in one of them."""
    result = {places.get(name, name): text for name, text in files.items()}
    for old, new in changes:
        assert any(old in text for text in result.values()), old
        result = {name: text.replace(old, new) for name, text in result.items()}
    return result


# Packages with an __init__, the modules' own folder, gradient_buffer, relative imports and a module as F.
PACKAGED = moved(
    ORIGINAL,
    {
        "mytorch/functional_hw1.py": "mytorch/nn/functional_hw1.py",
        "mytorch/nn/activation.py": "mytorch/nn/modules/activation.py",
        "mytorch/nn/loss.py": "mytorch/nn/modules/losses.py",
        "mytorch/nn/linear.py": "mytorch/nn/modules/linear.py",
    },
    [
        ("from mytorch.functional_hw1 import *", "import mytorch.nn.functional_hw1 as F"),
        ("from mytorch.functional_hw1 import matmul_backward, add_backward", "from .. import functional_hw1 as F"),
        ("from mytorch.utils import", "from .utils import"),
        ("from mytorch.nn.linear import", "from mytorch.nn import"),
        ("memory_buffer", "gradient_buffer"),
        ("MemoryBuffer", "GradientBuffer"),
        *((f", {rule}_backward)", f", F.{rule}_backward)") for rule in ("identity", "mul", "exp", "add", "sub", "div")),
        *((f", {rule}_backward)", f", F.{rule}_backward)") for rule in ("max", "sum", "SoftmaxCrossEntropy", "matmul")),
    ],
) | {
    "mytorch/__init__.py": "",
    "mytorch/nn/__init__.py": "from .modules import *\n",
    "mytorch/nn/modules/__init__.py": "from .activation import *\nfrom .linear import *\nfrom .losses import *\n",
    "hw_bonus/__init__.py": "",
}

# Everything in the engine's file; forward in place of __call__; an engine that is made once; a loss without backward.
ONE_FILE: Files = {
    "hw_bonus/mlp.py": MLP.replace("mytorch.nn.linear", "mytorch.autograd_engine")
    .replace("activation(linear(x))", "activation.forward(linear.forward(x))")
    .replace("self.criterion(labels", "self.criterion.forward(labels"),
    "mytorch/__init__.py": "from mytorch.autograd_engine import *\n",
    "mytorch/autograd_engine.py": "\n".join(
        "\n".join(line for line in text.splitlines() if not line.startswith("from mytorch"))
        for text in (UTILS, ENGINE, FUNCTIONAL, ACTIVATION, LOSS, LINEAR)
    )
    .replace(
        """        if getattr(self.__class__, "_has_instance", False):
            raise RuntimeError("there is an Autograd already")
        self.__class__._has_instance = True
        self.memory_buffer = MemoryBuffer()
        self.operation_list = []

    def __del__(self):
        self.__class__._has_instance = False
""",
        """        pass

    _engine = None

    def __new__(cls, *args, **kwargs):
        if cls._engine is None:
            cls._engine = object.__new__(cls)
            cls._engine.memory_buffer = MemoryBuffer()
            cls._engine.operation_list = []
        return cls._engine
""",
    )
    .replace(
        """    def __call__(self, x):
        return self.forward(x)
""",
        "",
    )
    .replace(
        """    def __call__(self, y, y_hat):
        return self.forward(y, y_hat)
""",
        "",
    )
    .replace(
        """
    def backward(self):
        self.autograd_engine.backward(self.loss_val)
""",
        "",
    ),
}


def _classes(text: str) -> dict[str, str]:
    """The classes of a file, each with what stands before the first one."""
    head, *rest = text.split("\nclass ")
    return {part.split("(")[0].split(":")[0]: f"{head}\nclass {part}" for part in rest}


# A file for each class, and relative imports.
FILE_EACH: Files = {
    "hw_bonus/mlp.py": MLP,
    "mytorch/utils.py": UTILS,
    "mytorch/autograd_engine.py": ENGINE,
    "mytorch/functional.py": FUNCTIONAL,
    **{
        f"mytorch/nn/{name.lower()}.py": text.replace("from mytorch.functional_hw1 import", "from ..functional import")
        for file in (ACTIVATION, LOSS, LINEAR)
        for name, text in _classes(file).items()
    },
}
for _name, _base in (("identity", "Activation"), ("sigmoid", "Activation"), ("tanh", "Activation"), ("relu", "Activation"),
                     ("mseloss", "LossFN"), ("softmaxcrossentropy", "LossFN")):  # fmt: skip
    _file = f"mytorch/nn/{_name}.py"
    FILE_EACH[_file] = FILE_EACH[_file].replace("\nclass ", f"from .{_base.lower()} import {_base}\n\nclass ", 1)

# A row of biases in float32 parameters; zero_grad makes new arrays; transposes made once; a named tuple; a dict as buffer.
ROWS = moved(
    ORIGINAL,
    {"mytorch/functional_hw1.py": "mytorch/nn/functional/__init__.py"},
    [
        ("from mytorch.functional_hw1 import", "from mytorch.nn.functional import"),
        ("size=(out_features, 1))", "size=(1, out_features)).astype(np.float32)"),
        ("size=(out_features, in_features))", "size=(out_features, in_features)).astype(np.float32)"),
        ("np.zeros(self.W.shape)", "np.zeros_like(self.W)"),
        ("self.b.T", "self.b"),
        ("self.db.T", "self.db"),
        (
            "    def forward(self, x):\n        z = x",
            "    def zero_grad(self):\n        self.dW = np.zeros_like(self.W)\n        self.db = np.zeros_like(self.b)\n\n"
            "    def forward(self, x):\n        z = x",
        ),
        (
            "class Operation:\n    def __init__(self, inputs, output, gradients_to_update, backward_operation):\n"
            "        self.inputs = inputs\n        self.output = output\n"
            "        self.gradients_to_update = gradients_to_update\n        self.backward_operation = backward_operation\n",
            "from collections import deque, namedtuple\n\n"
            'Operation = namedtuple("Operation", "inputs output gradients_to_update backward_operation")\n',
        ),
        ("self.operation_list = []", "self.operation_list = deque()"),
        ("class MemoryBuffer:\n    def __init__(self):\n        self.memory = {}\n", "class MemoryBuffer(dict):\n"),
        ("    def clear(self):\n        self.memory = {}\n", "    memory = property(lambda self: self)\n"),
    ],
)

# Biases as a vector, and a layer that keeps the transposes of its arrays.
VECTORS = moved(
    ORIGINAL,
    {"mytorch/functional_hw1.py": "mytorch/functional.py", "mytorch/nn/loss.py": "mytorch/loss.py"},
    [
        ("from mytorch.functional_hw1 import", "from mytorch.functional import"),
        ("size=(out_features, 1))", "size=out_features)"),
        ("        self.autograd_engine = autograd_engine\n\n    def __call__(self, x):\n        return self.forward(x)\n\n"
         "    def forward(self, x):\n        z = x @ self.W.T\n",
         "        self.autograd_engine = autograd_engine\n        self.WT, self.dWT = self.W.T, self.dW.T\n\n"
         "    def __call__(self, x):\n        return self.forward(x)\n\n    def forward(self, x):\n        z = x @ self.WT\n"),
        ("[x, self.W.T]", "[x, self.WT]"),
        ("self.dW.T]", "self.dWT]"),
        ("self.b.T", "self.b"),
        ("self.db.T", "self.db"),
    ],
)  # fmt: skip

OLDER: dict[str, Files] = {
    "original": ORIGINAL,
    "packaged": PACKAGED,
    "one file": ONE_FILE,
    "a file each": FILE_EACH,
    "rows": ROWS,
    "vectors": VECTORS,
}
