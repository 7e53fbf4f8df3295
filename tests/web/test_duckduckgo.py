"""DuckDuckGo through ddgs, against a local server: results, nothing found, and refusals told apart."""

from __future__ import annotations

import asyncio

import pytest

from airoagent import SearchBlocked, SearchError, SearchResult
from airoagent.web.providers import DuckDuckGoSearch, connection_error
from tests.loopback import Asked, Loopback, Route, Send, answer, page

HIT = (
    '<div class="result results_links web-result"><div class="links_main result__body"><h2 class="result__title">'
    '<a class="result__a" href="{url}">{title}</a></h2>'
    '<a class="result__snippet" href="{url}">{snippet}</a></div></div>'
)
FORM = '<form id="search_form"><input name="q" value="{query}"></form>'
NOTHING = FORM + '<div class="no-results">No results found for <b>{query}</b>.</div>'
CHALLENGE = (
    '<form id="challenge-form" action="//duckduckgo.com/anomaly.js?x=1" method="POST">'
    '<div class="anomaly-modal__title">'
    "Unfortunately, bots use DuckDuckGo too.</div></form>"
)


def hits(*urls: str, query: str = "otters") -> str:
    """A page of results."""
    found = "".join(HIT.format(url=url, title=f"Title {n}", snippet=f"Snippet {n}") for n, url in enumerate(urls))
    return f"<html><body>{FORM.format(query=query)}<div id='links'>{found}</div></body></html>"


def search(server: Loopback, route: Route, count: int = 8) -> tuple[SearchResult, ...]:
    """What the provider makes of one route."""
    server.routes["/html/"] = route
    return asyncio.run(DuckDuckGoSearch("de-de", timeout=2, url=server.url("/html/")).search("otters & co", count))


def test_results_are_given_in_order_and_no_more_than_asked_for(server: Loopback) -> None:
    urls = [f"https://a.example/{number}" for number in range(5)]
    found = search(server, page(hits(*urls)), count=3)
    assert found == tuple(SearchResult(f"Title {n}", urls[n], f"Snippet {n}") for n in range(3))


def test_one_request_is_made_to_one_address_with_query_and_region(server: Loopback) -> None:
    bodies: list[int] = []

    def route(asked: Asked, send: Send) -> None:
        bodies.append(int(asked.headers["content-length"]))
        page(hits("https://a.example/"))(asked, send)

    search(server, route)
    assert server.paths() == ["/html/"]
    assert bodies == [len("q=otters+%26+co&b=&l=de-de")]
    provider = DuckDuckGoSearch("de-de", timeout=2, url=server.url("/html/"), time_limit="week")
    asyncio.run(provider.search("otters & co", 8))
    assert bodies[1] == len("q=otters+%26+co&b=&l=de-de&df=w")


@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("//duckduckgo.com/l/?uddg=https%3A%2F%2Fa.example%2Fx%3Fb%3D1&amp;rut=abc", "https://a.example/x?b=1"),
        ("//duckduckgo.com/l/?uddg=https%3A%2F%2Fa.example%2Fp%3Fx%3D1%26y%3D2", "https://a.example/p?x=1&y=2"),
        ("//duckduckgo.com/l/?uddg=https%3A%2F%2Fa.example%2FC%2523", "https://a.example/C%23"),
        ("https://a.example/C%23_guide", "https://a.example/C%23_guide"),
        ("https://a.example/100%25/a%2Fb?x=1%262&amp;y=%20", "https://a.example/100%25/a%2Fb?x=1%262&y=%20"),
    ],
)
def test_addresses_are_what_the_page_has_without_a_detour_through_duckduckgo(
    server: Loopback, href: str, url: str
) -> None:
    assert [result.url for result in search(server, page(hits(href)))] == [url]


def test_a_page_that_is_found_twice_is_one_result(server: Loopback) -> None:
    assert len(search(server, page(hits(*["https://a.example/1"] * 3, "https://a.example/2")))) == 2


def test_advertisements_and_addresses_that_are_no_pages_are_left_out(server: Loopback) -> None:
    made = hits("https://duckduckgo.com/y.js?ad=1", "javascript:alert(1)", "ftp://a.example/", "https://a.example/")
    assert [result.url for result in search(server, page(made))] == ["https://a.example/"]


def test_an_honest_empty_result_is_empty(server: Loopback) -> None:
    assert search(server, page(NOTHING.format(query="otters"))) == ()


@pytest.mark.parametrize("status", [202, 403, 418, 429])
@pytest.mark.parametrize("body", ["", CHALLENGE, NOTHING.format(query="x"), "<html></html>"])
def test_a_status_that_refuses_is_a_block(server: Loopback, status: int, body: str) -> None:
    with pytest.raises(SearchBlocked) as caught:
        search(server, answer(status, body.encode(), Content_Type="text/html"))
    assert caught.value.retryable
    assert caught.value.retry_after == 60.0
    assert "not the same as finding nothing" in caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        "",
        "  \n",
        CHALLENGE,
        FORM.format(query="x"),
        "<html><body>Hello</body></html>",
        f"<p>No results?</p>{CHALLENGE}",
    ],
)
def test_a_page_without_results_that_does_not_say_so_is_a_block(server: Loopback, body: str) -> None:
    with pytest.raises(SearchBlocked):
        search(server, page(body))


def test_results_count_even_with_status_202(server: Loopback) -> None:
    route = answer(202, hits("https://a.example/").encode(), Content_Type="text/html")
    assert len(search(server, route)) == 1


@pytest.mark.parametrize("word", ["anomaly-modal", "challenge-form", "captcha", "anomaly.js source map"])
def test_a_query_about_challenges_is_not_taken_for_one(server: Loopback, word: str) -> None:
    assert search(server, page(NOTHING.format(query=word))) == ()
    assert len(search(server, page(hits("https://a.example/", query=word)))) == 1


def test_retry_after_is_passed_on(server: Loopback) -> None:
    with pytest.raises(SearchBlocked) as caught:
        search(server, answer(429, b"slow down", Retry_After=17))
    assert caught.value.retry_after == 17.0


@pytest.mark.parametrize(("status", "retryable"), [(500, True), (503, True), (400, False), (404, False)])
def test_other_failures_are_errors_and_no_blocks(server: Loopback, status: int, retryable: bool) -> None:
    with pytest.raises(SearchError) as caught:
        search(server, answer(status, b"oops"))
    assert not isinstance(caught.value, SearchBlocked)
    assert caught.value.retryable is retryable


def test_a_server_that_hangs_up_is_an_error(server: Loopback) -> None:
    with pytest.raises(SearchError, match="cannot be reached"):
        search(server, lambda asked, send: None)


def test_a_server_that_says_nothing_is_left_after_its_time(server: Loopback) -> None:
    with pytest.raises(SearchError, match="did not answer within") as caught:
        search(server, lambda asked, send: bool(server.gone.wait(20)) and None)
    assert caught.value.retryable


@pytest.mark.parametrize(
    "words",
    [
        "DNSError: DNSError('dns error: no record found for Query { name: html.duckduckgo.com. }')",
        "ConnectError: ConnectError('tcp connect error: Network is unreachable (os error 101)')",
    ],
)
def test_a_machine_without_a_network_is_told_so_at_once(words: str) -> None:
    """The words are what primp says; asking it for real would send a query to a name server."""
    error = connection_error(words)
    assert "there is no network" in error.message
    assert "--docs FOLDER" in error.hint
    assert not error.retryable
    assert error.exit_code == 5


def test_a_connection_refused_may_be_tried_again(server: Loopback) -> None:
    provider = DuckDuckGoSearch(timeout=5, url="http://127.0.0.1:1/html/")
    with pytest.raises(SearchError, match="cannot be reached") as caught:
        asyncio.run(provider.search("otters", 5))
    assert caught.value.retryable


@pytest.mark.parametrize(
    "body", ["<", "<html", "\x00\x01", "<div class='body'><h2>", "[]", "<?xml version='1.0' encoding='x'?>"]
)
def test_a_page_of_nonsense_raises_nothing_but_search_errors(server: Loopback, body: str) -> None:
    with pytest.raises(SearchError):
        search(server, page(body))
