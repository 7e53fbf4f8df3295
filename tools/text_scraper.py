"""TextScraper[links]: the text of one or more pages."""

import asyncio
from collections.abc import Iterable
from urllib.parse import urldefrag

from airoagent import FetchError, Page, Response, Source, ToolContext, ToolError, ToolOutput, UsageError, links_of, tool

DESCRIPTION = (
    "Load one or more websites from the input string containing newline delimited links, where input is one or more "
    "links, and produces plain text output containing the content of the links."
)
_COMPOSED = "a model wrote {url} after reading text from outside, and it appears nowhere else, so it is not opened"
_COMPOSED_HINT = "give TextScraper links from the question, a search, a page or HyperlinkExtractor"
MOST_LINKS = 30  # of each page, listed below its text for HyperlinkExtractor


@tool("TextScraper", cacheable=True, description=DESCRIPTION, timeout=120, network="addresses")
async def text_scraper(links: str, context: ToolContext) -> ToolOutput:
    """Each page's address, title, text and links; a page that fails is a line that says so, unless all fail.

    Settings: ``scraper_pages`` (how many links are read, 8) and ``scraper_characters`` (of each page, 20000: of a
    longer one the passages that speak of the question).
    """
    nothing = context.nothing_found()
    if nothing is not None:
        return nothing
    most_pages = _setting(context, "scraper_pages", 8)
    most_characters = _setting(context, "scraper_characters", 20_000)
    urls = _pages(links_of(context.parts or (links,), clean_lines=True))
    if not urls:
        raise ToolError(
            f"there is nothing to read: the input contains no links (it begins {' '.join(links.split())[:80]!r})",
            "give links, one per line, e.g. from a search or from HyperlinkExtractor",
        )
    allowed = [url for url in urls if context.may_open(url)]
    refused = [(url, ToolError(_COMPOSED.format(url=url), _COMPOSED_HINT)) for url in urls if url not in allowed]
    chosen = allowed[:most_pages]
    results = await _read_together(chosen, context)
    text, sources, failures, whole = "", [], list(refused), True
    notes = [f"{len(allowed) - len(chosen)} more links were not read"] if len(allowed) > len(chosen) else []
    for url, result in zip(chosen, results, strict=True):
        if isinstance(result, ToolError):
            failures.append((url, result))
            continue
        page, answer = result
        body = context.excerpt(page.text, most_characters) if len(page.text) > most_characters else page.text
        left_out = len(page.text) - len(body)
        whole = whole and not left_out
        if left_out or answer.truncated:
            cut = " and the rest of the page, which is too large" if answer.truncated else ""
            notes.append(f"{url}: {left_out} of {len(page.text)} characters{cut} were left out")
        text += "\n\n" if text else ""
        text += f"{page.url}\n"
        titled = not page.title or body.startswith(page.title)
        block = (body if titled else f"{page.title}\n\n{body}").strip()
        sources.append(Source(page.url, page.title, start=len(text), end=len(text) + len(block)))
        text += block + _links(page)
    if not sources:
        raise _all_failed([error for _, error in failures])
    lines = [f"{url} could not be read: {error.message}" for url, error in failures]
    note = "; ".join([*notes, *lines])
    return ToolOutput("\n\n".join([text, *lines]), tuple(sources), note, reusable=whole)


async def _read_together(urls: list[str], context: ToolContext) -> list[tuple[Page, Response] | ToolError]:
    """Each page with its answer, or why it could not be read, in the order of the addresses."""
    done = 0

    async def read(url: str) -> tuple[Page, Response] | ToolError:
        nonlocal done
        try:
            answer = await context.fetch.fetch(url)
            page = await context.fetch.read(answer)
        except ToolError as error:
            return error
        else:
            empty = FetchError(
                f"{url} contains no text (its text may come from scripts, which are not run)", "use another page"
            )
            return (page, answer) if page.text.strip() else empty
        finally:
            done += 1
            context.progress("pages", done, len(urls))

    context.progress("pages", 0, len(urls))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(read(url)) for url in urls]
    return [task.result() for task in tasks]


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


def _links(page: Page) -> str:
    """The page's links below its text: outside what the source covers, so that no model reads them as the page."""
    urls = [url for url in _pages(link.url for link in page.links) if url != urldefrag(page.url).url][:MOST_LINKS]
    return "\n\nLinks:\n" + "\n".join(urls) if urls else ""


def _all_failed(errors: list[ToolError]) -> ToolError:
    reasons = list(dict.fromkeys(error.message for error in errors))
    several = f"none of {len(errors)} pages could be read: {'; '.join(reasons[:3])}"
    message = reasons[0] if len(reasons) == 1 else several
    waits = [error.retry_after for error in errors if error.retry_after is not None]
    return ToolError(
        message,
        errors[0].hint,
        retryable=any(error.retryable for error in errors),
        retry_after=min(waits) if waits else None,
    )
