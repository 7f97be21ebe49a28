"""The C backend: plans as tables of numbers that one small library walks. It may be deleted: NumPy's backend takes over."""

from mytorch.graph.backends.c.backend import build, self_test
from mytorch.graph.backends.c.library import Unavailable
from mytorch.graph.backends.c.matcher import matcher

__all__ = ["Unavailable", "build", "matcher", "self_test"]
