"""Search providers: DuckDuckGo, a SearXNG server, the Brave API, and a file of recorded results.

DuckDuckGo is asked through ddgs, with the difference between "refused" and "found nothing" kept: ddgs turns every
status but 200, an empty body and a challenge page into the same "No results found." Its engine is therefore used with a
`request` that keeps status, headers and body, and the answer is judged here. No other company is asked: ddgs' own
default sends the query to several. This is the one request of a tool that does not go through `fetch`: ddgs brings its
own HTTP and name resolution, and asks one fixed host.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

from airoagent.background import in_thread
from airoagent.documents.passages import SearchResult
from airoagent.errors import FetchError, MissingExtra, SearchBlocked, SearchError, UsageError
from airoagent.textfiles import read_text
from airoagent.web.dial import no_network
from airoagent.web.fetch import Fetcher, Response
from airoagent.web.politeness import retry_after

_BLOCKED = frozenset({202, 403, 418, 429})
_LATER = "try again later, or choose another provider"
_WAIT = 60.0
_MOST_LOOKED_AT = 1 << 20
_HINT = "try again later, or have another provider asked: AIRO_SEARCH=searxng:https://HOST or AIRO_SEARCH=brave"
# Only as values of attributes: the page repeats the query, which may hold these words.
_CHALLENGE = re.compile(
    r"""<[^>]{0,500}\b(?:class|id|action|name)\s*=\s*["'][^"'>]{0,200}(?:anomaly|challenge-form|captcha)""", re.I
)
_NOTHING = re.compile(r"""class\s*=\s*["'][^"'>]{0,200}\bno-results?\b|>\s*(?:&nbsp;)?\s*No results\b""", re.I)


class _Answer(NamedTuple):
    """What DuckDuckGo sent: status (0: nothing came), body, the Retry-After header."""

    status: int
    body: str
    retry_after: str = ""


class DuckDuckGoSearch:
    """Asks DuckDuckGo's page without scripts; ``region`` is its code for a country and language (wt-wt: none).

    ``url`` is for tests: another address to ask.
    """

    name = "duckduckgo"
    paced = True

    def __init__(self, region: str = "wt-wt", *, timeout: int = 10, url: str = "", time_limit: str = "any") -> None:
        self._region = region
        self._timeout = timeout
        self._since = None if time_limit == "any" else time_limit[0]
        self._url = url

    async def search(self, query: str, count: int) -> tuple[SearchResult, ...]:
        """At most ``count`` results; see `SearchProvider` for the errors."""
        answer, rows = await in_thread(self._ask, query)
        return _judge(answer, rows)[:count]

    def _ask(self, query: str) -> tuple[_Answer, tuple[SearchResult, ...]]:
        try:
            from ddgs.engines.duckduckgo import Duckduckgo
            from ddgs.exceptions import DDGSException, TimeoutException
        except ImportError as error:
            raise MissingExtra(
                f"the search with DuckDuckGo needs ddgs, which cannot be imported ({error})", "pip install 'ddgs>=9.14'"
            ) from error

        answers: list[_Answer] = []

        class Watched(Duckduckgo):  # type: ignore[misc]
            """ddgs' engine, keeping what it throws away."""

            def request(self, *args: Any, **kwargs: Any) -> str | None:
                response = self.http_client.request(*args, **kwargs)
                headers = getattr(getattr(response, "_resp", None), "headers", None) or {}
                answers.append(_Answer(response.status_code, response.text or "", str(headers.get("retry-after", ""))))
                return answers[-1].body or None

            def extract_results(self, html_text: str) -> list[Any]:
                """The results with their addresses as the page has them: ddgs would decode %23 and %2F in them."""
                found: list[Any] = super().extract_results(html_text)
                items = self.extract_tree(html_text).xpath(self.items_xpath)
                for row, item in zip(found, items, strict=True):
                    object.__setattr__(row, "href", "".join(item.xpath(self.elements_xpath["href"])).strip())
                return found

        engine = Watched(timeout=self._timeout)
        if self._url:
            engine.search_url = self._url
        try:
            rows = engine.search(query, region=self._region, safesearch="moderate", timelimit=self._since, page=1) or []
        except TimeoutException as error:
            raise SearchError(f"DuckDuckGo did not answer within {self._timeout} s", _HINT, retryable=True) from error
        except DDGSException as error:
            raise connection_error(str(error)) from error
        except Exception as error:
            # A page that the parser of ddgs cannot read is judged like one without results.
            if not answers:
                raise SearchError(f"DuckDuckGo cannot be asked ({error})", _HINT, retryable=True) from error
            rows = []
        found: dict[str, SearchResult] = {}
        for row in rows:
            url = _target(row.href)
            if row.title and url.startswith(("http://", "https://")):
                found.setdefault(url, SearchResult(row.title, url, row.body))
        return answers[-1], tuple(found.values())


def _target(href: str) -> str:
    """Where a result leads: some pages of DuckDuckGo send the reader through an address of its own."""
    url = f"https:{href}" if href.startswith("//") else href
    parts = urlsplit(url)
    if parts.hostname in ("duckduckgo.com", "www.duckduckgo.com") and parts.path == "/l/":
        return parse_qs(parts.query).get("uddg", [""])[0]
    return url


def connection_error(words: str) -> SearchError:
    """What it means that ddgs could not connect, by what it says about it."""
    lowered = words.lower()
    if "dns" in lowered or "network is unreachable" in lowered or "network unreachable" in lowered:
        error = no_network()
        return SearchError(error.message, error.hint)
    return SearchError(f"DuckDuckGo cannot be reached ({words[:160]})", _HINT, retryable=True)


def _judge(answer: _Answer, results: tuple[SearchResult, ...]) -> tuple[SearchResult, ...]:
    """The results of an answer; none only where the page says that there are none.

    Results count whatever the status (DuckDuckGo sends 202 with both); marks of a challenge are looked for only where
    there is no result, since a result may speak of them.
    """
    if results and answer.status in (200, 202):
        return results
    wait = retry_after(answer.retry_after)
    body = answer.body[:_MOST_LOOKED_AT]
    if answer.status in _BLOCKED:
        blocked = f"status {answer.status}"
    elif answer.status != 200:
        message = f"DuckDuckGo answered with status {answer.status}"
        raise SearchError(message, _HINT, retryable=answer.status >= 500, retry_after=wait)
    elif not body.strip():
        blocked = "an empty page"
    elif _CHALLENGE.search(body):
        blocked = "a challenge page"
    elif _NOTHING.search(body):
        return ()
    else:
        blocked = "a page with neither results nor the words that there are none"
    message = f"DuckDuckGo refused to search ({blocked}); this is not the same as finding nothing"
    raise SearchBlocked(message, _HINT, retryable=True, retry_after=_WAIT if wait is None else wait)


class SearxngSearch:
    """Asks a SearXNG server for JSON, e.g. ``searxng:https://search.example``."""

    paced = True

    def __init__(self, url: str, fetch: Fetcher, *, time_limit: str = "any") -> None:
        self.name = f"searxng:{url.rstrip('/')}"
        self._since = "" if time_limit == "any" else f"&time_range={time_limit}"
        self._url = url.rstrip("/")
        self._fetch = fetch

    async def search(self, query: str, count: int) -> tuple[SearchResult, ...]:
        """At most ``count`` results; an empty answer from engines that were all blocked is a block."""
        answer = await _ask(
            self._fetch, f"{self._url}/search?q={quote(query, safe='')}&format=json{self._since}", {}, "SearXNG"
        )
        if answer.status == 403:
            raise SearchError(
                f"the SearXNG server at {self._url} does not give JSON",
                "add json to search.formats in its settings.yml",
            )
        value = _json(answer, "SearXNG")
        engines = value.get("unresponsive_engines")
        engines = engines if isinstance(engines, list) else []
        silent = [str(one[0]) for one in engines if isinstance(one, list) and one]
        results = _results(value.get("results"), "content")
        if not results and silent:
            raise SearchBlocked(
                f"the engines of SearXNG did not answer ({', '.join(silent[:5])})", "try again later", retryable=True
            )
        return results[:count]


class BraveSearch:
    """Asks the Brave search API with a key: the setting ``brave_api_key`` or the variable BRAVE_API_KEY."""

    name = "brave"
    paced = True

    def __init__(
        self,
        key: str,
        fetch: Fetcher,
        *,
        url: str = "https://api.search.brave.com/res/v1/web/search",
        time_limit: str = "any",
    ) -> None:
        self._since = "" if time_limit == "any" else f"&freshness=p{time_limit[0]}"
        self._key = key or os.environ.get("BRAVE_API_KEY", "")
        self._fetch = fetch
        self._url = url
        if not self._key:
            raise UsageError("the search with Brave needs an API key", "set BRAVE_API_KEY, or AIRO_SEARCH=duckduckgo")

    async def search(self, query: str, count: int) -> tuple[SearchResult, ...]:
        """At most ``count`` results (Brave gives at most 20)."""
        url = f"{self._url}?q={quote(query, safe='')}&count={min(count, 20)}{self._since}"
        headers = {"X-Subscription-Token": self._key, "Accept": "application/json"}
        answer = await _ask(self._fetch, url, headers, "Brave")
        if answer.status in (401, 403, 422):
            raise SearchError("Brave does not accept the API key", "check BRAVE_API_KEY")
        web = _json(answer, "Brave").get("web")
        return _results(web.get("results") if isinstance(web, dict) else None, "description")[:count]


class FixtureSearch:
    """Answers from a JSON file, for tests and demonstrations without a network.

    The file holds a list of ``{"query": ..., "results": [{"title", "url", "snippet"}, ...]}``; a query is compared
    without case and extra spaces, ``*`` answers any other, and ``"blocked": true`` instead of results refuses.
    """

    paced = False

    def __init__(self, path: str) -> None:
        self.name = f"fixture:{path}"
        self._path = path
        try:
            value = json.loads(read_text(path))
            self._entries = {" ".join(item["query"].casefold().split()): item for item in value}
        except (RecursionError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(
                f"{path} is not a file of search results ({error})", 'it is a JSON list of {"query", "results"}'
            ) from error

    async def search(self, query: str, count: int) -> tuple[SearchResult, ...]:
        """The recorded results; none where the file has none for this query."""
        entry = self._entries.get(" ".join(query.casefold().split())) or self._entries.get("*") or {}
        if entry.get("blocked"):
            raise SearchBlocked("the search is recorded as blocked", "", retryable=True, retry_after=0.0)
        return _results(entry.get("results"), "snippet")[:count]


async def _ask(fetch: Fetcher, url: str, headers: dict[str, str], who: str) -> Response:
    try:
        return await fetch.fetch(url, headers=headers, api=True)
    except FetchError as error:
        message = f"{who} cannot be asked: {error.message}"
        raise SearchError(message, error.hint, retryable=error.retryable, retry_after=error.retry_after) from error


def _json(answer: Response, who: str) -> dict[str, Any]:
    """The object that an answer holds; the error that its status says where there was no search."""
    if answer.status in _BLOCKED:
        message = f"{who} refused to search (status {answer.status}); this is not the same as finding nothing"
        raise SearchBlocked(message, _LATER, retryable=True, retry_after=answer.retry_after)
    if answer.status != 200:
        message = f"{who} answered with status {answer.status}"
        raise SearchError(message, _LATER, retryable=answer.status >= 500, retry_after=answer.retry_after)
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise SearchError(f"{who} did not answer in JSON", "check the address of the server") from error
    if not isinstance(value, dict):
        message = f"{who} answered with something that is not a list of results"
        raise SearchError(message, "check the address of the server")
    return value


def _results(rows: object, snippet: str) -> tuple[SearchResult, ...]:
    """Rows as results: one line a field, only web and document addresses."""
    made = (
        SearchResult(_line(row.get("title")), _line(row.get("url")), _line(row.get(snippet)))
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict)
    )
    return tuple(result for result in made if result.url.startswith(("http://", "https://", "docs://")))


def _line(value: object) -> str:
    return " ".join(str(value).split()) if isinstance(value, str) else ""
