"""The DuckDuckGo tool, and the plan of the model card run over it end to end without a network."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from airoagent import SearchBlocked, ToolOutput
from airoagent.toolbox.arguments import bound
from airoagent.toolbox.loader import load_tools
from tests.fetching import make_context
from tests.loopback import Loopback, page
from tests.running import make_agent

TOOLS = Path(__file__).parents[2] / "tools"
(SEARCH,) = load_tools(TOOLS / "duckduckgo.py")


def recorded(folder: Path, entries: object) -> str:
    """A setting that answers searches from these entries."""
    path = folder / "search.json"
    path.write_text(json.dumps(entries))
    return f"fixture:{path}"


def test_the_description_is_the_cards_word_for_word() -> None:
    assert SEARCH.name == "DuckDuckGo"
    assert SEARCH.description == (
        "Tool that enables the user to search for information using the DuckDuckGo search engine. This tool is helpful "
        "in locating a suitable list of sites that may contain the answer to the user's query. It does not directly "
        "answer the question but finds a list of sites that might have the answer."
    )


def test_a_search_gives_numbered_results(tmp_path: Path) -> None:
    hit = {"title": "Otters", "url": "https://a.example/otters", "snippet": "They sleep afloat."}
    setting = recorded(tmp_path, [{"query": "where do otters sleep", "results": [hit]}])
    made: ToolOutput = asyncio.run(bound(SEARCH)("x", make_context("where do otters sleep", search=setting)))
    assert made.text == "1. Otters\nhttps://a.example/otters\nThey sleep afloat."


def test_a_block_never_becomes_a_result(tmp_path: Path) -> None:
    setting = recorded(tmp_path, [{"query": "*", "blocked": True}])
    with pytest.raises(SearchBlocked):
        asyncio.run(bound(SEARCH)("x", make_context("otters", search=setting)))


def test_search_extract_scrape_runs_as_a_plan(server: Loopback, tmp_path: Path) -> None:
    """The three tools in the order of the model card; what one finds is what the next one reads."""
    server.routes.update(
        {
            "/otters": page("<html><head><title>Otters</title></head><body><p>Otters sleep afloat, holding paws.</p>"),
            "/bears": page("<html><head><title>Bears</title></head><body><p>Bears sleep in dens.</p>"),
        }
    )
    hits = [{"title": name, "url": server.url(f"/{name}"), "snippet": "s"} for name in ("otters", "bears")]
    plan = (
        "Plan: Search.\n:evidence0: = DuckDuckGo[sleep]\nPlan: Links.\n:evidence1: = HyperlinkExtractor[:evidence0:]\n"
        "Plan: Read.\n:evidence2: = TextScraper[:evidence1:]\nAnswer: :evidence2:\n"
    )
    tools = [
        tool
        for name in ("duckduckgo", "hyperlink_extractor", "text_scraper")
        for tool in load_tools(TOOLS / f"{name}.py")
    ]
    agent = make_agent(
        plan,
        *tools,
        allow_private=[server.host],
        tool_settings={"search": recorded(tmp_path, [{"query": "*", "results": hits}])},
    )
    run = agent.run("Where do they sleep?")
    assert run.status == "done"
    assert run.evidence["evidence1"].text == "\n".join(hit["url"] for hit in hits)
    assert [source.url for source in run.evidence["evidence2"].sources] == [hit["url"] for hit in hits]
    assert "holding paws" in run.evidence["evidence2"].text
    assert "in dens" in run.evidence["evidence2"].text
