"""A scratch file to try things in: ``python mytorch/sandbox.py`` runs as it stands."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mytorch.autograd_engine import Autograd
from mytorch.nn.functional import add_backward, matmul_backward


def main() -> None:
    """y = x W + b by hand: record each step, run backward, look at the gradients."""
    rng = np.random.default_rng(0)
    x, W, b = rng.standard_normal((1, 3)), rng.standard_normal((3, 2)), rng.standard_normal((1, 2))
    dW, db = np.zeros_like(W), np.zeros_like(b)

    engine = Autograd()
    h = x @ W
    engine.add_operation(inputs=[x, W], output=h, gradients_to_update=[None, dW], backward_operation=matmul_backward)
    y = h + b
    engine.add_operation(inputs=[h, b], output=y, gradients_to_update=[None, db], backward_operation=add_backward)
    print(engine)

    engine.backward(np.ones_like(y))
    print("\ndW =", dW, "\ndb =", db, "\ndx =", engine.gradient_buffer.get_param(x), sep="\n")


if __name__ == "__main__":
    main()
