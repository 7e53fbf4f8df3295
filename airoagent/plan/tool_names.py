"""Which registered tool a model means by a name.

    >>> names = ToolNames(["DuckDuckGo", "KnowledgeModel"])
    >>> names.resolve("duck duck go")
    'DuckDuckGo'
    >>> names.resolve("Google")
    'DuckDuckGo'
    >>> names.resolve("Calculator"), names.nearest("Knowledge Modle")
    (None, ('KnowledgeModel',))

A name counts when it is registered, in any spelling of `airoagent.calls.spelling`; or when it is one of
the names models use for a kind of tool (`ALIASES`) and exactly one tool of that kind is registered. Anything less sure
is refused: a wrong guess would run the wrong tool.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property, lru_cache

from airoagent.calls.spelling import Spellings, nearest, spelled, spellings

ALIASES: tuple[frozenset[str], ...] = tuple(
    frozenset(names.split())
    for names in (
        "search websearch google googlesearch bing bingsearch internetsearch searchengine searchtool searchweb "
        "onlinesearch duckduckgo duckduckgosearch ddg ddgs documentsearch docsearch searchdocuments wikipedia "
        "wikipediasearch wiki brave bravesearch searxng",
        "llm qa knowledgemodel languagemodel questionanswering questionanswer qamodel llmmodel model knowledge "
        "answerer gpt chatgpt largelanguagemodel",
        "textscraper scraper webscraper scrape scrapetext pagescraper webpagescraper scrapepage scrapewebsite "
        "pagereader webpagereader readpage",
        "hyperlinkextractor linkextractor extractlinks extracthyperlinks urlextractor extracturls "
        "hyperlinksextractor linksextractor",
    )
)
"""Names models use for one kind of tool, with case and separators set aside; one set a kind."""


@lru_cache(maxsize=256)
def is_model(tool: str) -> bool:
    """Whether a tool's name says that a language model answers."""
    return spelled(tool) in ALIASES[1]


_VERB = re.compile(r"(?:call|use|using|run|invoke)(?: the)?(?: tool)? (?=\S)", re.IGNORECASE)
_NEAREST_LIMIT = 20  # names looked up for suggestions in one plan: comparing strings is the one slow thing here


class ToolNames:
    """The registered tool names, ready to be looked up by what a model wrote."""

    def __init__(self, tools: Iterable[object]) -> None:
        """``tools`` are names, or objects with a ``name``; a mapping counts by its keys."""
        listed = [tool if isinstance(tool, str) else str(getattr(tool, "name", tool)) for tool in tools]
        self.names = frozenset(listed)
        self._found: dict[str, str | None] = {}
        self._asked = 0

    def resolve(self, name: str) -> str | None:
        """The registered name that is meant, or None where that is not sure."""
        if name in self.names:
            return name
        if name not in self._found:
            self._found[name] = self._look_up(name)
        return self._found[name]

    def nearest(self, name: str) -> tuple[str, ...]:
        """Registered names that look like this one, best first; empty after the first 20 calls."""
        self._asked += 1
        if self._asked > _NEAREST_LIMIT:
            return ()
        return nearest(name, self.names)

    @cached_property
    def _spellings(self) -> Spellings:
        return Spellings(self.names)

    def _look_up(self, name: str) -> str | None:
        name = _VERB.sub("", name)
        found = self._spellings.resolve(name)
        if found is not None:
            return found
        keys = set(spellings(name))
        kind = next((kind for kind in ALIASES if not kind.isdisjoint(keys)), frozenset[str]())
        of_kind = [tool for tool in self.names if spelled(tool) in kind]
        return of_kind[0] if len(of_kind) == 1 else None
