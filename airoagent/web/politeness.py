"""How a site wants to be asked: how many requests at once, how far apart, when again, and which pages at all.

>>> rules = Robots("User-agent: *\\nDisallow: /private*.html$\\nAllow: /private/open.html")
>>> rules.allows("airoagent", "/private/a.html"), rules.allows("airoagent", "/private/open.html")
(False, True)
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from protego import Protego

_MOST_WAIT = 24 * 3600.0


class Clock(Protocol):
    """Time as the fetcher sees it, in seconds; tests give one that does not wait."""

    def now(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Turns:
    """Grants turns at a host: ``per_host`` at once, and starts at least ``interval`` seconds apart."""

    def __init__(self, per_host: int, interval: float, clock: Clock) -> None:
        self._per_host = per_host
        self._interval = interval
        self._clock = clock
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._next: dict[str, float] = {}

    @asynccontextmanager
    async def turn(self, host: str, spaced: bool) -> AsyncIterator[None]:
        """Wait for a turn at the host; ``spaced`` keeps the interval too."""
        async with self._slots.setdefault(host, asyncio.Semaphore(self._per_host)):
            if spaced and self._interval > 0:
                now = self._clock.now()
                start = max(now, self._next.get(host, now))
                self._next[host] = start + self._interval
                if start > now:
                    await self._clock.sleep(start - now)
            yield


def retry_after(header: str, now: float | None = None) -> float | None:
    """A Retry-After header (seconds or a date) as seconds from now, at most a day; None where it says nothing."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), _MOST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(moment.timestamp() - (time.time() if now is None else now), 0.0), _MOST_WAIT)


_MOST_BYTES = 500 * 1024  # what RFC 9309 asks to be read
_VERSION = re.compile(r"^(\s*user-?agent\s*:\s*[a-z_-]+)/[^\r\n]*", re.IGNORECASE | re.MULTILINE)


class Robots:
    """The rules of one robots.txt (RFC 9309), read by Protego; lines that cannot be read are passed over."""

    def __init__(self, text: str | bytes) -> None:
        body = text.encode("utf-8", "replace") if isinstance(text, str) else text
        text = body[:_MOST_BYTES].decode("utf-8", "replace").removeprefix("\ufeff")
        # A version after an agent's name is not part of the name; Protego takes it for one.
        self._text = _VERSION.sub(r"\1", text.replace("\r", "\n"))

    @cached_property
    def _rules(self) -> Protego:
        from protego import Protego

        return Protego.parse(self._text)

    def allows(self, agent: str, path: str) -> bool:
        """Whether the agent (its product name) may fetch the path (with its query, percent-encoded)."""
        # With a host before it, so that //x is read as the path that it is.
        return path == "/robots.txt" or self._rules.can_fetch("https://host.invalid" + path, agent)


ALLOW_ALL = Robots("")
DENY_ALL = Robots("User-agent: *\nDisallow: /")
