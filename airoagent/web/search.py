"""What every search gives back, on the web or in documents: results as text for the model and data for the next tool.

Also how a search on the web is made: `web_search` asks the provider that the setting ``search`` names, once a second
at most in this process, and keeps what it found for a while. A provider that refuses to answer raises
`SearchBlocked`; only a provider that answered and found nothing gives no results.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from airoagent.documents.passages import SearchResult
from airoagent.errors import ToolError, UsageError
from airoagent.events import Source
from airoagent.plan.evidence import Filled
from airoagent.toolbox.tool import ToolContext, ToolOutput

if TYPE_CHECKING:
    from airoagent.web.fetch import Fetcher

_MOST_QUERY = 300
_MOST_EVIDENCE = 100
_KEPT_SECONDS = 900.0
_KEPT_SEARCHES = 128
_INTERVAL = 1.0
_TIMES = ("day", "week", "month", "year")


class SearchProvider(Protocol):
    """A search engine that can be asked.

    ``name`` is the setting that chose it; ``paced`` says that it is a public service, to be asked at most
    once a second. `search` gives at most ``count`` results in order, none only where the provider answered that there
    are none; it raises `SearchBlocked` where the provider refused and `SearchError` where it could not be asked.
    """

    name: str
    paced: bool

    async def search(self, query: str, count: int) -> tuple[SearchResult, ...]: ...


def results_output(results: Sequence[SearchResult], query: str) -> ToolOutput:
    """Results as numbered blocks of title, address and snippet; each block's characters are tied to its source."""
    if not results:
        return ToolOutput(f"No results for: {query}", note="nothing was found", answered=False)
    text = ""
    sources: list[Source] = []
    for number, result in enumerate(results, 1):
        block = f"{number}. {result.title}\n{result.url}\n{result.snippet}".rstrip()
        text += "\n\n" if text else ""
        sources.append(Source(result.url, result.title, result.snippet, len(text), len(text) + len(block)))
        text += block
    return ToolOutput(text, tuple(sources))


def search_provider(setting: str, fetch: Fetcher, settings: Mapping[str, str]) -> SearchProvider:
    """The provider that a setting names: ``duckduckgo``, ``searxng:URL``, ``brave`` or ``fixture:FILE``."""
    from airoagent.web import providers

    name, rest = check_search({**settings, "search": setting})
    time_limit = settings.get("time_limit", "any")
    if name == "searxng":
        return providers.SearxngSearch(rest, fetch, time_limit=time_limit)
    if name == "brave":
        return providers.BraveSearch(settings.get("brave_api_key", ""), fetch, time_limit=time_limit)
    if name == "fixture":
        return providers.FixtureSearch(rest)
    return providers.DuckDuckGoSearch(settings.get("search_region", "wt-wt"), time_limit=time_limit)


def check_search(settings: Mapping[str, str]) -> tuple[str, str]:
    """The name and the rest of the setting ``search`` (empty: duckduckgo).

    UsageError where that is not a provider, or not one that can do what ``sites`` and ``time_limit`` ask for.
    """
    setting = settings.get("search", "")
    name, _, rest = setting.strip().partition(":")
    name = name.lower() or "duckduckgo"
    if name not in ("duckduckgo", "brave") and not (name in ("searxng", "fixture") and rest):
        raise UsageError(
            f"{setting!r} is not a search provider", "use duckduckgo, searxng:https://HOST, brave or fixture:FILE"
        )
    time_limit = settings.get("time_limit", "any")
    if time_limit not in ("any", *_TIMES):
        raise UsageError(f"time_limit is {time_limit!r}", f"use {', '.join(_TIMES)} or any")
    if time_limit != "any" and name == "fixture":
        raise UsageError("recorded results cannot be limited to a time", "remove the time limit, or search the web")
    _sites(settings)
    return name, rest


def _sites(settings: Mapping[str, str]) -> tuple[str, ...]:
    """The hosts that the setting ``sites`` names, which commas separate; UsageError for what is not a host."""
    sites = tuple(site.strip().lower() for site in settings.get("sites", "").split(",") if site.strip())
    for site in sites:
        if not re.fullmatch(r"[^\W_](?:[\w-]*\.)+[^\W_][\w-]*", site):
            raise UsageError(f"{site!r} is not a site", "give a host name, for example docs.python.org")
    return sites


async def web_search(query: str, context: ToolContext) -> ToolOutput:
    """Search the web for a step: results as text and sources; what cannot be searched is a SearchError."""
    asked = query_of(context.parts or (query,))
    if not asked:
        raise ToolError("there is nothing to search for: the query is empty", "give some words to search for")
    provider = search_provider(context.settings.get("search", "duckduckgo"), context.fetch, context.settings)
    count = _count(context.settings.get("search_results", "8"))
    sites, time_limit = _sites(context.settings), context.settings.get("time_limit", "any")
    on_sites = " OR ".join(f"site:{site}" for site in sites)
    words = f"{asked} ({on_sites})" if len(sites) > 1 else f"{asked} {on_sites}".strip()
    key = (provider.name, context.settings.get("search_region", ""), time_limit, words, count)
    results = _kept.get(key)
    if results is None:
        if provider.paced:
            await asyncio.sleep(_pace.reserve())
        results = await provider.search(words if provider.paced else asked, count)
        if provider.paced:
            _kept.put(key, results)
    # An engine may take the sites as a wish.
    hits = [hit for hit in results if not sites or any(_is_on(hit.url, site) for site in sites)]
    where = f" on {' or '.join(sites)}" if sites else ""
    when = f" of the last {time_limit}" if time_limit != "any" else ""
    return results_output(hits, asked + where + when)


def _is_on(url: str, site: str) -> bool:
    host = (urlsplit(url).hostname or "").lower()
    return host == site or host.endswith(f".{site}")


def _count(text: str) -> int:
    if not text.strip().isdecimal() or not 1 <= int(text) <= 50:
        raise UsageError(f"search_results is {text!r}", "give a number from 1 to 50")
    return int(text)


def query_of(parts: Filled) -> str:
    """A query from a filled input: one line, without the quotes around the whole, at most 300 characters.

    A search engine takes words, not pages: where the input is long, each evidence in it is cut to its first line.
    """
    whole = _one_line("".join(map(str, parts)))
    if len(whole) > _MOST_QUERY:
        whole = _one_line("".join(part if isinstance(part, str) else _first_line(part.text) for part in parts))
    if len(whole) > _MOST_QUERY:
        whole = whole[:_MOST_QUERY].rpartition(" ")[0] or whole[:_MOST_QUERY]
    for quote in ('""', "''", "“”"):
        if len(whole) > 2 and whole[0] == quote[0] and whole[-1] == quote[1] and not set(quote) & set(whole[1:-1]):
            whole = whole[1:-1].strip()
    return whole


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _first_line(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _MOST_EVIDENCE else line[:_MOST_EVIDENCE].rpartition(" ")[0]


class _Pace:
    """Hands out moments at least an interval apart, to every thread and event loop of the process."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._lock = threading.Lock()
        self._next = 0.0

    def reserve(self) -> float:
        """Seconds to wait for the moment that is now taken."""
        with self._lock:
            now = time.monotonic()
            moment = max(now, self._next)
            self._next = moment + self._interval
            return moment - now


_Key = tuple[str, str, str, str, int]


class _Kept:
    """What was found lately, so that a plan that asks twice does not ask twice."""

    def __init__(self) -> None:
        self._found: dict[_Key, tuple[float, tuple[SearchResult, ...]]] = {}
        self._lock = threading.Lock()

    def get(self, key: _Key) -> tuple[SearchResult, ...] | None:
        """The results, if they were found within the last quarter of an hour."""
        at, results = self._found.get(key, (float("-inf"), ()))
        return results if time.monotonic() - at < _KEPT_SECONDS else None

    def put(self, key: _Key, results: tuple[SearchResult, ...]) -> None:
        """Keep results; the oldest go when there are too many."""
        with self._lock:
            self._found.pop(key, None)
            self._found[key] = time.monotonic(), results
            while len(self._found) > _KEPT_SEARCHES:
                del self._found[next(iter(self._found))]


# One pace and one memory for the process: what a search engine sees is this machine, whichever run asks.
_pace = _Pace(_INTERVAL)
_kept = _Kept()
