"""HyperlinkExtractor[text]: the links of a text, one a line."""

from airoagent import Source, ToolContext, ToolOutput, links_of, tool


@tool(
    "HyperlinkExtractor",
    outside=False,
    description="Extract links from plain text and produces a plain text, newline delimited response of links.",
)
def hyperlink_extractor(text: str, context: ToolContext) -> ToolOutput:
    """Links in order, each once; where the text is search results, exactly their addresses."""
    nothing = context.nothing_found()
    if nothing is not None:
        return nothing
    links = links_of(context.parts or (text,))
    if not links:
        return ToolOutput("No links were found in the text.", note="no links were found")
    titles = {
        source.url: source.title for part in context.parts if not isinstance(part, str) for source in part.sources
    }
    sources, start = [], 0
    for link in links:
        sources.append(Source(link, titles.get(link, ""), start=start, end=start + len(link)))
        start += len(link) + 1
    return ToolOutput("\n".join(links), tuple(sources))
