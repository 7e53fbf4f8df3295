"""TextScraper[links]: the text of one or more pages."""

import asyncio
from collections.abc import Iterable
from urllib.parse import urldefrag

from airoagent import Page, Source, ToolContext, ToolError, ToolOutput, UsageError, links_of, tool

DESCRIPTION = (
    "Load one or more websites from the input string containing newline delimited links, where input is one or more "
    "links, and produces plain text output containing the content of the links."
)


@tool("TextScraper", description=DESCRIPTION, timeout=120)
async def text_scraper(links: str, context: ToolContext) -> ToolOutput:
    """Each page's address, title and text; a page that fails is a line that says so, unless all fail.

    Settings: ``scraper_pages`` (how many links are read, 8) and ``scraper_characters`` (of each page, 20000).
    """
    most_pages = _setting(context, "scraper_pages", 8)
    most_characters = _setting(context, "scraper_characters", 20_000)
    urls = _pages(links_of(context.parts or (links,), clean_lines=True))
    if not urls:
        raise ToolError(
            f"There is nothing to read: the input holds no links (it begins {' '.join(links.split())[:80]!r}).",
            "give links, one a line, e.g. from a search or from HyperlinkExtractor",
        )
    chosen = urls[:most_pages]
    done = 0

    async def read(url: str) -> Page | ToolError:
        nonlocal done
        try:
            return await context.fetch.page(url)
        except ToolError as error:
            return error
        finally:
            done += 1
            context.progress("pages", done, len(chosen))

    context.progress("pages", 0, len(chosen))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(read(url)) for url in chosen]
    pages = [task.result() for task in tasks]
    if all(isinstance(page, ToolError) for page in pages):
        raise _all_failed([page for page in pages if isinstance(page, ToolError)])
    notes = [f"{len(urls) - len(chosen)} more links were not read"] if len(urls) > len(chosen) else []
    return _output(list(zip(chosen, pages, strict=True)), most_characters, notes)


def _pages(links: Iterable[str]) -> list[str]:
    """The links without those that lead to another place in the same page."""
    first: dict[str, str] = {}
    for link in links:
        first.setdefault(urldefrag(link).url, link)
    return list(first.values())


def _setting(context: ToolContext, name: str, default: int) -> int:
    text = context.settings.get(name, str(default)).strip()
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"{name} is {text!r}", "give a whole number from 1")
    return int(text)


def _all_failed(errors: list[ToolError]) -> ToolError:
    reasons = list(dict.fromkeys(error.message for error in errors))
    message = reasons[0] if len(errors) == 1 else f"None of {len(errors)} pages could be read. {' '.join(reasons[:3])}"
    waits = [error.retry_after for error in errors if error.retry_after is not None]
    return ToolError(
        message,
        errors[0].hint,
        retryable=any(error.retryable for error in errors),
        retry_after=min(waits) if waits else None,
    )


def _output(pages: list[tuple[str, Page | ToolError]], most: int, notes: list[str]) -> ToolOutput:
    """The pages as blocks; each source covers its page's title and text, the address stands before it."""
    text, sources, failures = "", [], []
    for url, page in pages:
        if isinstance(page, ToolError):
            failures.append(f"{url} could not be read: {page.message}")
            continue
        body = page.text
        if len(body) > most:
            cut = body[:most].rpartition("\n")[0] or body[:most]
            notes.append(f"{url}: {len(body) - len(cut)} of {len(body)} characters were left out")
            body = cut
        text += "\n\n" if text else ""
        text += f"{url}\n"
        block = f"{page.title}\n\n{body}".strip()
        sources.append(Source(url, page.title, start=len(text), end=len(text) + len(block)))
        text += block
    if failures:
        text += "\n\n" + "\n".join(failures)
    return ToolOutput(text, tuple(sources), "; ".join(notes + failures))
