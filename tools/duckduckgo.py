"""DuckDuckGo[query]: a search on the web."""

from airoagent import ToolContext, ToolOutput, tool, web_search

DESCRIPTION = (
    "Tool that enables the user to search for information using the DuckDuckGo search engine. This tool is helpful in "
    "locating a suitable list of sites that may contain the answer to the user's query. It does not directly answer "
    "the question but finds a list of sites that might have the answer."
)


@tool("DuckDuckGo", cacheable=True, description=DESCRIPTION, timeout=60, network=True)
async def duckduckgo(query: str, context: ToolContext) -> ToolOutput:
    """Results as title, address and snippet; the setting ``search`` can put another provider in its place."""
    return await web_search(query, context)
