"""Step through an engine's list in a browser: one HTML file with the list, its graph, values and gradients."""

from mytorch.viewer.page import Frame, inline, show, write
from mytorch.viewer.watching import watch

__all__ = ["Frame", "inline", "show", "watch", "write"]
