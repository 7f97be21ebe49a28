"""Plans are made by the backend that the test asks for."""

import pytest

BACKENDS = ["numpy", "c"]


@pytest.fixture(params=BACKENDS)
def backend(request):
    """Each backend in turn; the C backend is skipped where there is none."""
    if request.param == "c":
        c = pytest.importorskip("mytorch.graph.backends.c")
        try:
            c.self_test()
        except c.Unavailable as reason:
            pytest.skip(f"the C backend is not available: {reason}")
    return request.param
