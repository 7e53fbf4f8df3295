"""From the text of a closed-context prompt to sentences that know where they stand.

`read_prompt` takes the prompt apart (blocks, metadata, instruction); `cut` makes sentences of a block: prose split at
full stops, wrapped lines joined, headings and table headers remembered as the context of what stands under them.
Linear in the length of the text; nothing raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from airoagent.models.english.words import STOPWORDS

__all__ = ["Block", "ClosedContext", "Sentence", "cut", "read_prompt"]

_LONGEST = 700  # characters; a longer "sentence" is a list or code, and is cut where it can be


@dataclass(frozen=True, slots=True)
class Block:
    """One source: its text, and the metadata pairs it may be cited by."""

    text: str
    metadata: tuple[tuple[str, str], ...] = ()

    def meta(self, *keys: str) -> str:
        """The first of these metadata that is there, or ""."""
        return next((value for key in keys for name, value in self.metadata if name.lower() == key), "")


@dataclass(frozen=True, slots=True)
class ClosedContext:
    """A closed-context prompt taken apart."""

    blocks: tuple[Block, ...]
    instruction: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, list item or table row, on one line.

    ``heading`` is what it stands under, ``cells`` and ``header`` are a table row's cells and the header of their table,
    ``short`` marks a heading or the like, ``item`` a list's item. ``entry`` is the term that it tells of where a list
    of terms says what each is: an option, a function, a setting ("os.makedirs(name, mode=0o777)").
    """

    text: str
    block: int
    heading: str = ""
    cells: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    short: bool = False
    item: bool = False
    entry: str = ""


def read_prompt(prompt: str) -> ClosedContext | None:
    """The blocks and the instruction of a closed-context prompt; None for any other prompt."""
    blocks: list[Block] = []
    position = 0
    while (start := prompt.find("BEGININPUT", position)) >= 0:
        end = prompt.find("ENDINPUT", start)
        end = len(prompt) if end < 0 else end
        blocks.append(_block(prompt[start + len("BEGININPUT") : end]))
        position = end
    start = prompt.find("BEGININSTRUCTION", position)
    if start < 0:
        return ClosedContext(tuple(blocks), "") if blocks else None
    end = prompt.find("ENDINSTRUCTION", start)
    instruction = prompt[start + len("BEGININSTRUCTION") : None if end < 0 else end]
    return ClosedContext(tuple(blocks), instruction.strip())


def _block(inner: str) -> Block:
    start, end = inner.find("BEGINCONTEXT"), inner.find("ENDCONTEXT")
    if start < 0 or end < start:
        return Block(inner.strip("\n"))
    pairs = []
    for line in inner[start + len("BEGINCONTEXT") : end].splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() and value.strip():
            pairs.append((key.strip(), " ".join(value.split())))
    return Block(inner[end + len("ENDCONTEXT") :].strip("\n"), tuple(pairs))


_BULLET = re.compile(r"^\s*(?:[-*•‣◦·]\s+|\d{1,3}[.)]\s+)")
_HEAD_MARK = re.compile(r"^\s*#{1,6}\s+|^=+\s+")
_RULE = re.compile(r"^[\s|:+=_*~-]+$")
_END = re.compile(r"[.!?][\"'”’)\]*_]*(?:\[\d{1,3}\])*\s+(?=[\"'“‘(\[*_]*[^\W_a-z])|[。！？]+")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'“])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Mt|Sr|Jr|Fr|Rev|Gen|Col|Lt|Capt|Sgt|No|Nos|Vol|vs|etc|e\.g|i\.e"
    r"|cf|ca?|approx|"
    r"fl|b|d|r|Inc|Ltd|Co|Corp|Fig|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|U\.S|U\.K|a\.m|p\.m|B\.C|A\.D"
    r"|[A-Z]\.[A-Z])\.[\"'”’)\]]*\s*$"
)


# A term that a manual tells of, alone on its line: an option, a call, a setting, a constant.
_TERM = re.compile(
    r"(?:class|exception|module) [\w.]+(?:\(|$)|(?:(?:async|static|property|\([\w-]{1,8}\)) )?"
    r"(?:-{1,2}[A-Za-z?][\w-]*|\\[A-Za-z?!]+|%?[\w.:$-]*[A-Za-z_]\w*\(|[\w.-]*\w[_.]\w[\w.-]*|[A-Z][A-Z0-9_]+\b"
    r"|[\w.-]+ \((?:\w+ ?){1,2}\)$)"
)
# A term and what is said of it, on one line.
_TOLD = re.compile(
    r"(?P<dash>[^\s–—][^–—]{0,60}?) [–—] (?=\w)|(?P<gap>\S(?:\S| (?=\S)){0,30})\s{2,}(?=\w)"
    r"|`(?P<tick>[^`]{1,60})`(?: *:| -+| [–—])? (?=\w)|(?P<colon>\w[^\s:.,;!?]*(?: [^\s:.,;!?]+){0,4}): (?=\S)"
)
_ASKS = re.compile(r"^[*_#\s]*[A-Z][^.!]{5,150}\?(?: [A-Z][^.!?]{0,40}[.?])?[*_\s]*$")


def cut(block: Block, number: int) -> Iterator[Sentence]:
    """The sentences of a block in order; ``number`` is the block's place in the prompt."""
    place = _Place()
    in_table = False
    lines = list(_joined_lines(block.text))
    for index, line in enumerate(lines):
        if line == "[...]":  # something of the page was left out here
            place = _Place()
            continue
        if _RULE.match(line):
            continue
        cells = _cells(line)
        if cells:
            if not in_table:
                place.header = cells if not any(c.isdigit() for cell in cells for c in cell) else ()
                in_table = True
                if place.header:
                    continue
            yield Sentence(line.strip(), number, place.heading, cells, place.header, entry=cells[0])
            continue
        in_table = False
        marked = _HEAD_MARK.match(line)
        bullet = _BULLET.match(line)
        text = (line[marked.end() :] if marked else line[bullet.end() :] if bullet else line).strip().strip("#").strip()
        if not text:
            continue
        is_term = not marked and not bullet and len(text) < 300 and bool(_TERM.match(text)) and not _ENDED.search(text)
        is_term = is_term and ("(" in text or len(text.split()) < 6)
        short = len(text) < 90 and text[-1] not in '.!?。！？"”' and not bullet
        asks = not bullet and index + 1 < len(lines) and bool(_ASKS.match(text))
        ends = index + 1 >= len(lines) or (not is_term and _is_short(lines, index + 1))
        if marked or asks or ((short or is_term) and text[-1] != "," and not ends):
            place.under(text.strip("*_ "), term=is_term and not marked)
            yield Sentence(text, number, "", short=True, entry=place.entry if is_term else "")
            continue
        yield from _told(text, number, place, short, bool(bullet))


_ENDED = re.compile(r"[.!?;]$|\. [A-Z]")


_VERSION = re.compile(r"\d+\.\d+")
_CHANGES = frozenset(("added", "changed", "deprecated", "fixed", "removed", "security", "fixes", "features", "changes"))


@dataclass(slots=True)
class _Place:
    """Where in a page a line stands: the section, the entry of a list of terms, the table."""

    section: str = ""
    entry: str = ""
    heading: str = ""
    header: tuple[str, ...] = ()
    release: str = ""
    alias: bool = False  # nothing has been said of the entry yet: another term is one more name of it

    def under(self, text: str, term: bool) -> None:
        """What follows stands under this heading or term."""
        above = text.endswith(":")
        text = text.rstrip(":").strip("*_ ")
        if term:
            also = self.alias and text.startswith("-") and self.entry.startswith("-")
            self.entry = text = f"{self.entry}, {text}" if also else text
            self.alias = True
            self.heading = f"{self.section}: {text}" if self.section else text
        elif above and self.entry:
            self.heading = f"{self.entry}: {text}"  # "Parameters:" of a function
        else:
            self.release = text if _VERSION.search(text) else self.release
            within = self.release if text.lower() in _CHANGES else ""  # "Added" below "2.1.0 (4 May 2020)"
            self.section, self.entry = text, ""
            self.heading = f"{within}: {text}" if within else text


_IN_BRACKETS = re.compile(r"^[\w.]+\([^)|]*\|")


def _cells(line: str) -> tuple[str, ...]:
    """The cells of a table's row; () for any other line."""
    if not (" | " in line or "\t" in line or (line.startswith("|") and line.count("|") > 2)):
        return ()
    if _IN_BRACKETS.search(line):
        return ()  # a call with flags: "which(cmd, mode=F_OK | X_OK)"
    bare = line.strip()
    bare = bare.strip("|") if bare.startswith("|") and bare.endswith("|") else bare
    cells = tuple(cell.strip() for cell in re.split(r"\s*\|\s*|\t+", bare))
    return cells if len(cells) > 1 and len(line) <= 4 * _LONGEST else ()


def _told(text: str, number: int, place: _Place, short: bool, item: bool) -> Iterator[Sentence]:
    """The sentences of a paragraph or item; the first words can be its heading, or the term that it tells of."""
    above = place.heading
    place.alias = False
    told = _TOLD.match(text)
    entry = (told[told.lastgroup or 0].strip() if told else "") or place.entry
    for count, part in enumerate(_sentences(text)):
        # "Bridges. Under the emperor ...": a paragraph's first words can be its heading.
        opener = not count and len(part) < 40 and len(text) > 2 * len(part) and len(part.split()) <= 4
        yield Sentence(part, number, above, short=short or opener, item=item, entry=entry)
        above = f"{place.heading}: {part.rstrip('.:')}" if opener else above


def _is_short(lines: list[str], index: int) -> bool:
    """Whether the line at ``index`` is as short as a heading or a list item without a mark (so is no body text)."""
    if index >= len(lines):
        return True
    line = lines[index].strip()
    return len(line) < 60 and not _BULLET.match(line) and " | " not in line and line[-1:] not in (".", "!", "?")


def _joined_lines(text: str) -> Iterator[str]:
    """Lines of the text, wrapped ones joined into their paragraph."""
    held = ""
    last = 0
    for raw in text.splitlines():
        line = raw.strip()
        if held and _goes_on(held, last, raw):
            held = f"{held} {line}"
        else:
            if held:
                yield held
            held = line
        last = len(line)
        if len(held) > 20_000:
            yield held
            held = ""
    if held:
        yield held


def _goes_on(held: str, last: int, raw: str) -> bool:
    line = raw.strip()
    if (
        not line
        or not held
        or " | " in line
        or " | " in held
        or _BULLET.match(raw)
        or _HEAD_MARK.match(raw)
        or _HEAD_MARK.match(held)
    ):
        return False
    if line[0].islower() and (last >= 40 or held[-1] in ",-"):
        return held[-1] not in ".!?"
    if held[-1] in ".!?" and _TOLD.match(line):
        return False  # the next of a list of terms
    return 50 <= last <= 130 and len(line) <= 130


def _sentences(text: str) -> Iterator[str]:
    start = 0
    for match in _END.finditer(text):
        end = match.end()
        piece = text[start:end]
        if _ABBREVIATION.search(piece[-14:]) and end - start < _LONGEST and not _new_start(piece, text[end : end + 16]):
            continue
        yield from _pieces(piece.strip())
        start = end
    if text[start:].strip():
        yield from _pieces(text[start:].strip())


def _new_start(piece: str, ahead: str) -> bool:
    """Whether "... is written in C." ends there, since what follows ("It has") is no name."""
    first = re.match(r"\W*(\w+)", ahead)
    return bool(first and re.search(r"\b[A-Z]\.\W*$", piece) and first[1].lower() in STOPWORDS)


def _pieces(sentence: str) -> Iterator[str]:
    """The sentence, or parts of it where it is too long to be one."""
    while len(sentence) > _LONGEST:
        at = max(sentence.rfind("; ", 200, _LONGEST), sentence.rfind(", ", 300, _LONGEST))
        at = at + 1 if at > 0 else sentence.rfind(" ", 200, _LONGEST)
        at = _LONGEST if at <= 0 else at
        yield sentence[:at].strip()
        sentence = sentence[at:].strip()
    if sentence:
        yield sentence
