"""Fixtures for tests of pages: a browser, and its pages with all that they complain of."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

OFFLINE = ("file:", "data:", "about:")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def window() -> Iterator[tuple[Any, list[str]]]:
    """A page of a headless Chromium, the system's where there is one, and the list of all that it complains of.

    Tests that need it are skipped where there is none. One page serves all tests, because a new one takes a second.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    complaints: list[str] = []
    with playwright.sync_playwright() as engine:
        try:
            browser = engine.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        except playwright.Error as error:
            pytest.skip(f"No browser could be started: {error}")
        page = browser.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(OFFLINE) else complaints.append(request.url))
        yield page, complaints
        browser.close()


@pytest.fixture
def open_page(window: tuple[Any, list[str]]) -> Iterator[Callable[..., Any]]:
    """``open_page(path, step)``: the page of a file. A complaint of the browser's fails the test in the end.

    width: of the window. media: what the reader prefers, as in ``color_scheme="dark"``.
    """
    page, complaints = window
    complaints.clear()

    def open_page(path: Path, step: int | None = None, width: int = 1400, **media: str) -> Any:
        page.emulate_media(**{"media": "screen", "color_scheme": "light", "reduced_motion": "no-preference", **media})
        page.set_viewport_size({"width": width, "height": 800})
        page.goto("about:blank")  # another step of the page that is open would be no new page
        page.goto(path.resolve().as_uri() + ("" if step is None else f"#step={step}"))
        return page

    yield open_page
    assert complaints == []
