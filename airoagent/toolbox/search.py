"""What every search gives back, on the web or in documents: results as text for the model and data for the next tool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airoagent.events import Source
from airoagent.toolbox.tool import ToolOutput

__all__ = ["SearchResult", "results_output"]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One hit: the page's title and address, and the words of it that match."""

    title: str
    url: str
    snippet: str


def results_output(results: Sequence[SearchResult], query: str) -> ToolOutput:
    """Results as numbered blocks of title, address and snippet; each block's characters are tied to its source."""
    if not results:
        return ToolOutput(f"No results for: {query}", note="nothing was found")
    text = ""
    sources: list[Source] = []
    for number, result in enumerate(results, 1):
        block = f"{number}. {result.title}\n{result.url}\n{result.snippet}".rstrip()
        text += "\n\n" if text else ""
        sources.append(Source(result.url, result.title, result.snippet, len(text), len(text) + len(block)))
        text += block
    return ToolOutput(text, tuple(sources))
