"""Finds links in plain text, in one pass and in order.

    >>> extract_links("See (https://a.example/x_(y)), https://b.example/?q=1,2, and **https://c.example/**.")
    ('https://a.example/x_(y)', 'https://b.example/?q=1,2', 'https://c.example/')

A link begins with ``http://``, ``https://`` or ``docs://`` (a file of the user's documents) and ends where the text
around it begins again: at a space, a quote, an angle bracket, a bracket that was not opened inside it, a character
no address has. Closing punctuation belongs to the sentence. Time is in proportion to the length of the text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from airoagent.events import Evidence
from airoagent.plan.evidence import Filled

_SCHEME = re.compile(r"(https?|docs):(?:\\?/){2}", re.IGNORECASE)
_START = re.compile(_SCHEME.pattern + r"|(?<![\w@./:+-])(?=www\.[a-z0-9-]+\.[a-z]{2})", re.IGNORECASE)
# A link that ends in the name of a file with spaces in it; the words before the last are not files themselves.
_SPACED = re.compile(
    r"[ \t]*(?:[-*] )?https?://[^\s/?#]+/(?:[^\s?#.]|\.(?!\w{2,4} )){0,500}(?: [\w()&+,'-]{1,80}){1,12}"
    r"\.(?:pdf|docx?|xlsx?|pptx?|od[tps]|epub|html?|txt|csv|zip|jpe?g|png)[ \t]*",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:amp|quot|apos|lt|gt|nbsp|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});", re.IGNORECASE)
_UNICODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_MOST = 8192
_CLOSERS = {")": "(", "]": "["}
_TRAILING = ".,;:!?*'([{~·…"
# What ends a link in a text: white space, controls, quotes, brackets and punctuation of other scripts, surrogates.
_STOP = re.compile(
    '[\x00- "<>`|^{}«»‹›“”„‟‘’‚‛…\x7f-\xa0\xad\u1680\u2000-\u200f\u2014\u2015\u2028-\u202f\u205f-\u206f\u3000-\u3004'
    "\u3008-\u3020\u3030\u303d\u30fb\ufe10-\ufe1f\ufe30-\ufe6f\ufeff\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
    "\ud800-\udfff\ufff0-\uffff]"
)
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]")
_HOST_END = re.compile(r"\.[a-zA-Z0-9]{2,62}$|:[a-zA-Z0-9]{1,62}$")
_SPLITS = frozenset(",;")
_ESCAPED = frozenset("/_*~()[]#&=-.!+?:@%")


def extract_links(text: str) -> tuple[str, ...]:
    """The links of a text, each once, in order of first appearance, freed of what surrounds and escapes them."""
    return tuple(dict.fromkeys(_scan(_without_spaces(text))))


def _without_spaces(text: str) -> str:
    """The text with %20 for the spaces in names of files that a list of links has, one a line."""
    lines = text.split("\n")
    links = [bool(_SCHEME.match(line.lstrip(" \t-*"))) for line in lines]
    for at, line in enumerate(lines):
        listed = links[at] and any(links[max(0, at - 1) : at] + links[at + 1 : at + 2])
        if listed and " " in line and _SPACED.fullmatch(line):
            head, scheme, name = line.partition("http")
            lines[at] = head + scheme + name.strip().replace(" ", "%20")
    return "\n".join(lines)


def links_of(parts: Filled, clean_lines: bool = False) -> tuple[str, ...]:
    """The links of a filled input: those of its literal text and of the evidence in it, in order, each once.

    An evidence that lists its sources (search results: each source's characters hold its own address) gives exactly
    their addresses; another gives the links in its text that lead somewhere else; and where it has none, the addresses
    it came from.
    ``clean_lines`` takes a text of nothing but links, one a line, as it stands.
    """
    found: dict[str, None] = {}
    for part in parts:
        found.update(
            dict.fromkeys(_of_text(part, clean_lines) if isinstance(part, str) else _of_evidence(part, clean_lines))
        )
    return tuple(found)


def _of_text(text: str, clean_lines: bool) -> Iterable[str]:
    if clean_lines:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if lines and all(_is_clean(line) for line in lines):
            return lines
    return extract_links(text)


def _is_clean(line: str) -> bool:
    match = _SCHEME.match(line)
    if match is None or len(line) > _MOST or line[-1] in ".,;:" or _SCHEME.search(line, match.end()) is not None:
        return False
    return not any(char <= " " or char in '<>"`|\\{}' for char in line) and extract_links(line) != ()


def _of_evidence(evidence: Evidence, clean_lines: bool) -> Iterable[str]:
    came_from = [source.url for source in evidence.sources if source.url]
    spans = [source for source in evidence.sources if source.end > source.start]
    if spans and all(source.url in evidence.text[source.start : source.end].splitlines() for source in spans):
        return [source.url for source in spans if source.url]
    return [link for link in _of_text(evidence.text, clean_lines) if link not in came_from] or came_from


def _scan(text: str) -> Iterator[str]:
    place = 0
    while (match := _START.search(text, place)) is not None:
        before = text[match.start() - 1] if match.start() else ""
        if before in "nrt" and text[max(0, match.start() - 2) : match.start() - 1] == "\\":
            before = " "  # a line break or tab written as an escape
        if before.isascii() and (before.isalnum() or before == "+"):
            # The end of a longer word or of another scheme (git+https).
            place = match.end()
            continue
        scheme = (match[1] or "http").lower()
        rest, place = _rest(text, match.end(), before, scheme == "docs")
        # A model that copies a link after a scheme it already wrote makes http://https://a.example.
        start = 0
        while (doubled := _SCHEME.match(rest, start)) is not None:
            scheme, start = doubled[1].lower(), doubled.end()
        if start:  # read again: what ends a host has been taken for part of a path
            rest, _ = _rest(rest, start, before, scheme == "docs")
        link = _tidy(rest, before)
        if link and len(link) <= _MOST:
            yield f"{scheme}://{link}"


def _rest(text: str, start: int, before: str, docs: bool) -> tuple[str, int]:
    """What follows the scheme, unescaped, up to where the surrounding text begins again; and that place.

    A run longer than any address is still read to its end, so that no character is looked at twice.
    """
    out: list[str] = []
    open_brackets: list[str] = []
    in_host, in_query, place, size = not docs, False, start, len(text)
    while place < size:
        char, width = _unescape(text, place)
        if char == "|" and in_query and before != "|" and place + 1 < size and not text[place + 1].isspace():
            out.append(char)
            place += 1
            continue
        if char == "" or _STOP.match(char) or (char == "'" and before == "'"):
            break
        in_query = in_query or char == "?"
        if char in _SPLITS and _SCHEME.match(text, place + width):
            break
        if in_host:
            if char in "/?#":
                in_host = False
            elif (
                char in "(),;!*'=&$"
                or (char == "[" and out)
                or (_CJK.match(char) and _HOST_END.search("".join(out[-64:])))
            ):
                break
        if char in _CLOSERS:
            if not open_brackets or open_brackets[-1] != _CLOSERS[char]:
                break
            open_brackets.pop()
        elif char in "([":
            open_brackets.append(char)
        if len(out) <= _MOST:
            out.append(char)
        place += width
    return "".join(out), max(place, start)


def _unescape(text: str, place: int) -> tuple[str, int]:
    """The character meant at this place and how many it takes; ``""`` where an escape ends the link."""
    char = text[place]
    if char == "&":
        match = _ENTITY.match(text, place)
        if match is None:
            return char, 1
        meant = html.unescape(match[0])
        # A quote written as an entity closes the attribute or sentence around the link.
        return ("" if meant in "'\"" or len(meant) != 1 else meant), len(match[0])
    if char == "\\":
        escape = _UNICODE_ESCAPE.match(text, place)
        if escape is not None and 0x20 < int(escape[1], 16) < 0x7F:
            return chr(int(escape[1], 16)), 6
        following = text[place + 1 : place + 2]
        return (following, 2) if following in _ESCAPED and following else ("", 1)
    return char, 1


def _tidy(rest: str, before: str) -> str:
    """The rest of a link without the sentence's punctuation; ``""`` where no host is left."""
    end = len(rest)
    while end and (rest[end - 1] in _TRAILING or (rest[end - 1] == "_" == before)):
        end -= 1
    rest = rest[:end]
    if not rest or not (rest[0].isalnum() or rest[0] == "[" or ord(rest[0]) > 0xA0):
        return ""
    if rest[0] == "[" and "]" not in rest:
        return ""
    return rest
