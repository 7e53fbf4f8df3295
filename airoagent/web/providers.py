"""Search providers other than DuckDuckGo: a SearXNG server, the Brave API, and a file of recorded results."""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import quote

from airoagent.documents.passages import SearchResult
from airoagent.errors import FetchError, SearchBlocked, SearchError, UsageError
from airoagent.textfiles import read_text
from airoagent.web.fetch import Fetcher, Response

__all__ = ["BraveSearch", "FixtureSearch", "SearxngSearch"]

_BLOCKED = frozenset({202, 403, 429})


class SearxngSearch:
    """Asks a SearXNG server for JSON, e.g. ``searxng:https://search.example``."""

    paced = True

    def __init__(self, url: str, fetch: Fetcher) -> None:
        self.name = f"searxng:{url.rstrip('/')}"
        self._url = url.rstrip("/")
        self._fetch = fetch

    async def search(self, query: str, count: int) -> tuple[SearchResult, ...]:
        """At most ``count`` results; an empty answer from engines that were all blocked is a block."""
        answer = await _ask(self._fetch, f"{self._url}/search?q={quote(query, safe='')}&format=json", {}, "SearXNG")
        if answer.status == 403:
            raise SearchError(
                f"the SearXNG server at {self._url} does not give JSON",
                "add json to search.formats in its settings.yml",
            )
        value = _json(answer, "SearXNG")
        silent = [str(item[0]) for item in value.get("unresponsive_engines") or [] if isinstance(item, list) and item]
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
        self, key: str, fetch: Fetcher, *, url: str = "https://api.search.brave.com/res/v1/web/search"
    ) -> None:
        self._key = key or os.environ.get("BRAVE_API_KEY", "")
        self._fetch = fetch
        self._url = url
        if not self._key:
            raise UsageError("the search with Brave needs an API key", "set BRAVE_API_KEY, or AIRO_SEARCH=duckduckgo")

    async def search(self, query: str, count: int) -> tuple[SearchResult, ...]:
        """At most ``count`` results (Brave gives at most 20)."""
        url = f"{self._url}?q={quote(query, safe='')}&count={min(count, 20)}"
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
    hint = "try again later, or choose another provider"
    if answer.status in _BLOCKED:
        message = f"{who} refused to search (status {answer.status}); this is not the same as finding nothing"
        raise SearchBlocked(message, hint, retryable=True, retry_after=answer.retry_after)
    if answer.status != 200:
        message = f"{who} answered with status {answer.status}"
        raise SearchError(message, hint, retryable=answer.status >= 500, retry_after=answer.retry_after)
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
