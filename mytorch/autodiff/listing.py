"""trace: the operation list of a function, as the homework's engine, to be printed and differentiated."""

from __future__ import annotations

from typing import Any

import numpy as np

from mytorch.autodiff.aliases import Function
from mytorch.autodiff.core import call_and_close
from mytorch.autodiff.traced import dtype_of, plain
from mytorch.autodiff.tracing import ReverseTrace, Step
from mytorch.autodiff.transforms import named
from mytorch.autodiff.tree import flatten
from mytorch.autograd_engine import Autograd


def trace(fun: Function) -> Function:
    """``trace(fun)(*args)``: an Autograd engine that holds the operations of fun on args, in the order they were done.

    Every argument that is a float or complex array, or a tree of them, is a variable. print(engine) shows the table;
    ``engine.backward(engine.operation_list[-1].output)`` is the homework's backward pass, and
    ``engine.gradient_buffer.get_param(x)`` reads the gradient of an argument array. Numbers become arrays of shape ().
    """

    @named(fun, "trace")
    def traced(*args: Any, **kwargs: Any) -> Autograd:
        leaves, build = flatten(args)
        trace = ReverseTrace(whole=True)
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
        for step in trace.operation_list:
            # The engine knows an array by where it lies, so a result that shares its argument's memory is copied.
            multiple = isinstance(step.output, tuple)
            outputs = [np.array(part) for part in (step.output if multiple else (step.output,))]
            inputs = [known[node] if node else value for value, node in zip(step.inputs, step.parents)]
            inputs = [np.asarray(x) if isinstance(x, np.generic) else x for x in inputs]
            known.update(zip(step.node if multiple else (step.node,), outputs))
            output = tuple(outputs) if multiple else outputs[0]
            engine.add_operation(inputs, output, [None] * len(inputs), _backward_of(step, output))
        return engine

    return traced


def _backward_of(step: Step, output: Any) -> Function:
    """A step's rule in the homework's form, ``f(grad_output, *inputs)``."""

    def backward(grad_output: Any, *inputs: Any) -> Any:
        gradients = step.rule.pull(grad_output, output, inputs, step.kwargs, step.parents)
        return tuple(g if node else None for g, node in zip(gradients, step.parents))

    backward.__name__ = f"{step.rule.name}_backward"
    return backward
