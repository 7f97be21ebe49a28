"""print(engine): the list as a table."""

from functools import partial

import numpy as np

from mytorch.nn import Linear, ReLU
from mytorch.nn import functional as F
from mytorch.operation import describe_rule
from mytorch.report import LONGEST


def test_an_empty_list_says_so(engine):
    assert str(engine) == "Autograd: no operations recorded"


def test_the_table_says_who_made_what(engine):
    layer = Linear(3, 2, engine, rng=0)
    h = layer(np.ones((4, 3)))
    y = ReLU(engine)(h)
    engine.add_operation([y, 2.0], y * 2, [None, None], F.mul_backward)
    lines = str(engine).splitlines()
    assert lines[0] == "Autograd: 3 operations"
    assert lines[1].split() == ["#", "operation", "inputs", "from", "output", "updates"]
    assert lines[3].split("  ")[0:2] == ["0", "linear"]
    assert "(4,3)  (2,3)  (2,1)" in lines[3]
    assert "given  given  given" in lines[3]
    assert lines[3].endswith("input 1  input 2")
    assert lines[4].split() == ["1", "max", "(4,2)", "#0", "(4,2)", "-"]
    assert lines[5].split() == ["2", "mul", "(4,2)", "2.0", "#1", "constant", "(4,2)", "-"]


def test_one_operation_is_singular_and_several_outputs_are_shown(engine):
    x = np.ones(4)
    engine.add_operation([x], (x[:1] * 1, x[1:] * 1), [None], lambda g, x: np.concatenate(g))
    lines = str(engine).splitlines()
    assert lines[0] == "Autograd: 1 operation"
    assert "(1,)  (3,)" in lines[3]
    assert repr(engine.operation_list[0]) == "Operation(<lambda>: (4,) -> (1,), (3,))"


def test_a_long_list_is_shown_by_its_ends(engine):
    x = np.ones(1)
    for _ in range(LONGEST + 3):
        y = -x
        engine.add_operation([x], y, [None], F.neg_backward)
        x = y
    lines = str(engine).splitlines()
    half = LONGEST // 2
    assert lines[3 + half] == "... 3 more operations ..."
    numbers = [line.split()[0] for line in lines[3:] if not line.startswith("...")]
    assert numbers == [str(n) for n in [*range(half), *range(half + 3, LONGEST + 3)]]


def test_rules_have_names_for_people():
    class Scale:
        def __call__(self, g, x):
            return g

    assert describe_rule(F.matmul_backward) == "matmul"
    assert describe_rule(partial(partial(F.sum_backward, axis=0), keepdims=True)) == "sum"
    assert describe_rule(Scale()) == "Scale"
