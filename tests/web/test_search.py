"""Searching for a step: who is asked, with what words, how often, and what the answer looks like."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from airoagent import (
    Evidence,
    SearchBlocked,
    SearchError,
    SearchResult,
    ToolError,
    UsageError,
    results_output,
    web_search,
)
from airoagent.web import search as module
from airoagent.web.search import query_of, search_provider
from tests.fetching import fetcher, make_context
from tests.loopback import Loopback, answer

RESULTS = [
    {"title": "One", "url": "https://a.example/1", "snippet": "about\notters"},
    {"title": "Two", "url": "docs://library/2.html", "snippet": ""},
    {"title": "Bad", "url": "javascript:alert(1)", "snippet": "no page"},
]


@pytest.fixture
def fixture_file(tmp_path: Path) -> Path:
    path = tmp_path / "search.json"
    entries = [
        {"query": "River  otters", "results": RESULTS},
        {"query": "refused", "blocked": True},
        {"query": "nothing", "results": []},
    ]
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


class TestFixture:
    def test_recorded_results_are_text_for_the_model_and_sources_for_the_next_tool(self, fixture_file: Path) -> None:
        context = make_context("river OTTERS", search=f"fixture:{fixture_file}")
        found = asyncio.run(web_search("river OTTERS", context))
        assert found.text == "1. One\nhttps://a.example/1\nabout otters\n\n2. Two\ndocs://library/2.html"
        assert [source.url for source in found.sources] == ["https://a.example/1", "docs://library/2.html"]
        assert found.text[found.sources[1].start : found.sources[1].end] == "2. Two\ndocs://library/2.html"

    def test_nothing_found_is_said_in_words(self, fixture_file: Path) -> None:
        found = asyncio.run(web_search("x", make_context("unknown words", search=f"fixture:{fixture_file}")))
        assert (found.text, found.note) == ("No results for: unknown words", "nothing was found")

    def test_a_recorded_block_is_a_block(self, fixture_file: Path) -> None:
        with pytest.raises(SearchBlocked):
            asyncio.run(web_search("refused", make_context("refused", search=f"fixture:{fixture_file}")))

    def test_an_entry_for_anything_answers_what_no_other_does(self, tmp_path: Path) -> None:
        path = tmp_path / "any.json"
        path.write_text(json.dumps([{"query": "*", "results": RESULTS}]))
        assert len(asyncio.run(web_search("q", make_context("q", search=f"fixture:{path}"))).sources) == 2

    @pytest.mark.parametrize("text", ["", "{", "{}x", "[1]", '[{"results": []}]', '{"a": 1}', "null", '[{"query": 1}]'])
    def test_a_file_that_is_none_is_a_usage_error(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "bad.json"
        path.write_text(text)
        with pytest.raises(UsageError):
            search_provider(f"fixture:{path}", fetcher(), {})

    def test_a_missing_file_is_a_usage_error(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError):
            search_provider(f"fixture:{tmp_path}/none.json", fetcher(), {})


class TestChoosing:
    @pytest.mark.parametrize(
        ("setting", "name"),
        [
            ("duckduckgo", "duckduckgo"),
            ("", "duckduckgo"),
            ("DuckDuckGo", "duckduckgo"),
            ("searxng:https://s.example/", "searxng:https://s.example"),
            ("brave", "brave"),
        ],
    )
    def test_a_setting_names_a_provider(self, setting: str, name: str) -> None:
        assert search_provider(setting, fetcher(), {"brave_api_key": "k"}).name == name

    @pytest.mark.parametrize("setting", ["google", "searxng", "searxng:", "fixture", "fixture:", "duck duck"])
    def test_any_other_setting_is_a_usage_error(self, setting: str) -> None:
        with pytest.raises(UsageError) as caught:
            search_provider(setting, fetcher(), {})
        assert caught.value.hint

    def test_brave_without_a_key_is_a_usage_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("BRAVE_API_KEY", raising=False)
        with pytest.raises(UsageError, match="API key"):
            search_provider("brave", fetcher(), {})

    @pytest.mark.parametrize("count", ["0", "51", "x", "-1", ""])
    def test_a_count_that_is_none_is_a_usage_error(self, fixture_file: Path, count: str) -> None:
        context = make_context("q", search=f"fixture:{fixture_file}", search_results=count)
        with pytest.raises(UsageError, match="search_results"):
            asyncio.run(web_search("q", context))


class TestQueries:
    @pytest.mark.parametrize(
        ("text", "query"),
        [
            ("otters", "otters"),
            ("  river \n otters ", "river otters"),
            ('"river otters"', "river otters"),
            ("'river otters'", "river otters"),
            ("“river otters”", "river otters"),
            ('"river" "otters"', '"river" "otters"'),
            ('""', '""'),
            ("", ""),
        ],
    )
    def test_a_query_is_one_line_without_the_quotes_around_it(self, text: str, query: str) -> None:
        assert query_of((text,)) == query

    def test_short_evidence_is_put_in_whole(self) -> None:
        assert (
            query_of(("Most famous work of ", Evidence("evidence1", "K", "Louise\nGlück")))
            == "Most famous work of Louise Glück"
        )

    def test_long_evidence_is_cut_to_its_first_line(self) -> None:
        found = Evidence("evidence1", "K", "Louise Glück\n\n" + "She was a poet. " * 50)
        assert query_of(("Most famous work of ", found)) == "Most famous work of Louise Glück"

    def test_no_query_is_longer_than_300_characters(self) -> None:
        assert query_of(("word " * 200,)) == " ".join(["word"] * 60)
        assert len(query_of(("x" * 1000,))) == 300

    def test_an_empty_query_is_an_error_and_nobody_is_asked(self) -> None:
        with pytest.raises(ToolError, match="nothing to search for"):
            asyncio.run(web_search(" ", make_context(" \n")))


class TestServers:
    def test_searxng_is_asked_for_json(self, server: Loopback) -> None:
        rows = [
            {"title": "One", "url": "https://a.example/1", "content": "about  otters", "engine": "x"},
            "nonsense",
            {"url": 3},
        ]
        server.routes["/search"] = answer(200, json.dumps({"results": rows}).encode(), Content_Type="application/json")
        found = self.ask(server, f"searxng:{server.url('')}", "river otters?")
        assert found == (SearchResult("One", "https://a.example/1", "about otters"),)
        assert [asked.path for asked in server.requests] == ["/search?q=river%20otters%3F&format=json"]

    def test_searxng_whose_engines_are_blocked_is_blocked(self, server: Loopback) -> None:
        body = json.dumps({"results": [], "unresponsive_engines": [["duckduckgo", "CAPTCHA"]]}).encode()
        server.routes["/search"] = answer(200, body, Content_Type="application/json")
        with pytest.raises(SearchBlocked, match="duckduckgo"):
            self.ask(server, f"searxng:{server.url('')}")

    def test_searxng_that_found_nothing_found_nothing(self, server: Loopback) -> None:
        for body in (b'{"results": []}', b'{"results": 1, "unresponsive_engines": true}'):
            server.routes["/search"] = answer(200, body, Content_Type="application/json")
            assert self.ask(server, f"searxng:{server.url('')}") == ()

    @pytest.mark.parametrize(
        ("status", "body", "blocked"),
        [
            (429, b"{}", True),
            (202, b"{}", True),
            (403, b"", False),
            (500, b"{}", False),
            (404, b"", False),
            (200, b"<html>", False),
            (200, b"[]", False),
            (200, b"[" * 100_000, False),
        ],
    )
    def test_searxng_that_refuses_or_fails(self, server: Loopback, status: int, body: bytes, blocked: bool) -> None:
        server.routes["/search"] = answer(status, body, Retry_After=5)
        with pytest.raises(SearchError) as caught:
            self.ask(server, f"searxng:{server.url('')}")
        assert isinstance(caught.value, SearchBlocked) is blocked
        if blocked:
            assert caught.value.retry_after == 5.0

    def test_a_server_on_this_machine_must_be_opened(self, server: Loopback) -> None:
        async def main() -> None:
            async with fetcher() as fetch:
                await search_provider(f"searxng:{server.url('')}", fetch, {}).search("q", 5)

        with pytest.raises(SearchError) as caught:
            asyncio.run(main())
        assert f"--allow-private {server.host}" in caught.value.hint
        assert server.requests == []

    def test_brave_is_asked_with_its_key(self, server: Loopback) -> None:
        from airoagent.web.providers import BraveSearch

        body = {"web": {"results": [{"title": "One", "url": "https://a.example/1", "description": "d"}]}}
        server.routes["/brave"] = answer(200, json.dumps(body).encode(), Content_Type="application/json")

        async def main() -> tuple[SearchResult, ...]:
            async with fetcher(server) as fetch:
                return await BraveSearch("secret", fetch, url=server.url("/brave")).search("otters", 50)

        assert asyncio.run(main()) == (SearchResult("One", "https://a.example/1", "d"),)
        assert server.requests[0].path == "/brave?q=otters&count=20"
        assert server.requests[0].headers["x-subscription-token"] == "secret"

    @pytest.mark.parametrize("status", [401, 403, 422])
    def test_brave_that_does_not_know_the_key_says_so(self, server: Loopback, status: int) -> None:
        from airoagent.web.providers import BraveSearch

        server.routes["/brave"] = answer(status, b"{}", Content_Type="application/json")

        async def main() -> None:
            async with fetcher(server) as fetch:
                await BraveSearch("secret", fetch, url=server.url("/brave")).search("otters", 5)

        with pytest.raises(SearchError, match="key") as caught:
            asyncio.run(main())
        assert "secret" not in caught.value.message

    def ask(self, server: Loopback, setting: str, query: str = "otters") -> tuple[SearchResult, ...]:
        async def main() -> tuple[SearchResult, ...]:
            async with fetcher(server) as fetch:
                return await search_provider(setting, fetch, {}).search(query, 5)

        return asyncio.run(main())


class TestLimits:
    """The settings ``sites`` and ``time_limit``."""

    def test_only_these_sites_and_this_time_are_asked_for_and_given(
        self, server: Loopback, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_pace", module._Pace(0.0))
        urls = ("https://a.example/1", "https://docs.a.example/2", "https://nota.example/3", "https://B.example/4")
        rows = [{"title": url, "url": url, "content": ""} for url in urls]
        server.routes["/search"] = answer(200, json.dumps({"results": rows}).encode(), Content_Type="application/json")

        async def main(**limits: str) -> list[str]:
            async with fetcher(server) as fetch:
                context = make_context("tides", fetch=fetch, search=f"searxng:{server.url('')}", **limits)
                return [source.url for source in (await web_search("tides", context)).sources]

        assert asyncio.run(main(sites="a.example", time_limit="week")) == list(urls[:2])
        assert asyncio.run(main(sites=" A.example, b.example")) == [*urls[:2], urls[3]]
        assert asyncio.run(main()) == list(urls)
        asked = [parse_qs(urlsplit(one.path).query) for one in server.requests]
        assert [(one["q"], one.get("time_range")) for one in asked] == [
            (["tides site:a.example"], ["week"]),
            (["tides (site:a.example OR site:b.example)"], None),
            (["tides"], None),
        ]

    def test_recorded_results_are_limited_to_sites_and_not_to_a_time(self, fixture_file: Path) -> None:
        recorded = f"fixture:{fixture_file}"
        none = asyncio.run(web_search("otters", make_context("otters", search=recorded, sites="c.example")))
        assert none.text == "No results for: otters on c.example"
        with pytest.raises(UsageError, match="cannot be limited to a time"):
            asyncio.run(web_search("otters", make_context("otters", search=recorded, time_limit="day")))

    @pytest.mark.parametrize(
        "limits", [{"sites": "https://a.example/"}, {"sites": "a b"}, {"sites": "x"}, {"time_limit": "hour"}]
    )
    def test_a_limit_that_is_none_is_a_usage_error(self, limits: dict[str, str]) -> None:
        with pytest.raises(UsageError) as caught:
            search_provider("duckduckgo", fetcher(), limits)
        assert caught.value.hint

    def test_brave_is_asked_for_a_time(self, server: Loopback) -> None:
        from airoagent.web.providers import BraveSearch

        server.routes["/brave"] = answer(200, b'{"web": {"results": []}}', Content_Type="application/json")

        async def main() -> None:
            async with fetcher(server) as fetch:
                await BraveSearch("k", fetch, url=server.url("/brave"), time_limit="month").search("otters", 5)

        asyncio.run(main())
        assert server.requests[0].path == "/brave?q=otters&count=5&freshness=pm"


class TestPace:
    def test_moments_are_a_second_apart_whoever_asks(self) -> None:
        pace = module._Pace(1.0)
        waits = [pace.reserve() for _ in range(4)]
        assert waits[0] == 0.0
        assert all(later - earlier > 0.9 for earlier, later in pairwise(waits))

    def test_a_search_is_remembered_and_not_made_twice(self, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_pace", module._Pace(0.0))
        rows = [{"title": "One", "url": "https://a.example/1", "content": ""}]
        server.routes["/search"] = answer(200, json.dumps({"results": rows}).encode(), Content_Type="application/json")

        async def main() -> list[str]:
            async with fetcher(server) as fetch:
                context = make_context("seldom asked", fetch=fetch, search=f"searxng:{server.url('')}")
                return [(await web_search("seldom asked", context)).text for _ in range(2)]

        first, second = asyncio.run(main())
        assert first == second
        assert len(server.requests) == 1

    def test_a_block_is_not_remembered(self, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_pace", module._Pace(0.0))
        server.routes["/search"] = answer(429, b"{}", Content_Type="application/json")

        async def main() -> None:
            async with fetcher(server) as fetch:
                context = make_context("often asked", fetch=fetch, search=f"searxng:{server.url('')}")
                for _ in range(2):
                    with pytest.raises(SearchBlocked):
                        await web_search("often asked", context)

        asyncio.run(main())
        assert len(server.requests) == 2

    def test_only_so_many_searches_are_remembered(self) -> None:
        kept = module._Kept()
        for number in range(200):
            kept.put(("p", "", "any", str(number), 8), ())
        assert kept.get(("p", "", "any", "0", 8)) is None
        assert kept.get(("p", "", "any", "199", 8)) == ()


def test_no_results_are_a_sentence_without_sources() -> None:
    assert results_output((), "q").sources == ()
