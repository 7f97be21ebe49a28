"""The site of docs/: it builds without a warning, loads nothing from the network, and its formulas are MathML."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What a browser fetches by itself; a link that one clicks on may lead elsewhere.
LOADED = re.compile(
    r"<(?:script|img|iframe|source)[^>]*\ssrc=\"?(?:https?:)?//|<link[^>]*rel=\"?(?:stylesheet|preconnect|icon)[^>]*//"
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, built once; a link or an anchor that leads nowhere ends the build."""
    for extra in ("material", "mkdocstrings_handlers.python", "latex2mathml"):
        pytest.importorskip(extra, reason="the site needs the extra docs")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_no_page_loads_anything_from_the_network(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) >= 15
    for page in pages:
        assert not LOADED.search(page.read_text(encoding="utf-8")), page


def test_formulas_are_mathml(site: Path) -> None:
    text = (site / "writeup.html").read_text(encoding="utf-8")
    assert text.count("<math ") > 50
    assert "FORMULA" not in text


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("engine", "mytorch.Autograd.backward"),
        ("engine", "mytorch.nn.functional.matmul_backward"),
        ("layers", "mytorch.nn.Linear"),
        ("optim", "mytorch.optim.AdamW"),
        ("autodiff", "mytorch.autodiff.hessian"),
        ("plans", "mytorch.graph.Plan"),
        ("tools", "mytorch.gradcheck.gradcheck"),
    ],
)
def test_the_reference_has_what_is_public(site: Path, page: str, name: str) -> None:
    assert f'id="{name}"' in (site / "reference" / f"{page}.html").read_text(encoding="utf-8")


def test_a_page_opened_from_disk_is_searched_without_the_network(site: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium or Chrome is installed")
    complaints: list[str] = []
    with playwright.sync_playwright() as engine:
        page = engine.chromium.launch(executable_path=path, args=["--no-sandbox"]).new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
        page.goto((site / "index.html").as_uri())
        page.keyboard.press("/")
        page.keyboard.type("unbroadcast")
        page.locator(".md-search-result__link", has_text="unbroadcast").first.wait_for()
    assert complaints == []


def test_each_argument_begins_a_line_of_the_reference(site: Path) -> None:
    text = (site / "reference" / "plans.html").read_text(encoding="utf-8")
    assert "<p><code>function</code>: computes the loss" in text
    assert "<br><code>optimizer</code>: one of" in text
