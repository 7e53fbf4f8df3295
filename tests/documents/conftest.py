"""The server on the loopback interface that some of these tests read from."""

from tests.web.conftest import server

__all__ = ["server"]
