"""Autograd: record operations in a list on the way forward, then go through it in reverse to the gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from mytorch.debug import observe
from mytorch.operation import Operation
from mytorch.report import Readable
from mytorch.utils import GradientBuffer


class Autograd(Readable):
    """The engine: records operations on the way forward and walks them in reverse on the way back.

    ``print(engine)`` shows the list as a table, ``engine.show()`` as a page to step through.
    ``Autograd(debug=True)`` also looks for what makes gradients silently wrong: see ``mytorch.debug``.
    """

    def __init__(self, debug: bool = False) -> None:
        self.operation_list: list[Operation] = []
        self.gradient_buffer = GradientBuffer()
        self.recording = True
        if debug:
            observe(self)

    def add_operation(
        self,
        inputs: Sequence[Any],
        output: np.ndarray | tuple[np.ndarray, ...],
        gradients_to_update: Sequence[np.ndarray | None],
        backward_operation: Callable[..., Any],
    ) -> None:
        """Append an operation to the list and give each of its inputs a spot in the buffer.

        The arguments are those of ``Operation``. inputs and gradients_to_update are lists with one entry per input, as in
        ``[x, W]`` and ``[None, dW]``. Raises ValueError for lists of different lengths. While ``self.recording`` is False,
        nothing is recorded.
        """
        # TODO: Return at once while self.recording is False. Refuse lists of different lengths. Give each input a spot, and
        # append an Operation.
        raise NotImplementedError("Autograd.add_operation is not implemented yet")

    def backward(self, divergence: Any) -> None:
        """Go through the list once, in reverse, and leave the gradients in the layers' arrays and in the buffer.

        divergence: the very array that the last operation produced (its gradient is then one everywhere), or the gradient
        to start from, an array of that shape (as practice, also a plain number for all its entries). A backward_operation
        returns one array or a tuple; None in it means that nothing flows to that input.
        """
        # TODO: Go through the list in reverse. Add each gradient to its array in gradients_to_update, in place, or to the
        # buffer.
        raise NotImplementedError("Autograd.backward is not implemented yet")

    def zero_grad(self) -> None:
        """Empty the list and the buffer and let go of every array. The layers' own gradients are theirs to zero."""
        self.operation_list.clear()
        self.gradient_buffer.clear()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """``with engine.paused():`` records nothing inside, so that evaluation keeps nothing alive."""
        before, self.recording = self.recording, False
        try:
            yield
        finally:
            self.recording = before

    def data(self, array: np.ndarray) -> np.ndarray:
        """Declare that nobody will read this array's gradient. Your engine may ignore it."""
        return array

    def is_data(self, array: np.ndarray) -> bool:
        """True for an array that was declared to be data. An engine that ignores declarations has none."""
        return False
