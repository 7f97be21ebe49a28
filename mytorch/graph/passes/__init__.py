"""Passes: functions from a plan to a plan that computes the same with less. They run in the order of ``PASSES``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mytorch.graph.passes.common import common_subexpressions
from mytorch.graph.passes.dead_code import dead_code
from mytorch.graph.passes.fusion import fusion
from mytorch.graph.passes.layout import layout
from mytorch.graph.passes.memory import memory
from mytorch.graph.plan import PassReport, PassReports, Plan

TABLE: dict[str, Callable[[Plan], Plan]] = {
    "dead code": dead_code,
    "common subexpressions": common_subexpressions,
    "layout": layout,
    "fusion": fusion,
    "memory": memory,
}
PASSES = tuple(TABLE)


def chosen(names: Sequence[str] | None) -> tuple[str, ...]:
    """The passes to run in their order. Raises ValueError for a name that is none of ``PASSES``."""
    if names is None:
        return PASSES
    for name in names:
        if name not in TABLE:
            raise ValueError(f"There is no pass {name!r}; the passes are {', '.join(PASSES)}.")
    return tuple(name for name in PASSES if name in names)


def run(plan: Plan, names: Sequence[str]) -> Plan:
    """Let the named passes work on a plan and report what each one did."""
    reports = PassReports()
    for name in names:
        before, plan = plan, TABLE[name](plan)
        reports.append(PassReport(name, before, plan))
    return replace(plan, passes=reports)
