"""The tool DocumentSearch, loaded from its file as the loader does, over real folders."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from typing import Any, cast

import pytest

from airoagent import Tool, ToolContext, ToolError, ToolOutput
from airoagent.documents.library import Documents
from airoagent.toolbox.arguments import bound

FILE = Path(__file__).parents[2] / "tools" / "document_search.py"


def _tool() -> Tool:
    spec = importlib.util.spec_from_file_location("document_search_under_test", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.document_search
    assert isinstance(found, Tool)
    return found


def _context(documents: Documents | None, progress: Any = lambda what, done, total: None) -> ToolContext:
    nothing = cast(Any, None)
    return ToolContext("evidence0", "a question", (), nothing, nothing, documents, progress=progress)


def _call(query: str, context: ToolContext) -> ToolOutput:
    return cast(ToolOutput, asyncio.run(bound(_tool())(query, context)))


@pytest.fixture
def documents(tmp_path: Path) -> Documents:
    folder = tmp_path / "zoo"
    folder.mkdir()
    (folder / "otters.html").write_text("<title>Otters</title><p>Otters sleep afloat and hold each other's paws.</p>")
    (folder / "bears.md").write_text("# Bears\n\nBears sleep in dens all winter long.\n")
    return Documents([folder], tmp_path / "cache")


def test_it_is_offered_under_its_exact_name_with_a_description() -> None:
    tool = _tool()
    assert tool.name == "DocumentSearch"
    assert "documents" in tool.description
    assert [p.name for p in tool.parameters] == ["query"]


def test_results_are_text_with_a_source_for_every_block(documents: Documents) -> None:
    output = _call("where do otters sleep?", _context(documents))
    assert output.text.startswith("1. Otters\ndocs://zoo/otters.html\nOtters sleep afloat")
    first = output.sources[0]
    assert first.url == "docs://zoo/otters.html"
    assert first.title == "Otters"
    assert output.text[first.start : first.end].startswith("1. Otters")


def test_no_match_is_said_honestly(documents: Documents) -> None:
    output = _call("zygomorphic", _context(documents))
    assert "No document matches" in output.text
    assert output.note
    assert output.sources == ()


def test_without_documents_the_error_tells_the_option() -> None:
    with pytest.raises(ToolError) as caught:
        _call("otters", _context(None))
    assert "--docs" in caught.value.hint


def test_an_empty_query_is_an_error_not_a_result(documents: Documents) -> None:
    with pytest.raises(ToolError):
        _call("  ", _context(documents))


def test_progress_is_told_on_the_event_loops_thread(documents: Documents) -> None:
    told: list[tuple[str, int, int]] = []

    async def search() -> None:
        loop = asyncio.get_running_loop()

        def progress(what: str, done: int, total: int) -> None:
            assert asyncio.get_running_loop() is loop  # raises outside the loop's thread
            told.append((what, done, total))

        await bound(_tool())("otters", _context(documents, progress))
        await asyncio.sleep(0)  # one round of the loop: what the thread asked for has run

    asyncio.run(search())
    assert told[0] == ("indexing documents", 0, 2)
    assert told[-2:] == [("indexing documents", 2, 2), ("docs://zoo/  2 indexed", 0, 0)]
