"""Checkpoints: one .npz file without pickle. A save that is killed half-way never harms the previous file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from hw_bonus.errors import BadInput
from mytorch.saving import write_atomically

FORMAT = "mytorch checkpoint 1"


def save(path: str | Path, meta: dict[str, Any], arrays: dict[str, dict[str, Any]]) -> None:
    """Writes meta, which JSON has to be able to hold, and groups of arrays, {"model": {"W": array}}. Raises OSError."""
    flat = {f"{group}/{name}": np.asarray(array) for group in arrays for name, array in arrays[group].items()}
    text = np.asarray(json.dumps({"format": FORMAT, **meta}))
    write_atomically(path, lambda file: np.savez(file, meta=text, **flat))  # type: ignore[arg-type]


def load(path: str | Path) -> tuple[dict[str, Any], dict[str, dict[str, np.ndarray]]]:
    """The (meta, groups of arrays) of a checkpoint. Raises BadInput if the file is missing or damaged."""
    if not Path(path).is_file():
        raise BadInput(f"checkpoint {path} does not exist; give a file that --save wrote")
    try:
        with np.load(path, allow_pickle=False) as archive:
            contents = {name: archive[name] for name in archive.files}
        meta = json.loads(str(contents.pop("meta")[()]))
        if meta.pop("format") != FORMAT:
            raise ValueError("another format")
    except Exception as error:  # np.load, zipfile and json raise a dozen kinds of errors for damaged files
        raise BadInput(f"{path} is damaged or no checkpoint of this program; give a file that --save wrote") from error
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name, array in contents.items():
        group, _, member = name.partition("/")
        groups.setdefault(group, {})[member] = array
        if array.dtype.kind not in "uif" or not np.isfinite(array).all():
            raise BadInput(f"{path} holds NaN or infinity in {name}; start anew or use an older one")
    return meta, groups
