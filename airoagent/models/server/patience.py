"""How often, and for how long, a server that does not answer yet is asked again."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from airoagent.models.server.faults import BUSY, is_loading

if TYPE_CHECKING:
    import httpx

__all__ = ["Patience"]

_LONGEST_PAUSE: Final = 30.0
_LOADING_PAUSE: Final = 2.0
_MOST_KNOCKS: Final = 2
# Another protocol, a name that nobody has, and a name service that is out of reach.
_HOPELESS: Final = ("SSL", "Name or service not known", "nodename nor servname", "getaddrinfo failed", "[Errno -")


class Patience:
    """For one request: ``retries`` more tries, ``pause`` seconds apart, doubling, or as the server asks.

    Where nobody answers at all there are at most two. A server that says it is loading its model is asked again for
    ``timeout`` seconds, without counting.
    """

    def __init__(self, retries: int, pause: float, timeout: float) -> None:
        self._left = retries
        self._pause = pause
        self._knocks = 0
        self._until = time.monotonic() + timeout

    async def again(self, response: httpx.Response, content: bytes) -> bool:
        """Whether to ask again after this answer, now that some time has passed."""
        if is_loading(response.status_code, content) and time.monotonic() < self._until:
            await asyncio.sleep(min(self._pause * 2, _LOADING_PAUSE))
            return True
        if response.status_code not in BUSY:
            return False
        asked = response.headers.get("retry-after", "")
        return await self._wait(float(asked) if asked.isdecimal() else None)

    async def once_more(self, error: Exception) -> bool:
        """Whether to try once more where nobody answered: not where waiting cannot help, and not for long."""
        import httpx

        hopeless = isinstance(error, httpx.ConnectTimeout) or any(word in str(error) for word in _HOPELESS)
        self._left = min(self._left, _MOST_KNOCKS - self._knocks)
        self._knocks += 1
        return not hopeless and await self._wait(None)

    async def _wait(self, asked: float | None) -> bool:
        if self._left < 1:
            return False
        self._left -= 1
        await asyncio.sleep(min(self._pause if asked is None else asked, _LONGEST_PAUSE))
        self._pause *= 2
        return True
