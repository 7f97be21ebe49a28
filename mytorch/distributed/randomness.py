"""OwnRows: a generator that draws for the rows of all processes and hands out those of this one."""

from __future__ import annotations

from typing import Any

import numpy as np

from mytorch.distributed.world import World


class OwnRows(np.random.Generator):
    """A generator for Dropout, on the stream of another one, which stays equal in all processes.

    Set ``n``, the number of rows of the whole batch, before each step. With that, a run in many processes drops the same
    values as a run in one.
    """

    def __init__(self, generator: np.random.Generator, world: World) -> None:
        super().__init__(generator.bit_generator)
        self.world = world
        self.n = 0

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Numbers of shape ``size``, whose first axis has this process's rows of ``n``."""
        own = self.world.rows(self.n)
        if not isinstance(size, tuple) or not size or size[0] != own.stop - own.start or out is not None:
            raise ValueError(
                f"{size} numbers were asked for; this process has rows {own.start} to {own.stop} of {self.n}."
            )
        return super().random((self.n, *size[1:]), dtype)[own]
