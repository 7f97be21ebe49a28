"""trace: the operation list of a function, as the homework's engine, to be printed and differentiated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mytorch.autodiff.aliases import Array, Function, Settings
from mytorch.autodiff.core import call_and_close
from mytorch.autodiff.traced import dtype_of, plain
from mytorch.autodiff.tracing import ReverseTrace, Step, Variable
from mytorch.autodiff.transforms import named
from mytorch.autodiff.tree import flatten
from mytorch.autograd_engine import Autograd
from mytorch.report import calling_frame


def trace(fun: Function) -> Function:
    """``trace(fun)(*args)``: an Autograd engine that holds the operations of fun on args, in the order they were done.

    Every argument that is a float or complex array, or a tree of them, is a variable. print(engine) shows the table;
    ``engine.backward(engine.operation_list[-1].output)`` is the homework's backward pass, and
    ``engine.gradient_buffer.get_param(x)`` reads the gradient of an argument array. Numbers become arrays of shape ().
    """

    @named(fun, "trace")
    def traced(*args: Any, **kwargs: Any) -> Autograd:
        leaves, build = flatten(args)
        trace = NotingTrace()
        known: dict[int, Any] = {}
        arguments = []
        for leaf in leaves:
            kind = dtype_of(leaf).kind
            value = np.asarray(plain(leaf)) if kind in "fc" else leaf
            arguments.append(trace.variable(value) if kind in "fc" else leaf)
            if kind in "fc":
                known[trace.count] = value
        call_and_close(trace, lambda: fun(*build(iter(arguments)), **kwargs))
        engine = Autograd()
        for step, line in zip(trace.operation_list, trace.lines):
            # The engine knows an array by where it lies, so a result that shares its argument's memory is copied.
            multiple = isinstance(step.output, tuple)
            outputs = [np.array(part) for part in (step.output if multiple else (step.output,))]
            inputs = [known[node] if node else value for value, node in zip(step.inputs, step.parents)]
            inputs = [np.asarray(x) if isinstance(x, np.generic) else x for x in inputs]
            known.update(zip(step.node if multiple else (step.node,), outputs))
            output = tuple(outputs) if multiple else outputs[0]
            engine.add_operation(inputs, output, [None] * len(inputs), Recorded(step, output, line, trace.names))
        return engine

    return traced


class NotingTrace(ReverseTrace):
    """A trace whose steps are looked at by people: they keep every array, and the lines and names of the user's code.

    ``lines``: for each step the file, the line number and the function that asked for it, None if unknown. ``names``: for
    a node the name of a variable that holds it.
    """

    __slots__ = ("lines", "names")

    def __init__(self) -> None:
        super().__init__(whole=True)
        self.lines: list[tuple[str, int, str] | None] = []
        self.names: dict[int, str] = {}

    def record(self, rule: Any, args: Sequence[Any], kwargs: Settings) -> Any:
        result = super().record(rule, args, kwargs)
        frame = calling_frame()
        self.lines.append(frame and (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        for name, value in frame.f_locals.items() if frame else ():
            if type(value) is Variable and value.owner is self:
                self.names.setdefault(value.node, name)
        return result


class Recorded:
    """A step's rule in the homework's form, ``f(grad_output, *inputs)``.

    ``line`` is the user's line that asked for the step, ``input_names`` the names of its inputs there.
    """

    def __init__(self, step: Step, output: Any, line: tuple[str, int, str] | None, names: dict[int, str]) -> None:
        self.__name__ = f"{step.rule.name}_backward"
        self.step, self.output, self.line = step, output, line
        self.input_names = [names.get(node) if node else None for node in step.parents]

    def __call__(self, grad_output: Any, *inputs: Any) -> Any:
        step = self.step
        gradients = step.rule.pull(grad_output, self.output, inputs, step.kwargs, step.parents)
        return tuple(g if node else None for g, node in zip(gradients, step.parents))

    def push(self, tangents: Sequence[Array | None], inputs: Sequence[Any]) -> Any:
        """The output's tangent, given those of the inputs (None for zero), as forward mode computes it."""
        return self.step.rule.push(tangents, self.output, inputs, self.step.kwargs)
