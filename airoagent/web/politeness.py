"""Whose turn it is: how many requests run at once, how fast they follow each other, how long a retry waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock", "Turns", "retry_after"]

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
