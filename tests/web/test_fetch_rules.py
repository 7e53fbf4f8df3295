"""Where the fetcher goes, how long and how often: redirects, names, deadlines, retries, manners."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from airoagent import Fetcher, FetchError
from tests.fetching import PLAIN, FakeClock, get, refused, run, silent
from tests.loopback import Asked, Loopback, Send, answer, head, in_turn, loopback, redirect


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirects_are_followed(self, server: Loopback, status: int) -> None:
        server.routes["/end"] = answer(200, PLAIN)
        got = get(server, redirect("/end", status))
        assert (got.url, got.final_url, got.body) == (server.url("/x"), server.url("/end"), PLAIN)

    def test_five_redirects_are_followed_and_no_more(self, server: Loopback) -> None:
        for number in range(1, 6):
            server.routes[f"/{number}"] = redirect(f"/{number + 1}")
        server.routes["/6"] = answer(200, PLAIN)
        assert run(server, lambda fetch: fetch.fetch(server.url("/2"))).body == PLAIN
        assert "redirects more than 5 times" in refused(server, redirect("/1")).message

    @pytest.mark.parametrize("target", ["/x", "", "?", "/y"])
    def test_a_circle_is_seen_at_its_first_turn(self, server: Loopback, target: str) -> None:
        server.routes["/y"] = redirect("/x")
        error = refused(server, redirect(target or "#f"))
        assert "circle" in error.message
        assert len(server.paths()) <= 2

    def test_a_redirect_to_nowhere_is_an_error(self, server: Loopback) -> None:
        assert "does not say where" in refused(server, redirect("")).message

    @pytest.mark.parametrize(
        "target",
        [
            "http://127.0.0.1/",
            "http://localhost/",
            "http://2130706433/",
            "http://[::1]/",
            "//10.0.0.1/",
            "http://169.254.169.254/latest/",
            "http://u:p@a.example/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http://a.example:22/",
            "data:text/plain,x",
            "http://[::ffff:127.0.0.1]/",
            "docs://library/x.md",
            "http://a.example\\@127.0.0.1/",
        ],
    )
    def test_a_redirect_to_where_nobody_may_go_is_refused(self, server: Loopback, target: str) -> None:
        async def resolver(host: str, port: int) -> Sequence[str]:
            return ["127.0.0.1"]

        refused(server, redirect(target), resolver=resolver)
        assert server.paths() == ["/x"]

    def test_headers_meant_for_one_host_are_not_sent_to_another(self, server: Loopback) -> None:
        with loopback({"/end": answer(200, PLAIN)}) as other:
            server.routes["/x"] = redirect("/near")
            server.routes["/near"] = redirect(other.url("/end"))
            run(
                server,
                lambda fetch: fetch.fetch(server.url("/x"), headers={"X-Key": "secret"}, api=True),
                allow_private=[server.host, other.host],
            )
            assert [asked.headers.get("x-key") for asked in server.requests] == ["secret", "secret"]
            assert [asked.headers.get("x-key") for asked in other.requests] == [None]


class TestDeadline:
    def test_a_server_that_says_nothing_is_left_at_the_deadline(self, server: Loopback) -> None:
        route, wake = silent()
        error = refused(server, route, timeout=0.2)
        wake.set()
        assert error.retryable
        assert "0.2 s" in error.message

    def test_bytes_that_drip_do_not_move_the_deadline(self, server: Loopback) -> None:
        """Each byte comes well within any read timeout; only a total limit ends this."""

        def drip(asked: Asked, send: Send) -> None:
            send(head(200, Content_Type="text/plain"))
            while not server.gone.wait(0.02):
                send(b"x")

        assert refused(server, drip, timeout=0.3).retryable

    def test_headers_that_drip_do_not_move_it_either(self, server: Loopback) -> None:
        def drip(asked: Asked, send: Send) -> None:
            send(b"HTTP/1.1 200 OK\r\nX: ")
            while not server.gone.wait(0.02):
                send(b"y")

        assert refused(server, drip, timeout=0.3).retryable

    def test_a_resolver_that_hangs_is_left_at_the_deadline_and_does_not_block_the_loop(self, server: Loopback) -> None:
        entered, release = threading.Event(), threading.Event()

        def stuck(*args: Any, **kwargs: Any) -> list[Any]:
            entered.set()
            release.wait(30)
            return []

        async def main() -> int:
            turns = 0
            async with Fetcher(timeout=0.3) as fetch:
                task = asyncio.ensure_future(fetch.fetch("http://a.example/"))
                while not task.done():
                    await asyncio.sleep(0.005)
                    turns += 1
                with pytest.raises(FetchError, match="did not arrive within"):
                    task.result()
            return turns

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", stuck)
            assert asyncio.run(main()) > 5
        assert entered.is_set()
        release.set()

    def test_redirects_share_one_deadline(self, server: Loopback) -> None:
        route, wake = silent()
        server.routes["/end"] = route
        assert refused(server, redirect("/end"), timeout=0.3).retryable
        wake.set()
        assert server.paths() == ["/x", "/end"]


class TestRetries:
    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_a_status_that_may_pass_is_tried_three_times(self, server: Loopback, status: int) -> None:
        clock = FakeClock()
        got = get(server, in_turn(answer(status), answer(status), answer(200, PLAIN)), clock=clock)
        assert got.body == PLAIN
        assert len(clock.slept) == 2
        assert 0 <= clock.slept[0] <= 0.5 and 0 <= clock.slept[1] <= 1.0

    def test_after_three_tries_the_error_says_it_may_pass(self, server: Loopback) -> None:
        error = refused(server, answer(503), clock=FakeClock())
        assert error.retryable
        assert server.paths() == ["/x"] * 3
        assert error.kind == "FetchError"

    def test_retry_after_is_obeyed(self, server: Loopback) -> None:
        clock = FakeClock()
        get(server, in_turn(answer(429, Retry_After=7), answer(200, PLAIN)), clock=clock)
        assert clock.slept == [7.0]

    @pytest.mark.parametrize("wait", ["11", "86400", "9" * 50, "Fri, 31 Dec 2100 23:59:59 GMT"])
    def test_a_wait_beyond_the_deadline_is_left_to_the_caller(self, server: Loopback, wait: str) -> None:
        clock = FakeClock()
        error = refused(server, answer(429, Retry_After=wait), clock=clock, timeout=10.0)
        assert clock.slept == []
        assert error.retry_after is not None and error.retry_after >= 11

    @pytest.mark.parametrize("wait", ["soon", "-1", "", "1.5.2", "²"])
    def test_a_wait_that_says_nothing_is_passed_over(self, server: Loopback, wait: str) -> None:
        clock = FakeClock()
        assert get(server, in_turn(answer(503, Retry_After=wait), answer(200, PLAIN)), clock=clock).body == PLAIN
        assert clock.slept[0] <= 0.5

    def test_a_refused_connection_is_tried_again(self, server: Loopback) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            closed = f"127.0.0.1:{taken.getsockname()[1]}"
            clock = FakeClock()
            with pytest.raises(FetchError, match="cannot be connected to") as caught:
                run(
                    server,
                    lambda fetch: fetch.fetch(f"http://{closed}/"),
                    allow_private=[closed],
                    clock=clock,
                    robots=False,
                )
        assert caught.value.retryable
        assert len(clock.slept) == 2

    def test_an_api_answer_is_given_as_it_is(self, server: Loopback) -> None:
        server.routes["/x"] = answer(429, b"{}", Content_Type="application/json", Retry_After=9)
        got = run(server, lambda fetch: fetch.fetch(server.url("/x"), api=True))
        assert (got.status, got.retry_after) == (429, 9.0)
        assert [asked.path for asked in server.requests] == ["/x"]


class TestNames:
    def test_a_name_that_leads_to_a_private_address_is_refused(self, server: Loopback) -> None:
        async def resolver(host: str, port: int) -> Sequence[str]:
            return ["127.0.0.1"]

        url = f"http://a.example:{server.port}/"
        with pytest.raises(FetchError, match="port"):
            run(server, lambda fetch: fetch.fetch(url), resolver=resolver)
        with pytest.raises(FetchError, match="a loopback address"):
            run(server, lambda fetch: fetch.fetch("http://a.example/"), resolver=resolver)
        assert server.requests == []

    def test_one_private_address_among_public_ones_refuses_the_name(self, server: Loopback) -> None:
        async def resolver(host: str, port: int) -> Sequence[str]:
            return ["93.184.216.34", "10.0.0.1"]

        with pytest.raises(FetchError, match=r"10\.0\.0\.1"):
            run(server, lambda fetch: fetch.fetch("http://a.example/"), resolver=resolver)

    def test_a_name_that_changes_its_address_is_judged_each_time_it_is_dialled(self, server: Loopback) -> None:
        """DNS rebinding: public when first asked, the local machine afterwards."""
        asked: list[str] = []
        answers = iter([["127.0.0.1"]])

        async def resolver(host: str, port: int) -> Sequence[str]:
            asked.append(host)
            return next(answers, ["127.0.0.1"])

        async def main() -> None:
            async with Fetcher(allow_private=[server.host], resolver=resolver) as fetch:
                with pytest.raises(FetchError, match="loopback"):
                    await fetch.fetch(server.url("/x"))
                with pytest.raises(FetchError, match="loopback"):
                    await fetch.fetch("http://rebind.example:8080/")

        server.routes["/x"] = redirect("http://rebind.example:8080/")
        asyncio.run(main())
        assert asked == ["rebind.example", "rebind.example"]
        assert server.paths() == ["/x"]

    def test_exactly_the_judged_address_is_dialled(self, server: Loopback) -> None:
        """An opened name is asked for once, and the answer it gave is what is connected to."""
        asked: list[str] = []

        async def resolver(host: str, port: int) -> Sequence[str]:
            asked.append(host)
            return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.9"]

        name = f"opened.example:{server.port}"
        server.routes["/x"] = answer(200, PLAIN)
        got = run(
            server, lambda fetch: fetch.fetch(f"http://{name}/x"), allow_private=[name], resolver=resolver, robots=False
        )
        assert got.body == PLAIN
        assert asked == ["opened.example"]
        assert server.requests[-1].headers["host"] == name

    def test_the_next_address_is_tried_where_one_does_not_answer(self, server: Loopback) -> None:
        async def resolver(host: str, port: int) -> Sequence[str]:
            return ["127.0.0.9", "::1", "127.0.0.1"]

        name = f"opened.example:{server.port}"
        server.routes["/x"] = answer(200, PLAIN)
        got = run(server, lambda fetch: fetch.fetch(f"http://{name}/x"), allow_private=[name], resolver=resolver)
        assert got.body == PLAIN

    @pytest.mark.parametrize("code", [socket.EAI_AGAIN, socket.EAI_NONAME, socket.EAI_FAIL])
    def test_without_a_network_it_says_so_at_once_and_does_not_try_again(self, server: Loopback, code: int) -> None:
        clock = FakeClock()

        async def resolver(host: str, port: int) -> Sequence[str]:
            raise socket.gaierror(code, "no")

        with pytest.raises(FetchError) as caught:
            run(server, lambda fetch: fetch.fetch("https://a.example/"), resolver=resolver, clock=clock)
        assert "there is no network" in caught.value.message
        assert "--docs FOLDER" in caught.value.hint
        assert not caught.value.retryable
        assert clock.slept == []

    def test_a_wrong_name_is_told_from_a_missing_network(self, server: Loopback) -> None:
        async def resolver(host: str, port: int) -> Sequence[str]:
            if host == "example.com":
                return ["93.184.216.34"]
            raise socket.gaierror(socket.EAI_NONAME, "no")

        with pytest.raises(FetchError, match=r"no host called nosuch\.example") as caught:
            run(server, lambda fetch: fetch.fetch("https://nosuch.example/"), resolver=resolver)
        assert not caught.value.retryable

    @pytest.mark.parametrize("given", [["nonsense"], [""], ["1.2.3"], []])
    def test_a_resolver_that_gives_nonsense_is_an_error(self, server: Loopback, given: list[str]) -> None:
        async def resolver(host: str, port: int) -> Sequence[str]:
            return given

        with pytest.raises(FetchError):
            run(server, lambda fetch: fetch.fetch("https://a.example/"), resolver=resolver)
