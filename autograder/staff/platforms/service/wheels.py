"""Unpacking of vendored wheels that fit this Python, without network or pip: ``wheels.py WHEELS TARGET``."""

from __future__ import annotations

import platform
import sys
import zipfile
from pathlib import Path, PurePosixPath


class NoWheel(Exception):
    """No wheel of a package fits. The message names the Python and the machine."""


def fits(name: str) -> bool:
    """True if a wheel of this file name runs here, by its tags for Python, ABI and platform."""
    parts = name.removesuffix(".whl").split("-")
    if not name.endswith(".whl") or len(parts) not in (5, 6):
        return False
    pythons, interfaces, platforms = (part.split(".") for part in parts[-3:])
    own = f"cp3{sys.version_info[1]}"
    pure = "none" in interfaces and any(p in ("py3", "py2", own, f"py3{sys.version_info[1]}") for p in pythons)
    exact = own in pythons and own in interfaces
    stable = "abi3" in interfaces and any(
        p.startswith("cp3") and p[3:].isdigit() and int(p[3:]) <= sys.version_info[1] for p in pythons
    )
    kind = "musllinux" if platform.libc_ver()[0] != "glibc" else ("manylinux", "linux")
    here = sys.platform == "linux" and any(p.startswith(kind) and p.endswith(platform.machine()) for p in platforms)
    mac = sys.platform == "darwin" and any(
        p.startswith("macosx") and p.endswith((platform.machine(), "universal2")) for p in platforms
    )
    return (pure and "any" in platforms) or ((pure or exact or stable) and (here or mac))


def unpack(wheels: Path, target: Path) -> list[str]:
    """Unpack one fitting wheel of each package; returns their file names. Raises NoWheel if a package has none."""
    packages: dict[str, list[str]] = {}
    for path in sorted(wheels.glob("*.whl")):
        packages.setdefault(path.name.split("-")[0].lower(), []).append(path.name)
    chosen = []
    for package, names in packages.items():
        fitting = [name for name in names if fits(name)]
        if not fitting:
            raise NoWheel(
                f"no wheel of {package} fits Python {sys.version_info[0]}.{sys.version_info[1]} on {sys.platform} "
                f"{platform.machine()}; there is {', '.join(names)}. Build the package again with one that does."
            )
        chosen.append(fitting[-1])
    target.mkdir(parents=True, exist_ok=True)
    for name in chosen:
        with zipfile.ZipFile(wheels / name) as wheel:
            for member in wheel.infolist():
                parts = PurePosixPath(member.filename).parts
                if member.is_dir() or ".." in parts or member.filename.startswith("/") or parts[0].endswith(".data"):
                    continue
                path = target.joinpath(*parts)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(wheel.read(member))
    return chosen


if __name__ == "__main__":
    try:
        print("unpacked " + ", ".join(unpack(Path(sys.argv[1]), Path(sys.argv[2]))))
    except NoWheel as error:
        sys.exit(str(error))
