"""Questions by their form: what they search for, what an answer looks like, and the parts that some of them have.

    >>> parts = two_parts("Who won the prize in 2020 and what is their most famous work?")
    >>> parts.first, parts.second, parts.chained
    ('Who won the prize in 2020?', 'What is their most famous work?', True)

English only, and by patterns; a question that fits none is searched for as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache

from airoagent.frozen import frozen
from airoagent.text.words import STOP_WORDS, fold, query_stems, stem, word_set, words

_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    r"|(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-\w+)?|dozen|hundreds?|thousands?|millions?|billions?|half|twice|once|both|single|first|second|third|fourth|fifth)\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b(?:\d{3,4}s?|\d{1,2}(?:st|nd|rd|th)|\d{1,2}[:.]\d\d|noon|midnight|\d{1,2} ?[ap]\.?m|(?:to|yester)day|tomorrow"
    r"|(?:jan|febr)uary|march|april|may|june|july|august|(?:septem|octo|novem|decem)ber|century"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days?)\b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"\b([A-Z][\w'’-]+) (\d{1,4})\b")
_NAME = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][\w'’-]+")
_FORMS = (
    (
        "number",
        r"\bhow (?:many|much|long|old|tall|deep|far|large|big|high|wide|fast|heavy|often|hot|cold)\b|\bpercent"
        r"|\b(?:what|which) (?:is the )?(?:number|amount|percentage|age|score|temperature|length|height|depth"
        r"|population|price|cost|size|weight|speed|distance|total|area)\b|\bwhat (?:do|does|did|will) .{1,80}\bcost\b",
    ),
    (
        "date",
        r"\bwhen (?:is|was|are|were|do|does|did|will|would|can|could|has|have|had|should|must|may|might)\b"
        r"|\b(?:what|which) (?:\w+ )?(?:year|century|date|day|month|decade|time)\b",
    ),
    ("name", r"\b(?:who|whom|whose|where)\b|\b(?:what|which) (?:city|country|state|place|county|town|region|river)\b"),
)


# Words of a question that a text which answers it may well leave out: verbs, and what kind of thing is asked for.
_IMPLIED = re.compile(
    r"(?:\b(?:what|which|how) |\b(?=(?:\w+ed|known|says?|must|should|name|number|amount|date|time|place|distance)\b))"
    r"(\w+)",
    re.IGNORECASE,
)


@frozen
class Question:
    """A question as the reader needs it: the stems it looks for with their weight, its names and years, the names that
    an earlier answer lends it, the form of its answer ("number", "date", "name", "summary" or ""), names that have a
    number ("Apollo 11"), and the stems that a text which answers it may leave out."""

    text: str
    terms: dict[str, float]
    names: frozenset[str] = frozenset()
    lent: frozenset[str] = frozenset()
    form: str = ""
    numbered: tuple[tuple[str, str], ...] = ()
    implied: frozenset[str] = frozenset()

    def is_of_another(self, sentence: str) -> bool:
        """Whether a sentence is about another one of a numbered kind: of Apollo 12 where Apollo 11 is asked about."""
        said = set(_NUMBERED.findall(sentence)) if self.numbered else set()
        return any(
            (name, number) not in said and any(other == name for other, _ in said) for name, number in self.numbered
        )

    def is_answer_like(self, sentence: str) -> bool:
        """Whether a sentence has something of the form that is asked for, besides the question's own words."""
        if self.form == "name":
            own = _folded(self.text)
            return any(fold(found[0]) not in own for found in _NAME.finditer(sentence))
        if self.form == "number":
            return _NUMBER.search(sentence) is not None
        return self.form == "date" and _DATE.search(sentence) is not None

    def may_be_answered(self, sentence: str) -> bool:
        """Whether a sentence could answer: where a number or a time is asked for, not without any word of one."""
        return self.form not in ("number", "date") or bool(_NUMBER.search(sentence) or _DATE.search(sentence))


@lru_cache(maxsize=64)
def _folded(text: str) -> frozenset[str]:
    return frozenset(map(fold, words(text)))


_ENDING = re.compile(
    r"(?<=\w)\.(?:csv|tsv|xlsx|md|txt|pdf|docx|pptx|epub|html?|json|ipynb)\b", re.IGNORECASE
)  # of a file
_SUMMARY = re.compile(
    r"\bsummar|\bmain points?\b|\boverview\b|\bwhat (?:does|do|is|are) (?:it|this|the \w+) (?:say|about)\b",
    re.IGNORECASE,
)
_OF_SUMMARY = word_set(
    "giv writ summaris summariz summari text page say main point overview short brief articl document file"
)


def read_question(instruction: str) -> Question:
    """What an instruction asks for. What it has in brackets at its end, an earlier answer, only lends its names."""
    text = clean(instruction)
    opened = text.find(" (")
    bracket = text[opened + 2 : text.rfind(")")] if 0 < opened < text.rfind(")") else ""
    asked = text[:opened] + text[text.rfind(")") + 1 :] if bracket else text
    asked = _ENDING.sub("", asked)
    terms = {one: 1.3 if one.isdigit() else 1.0 for one in query_stems(asked)}
    if _SUMMARY.search(asked):
        terms = {one: weight for one, weight in terms.items() if one not in _OF_SUMMARY}
    lent = [name for name in dict.fromkeys(_names(f". {bracket}")) if not name.isdigit()]
    terms |= {one: min(0.5, 1.5 / len(lent)) for one in lent if one not in terms}
    patterns = (*_FORMS, ("summary", r"\bsummar|\boverview\b"))
    form = next((form for form, pattern in patterns if re.search(pattern, asked, re.IGNORECASE)), "")
    numbered = tuple(pair for pair in _NUMBERED.findall(asked) if pair[0].lower() not in STOP_WORDS)
    text = asked.strip() if bracket else text
    implied = frozenset(map(stem, _IMPLIED.findall(asked)))
    return Question(text, terms, frozenset(_names(asked)), frozenset(lent), form, numbered, implied)


def _names(text: str) -> list[str]:
    """The stems of a question's names and years; its first word is none."""
    found = re.findall(r"(?<!^)\b(?:[A-Z][\w'’-]*|\d{3,4})\b", text)
    return [stem(word) for word in found if word.lower() not in STOP_WORDS]


def has_name(sentence: str) -> bool:
    """Whether a sentence names somebody or something; its first word is none."""
    return _NAME.search(sentence) is not None


_POLITE = re.compile(  # up to the question that it leads to
    r"^(?:please|hi|hello|hey|so|okay|(?:can|could|would|will|do) you|i wonder|i(?:'d| would)? (?:like|want|need)"
    r"|tell (?:me|us))\b[^?.;:]{0,40}?(?=\b(?:who|whom|whose|what|which|when|where|why|how)\b)",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"(?:(?-i:\s*\bSources?\s*\?)|(?<=[.?!])\s*\bsources?"
    r"|[\s,;]*\b(?:please )?(?:do not|don't|don’t|never) make up (?:an )?answers?[^.?!]*"
    r"|[\s,;]*\b(?:please )?cite (?:your |the )?sources?)[\s.?!]*$",
    re.IGNORECASE,
)


def clean(instruction: str) -> str:
    """The question alone, on one line: without politeness, "Source?" and "Don't make up answers"."""
    text = " ".join(instruction[:4000].split())
    text = _POLITE.sub("", text)
    for _ in range(8):
        found = _ASIDE.search(text)
        text = text[: found.start()].rstrip(" ,;") if found and found.start() else text
    return text


_ORDER = re.compile(
    r"^(?:tell (?:me|us)(?: (?:more|something|all|everything))?(?: about)?|(?:name|give|list|describe|explain|find|show"
    r"|summari[sz]e|identify|state|outline)(?: me| us)?(?: all)?)\s+(?=\S)",
    re.IGNORECASE,
)
_WHOLE, _MOST = 20, 14  # words of a question that is searched for as it is, and of what is left of a longer one


def search_query(question: str) -> str:
    """The words to search for: the question as it is asked, or the telling words of a long one."""
    text = _ORDER.sub("", question).strip(" ?!.,;") or question.strip()
    found = text.split()
    if len(found) <= _WHOLE:
        return text
    telling = [word for word in found if word.lower().strip(",;:.?!\"'()") not in STOP_WORDS]
    return " ".join((telling or found)[:_MOST])


@frozen
class Parts:
    """Two questions in one; where they are ``chained`` the second speaks of what the first finds."""

    first: str
    second: str
    chained: bool


_ASKS = "who|whom|whose|what|which|when|where|why|how"
_OPENS = (
    rf"(?:(?:in|at|on|by|from|for|to|with|of|under|into)\s+)?(?:{_ASKS})\b|(?:is|was|did|does|do|are|were|has|had)\s"
)
_AND = re.compile(
    rf"(?:[,;]\s*|\s+)(?:and|but)(?:\s+also|\s+then)?\s+(?={_OPENS})|\?\s+(?:and\s+)?(?={_OPENS})"
    rf"|[;,]\s+(?=(?:{_ASKS})\b)",
    re.IGNORECASE,
)
_POINTS = re.compile(
    r"\b(?:(?:that|this|the same|said) (?!is\b|was\b|are\b|were\b|did\b|does\b)[a-z]+|he|she|they|it|him|her|them|his"
    r"|their|its|hers|theirs|there)\b",
    re.IGNORECASE,
)
_NAMES = re.compile(r"(?<!^)\b[A-Z0-9][\w'’.-]*(?: (?:(?:of|the|de|van|von|in|at) )*[A-Z0-9][\w'’.-]*)*")


@lru_cache(maxsize=64)
def two_parts(question: str) -> Parts | None:
    """The two parts of a question, parted before a second question word; None where it has but one."""
    for match in _AND.finditer(question):
        first, second = question[: match.start()].strip(" ,;?"), question[match.end() :].strip(" ,;?.")
        opening = re.match(rf"(?:\w+\s+)?(?:{_ASKS})\b", first, re.IGNORECASE)
        if len(words(first)) < 3 or not words(second) or not opening:
            continue
        if len(words(second)) <= 2:  # "... and when?" borrows the words of the first part
            return Parts(f"{first}?", f"{_upper(second)} {first[opening.end() :].strip()}?", False)
        points = _POINTS.search(second) is not None
        # "When did the bridge open and how long is it?" means the bridge, "Who won and when was she born?" the winner.
        finds = re.match(r"(?:\w+ )?(?:who|whom|whose|which|what)\b", first, re.IGNORECASE) is not None
        subject = max((found[0] for found in _NAMES.finditer(first)), key=len, default="")
        if points and not finds and subject:
            return Parts(f"{first}?", f"{_upper(second)} ({subject})?", False)
        return Parts(f"{first}?", f"{_upper(second)}?", points)
    return None


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


_MORE = """deep:deeper tall:taller high:higher long:longer,shorter old:older,younger large:larger big:bigger,smaller
wide:wider heavy:heavier,lighter fast:faster,slower far:farther hot:hotter cold:colder"""
_MEASURES = {
    more: plain
    for plain, _, several in (entry.partition(":") for entry in _MORE.split())
    for more in several.split(",")
}
# ``a`` and ``b`` are compared, by what ``ask`` or ``more`` says, or for their ``what``.
_COMPARED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"^(?P<ask>(?:which|who|what)\b[^,:]*?)\s*[,:]\s*(?P<a>.+?),? or (?P<b>.+)$",
        r"^(?:is|are|was|were) (?P<a>.+?) (?P<more>\w+er|more \w+|less \w+) than (?P<b>.+)$",
        r"^how much (?P<more>\w+er) (?:is|are|was|were) (?P<a>.+?) than (?P<b>.+)$",
        r"^(?:compare|contrast) (?P<a>.+?) (?:and|with|to) (?P<b>.+)$",
        r"^what (?:is|are) the (?:\w+ )?differences? (?:in (?P<what>\w+) )?between (?P<a>.+?) and (?P<b>.+)$",
        r"^what (?:is|are) the (?:combined|total) (?P<what>\w+) of (?P<a>.+?) and (?P<b>.+)$",
        r"^how (?:does|do|is|are) (?P<a>.+?) (?:differ|different) from (?P<b>.+)$",
    )
)


def compared(question: str) -> tuple[str, str] | None:
    """The questions to ask of the two things that a question compares or adds up; None where it does not."""
    text = question.rstrip(" ?!.")
    found = next((match.groupdict() for pattern in _COMPARED if (match := pattern.match(text))), None)
    if found is None:
        return None
    ask, what = found.get("ask"), found.get("what")
    if found["b"].strip()[:1].isdigit():  # "bigger than 20 square metres": only one thing can be looked up
        return None
    more = (found.get("more") or (ask or "").rpartition(" ")[2]).lower()
    if more in _MEASURES:
        asked = f"How {_MEASURES[more]} is"
    elif ask or more:
        asked = f"{ask or f'How {more} is'},"
    else:
        asked = f"What is the {what} of" if what else "What is"
    return f"{asked} {found['a'].strip(' ,')}?", f"{asked} {found['b'].strip(' ,')}?"


_RELATION = re.compile(
    r"\bthe (author|writer|inventor|founder|creator|designer|architect|composer|painter|director|discoverer|developer"
    r"|builder|president|publisher|captain|leader|owner|capital|winner) of "
    r"((?:the |a )?(?:[\"“][^\"”]{2,80}[\"”]|[A-Z0-9][\w'’.-]*(?: (?:(?:of|the|de|and|in|on) )*[A-Z0-9][\w'’.-]*)*))"
)


def nested(question: str) -> str:
    """The question inside one about somebody it names only as "the author of X": "Who is the author of X?"; or ""."""
    found = _RELATION.search(question)
    if found is None or len(words(question)) - len(words(found[0])) < 3:
        return ""
    return f"{'What' if found[1] == 'capital' else 'Who'} is the {found[1]} of {found[2]}?"
