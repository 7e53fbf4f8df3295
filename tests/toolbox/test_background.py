"""A blocking call beside the loop: its result, its error, and what is left of it when nobody waits any more."""

from __future__ import annotations

import asyncio
import threading

import pytest

from airoagent.background import in_thread


def test_the_result_and_the_error_come_back() -> None:
    async def main() -> None:
        assert await in_thread(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await in_thread(divmod, 7, 0)
        assert await in_thread(threading.get_ident) != threading.get_ident()

    asyncio.run(main())


def test_a_call_that_hangs_does_not_keep_the_loop_from_closing() -> None:
    """`asyncio.to_thread` fails this: closing its loop waits for the thread."""
    release, done = threading.Event(), threading.Event()

    def stuck() -> str:
        release.wait(30)
        done.set()
        return "late"

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await in_thread(stuck)

    asyncio.run(main())
    assert not done.is_set()
    release.set()
    assert done.wait(10)
