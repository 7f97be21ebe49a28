"""Vendored wheels: those that fit a Python, and unpacking them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from autograder.staff.platforms.service import wheels
from tests.autograder import platform_tools as tools

OWN = f"cp3{sys.version_info[1]}"


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("numpy-2.0-py3-none-any.whl", True),
        ("numpy-2.0-py2.py3-none-any.whl", True),
        ("numpy-2.0-1-py3-none-any.whl", True),
        (f"numpy-2.0-{OWN}-{OWN}-any.whl", False),
        ("numpy-2.0-cp38-cp38-manylinux2014_x86_64.whl", False),
        (f"numpy-2.0-{OWN}-{OWN}-win_amd64.whl", False),
        (f"numpy-2.0-{OWN}-{OWN}-manylinux_2_17_s390x.manylinux2014_s390x.whl", False),
        ("numpy-2.0.zip", False),
        ("numpy.whl", False),
    ],
)
def test_which_wheels_fit(name: str, runs: bool) -> None:
    assert wheels.fits(name) == runs


@pytest.mark.skipif(sys.platform != "linux", reason="names of Linux wheels")
def test_a_wheel_for_this_machine_fits() -> None:
    import platform

    kind = "manylinux_2_17" if platform.libc_ver()[0] == "glibc" else "musllinux_1_2"
    assert wheels.fits(f"numpy-2.0-{OWN}-{OWN}-{kind}_{platform.machine()}.whl")
    assert wheels.fits(f"numpy-2.0-cp38-abi3-{kind}_{platform.machine()}.whl")
    assert not wheels.fits(f"numpy-2.0-cp399-abi3-{kind}_{platform.machine()}.whl")


def test_unpacking_wheels(tmp_path: Path) -> None:
    folder = tools.wheel(
        tmp_path / "wheels", "numpy-2.0-py3-none-any.whl", {"numpy/__init__.py": "", "../x.py": "", "/y": ""}
    )
    assert wheels.unpack(folder, tmp_path / "site") == ["numpy-2.0-py3-none-any.whl"]
    assert [p.name for p in (tmp_path / "site").rglob("*") if p.is_file()] == ["__init__.py"]
    tools.wheel(folder, "other-1-cp38-cp38-win_amd64.whl", {})
    with pytest.raises(wheels.NoWheel, match="no wheel of other fits"):
        wheels.unpack(folder, tmp_path / "again")
