"""Random networks, losses and optimisers: compiled training equals eager training, repeats itself and resumes exactly."""

import numpy as np
import pytest

pytest.importorskip("hypothesis", reason="Hypothesis is not installed, so no random networks were trained")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.graph.nets import largest_difference
from tests.graph.random_nets import descriptions

# The fixture only names a backend; it has no state that examples could share.
EXAMPLES = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
STEPS = 30


def train(description, backend, begin=0, end=STEPS, of=None, by=lambda number: "compiled", **options):
    """Train from one step to another, each made as ``by`` says; returns (training, schedule, losses, compiled step)."""
    training, schedule = of or description.build()
    step = training.compiled(passes=description.passes, backend=backend, **options)
    losses = []
    for number in range(begin, end):
        x, y = description.batch(number)
        losses.append(step(x, y) if by(number) == "compiled" else training.eager(x, y))
        if schedule is not None:
            schedule.step()
    return training, schedule, losses, step


def assert_close(description, found, expected):
    """Two trainings whose losses, parameters, gradients and states agree to rounding."""
    (one, _, losses, _), (other, _, wanted, _) = found, expected
    np.testing.assert_allclose(losses, wanted, rtol=description.tolerance, atol=description.tolerance * 1e-2)
    assert largest_difference(one, other) <= description.tolerance


def assert_same_bits(found, expected):
    (one, _, losses, _), (other, _, wanted, _) = found, expected
    assert losses == wanted
    arrays, others = one.arrays(), other.arrays()
    assert arrays.keys() == others.keys()
    for name, value in others.items():
        np.testing.assert_array_equal(arrays[name], value, err_msg=name)


@settings(EXAMPLES, max_examples=40)
@given(description=descriptions())
@pytest.mark.slow
def test_compiled_training_equals_eager_training(backend, description):
    found = train(description, backend)
    assert found[3].plan is not None, str(found[3])
    assert found[3].plan.backend == backend
    assert_close(description, found, train(description, backend, by=lambda number: "eager"))


@settings(EXAMPLES, max_examples=15)
@given(description=descriptions(dtype="float64"), eager=st.sets(st.integers(0, STEPS - 1)))
@pytest.mark.slow
def test_eager_and_compiled_steps_mixed(backend, description, eager):
    found = train(description, backend, by=lambda number: "eager" if number in eager else "compiled")
    assert_close(description, found, train(description, backend, by=lambda number: "eager"))


@settings(EXAMPLES, max_examples=15)
@given(description=descriptions())
@pytest.mark.slow
def test_the_same_run_gives_the_same_bits(backend, description):
    assert_same_bits(train(description, backend, end=8), train(description, backend, end=8))


@settings(EXAMPLES, max_examples=15)
@given(description=descriptions(), at=st.integers(1, 11))
@pytest.mark.slow
def test_a_resumed_run_gives_the_bits_of_an_uninterrupted_one(backend, description, at):
    whole = train(description, backend, end=12)
    begun, schedule, losses, _ = train(description, backend, end=at)
    resumed, other_schedule = description.build()
    resumed.net.load_state_dict(begun.net.state_dict())
    resumed.optimizer.load_state_dict(begun.optimizer.state_dict())
    for (_, one), (_, other) in zip(begun.net.modules(), resumed.net.modules()):
        if hasattr(one, "rng"):
            other.rng.bit_generator.state = one.rng.bit_generator.state
    if schedule is not None:
        other_schedule.load_state_dict(schedule.state_dict())
    last = train(description, backend, begin=at, end=12, of=(resumed, other_schedule))
    assert_same_bits((last[0], last[1], losses + last[2], last[3]), whole)


@settings(EXAMPLES, max_examples=15)
@given(description=descriptions())
@pytest.mark.slow
def test_parameters_do_not_depend_on_kept_gradients(backend, description):
    found = train(description, backend, end=8, keep_gradients=False)
    expected = train(description, backend, end=8, by=lambda number: "eager")
    for one, other in zip(found[0].optimizer.parameters, expected[0].optimizer.parameters):
        other.gradient[...] = one.gradient
    assert_close(description, found, expected)


@settings(EXAMPLES, max_examples=15)
@given(description=descriptions(dtype="float64"))
@pytest.mark.slow
def test_inference_equals_the_forward_pass(backend, description):
    training, _, _, _ = train(description, backend, end=3)
    net = training.net

    import mytorch

    predict = mytorch.compile(lambda x: net(x), passes=description.passes, backend=backend)
    found = [predict(description.batch(number)[0]) for number in range(6)]
    assert predict.plan is not None, str(predict)
    net.eval()
    with training.engine.paused():
        for number, scores in enumerate(found):
            expected = net(description.batch(number)[0])
            scale = np.abs(expected).max(initial=1e-3)
            assert np.abs(scores - expected).max(initial=0) <= 1e-12 * scale
