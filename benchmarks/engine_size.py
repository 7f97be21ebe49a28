"""The size of the engine: lines of code of its files, and what one training step of README's network touches.

``python -m benchmarks.engine_size`` prints the figures. A line of code is one with a token of Python on it that is no
comment and no docstring.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
ENGINE = ("mytorch/operation.py", "mytorch/autograd_engine.py", "mytorch/utils.py")
CHECKS = ("mytorch/checks.py",)
LAYOUT = {tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def code_lines(source: str) -> int:
    """The number of lines of code in a source text."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in LAYOUT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def lines_of(names: tuple[str, ...]) -> int:
    """The lines of code of some files together, by their names in the repository."""
    return sum(code_lines((ROOT / name).read_text(encoding="utf-8")) for name in names)


def touched_by_a_step() -> tuple[list[str], list[str]]:
    """The files and functions of ``mytorch`` that run in one training step of README's network, sorted."""
    from mytorch import Autograd, nn, optim

    x, labels = np.random.default_rng(0).standard_normal((32, 64)), np.arange(32) % 10
    engine = Autograd()
    net = nn.Sequential(nn.Linear(64, 32, engine, rng=0), nn.ReLU(engine), nn.Linear(32, 10, engine, rng=1))
    loss, optimizer = nn.SoftmaxCrossEntropy(engine), optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    def step() -> None:
        engine.zero_grad()
        optimizer.zero_grad()
        loss(labels, net(x))
        loss.backward()
        optimizer.step()

    step()  # what happens once only, such as an optimiser's first look at its parameters, is no part of a step
    functions: set[tuple[str, str]] = set()

    def look(frame: FrameType, event: str, _: Any) -> None:
        path, code = Path(frame.f_code.co_filename), frame.f_code
        if event == "call" and not code.co_name.startswith("<") and path.is_relative_to(ROOT / "mytorch"):
            name = getattr(code, "co_qualname", code.co_name)
            functions.add((path.relative_to(ROOT).as_posix(), f"{name}:{code.co_firstlineno}"))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        step()
    finally:
        sys.setprofile(before)
    return sorted({path for path, _ in functions}), sorted(f"{path}:{name}" for path, name in functions)


def main() -> None:
    """Print the figures."""
    files, functions = touched_by_a_step()
    print(f"Operation, Autograd and GradientBuffer: {lines_of(ENGINE)} lines of code")
    print(f"with what they refuse (checks.py): {lines_of(ENGINE + CHECKS)} lines of code")
    print(f"one training step of README's network: {len(files)} files, {len(functions)} functions")


if __name__ == "__main__":
    main()
