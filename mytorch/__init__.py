"""MyTorch: automatic differentiation by a list of operations, gone through in reverse."""

from typing import Any

from mytorch.autograd_engine import Autograd, Operation
from mytorch.saving import load, save

__version__ = "1.0.0"

__all__ = ["Autograd", "Operation", "__version__", "compile", "load", "save"]


def __getattr__(name: str) -> Any:
    # The planner is loaded when it is first asked for, so that importing the engine stays cheap.
    if name == "compile":
        from mytorch.graph import compile

        return compile
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
