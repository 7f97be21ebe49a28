"""A scratch file to try things in: ``python mytorch/sandbox.py``. Change it as you like; nobody marks it."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mytorch.autograd_engine import Autograd
from mytorch.nn.functional import add_backward


def main() -> None:
    """y = a + b by hand: compute, record, run backward, look at the gradients."""
    a, b = np.array([[1.0, 2.0, 3.0]]), np.array([[10.0], [20.0]])
    y = a + b  # NumPy stretches both to (2, 3)

    da, db = add_backward(np.ones_like(y), a, b)
    print("add_backward alone: da =", da.tolist(), " db =", db.tolist())

    engine = Autograd()
    try:
        engine.add_operation(inputs=[a, b], output=y, gradients_to_update=[None, None], backward_operation=add_backward)
        print(engine)
        engine.backward(np.ones_like(y))
        da, db = engine.gradient_buffer.get_param(a), engine.gradient_buffer.get_param(b)
        print("da =", da.tolist(), " db =", db.tolist())
    except NotImplementedError as error:
        print(f"{error}. Write it in mytorch/autograd_engine.py and run this again.")


if __name__ == "__main__":
    main()
