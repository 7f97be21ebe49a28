"""Worker process for one framework: makes steps, runs them and times them on request.

Requests and answers are lines of JSON. The framework's own prints go to stderr, where they disturb nobody.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    state: dict[str, Callable[[], float]] = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"value": _answer(state, **request)}
        except ImportError as error:
            answer = {"missing": str(error)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _answer(state: dict[str, Callable[[], float]], do: str, **arguments: Any) -> Any:
    if do == "call":
        return _find(arguments["function"])(**arguments["keywords"])
    if do == "make":
        # The previous step's arrays go before the next one's come.
        state.clear()
        gc.collect()
        state["step"] = _find(arguments["function"])(**arguments["keywords"])
        return None
    if do == "run":
        step = state["step"]
        return [step() for _ in range(arguments["steps"])]
    if do == "time":
        return time_steps(state["step"], arguments["steps"])
    raise ValueError(f"A worker can call, make, run and time, not {do}.")


def time_steps(step: Callable[[], float], steps: int) -> float:
    """Seconds for this many steps. The garbage collector stays on, as users have it."""
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    return time.perf_counter() - begin


def _find(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


if __name__ == "__main__":
    main()
