"""The list as a static graph: capture a step, let passes work on it, replay it. See ``docs/static_graph.md``."""

from mytorch.graph.compile import Step, compile
from mytorch.graph.passes import PASSES
from mytorch.graph.plan import Plan
from mytorch.graph.registry import Rule, register

__all__ = ["PASSES", "Plan", "Rule", "Step", "compile", "register"]
