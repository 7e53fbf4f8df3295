"""Fills a function's parameters from one sentence: what is quoted, figures, addresses, dates, names, allowed values.

Each parameter is looked for by what its name and description say it is (a file, a day, a place, a text, ...), and
nothing is used twice. A parameter the sentence has nothing for is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from airoagent.calls.functions import Param
from airoagent.calls.scalars import Json
from airoagent.text.words import STOP_WORDS, stem, stems, words

__all__ = ["Clues", "filled", "read_clues"]

_QUOTED = re.compile(
    r"\"([^\"\n]{1,400})\"|“([^”\n]{1,400})”|‘([^’\n]{1,400})’|(?<!\w)'((?:[^'\n]|'(?=\w)){1,400})'(?!\w)"
)
_URL = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_FILE = re.compile(r"(?<![\w@/.])[\w~][\w./~-]{0,200}\.[A-Za-z][A-Za-z0-9]{0,5}(?![\w@])")
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday|today|tomorrow|tonight|yesterday"
_MONTH = "january|february|march|april|may|june|july|august|september|october|november|december"
_DATE = re.compile(
    rf"\b(?:\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)? (?:of )?(?:{_MONTH})(?: \d{{4}})?"
    rf"|(?:{_MONTH}) \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?|(?:next |this )?(?:{_DAYS}))\b",
    re.IGNORECASE,
)
_TIME = re.compile(r"\b(?:\d{1,2}[:.]\d{2}(?: ?[ap]\.?m\b\.?)?|\d{1,2} ?[ap]\.?m\b\.?|noon|midnight)", re.IGNORECASE)
_FIGURE = re.compile(r"(?<![\w.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w.]*\d)|(?<![\w.])-?\d+(?:\.\d+)?")
_CAPITALS = re.compile(r"[A-Z][\w'’&-]*(?:[ -](?:of |the |de |van |von |la )?[A-Z][\w'’&-]*)*")
_WORD = re.compile(r"[\w'’-]+")
_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_NUMBER_WORDS = {word: value for value, word in enumerate(_TO_TWENTY.split())} | {
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "dozen": 12,
    "hundred": 100,
    "thousand": 1000,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}


@dataclass(slots=True)
class Clue:
    """Something in the sentence that can be a value: its kind, text and place; ``used`` once a parameter has it."""

    kind: str
    text: str
    start: int
    end: int
    used: bool = False


@dataclass(slots=True)
class Clues:
    """A sentence and what can be taken from it; ``plain`` is the sentence without quotes, addresses and files."""

    text: str
    plain: str
    found: list[Clue] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Clue]:
        """The unused clues of these kinds, in the order of the sentence."""
        return [clue for clue in self.found if not clue.used and clue.kind in kinds]


def read_clues(text: str) -> Clues:
    """Everything in a sentence that can be a value."""
    found: list[Clue] = []
    rest = text

    def take(kind: str, pattern: re.Pattern[str]) -> None:
        nonlocal rest
        for match in pattern.finditer(rest):
            value = next((group for group in match.groups() if group), match[0]) if match.groups() else match[0]
            found.append(Clue(kind, value, match.start(), match.end()))
        for clue in found:
            rest = rest[: clue.start] + " " * (clue.end - clue.start) + rest[clue.end :]

    take("quote", _QUOTED)
    take("url", _URL)
    take("email", _EMAIL)
    take("file", _FILE)
    plain = rest
    take("date", _DATE)
    take("time", _TIME)
    take("number", _FIGURE)
    for match in _WORD.finditer(rest):
        if (word := match[0].lower()) in _NUMBER_WORDS:
            found.append(Clue("number", str(_NUMBER_WORDS[word]), match.start(), match.end()))
    for match in _CAPITALS.finditer(rest):
        if match.start() == _first_letter(rest) and not rest[match.end() :].lstrip().startswith(("'s", ",")):
            shorter = match[0].partition(" ")[2]
            if shorter and match[0].split()[0].lower() != "the":
                found.append(Clue("name", shorter, match.end() - len(shorter), match.end()))
            continue
        if match[0] not in ("I", "I'm", "I'd", "I'll", "I've"):
            found.append(Clue("name", match[0], match.start(), match.end()))
    found.sort(key=lambda clue: clue.start)
    return Clues(text, plain, found)


def _first_letter(text: str) -> int:
    found = re.search(r"\w", text)
    return found.start() if found else -1


def filled(params: Iterable[Param], clues: Clues) -> dict[str, Json]:
    """The parameters the sentence says something of; ``clues`` may be used again after."""
    for clue in clues.found:
        clue.used = False
    return _members(params, clues)


_ORDER = {"enum": 0, "exact": 1, "number": 2, "text": 3}


def _members(params: Iterable[Param], clues: Clues) -> dict[str, Json]:
    params = tuple(params)
    values: dict[str, Json] = {}
    # What is known by its form is taken first, so that free text gets only what is left; required before optional.
    for param in sorted(params, key=lambda one: (_ORDER[_manner(one)], not one.required)):
        value = _value(param, clues)
        if value is not None:
            values[param.name] = value
    return {param.name: values[param.name] for param in params if param.name in values}


def _manner(param: Param) -> str:
    if param.enum or _listed(param):
        return "enum"
    if param.kind in ("integer", "number"):
        return "number"
    return "exact" if _form(param) not in ("", "text", "name", "place") else "text"


def _value(param: Param, clues: Clues) -> Json:
    if param.enum:
        return _of_enum(param, [str(one) for one in param.enum], clues)
    listed = _listed(param)
    if listed:
        return _of_enum(param, listed, clues)
    if param.members:
        return _members(param.members, clues) or None
    if param.kind == "boolean":
        return _flag(param, clues)
    if param.kind in ("integer", "number"):
        return _number(param, clues)
    if param.kind == "array":
        return _several(clues)
    if param.kind == "object":
        return None
    return _text(param, clues)


def _listed(param: Param) -> list[str]:
    """Values that a description gives in quotes as examples of what the parameter may be."""
    found: list[str] = re.findall(r"\"([\w-]{2,40})\"", param.description)
    return found if len(found) > 1 else []


_MEANT = {
    "how many times": "count occurrences",
    "how often": "count occurrences",
    "mention": "occurrences",
    "occur": "occurrences",
    "how many lines": "count lines",
    "how many words": "count words",
    "how many characters": "count characters",
    "which line": "find line",
    "what line": "find line",
    "where": "find line",
    "how many": "count",
    "appear": "find occurrences",
}


def _of_enum(param: Param, values: list[str], clues: Clues) -> Json:
    """The allowed value whose words the sentence says; None if it says none of any."""
    lower = clues.plain.lower()
    said = dict.fromkeys(stems(clues.plain), 1.0) | {stem(word): 1.0 for word in words(lower)}
    for saying, meant in _MEANT.items():
        if saying in lower:
            for word in meant.split():
                said[stem(word)] = max(said.get(stem(word), 0.0), 0.9)
    best, at = 0.0, -1
    for number, value in enumerate(values):
        parts = [stem(word) for word in words(re.sub(r"[_\-]+", " ", value).lower())]
        score = sum(said.get(part, 0.0) for part in parts) / max(len(parts), 1)
        if score > best:
            best, at = score, number
    if best < 0.4:
        return None
    chosen = param.enum[at] if param.enum else values[at]
    for clue in clues.of("name"):
        if clue.text.lower() == str(chosen).lower():
            clue.used = True
    return chosen


def _flag(param: Param, clues: Clues) -> Json:
    about = {stem(word) for word in words(param.name.replace("_", " ").lower())} - {"is", "use"}
    if not about & set(stems(clues.plain)):
        return None
    return not re.search(r"\b(?:not|no|without|ignor\w*|don't)\b", clues.plain.lower())


_JOINS = re.compile(r",|\band\b|\bby\b")  # what follows it belongs to another figure


def _number(param: Param, clues: Clues) -> Json:
    """The figure that stands nearest to a word of the parameter; the first one for a parameter that must be there."""
    numbers = clues.of("number")
    if not numbers:
        return None
    about = {stem(word) for word in words(param.name.replace("_", " ").lower())}
    told = set(stems(param.description)) - about
    best: tuple[float, Clue | None] = (0.0, None)
    for clue in numbers:
        score = 0.0
        for match in _WORD.finditer(clues.plain):
            word = stem(match[0].lower())
            worth = 1.0 if word in about or _similar(word, about) else 0.3 if word in told else 0.0
            if worth:
                first, second = sorted([(match.start(), match.end()), (clue.start, clue.end)])
                gap = max(second[0] - first[1], 0)
                crossing = 0.3 if _JOINS.search(clues.plain, first[1], max(second[0], first[1])) else 1.0
                score = max(score, crossing * worth / (1 + gap / 8))
        if score > best[0]:
            best = (score, clue)
    score, chosen = best
    if chosen is None or score < 0.15:
        if not param.required and not param.has_default:
            return _limit(param, numbers)
        chosen = numbers[0]
    return _taken_number(chosen, param)


def _similar(word: str, about: set[str]) -> bool:
    """ "wide" for "width", "high" for "height": the same first three letters of a measure."""
    return len(word) > 3 and any(len(other) > 3 and word[:3] == other[:3] for other in about)


def _limit(param: Param, numbers: list[Clue]) -> Json:
    """A figure for an upper or lower limit, of which sentences rarely say the name."""
    if re.search(r"max|limit|most|min|least|budget|price", param.name.lower()):
        return _taken_number(numbers[0], param)
    return None


def _taken_number(clue: Clue, param: Param) -> Json:
    number = float(clue.text.replace(",", ""))
    if param.kind == "integer" and not number.is_integer():
        return None
    clue.used = True
    return int(number) if number.is_integer() and "." not in clue.text else number


def _several(clues: Clues) -> Json:
    """Names that are joined by "and" or commas, or else all quotes that are left."""
    taken = clues.of("name") or clues.of("quote", "email", "file", "url")
    for clue in taken:
        clue.used = True
    return [clue.text for clue in taken] or None


_FORMS = (
    ("email", r"e-?mail|recipient"),
    ("url", r"url|link|website|web page|address of a page"),
    ("file", r"file|path|filename|document|image"),
    ("date", r"date|day|deadline|when|start|end\b|until|since"),
    ("time", r"time|hour|clock"),
    ("place", r"city|town|place|location|country|where|destination|region|address|origin"),
    ("name", r"name|person|artist|author|who|recipient|user|customer|company|singer|brand"),
    ("text", r"text|keyword|word|phrase|query|message|content|body|title|subject|label|term|topic|note|term|string"),
)


def _form(param: Param) -> str:
    """What a text parameter is by its name, or else by its description: a file, a date, a place, ..."""
    name = param.name.replace("_", " ").lower()
    for text in (name, param.description.lower()):
        for form, pattern in _FORMS:
            if re.search(rf"\b(?:{pattern})", text):
                return form
    return ""


_BEHIND = {
    "source": ("from", "of"),
    "origin": ("from",),
    "start": ("from", "between", "since"),
    "from": ("from",),
    "target": ("to", "into", "in"),
    "to": ("to", "into"),
    "end": ("to", "until", "till", "and"),
    "destination": ("to", "into"),
    "language": ("into", "in", "to"),
    "artist": ("by", "from"),
    "author": ("by",),
    "place": ("near", "in", "at", "around"),
    "city": ("in", "for", "at", "near"),
    "location": ("in", "at", "near"),
    "title": ("called", "named", "about"),
    "topic": ("about", "on"),
    "subject": ("about", "subject"),
    "label": ("to", "about"),
    "body": ("saying", "that", "text"),
    "message": ("saying", "that"),
    "query": ("for", "about"),
    "name": ("called", "named"),
    "keyword": ("word", "for", "of", "does", "is"),
}


def _text(param: Param, clues: Clues) -> Json:
    """A text of the sentence for a parameter; None where there is nothing for it."""
    form = _form(param)
    name = param.name.lower().split("_")[-1]
    leads = _BEHIND.get(param.name.lower(), _BEHIND.get(name, ()))
    if form in ("email", "url", "file", "date", "time"):
        return _first(clues.of(form), leads, clues) or (_behind(leads, clues) if form == "email" else None)
    if form == "text" or (not form and not leads):
        quote = _first(clues.of("quote"), leads, clues)
        if quote is not None:
            return quote
        if param.required or form == "text":
            return _said_of(param, clues)
        return None
    named = _first(clues.of("name"), leads, clues, must_lead=bool(leads) and form not in ("place", "name"))
    if named is not None:
        return named
    behind = _behind(leads, clues)
    if behind is None and name in ("source", "origin"):
        behind = _behind_number(clues)
    return behind if behind is not None else (_first(clues.of("quote"), (), clues) if param.required else None)


def _first(found: list[Clue], leads: tuple[str, ...], clues: Clues, must_lead: bool = False) -> str | None:
    """The clue that comes right after one of the words that lead to such a value, or else the first."""
    chosen = next((clue for lead in leads for clue in found if _word_before(clue, clues) == lead), None)
    if chosen is None and found and not must_lead:
        chosen = found[0]
    if chosen is None:
        return None
    chosen.used = True
    return chosen.text


def _word_before(clue: Clue, clues: Clues) -> str:
    before = _WORD.findall(clues.text[max(0, clue.start - 40) : clue.start])
    while before and before[-1].lower() in ("the", "a", "an", "word", "phrase") and len(before) > 1:
        before.pop()
    return before[-1].lower() if before else ""


_ENDS = frozenset(
    {"to", "into", "in", "from", "by", "for", "at", "on", "with", "and", "please", "until", "near", "does"}
)


def _behind(leads: tuple[str, ...], clues: Clues) -> str | None:
    """The words after a leading word, up to the next preposition."""
    for lead in leads:
        for match in re.finditer(rf"\b{lead}\s+(?:the |a |an )?", clues.plain, re.IGNORECASE):
            taken: list[re.Match[str]] = []
            for word in _WORD.finditer(clues.plain, match.end()):
                between = clues.plain[taken[-1].end() if taken else match.end() : word.start()]
                if (taken and word[0].lower() in _ENDS) or between.strip() or len(between) > 2 or len(taken) == 4:
                    break
                taken.append(word)
            text = clues.plain[taken[0].start() : taken[-1].end()] if taken else ""
            if (
                text
                and text.lower() not in STOP_WORDS
                and not text[0].isdigit()
                and not _is_used(taken[0].start(), clues)
            ):
                _use(taken[0].start(), taken[-1].end(), clues)
                return text
    return None


def _behind_number(clues: Clues) -> str | None:
    """The word after a figure: "250 USD"."""
    found = re.search(r"(?<![\w.])\d[\d,.]*\s+([A-Za-z]{2,20})", clues.plain)
    if found is None:
        return None
    _use(found.start(1), found.end(1), clues)
    return found[1]


def _is_used(start: int, clues: Clues) -> bool:
    return any(clue.used and clue.start <= start < clue.end for clue in clues.found)


def _use(start: int, end: int, clues: Clues) -> None:
    """Mark what stands here as used."""
    for clue in clues.found:
        if clue.start < end and start < clue.end:
            clue.used = True
    clues.found.append(Clue("words", clues.text[start:end], start, end, used=True))


_SUBJECT = re.compile(
    r"\b(does|do|did|is|are|word|phrase)\s+(?:the (?:word|phrase) )?([\w'’.+#-]{2,60})\s+(?:\w+ )?"
    r"(?:occur|appear|stand|come up|mentioned|used|found|in\b)",
    re.IGNORECASE,
)
_COLON = re.compile(r":\s+(\S[^\n]{0,400})")


def _said_of(param: Param, clues: Clues) -> str | None:
    """Free text: what follows a colon, what something is said of, or what follows the words that lead to it."""
    colon = _COLON.search(clues.text)
    if colon is not None and not _is_used(colon.start(1), clues):
        _use(colon.start(1), colon.end(1), clues)
        return colon[1].strip()
    for subject in _SUBJECT.finditer(clues.text):
        if subject[2] and subject[2].lower() not in STOP_WORDS and not _is_used(subject.start(2), clues):
            _use(subject.start(2), subject.end(2), clues)
            return subject[2]
    name = param.name.lower().split("_")[-1]
    behind = _behind(_BEHIND.get(name, ()), clues)
    if behind is not None or not param.required:
        return behind
    return _first(clues.of("name"), (), clues)
