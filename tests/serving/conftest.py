"""The browser of the tests of the pages, a tool that waits, and a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airoagent.records.store import Store
from tests.serving.running import Gate
from tests.view.conftest import chromium

__all__ = ["chromium"]


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "runs.sqlite3")
    yield store
    store.close()
