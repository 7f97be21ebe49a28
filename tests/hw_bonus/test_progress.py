"""Progress of a training: lines alone, or a bar where the output is a terminal or a notebook's cell."""

from __future__ import annotations

import io
import sys

import pytest

from hw_bonus import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


Cell = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})


@pytest.mark.parametrize(
    ("out", "err", "bar_is_on"), [(Terminal, Terminal, "err"), (Cell, Cell, "out"), (io.StringIO, Terminal, "")]
)
def test_a_bar_where_it_can_be_shown(monkeypatch: pytest.MonkeyPatch, out: type, err: type, bar_is_on: str) -> None:
    pytest.importorskip("tqdm")
    streams = {"out": out(), "err": err()}
    monkeypatch.setattr(sys, "stdout", streams["out"])
    monkeypatch.setattr(sys, "stderr", streams["err"])
    bar = progress.start(2, 3, 0, lambda row: f"loss {row['loss']}")
    for number in (1, 2):
        for _ in range(3):
            bar.step()
        bar.epoch(number, {"loss": 0.5})
    bar.close()
    assert [name for name, stream in streams.items() if "|" in stream.getvalue()] == [bar_is_on][: bool(bar_is_on)]
    assert "epoch 2/2  loss 0.5" in streams["out"].getvalue()
