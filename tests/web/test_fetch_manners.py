"""How the fetcher treats a site, and what it leaves behind."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from airoagent import Fetcher, FetchError, Limits, Response
from tests.fetching import PLAIN, FakeClock, get, refused, run
from tests.loopback import Asked, Loopback, Send, answer, in_turn, loopback, redirect


class TestManners:
    def test_two_requests_at_once_to_one_host(self, server: Loopback) -> None:
        together, most, lock, both = [0], [0], threading.Lock(), threading.Barrier(2, timeout=10)

        def route(asked: Asked, send: Send) -> None:
            with lock:
                together[0] += 1
                most[0] = max(most[0], together[0])
            both.wait()
            with lock:
                together[0] -= 1
            answer(200, PLAIN)(asked, send)

        server.routes.update({f"/{number}": route for number in range(6)})

        async def six(fetch: Fetcher) -> None:
            await asyncio.gather(*(fetch.fetch(server.url(f"/{number}")) for number in range(6)))

        run(server, six)
        assert most == [2]

    def test_requests_to_a_public_host_start_a_second_apart(self) -> None:
        from airoagent.web.politeness import Turns

        clock = FakeClock()
        turns = Turns(2, 1.0, clock)
        starts: list[float] = []

        async def one() -> None:
            async with turns.turn("a.example", spaced=True):
                starts.append(clock.now())

        async def main() -> None:
            for _ in range(4):
                await one()
            async with turns.turn("b.example", spaced=True):
                starts.append(clock.now())

        asyncio.run(main())
        assert starts == [1000.0, 1001.0, 1002.0, 1003.0, 1003.0]

    def test_waiting_for_a_turn_is_not_counted_against_the_deadline(self, server: Loopback) -> None:
        """One request at a time, each taking half of the deadline: the fourth still gets its whole time."""

        def slow(asked: Asked, send: Send) -> None:
            server.gone.wait(0.25)
            answer(200, PLAIN)(asked, send)

        server.routes.update({f"/{number}": slow for number in range(4)})

        async def four(fetch: Fetcher) -> list[Response]:
            return await asyncio.gather(*(fetch.fetch(server.url(f"/{number}")) for number in range(4)))

        got = run(server, four, timeout=0.6, limits=Limits(per_host=1), robots=False)
        assert [one.body for one in got] == [PLAIN] * 4

    def test_robots_txt_is_obeyed_and_asked_once(self, server: Loopback) -> None:
        server.routes.update(
            {
                "/robots.txt": answer(200, b"\xef\xbb\xbfUser-agent: *\nDisallow: /private"),
                "/private/x": answer(200, PLAIN),
                "/open": answer(200, PLAIN),
            }
        )

        async def both(fetch: Fetcher) -> None:
            with pytest.raises(FetchError, match=r"robots\.txt"):
                await fetch.fetch(server.url("/private/x"))
            assert (await fetch.fetch(server.url("/open"))).body == PLAIN

        run(server, both)
        assert [asked.path for asked in server.requests] == ["/robots.txt", "/open"]

    def test_robots_txt_can_be_switched_off(self, server: Loopback) -> None:
        server.routes["/robots.txt"] = answer(200, b"User-agent: *\nDisallow: /")
        assert get(server, answer(200, PLAIN), robots=False).body == PLAIN
        assert [asked.path for asked in server.requests] == ["/x"]

    @pytest.mark.parametrize("status", [401, 403, 404, 410])
    def test_a_missing_robots_txt_allows(self, server: Loopback, status: int) -> None:
        server.routes["/robots.txt"] = answer(status, b"no")
        assert get(server, answer(200, PLAIN)).body == PLAIN

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_robots_txt_that_fails_forbids_for_now(self, server: Loopback, status: int) -> None:
        server.routes["/robots.txt"] = answer(status, b"oops")
        error = refused(server, answer(200, PLAIN))
        assert error.retryable
        assert server.paths() == []

    def test_a_robots_txt_that_failed_is_asked_again_after_a_minute(self, server: Loopback) -> None:
        clock = FakeClock()
        server.routes.update({"/robots.txt": in_turn(answer(500), answer(200, b"")), "/x": answer(200, PLAIN)})

        async def later(fetch: Fetcher) -> None:
            for _ in range(2):
                with pytest.raises(FetchError):
                    await fetch.fetch(server.url("/x"))
            clock.time += 61
            assert (await fetch.fetch(server.url("/x"))).body == PLAIN

        run(server, later, clock=clock)
        assert [asked.path for asked in server.requests] == ["/robots.txt", "/robots.txt", "/x"]

    def test_the_target_of_a_redirect_is_asked_too(self, server: Loopback) -> None:
        with loopback(
            {"/robots.txt": answer(200, b"User-agent: airoagent\nDisallow: /"), "/end": answer(200, PLAIN)}
        ) as other:
            error = refused(server, redirect(other.url("/end")), allow_private=[server.host, other.host])
            assert "robots.txt" in error.message
            assert other.paths() == []

    def test_a_robots_txt_that_redirects_inside_is_refused_there(self, server: Loopback) -> None:
        server.routes["/robots.txt"] = redirect("http://10.0.0.1/robots.txt")
        assert "a private address" in refused(server, answer(200, PLAIN)).message

    @pytest.mark.parametrize(
        "body", [b"\x00\xff" * 1000, b"User-agent: *\nDisallow: " + b"/" * 100_000, b"Disallow: /", b"<html>"]
    )
    def test_a_robots_txt_of_nonsense_allows(self, server: Loopback, body: bytes) -> None:
        server.routes["/robots.txt"] = answer(200, body)
        assert get(server, answer(200, PLAIN)).body == PLAIN


class TestClosing:
    def test_nothing_is_left_after_closing(self, server: Loopback) -> None:
        """The server keeps the connection open; only closing it here ends it."""
        import gc
        import warnings

        def keep(asked: Asked, send: Send) -> None:
            send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
            server.gone.wait(30)

        server.routes["/keep"] = keep

        async def main() -> set[asyncio.Task[Any]]:
            fetch = Fetcher(allow_private=[server.host], robots=False)
            await fetch.fetch(server.url("/keep"))
            await fetch.aclose()
            await fetch.aclose()
            return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]

        with warnings.catch_warnings(record=True) as unclosed:
            warnings.simplefilter("always")
            assert asyncio.run(main()) == set()
            gc.collect()
        assert [str(warning.message) for warning in unclosed] == []

    def test_a_cancelled_fetch_leaves_nothing_and_the_fetcher_still_works(self, server: Loopback) -> None:
        asked, wake = threading.Event(), threading.Event()

        def stuck(request: Asked, send: Send) -> None:
            asked.set()
            wake.wait(30)

        server.routes.update({"/stuck": stuck, "/x": answer(200, PLAIN)})

        async def main(fetch: Fetcher) -> bytes:
            tasks = [asyncio.ensure_future(fetch.fetch(server.url("/stuck"))) for _ in range(10)]
            while not asked.is_set():
                await asyncio.sleep(0.005)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results)
            return (await fetch.fetch(server.url("/x"))).body

        assert run(server, main, robots=False) == PLAIN
        wake.set()

    def test_one_fetcher_serves_one_event_loop_after_another(self, server: Loopback) -> None:
        server.routes["/x"] = answer(200, PLAIN)
        fetch = Fetcher(allow_private=[server.host])

        async def once() -> bytes:
            try:
                return (await fetch.fetch(server.url("/x"))).body
            finally:
                await fetch.aclose()

        assert [asyncio.run(once()) for _ in range(2)] == [PLAIN, PLAIN]
