"""MyTorch: automatic differentiation by a list of operations, gone through in reverse."""

from mytorch.autograd_engine import Autograd, Operation

__version__ = "1.0.0"

__all__ = ["Autograd", "Operation", "__version__"]
