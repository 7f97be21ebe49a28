"""The page as a file: whole, safe, small, quick; and the ways to ask for it."""

import json
import re
import time

import numpy as np
import pytest

import mytorch.viewer
from mytorch import Autograd
from mytorch.viewer import page, watch, write
from tests.viewer.lists import HOSTILE, ODD, chain, hostile_names, lecture, network


def data_of(path):
    text = path.read_text(encoding="utf-8")
    (content,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return json.loads(content)


def test_a_page_is_whole_and_loads_nothing(engine, tmp_path):
    lecture(engine)
    text = write(engine, tmp_path / "steps.html", "A title").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert text.rstrip().endswith("</html>")
    assert "<!-- " not in text.replace("<!-- <img", "")
    assert "<title>A title</title>" in text
    assert not re.search(
        r"<(link|img|iframe)\b|\bsrc=|@import|url\((?!#)|fetch\(|https?://(?!www\.w3\.org/2000/svg)", text
    )


def test_names_cannot_end_a_script(engine, tmp_path):
    hostile_names(engine)
    path = write(engine, tmp_path / "steps.html", HOSTILE)
    text = path.read_text(encoding="utf-8")
    assert text.count("<script") == text.count("</script>") == 1 + len(page.SCRIPTS)
    assert "<img" not in text
    data = data_of(path)
    assert data["title"] == HOSTILE
    assert data["operations"][0]["inputs"][0]["constant"].startswith(repr(HOSTILE)[:50])
    assert len(data["operations"][0]["name"]) <= 60


@pytest.mark.parametrize("program", ODD)
@pytest.mark.parametrize("watched", [True, False])
def test_odd_lists_have_a_page(engine, tmp_path, program, watched):
    if watched:
        with watch(engine):
            program(engine)
    else:
        program(engine)
    with np.errstate(all="ignore"):
        data = data_of(write(engine, tmp_path / "steps.html"))
    assert len(data["operations"]) == len(engine.operation_list)
    assert data["steps"][-1]["kind"] == "end"


def test_an_empty_list_has_a_page(engine, tmp_path):
    data = data_of(write(engine, tmp_path / "steps.html"))
    assert (data["operations"], data["steps"]) == ([], [{"kind": "begin"}])


@pytest.mark.slow
def test_a_large_list_makes_a_small_page_quickly(engine, tmp_path):
    engine.backward(chain(engine, 1000, 10_000))
    began = time.process_time()
    path = write(engine, tmp_path / "steps.html")
    # 2 seconds are meant for the reader's laptop; a busy machine may take a few times as long.
    assert time.process_time() - began < 8
    assert path.stat().st_size < 5_000_000


def test_what_was_left_out_is_said(engine, tmp_path):
    chain(engine, 3, 100_000)
    notes = data_of(write(engine, tmp_path / "steps.html"))["notes"]
    assert any("3 operations made 300,000 values" in note and "4,096 of their entries" in note for note in notes)


def test_a_list_that_nobody_watched_says_so(engine, tmp_path):
    lecture(engine)
    assert "mytorch.viewer.watch(engine)" in data_of(write(engine, tmp_path / "steps.html"))["notes"][0]
    watched = Autograd()
    with watch(watched):
        network(watched)
    assert data_of(write(watched, tmp_path / "steps.html"))["notes"] == []


def test_show_says_where_the_page_lies(engine, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(page.sys, "platform", "linux")
    lecture(engine)
    path = engine.show(tmp_path / "steps.html")
    printed = capsys.readouterr().out
    assert str(path) in printed
    assert "no browser" in printed
    assert data_of(path)["variables"][0]["name"] == "given1"


def test_show_opens_a_browser_where_there_is_one(engine, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    opened = []
    monkeypatch.setattr(page.webbrowser, "open", lambda address: opened.append(address) or True)
    x = np.array([1.0])
    engine.add_operation([x], np.exp(x), [None], lambda g, a: g)
    path = engine.show()
    assert opened == [path.as_uri()]
    assert "no browser" not in capsys.readouterr().out
    assert data_of(path)["variables"][0]["name"] == "x"


def test_all_that_is_public_is_documented():
    assert all(getattr(mytorch.viewer, name).__doc__ for name in mytorch.viewer.__all__)
