"""What the tests of fetching share: a server on the loopback interface."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.loopback import Loopback, loopback


@pytest.fixture
def server() -> Iterator[Loopback]:
    """A running server without routes; a test gives it what it needs."""
    with loopback({}) as running:
        yield running
