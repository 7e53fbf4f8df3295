"""What the tests of the tools share: the server of the tests of fetching."""

from tests.web.conftest import server

__all__ = ["server"]
