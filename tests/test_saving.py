"""Models in files: what comes back, what is refused, what a failed save leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import mytorch
from mytorch import Autograd, nn, saving


def test_a_network_comes_back_with_its_description(tmp_path: Path, engine: Autograd) -> None:
    net = nn.Sequential(nn.Linear(3, 4, engine, rng=0), nn.BatchNorm1d(4, engine), nn.Linear(4, 2, engine, rng=1))
    net(np.random.default_rng(0).standard_normal((5, 3)))
    about = {"sizes": [3, 4, 2], "classes": ["no", "été"], "mean": 0.1, "none": None}
    path = tmp_path / "mon modèle.npz"
    mytorch.save(path, net.state_dict(), about)
    saved = mytorch.load(path)
    assert saved.about == about
    other = nn.Sequential(nn.Linear(3, 4, engine, rng=5), nn.BatchNorm1d(4, engine), nn.Linear(4, 2, engine, rng=6))
    other.load_state_dict(saved.state)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], array)
        assert saved.state[name].dtype == array.dtype
    mytorch.save(path, {}, None)
    assert mytorch.load(path) == ({}, {})


@pytest.mark.parametrize(
    ("state", "about", "text"),
    [
        ({"W": np.array([object()])}, {}, "W has dtype object"),
        ({"W": np.array(["text"])}, {}, "only arrays of numbers"),
        ({}, {"net": object()}, "JSON"),
        ({}, {"array": np.ones(2)}, "JSON"),
    ],
)
def test_what_cannot_be_saved_is_refused_before_anything_is_written(tmp_path: Path, state, about, text) -> None:
    with pytest.raises(TypeError, match=text):
        mytorch.save(tmp_path / "m.npz", state, about)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no file"):
        mytorch.load(tmp_path / "none.npz")
    path = tmp_path / "m.npz"
    mytorch.save(path, {"W": np.ones((100, 100))})
    whole = path.read_bytes()
    np.savez(tmp_path / "other.npz", a=np.ones(2))
    for name, raw in (("empty", b""), ("cut", whole[: len(whole) // 2]), ("text", b"hello"), ("pickle", b"\x80\x04N.")):
        (tmp_path / name).write_bytes(raw)
    for name in ("empty", "cut", "text", "pickle", "other.npz"):
        with pytest.raises(ValueError, match=r"was not written by mytorch\.save"):
            mytorch.load(tmp_path / name)


def test_a_save_that_fails_leaves_the_previous_file_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    mytorch.save(path, {"W": np.ones(3)})
    before = path.read_bytes()

    def fail(file) -> None:
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        saving.write_atomically(path, fail)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
