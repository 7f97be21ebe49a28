"""Every pass does what it says, and no subset of them changes a result."""

import itertools
import tracemalloc

import numpy as np
import pytest

from mytorch.graph import PASSES, passes
from mytorch.graph.binding import Binding
from tests.graph.nets import batch, training
from tests.graph.test_equal import check

SUBSETS = [subset for size in range(len(PASSES) + 1) for subset in itertools.combinations(PASSES, size)]


@pytest.mark.parametrize("net", ["sigmoid", "dropout", "batchnorm", "tied"])
@pytest.mark.slow
def test_results_are_equal_with_any_subset(net, backend):
    for subset in SUBSETS:
        check(net, n=9, steps=4, passes=subset, backend=backend)


def plan_of(net="relu", n=40, loss="classes", optimizer="momentum", **options):
    step = training(net, loss, optimizer).compiled(backend="numpy", **options)
    step(*batch(np.random.default_rng(0), n, np.float64, loss))
    assert step.plan is not None, step.reason
    return step.plan


def ops(plan):
    return [instruction.op for instruction in plan.instructions]


def test_dead_code_leaves_out_the_gradient_of_the_data():
    raw, plan = plan_of(passes=[]), plan_of(passes=["dead code"])
    assert ops(raw).count("matmul") == ops(plan).count("matmul") + 1
    assert plan.flops < raw.flops


def test_common_subexpressions_are_computed_once():
    plan = plan_of("sigmoid", passes=["common subexpressions"])
    assert ops(plan_of("sigmoid", passes=[])).count("absolute") == 2
    assert ops(plan).count("absolute") == 1


def test_layout_turns_activations():
    plan = plan_of(passes=["layout"])
    first = next(i for i in plan.instructions if i.op == "matmul")
    assert first.output in plan.transposed
    array = Binding(plan).arrays[first.output]
    assert array.shape == (40, 7)
    assert array.flags.f_contiguous


def test_fusion_joins_elementwise_instructions():
    plan = plan_of("sigmoid", passes=["dead code", "fusion"])
    fused = [i for i in plan.instructions if i.op == "fused"]
    assert any({"absolute", "negative", "exp"} <= {part.op for part in i.parts} for i in fused)
    assert any(i.inner for i in fused)
    assert plan.flops == plan_of("sigmoid", passes=["dead code"]).flops


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_fusion_joins_a_product_with_its_update_unless_the_weight_is_read_later(optimizer):
    def updated(op, net):
        plan = plan_of(net, optimizer=optimizer, passes=["dead code", "fusion"])
        return [i.writes[0].shape for i in plan.instructions if i.op == op and min(i.writes[0].shape) > 1]

    apart = "adam" if optimizer == "adam" else "sgd"
    assert sorted(updated("matmul_update", "relu")) == [(3, 7), (7, 5)]
    assert updated(apart, "relu") == []
    assert updated("matmul_update", "borrowed") == [(7, 5)]
    assert updated(apart, "borrowed") == [(7, 7)]


def test_memory_lets_buffers_share_only_what_is_free():
    for net in ("sigmoid", "batchnorm", "views", "concatenate", "tied", "dropout"):
        for subset in (["memory"], PASSES):
            plan = plan_of(net, passes=subset)
            assert plan.arena_bytes < sum(value.nbytes for value in plan.buffers())
            no_value_is_overwritten_while_it_lives(plan)


def no_value_is_overwritten_while_it_lives(plan):
    """Go through the plan and note who wrote last to each byte of the arena; readers must find what was meant for them."""
    root = {}
    written = np.full(plan.arena_bytes, -1)
    names = {}
    for instruction in plan.instructions:
        if instruction.op == "view":
            root[instruction.output] = root.get(instruction.inputs[0], instruction.inputs[0])
        for part in instruction.parts or (instruction,):
            for value in part.inputs:
                value = root.get(value, value)
                if value in plan.offsets and part.op != "view":
                    offset = plan.offsets[value]
                    assert (written[offset : offset + value.nbytes] == names[value]).all()
            for value in part.outputs:
                if value in plan.offsets:
                    names[value] = len(names)
                    written[plan.offsets[value] : plan.offsets[value] + value.nbytes] = names[value]
    for value in plan.outputs:
        value = root.get(value, value)
        offset = plan.offsets[value]
        assert (written[offset : offset + value.nbytes] == names[value]).all()


def test_large_fused_instructions_run_piece_by_piece(backend):
    plan = plan_of("sigmoid", n=12_000)
    fused = next(i for i in plan.instructions if i.inner)
    inner = next(iter(fused.inner))
    assert Binding(plan).arrays[inner].size < inner.size
    check("sigmoid", n=12_000, steps=3, backend=backend)


@pytest.mark.parametrize("optimizer", ["nesterov", "adamw"])
@pytest.mark.parametrize("net", ["relu", "sigmoid", "dropout", "batchnorm", "softmax"])
@pytest.mark.slow
def test_a_replay_allocates_no_array(net, optimizer, backend):
    n = 20_000  # a number per sample takes 160 kB
    one = training(net, optimizer=optimizer)
    step = one.compiled(backend=backend)
    rng = np.random.default_rng(0)
    batches = [batch(rng, n, np.float64, "classes") for _ in range(8)]
    for x, y in batches[:4]:
        step(x, y)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for x, y in batches[4:]:
            step(x, y)
        most = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    # Views of the arguments, the loss; and NumPy's iterator takes memory for up to 8192 entries where it broadcasts.
    assert most < (12_000 if backend == "c" and net in ("relu", "sigmoid", "softmax") else 100_000)


def test_the_plan_knows_its_memory():
    plan = plan_of("sigmoid", n=3000)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        binding = Binding(plan)
        found = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert binding.arena.nbytes == plan.buffer_bytes
    assert plan.buffer_bytes <= found < 1.1 * plan.buffer_bytes + 20_000
    before_planning = plan.passes[-1].nbytes[0]
    assert plan.passes[-1].name == "memory"
    assert before_planning > 1.5 * plan.buffer_bytes


def test_what_is_printed():
    plan = plan_of()
    text = str(plan)
    assert f"{plan.flops:,} FLOPs" in text
    assert "Linear0.W" in text
    assert "(40,7)" in text
    for name in PASSES:
        assert name in str(plan.passes)


def test_unknown_passes_are_refused():
    with pytest.raises(ValueError, match="no pass 'magic'"):
        passes.chosen(["magic"])
