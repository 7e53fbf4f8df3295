"""A browser for all tests of the pages, and a server with a model that plays a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airoagent.records.run_record import Run
from airoagent.view.page import render_page
from tests.view.chromium import CHROMIUM, Chromium

Show = Callable[[Run], Chromium]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One browser for all tests; each test opens its own page in it."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (apt-get install --no-install-recommends chromium)")
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def show(chromium: Chromium, tmp_path: Path) -> Show:
    """Write a run's page to a file and open it in the browser."""

    def open_page(run: Run) -> Chromium:
        file = tmp_path / "run.html"
        file.write_text(render_page(run), encoding="utf-8")
        chromium.look()
        chromium.open(file.as_uri())
        return chromium

    return open_page
