"""DocumentSearch[query]: searches the user's documents (`--docs FOLDER`) by passage."""

from __future__ import annotations

import asyncio
import threading

from airoagent import ToolContext, ToolError, ToolOutput, results_output, tool

_RESULTS = 5


@tool(
    "DocumentSearch",
    description="Tool that enables the user to search for information in the documents at hand. This tool is helpful "
    "in locating a suitable list of documents that may contain the answer to the user's query, with the title, the "
    "address and the best passages of each. It does not directly answer the question.",
    private=True,
    timeout=0,  # the first search of a large folder builds its index, which may take minutes and reports its progress
)
async def document_search(query: str, context: ToolContext) -> ToolOutput:
    """The documents that fit the query best; a note says so when there is none. ToolError without documents."""
    documents = context.documents
    if documents is None:
        raise ToolError("there are no documents to search", "name a folder of documents: --docs FOLDER")
    if not query.strip():
        raise ToolError("the input of DocumentSearch is empty", "give it words: DocumentSearch[some words]")
    loop = asyncio.get_running_loop()
    stopped = threading.Event()

    def progress(what: str, done: int, total: int) -> None:
        if stopped.is_set():  # the step was given up: leave a long indexing at its next batch
            raise ToolError("the search was stopped")
        loop.call_soon_threadsafe(context.progress, what, done, total)

    try:
        results = await asyncio.to_thread(documents.search, query, _RESULTS, progress)
    finally:
        stopped.set()
    if not results:
        return ToolOutput(f"No document matches: {query}", note="nothing was found in the documents", answered=False)
    return results_output(results, query)
