"""Random trainings: networks of all modules, losses and optimisers, drawn by Hypothesis as plain descriptions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mytorch import Autograd, nn, optim
from mytorch.graph import PASSES
from mytorch.nn import functional as F
from tests.graph.nets import LOSSES, Chain, Pair, Skip, Training

ACTIVATIONS = {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "softmax": nn.Softmax,
    "leaky_relu": lambda engine: nn.LeakyReLU(engine, 0.1),
    "log_softmax": lambda engine: nn.Sequential(nn.Softmax(engine), Chain(engine, (np.sqrt, F.sqrt_backward))),
}


class Tied(nn.Module):
    """x + tanh(x W^T) W."""

    def __init__(self, width: int, inner: int, engine: Any, rng: Any, dtype: Any) -> None:
        super().__init__(engine)
        self.linear, self.tanh = nn.Linear(width, inner, engine, rng=rng, dtype=dtype), nn.Tanh(engine)

    def forward(self, x):
        h = self.tanh(self.linear(x))
        z = h @ self.linear.W
        self.autograd_engine.add_operation([h, self.linear.W], z, [None, self.linear.dW], F.matmul_backward)
        y = x + z
        self.autograd_engine.add_operation([x, z], y, [None, None], F.add_backward)
        return y


class TwoLayersOneWeight(nn.Module):
    """Two layers that hold the same arrays."""

    def __init__(self, width: int, engine: Any, rng: Any, dtype: Any) -> None:
        super().__init__(engine)
        self.first, self.second = (nn.Linear(width, width, engine, rng=rng, dtype=dtype) for _ in range(2))
        for name in ("W", "b", "dW", "db", "momentum_W", "momentum_b"):
            setattr(self.second, name, getattr(self.first, name))

    def forward(self, x):
        return self.second(self.first(x))


class Squashed(nn.Module):
    """x * x / (1 + x * x): an array used twice as both inputs, and another as two."""

    def forward(self, x):
        square = x * x
        self.autograd_engine.add_operation([x, x], square, [None, None], F.mul_backward)
        more = square + 1.0
        self.autograd_engine.add_operation([square, 1.0], more, [None, None], F.add_backward)
        y = square / more
        self.autograd_engine.add_operation([square, more], y, [None, None], F.div_backward)
        return y


class Centred(nn.Module):
    """x minus a mean or a sum of it over an axis, scaled down."""

    def __init__(self, engine: Any, axis: int, backward: Any) -> None:
        super().__init__(engine)
        self.axis, self.backward = axis, backward

    def forward(self, x):
        reduce = np.mean if self.backward is F.mean_backward else np.sum
        middle = np.asarray(reduce(x, axis=self.axis, keepdims=True))
        rule = partial(self.backward, axis=self.axis, keepdims=True)
        self.autograd_engine.add_operation([x], middle, [None], rule)
        small = 0.1 * middle
        self.autograd_engine.add_operation([0.1, middle], small, [None, None], F.mul_backward)
        y = x - small
        self.autograd_engine.add_operation([x, small], y, [None, None], F.sub_backward)
        return y


class Views(nn.Module):
    """x by way of transposes, reshapes and slices."""

    def forward(self, x):
        n, width = x.shape
        steps = (
            (lambda a: a.T, F.transpose_backward),
            (lambda a: a.reshape(1, width, n), F.reshape_backward),
            (lambda a: a.transpose(2, 0, 1), partial(F.transpose_backward, axes=(2, 0, 1))),
            (lambda a: a[:, 0], partial(F.getitem_backward, index=(slice(None), 0))),
        )
        for function, rule in steps:
            y = function(x)
            self.autograd_engine.add_operation([x], y, [None], rule)
            x = y
        return x


class Reversed(nn.Module):
    """The columns in reverse, beside the first one."""

    def forward(self, x):
        index = (slice(None), slice(None, None, -1))
        back = x[index]
        self.autograd_engine.add_operation([x], back, [None], partial(F.getitem_backward, index=index))
        first = x[:, :1]
        self.autograd_engine.add_operation(
            [x], first, [None], partial(F.getitem_backward, index=(slice(None), slice(0, 1)))
        )
        y = np.concatenate([back, first], axis=1)
        self.autograd_engine.add_operation([back, first], y, [None, None], partial(F.concatenate_backward, axis=1))
        return y


class Looked(nn.Module):
    """Indices (N, k) looked up in a table and laid side by side, and the mean of a bag of them: (N, (k + 1) * width)."""

    def __init__(self, rows: int, width: int, engine: Any, rng: Any, dtype: Any) -> None:
        super().__init__(engine)
        self.table = nn.Embedding(rows, width, engine, rng=rng, dtype=dtype)
        self.bag = nn.EmbeddingBag(rows, width, engine, padding_idx=0, rng=rng, dtype=dtype)

    def forward(self, indices):
        found = self.table(indices)
        beside = found.reshape(len(indices), -1)
        self.autograd_engine.add_operation([found], beside, [None], F.reshape_backward)
        mean = self.bag(indices)
        y = np.concatenate([beside, mean], axis=1)
        self.autograd_engine.add_operation([beside, mean], y, [None, None], partial(F.concatenate_backward, axis=1))
        return y


# Blocks: (name, setting), where a setting may hold further blocks. build_block returns the module and the next width.

Block = tuple[str, Any]


def blocks(depth: int = 2) -> st.SearchStrategy[Block]:
    """A block of a net; joins and skips hold blocks in turn."""
    flat = st.one_of(
        st.tuples(st.just("linear"), st.sampled_from([1, 2, 3, 8, 17])),
        st.tuples(st.just("activation"), st.sampled_from(sorted(ACTIVATIONS))),
        st.tuples(st.just("dropout"), st.sampled_from([0.0, 0.3])),
        st.tuples(st.sampled_from(["batchnorm", "layernorm", "squashed", "views", "reversed", "shared"]), st.none()),
        st.tuples(st.just("tied"), st.sampled_from([1, 4])),
        st.tuples(st.just("centred"), st.tuples(st.sampled_from([0, 1]), st.booleans())),
    )
    if not depth:
        return flat
    several = st.lists(blocks(depth - 1), min_size=1, max_size=2)
    return st.one_of(
        flat,
        flat,
        st.tuples(st.just("skip"), several),
        st.tuples(st.just("join"), st.tuples(st.sampled_from(sorted(JOINS)), several, several)),
    )


JOINS: dict[str, tuple[Callable[..., Any], Any]] = {
    "add": (np.add, F.add_backward),
    "multiply": (np.multiply, F.mul_backward),
    "maximum": (np.maximum, F.max_backward),
    "concatenate": (lambda a, b: np.concatenate([a, b], 1), partial(F.concatenate_backward, axis=1)),
}


def build_block(block: Block, width: int, engine: Any, rng: Any, dtype: Any) -> tuple[nn.Module, int]:
    """The module of a block for an input of some width, and its output's width."""
    name, setting = block
    if name == "linear":
        return nn.Linear(width, setting, engine, rng=rng, dtype=dtype), setting
    if name == "activation":
        return ACTIVATIONS[setting](engine), width
    if name == "dropout":
        return nn.Dropout(engine, setting, rng=rng), width
    if name == "batchnorm":
        return nn.BatchNorm1d(width, engine, eps=0.1, dtype=dtype), width
    if name == "layernorm":
        return nn.LayerNorm(width, engine, eps=0.1, dtype=dtype), width
    if name == "tied":
        return Tied(width, setting, engine, rng, dtype), width
    if name == "shared":
        return TwoLayersOneWeight(width, engine, rng, dtype), width
    if name == "centred":
        axis, mean = setting
        return Centred(engine, axis, F.mean_backward if mean else F.sum_backward), width
    if name == "skip":
        inner, inner_width = build_blocks(setting, width, engine, rng, dtype)
        back = nn.Linear(inner_width, width, engine, rng=rng, dtype=dtype)
        return Skip(nn.Sequential(*inner, back), engine), width
    if name == "join":
        how, *branches = setting
        made = [build_blocks(branch, width, engine, rng, dtype) for branch in branches]
        joined = sum(w for _, w in made) if how == "concatenate" else 3
        ends = [
            nn.Sequential(*inner, *([] if how == "concatenate" else [nn.Linear(w, 3, engine, rng=rng, dtype=dtype)]))
            for inner, w in made
        ]
        return Pair(engine, *ends, *JOINS[how]), joined
    return {"squashed": Squashed, "views": Views, "reversed": Reversed}[name](engine), width + (name == "reversed")


def build_blocks(many: Sequence[Block], width: int, engine: Any, rng: Any, dtype: Any) -> tuple[list[nn.Module], int]:
    """The modules of blocks that follow each other, and the last one's width."""
    modules = []
    for block in many:
        module, width = build_block(block, width, engine, rng, dtype)
        modules.append(module)
    return modules, width


def has(many: Any, name: str) -> bool:
    """True where a block of this name stands among the blocks, at any depth."""
    return isinstance(many, (list, tuple)) and (many[:1] == (name,) or any(has(one, name) for one in many))


# Adam divides a gradient by its own size, which would also blow one up that is zero but for rounding, as that of a bias
# before a normalisation; this eps keeps such a gradient small.
ADAM_EPS = 1e-2

OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": partial(optim.SGD, lr=0.02),
    "sgd decay": partial(optim.SGD, lr=0.02, weight_decay=0.01),
    "momentum": partial(optim.SGD, lr=0.01, momentum=0.9),
    "momentum decay": partial(optim.SGD, lr=0.01, momentum=0.8, weight_decay=0.01),
    "nesterov": partial(optim.SGD, lr=0.01, momentum=0.9, nesterov=True),
    "nesterov decay": partial(optim.SGD, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": partial(optim.Adam, lr=0.003, eps=ADAM_EPS),
    "adam decay": partial(optim.Adam, lr=0.003, eps=ADAM_EPS, weight_decay=0.01),
    "adamw": partial(optim.AdamW, lr=0.003, eps=ADAM_EPS),
}
SCHEDULES: dict[str, Callable[[optim.Optimizer], optim.LRScheduler]] = {
    "step": lambda optimizer: optim.StepLR(optimizer, 3, 0.7),
    "cosine": lambda optimizer: optim.CosineLR(optimizer, 20),
}


@dataclass(frozen=True)
class Description:
    """A training as plain values, from which equal trainings can be built again and again.

    inputs: the width of the data, or (number of indices, rows, width) of an embedding's table. batches: the sizes of the
    batches, in turn.
    """

    inputs: Any
    blocks: list[Block]
    outputs: int
    loss: str
    optimizer: str
    schedule: str | None
    max_norm: float | None
    dtype: str
    batches: tuple[int, ...]
    passes: tuple[str, ...]
    seed: int

    def build(self) -> tuple[Training, optim.LRScheduler | None]:
        """The training at its beginning, and its learning-rate schedule."""
        engine, rng, dtype = Autograd(), np.random.default_rng(self.seed), np.dtype(self.dtype)
        first: list[nn.Module] = []
        width = self.inputs
        if isinstance(width, tuple):
            count, rows, columns = width
            first, width = [Looked(rows, columns, engine, rng, dtype)], (count + 1) * columns
        between, width = build_blocks(self.blocks, width, engine, rng, dtype)
        net = nn.Sequential(*first, *between, nn.Linear(width, self.outputs, engine, rng=rng, dtype=dtype))
        optimizer = OPTIMIZERS[self.optimizer](net.parameters())
        training = Training(net, LOSSES[self.loss](engine), optimizer, engine, self.max_norm)
        return training, SCHEDULES[self.schedule](optimizer) if self.schedule else None

    def batch(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch ``number`` of the training."""
        rng, dtype = np.random.default_rng([self.seed, number]), np.dtype(self.dtype)
        n = self.batches[number % len(self.batches)]
        if isinstance(self.inputs, tuple):
            count, rows, _ = self.inputs
            x = rng.integers(0, rows, (n, count))
        else:
            x = rng.standard_normal((n, self.inputs)).astype(dtype)
        if self.loss == "mse":
            return x, rng.standard_normal((n, self.outputs)).astype(dtype)
        y = rng.integers(0, self.outputs, n)
        return x, np.eye(self.outputs, dtype=dtype)[y] if self.loss == "one_hot" else y

    @property
    def tolerance(self) -> float:
        """The largest relative difference to the eager step: sums in another order, over 30 steps."""
        return 1e-12 if self.dtype == "float64" else 1e-5


@st.composite
def descriptions(draw: Any, dtype: Any = None) -> Description:
    """Any training that the modules, losses and optimisers allow."""
    many = draw(st.lists(blocks(), min_size=0, max_size=4))
    smallest = 3 if has(many, "batchnorm") else 1
    return Description(
        inputs=draw(st.one_of(st.sampled_from([1, 3, 5, 16]), st.sampled_from([(1, 4, 3), (3, 9, 2)]))),
        blocks=many,
        outputs=draw(st.sampled_from([1, 2, 3, 7])),
        loss=draw(st.sampled_from(sorted(LOSSES))),
        optimizer=draw(st.sampled_from(sorted(OPTIMIZERS))),
        schedule=draw(st.sampled_from([None, *sorted(SCHEDULES)])),
        max_norm=draw(st.sampled_from([None, None, 0.1, 1e6])),
        dtype=dtype or draw(st.sampled_from(["float64", "float64", "float32"])),
        batches=tuple(
            max(smallest, n) for n in draw(st.lists(st.sampled_from([1, 2, 3, 7, 33]), min_size=1, max_size=2))
        ),
        passes=draw(st.one_of(st.just(PASSES), st.lists(st.sampled_from(PASSES), unique=True).map(tuple))),
        seed=draw(st.integers(0, 99)),
    )
