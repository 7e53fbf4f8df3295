"""A question made plain, and taken into its two parts where it has two.

    >>> two = two_parts("Who won the Nobel Prize in Literature in 2020 and what is their most famous work?")
    >>> two.first, two.second("Ada")
    ('Who won the Nobel Prize in Literature in 2020?', 'What is the most famous work of Ada?')

The second part is *chained* where it speaks of what the first one finds ("their"), and stands alone where it does not;
a pronoun that means the first part's own subject ("When did the bridge open and how long is it?") is put in words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airoagent.models.english.analysis import analyse
from airoagent.models.english.words import AUXILIARIES, STOPWORDS, words

__all__ = ["TwoParts", "clean", "subject_of", "two_parts"]


_LEAD = re.compile(
    r"^(?:(?:please|hi|hello|hey|so|and|ok|okay|well)\b[\s,!]*|question:\s*"
    r"|(?:can|could|would|will) you (?:please )?(?:tell|say|explain to|inform|let) (?:me |us )?(?:know )?(?=wh|how"
    r"|if)"
    r"|do you (?:happen to )?know (?=wh|how|if)|(?:i(?:'d| would)? (?:like|want|need) to know|i wonder|tell me"
    r"|tell us) (?=wh|how|if))",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"(?:(?-i:\s*\bSources?\s*\?)|(?<=[.?!])\s*\bsources?"
    r"|[\s,;]*\b(?:please )?(?:do not|don't|don’t|never) make up (?:an )?answers?[^.?!]*"
    r"|[\s,;]*\b(?:please )?cite (?:your |the )?sources?)[\s.?!]*$",
    re.IGNORECASE,
)
_LEADS = "(?:given|based on|using|according to)"
_GIVEN = re.compile(
    rf"(?:\s*[,;(]\s*{_LEADS}|\s+{_LEADS}(?=\s+\w|\s*:|\s+\?))"
    r"(?:\s+(?:the|this|that|above|following|given|provided|:?evidence\s*\d*:?|context|text|passages?|sources?"
    r"|information|below|and))*[\s.?!]*$",
    re.IGNORECASE,
)


def clean(instruction: str) -> str:
    """The question alone, on one line: without politeness, "Source?", "Don't make up answers" and an empty "given"."""
    text = " ".join(instruction[:4000].split())
    for _ in range(8):
        shorter = _LEAD.sub("", text)
        for tail, mark in ((_ASIDE, ""), (_GIVEN, "?")):
            found = tail.search(shorter)
            if found and found.start():
                kept = shorter[: found.start()].rstrip(" ,;")
                shorter = kept if not mark or kept.endswith(("?", ".", "!")) else kept + mark
        if shorter == text or not shorter.strip("?!. "):
            break
        text = shorter
    return re.sub(r"\?(?:\s*\?)+", "?", text)


_HOLE = "\0"


@dataclass(frozen=True, slots=True)
class TwoParts:
    """A question of two parts. ``form`` is the second with a hole for the first's answer where it is ``chained``."""

    first: str
    form: str
    chained: bool

    def second(self, answer: str) -> str:
        """The second part, the first part's answer put in where it is chained."""
        return self.form.replace(_HOLE, answer)


_WHS = "who|whom|whose|what|which|when|where|why|how"
_OPENS = (
    rf"(?:(?:in|at|on|by|from|for|to|with|of|under|into)\s+)?(?:{_WHS})\b|(?:is|was|did|does|do|are|were|has|had|can)\s"
)
_AND = re.compile(
    rf"(?:[,;]\s*|\s+)(?:and|but)(?:\s+also|\s+then)?\s+(?={_OPENS})|\?\s+(?:and\s+)?(?={_OPENS})"
    rf"|[;,]\s+(?=(?:{_WHS})\b)",
    re.IGNORECASE,
)
_BOTH = re.compile(rf"^({_WHS}) and ((?:in |by |for )?(?:{_WHS}))\s+(.+)$", re.IGNORECASE)
_WH = re.compile(rf"\b(?:{_WHS})\b", re.IGNORECASE)


def two_parts(question: str) -> TwoParts | None:
    """The two parts of a (cleaned) question, parted before a second question word; None where it has but one."""
    both = _BOTH.match(question)
    if both:
        rest = both[3].rstrip(" ?.")
        return TwoParts(f"{both[1]} {rest}?", f"{_upper(both[2])} {rest}?", False)
    for match in _AND.finditer(question):
        first, second = question[: match.start()].strip(" ,;?"), question[match.end() :].strip(" ,;?.")
        if len(words(first)) < 3 or not words(second) or not _WH.search(first) or analyse(first).kind == "choice":
            continue
        if match[0].startswith(",") and not re.search("and|but", match[0]) and len(words(second)) < 3:
            continue  # "..., who": the rest of one question
        return _parted(first, second)
    return None


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _parted(first: str, second: str) -> TwoParts:
    asked = analyse(first)
    if len(words(second)) <= 4 and not _has_verb(second):
        return _short(first, second)
    pronoun = _PRONOUN.search(second)
    subject = subject_of(first)
    if pronoun is None:
        lonely = subject and not re.search(r"(?<!^)[A-Z0-9]", second[1:])
        return TwoParts(f"{first}?", _upper(f"{second} ({subject})?" if lonely else f"{second}?"), False)
    owner = _owner(first, pronoun[0].lower())
    own_subject = asked.kind in ("date", "year", "place", "count", "measure", "reason", "manner", "definition", "yesno")
    if owner or (own_subject and subject and not (asked.kind == "place" and pronoun[0].lower() == "there")):
        return TwoParts(f"{first}?", _upper(_put(second, owner or subject)) + "?", False)
    return TwoParts(f"{first}?", _upper(_put(second, _HOLE)) + "?", True)


def _short(first: str, second: str) -> TwoParts:
    """ "... and when?", "... and for which play?": the second part borrows the first one's words."""
    opening = re.match(rf"(?:(?:in|at|on|by|from|for|to)\s+)?(?:{_WHS})\b(.*)$", first, re.IGNORECASE)
    rest = opening[1].strip() if opening else ""
    head = rest.split(" ", 1)[0].lower()
    if head in AUXILIARIES:
        return TwoParts(f"{first}?", f"{_upper(second)} {rest}?", False)
    inverted = (
        re.search(r"\b(?:is|are|was|were|do|does|did|has|had)\b.*$", rest)
        if re.match(r"(?:which|what|how)\b", first, re.I)
        else None
    )
    if inverted and re.search(r"\b(?:do|does|did)\b", inverted[0]):
        return TwoParts(f"{first}?", f"{_upper(second)} {inverted[0]}?", False)
    verb = re.match(r"(?:which|what)\b(?:\s+\w+)\s+(.*)$", first, re.IGNORECASE)
    return TwoParts(f"{first}?", f"{_upper(second)} was it that {_HOLE} {verb[1] if verb else rest}?", True)


def _has_verb(text: str) -> bool:
    return any(w.lower() in AUXILIARIES for w in words(text)) or bool(
        re.match(r"(?:who|what)\s+\w+(?:ed|es|s)?\s+\w", text, re.IGNORECASE)
    )


_PRONOUN = re.compile(
    r"\b(?:(?:that|this|the same|said) (?!is\b|was\b|are\b|were\b|did\b|does\b)[a-z]+|he|she|they|it|him|her|them"
    r"|his|their|its|hers|theirs|there)\b",
    re.IGNORECASE,
)
_POSSESSIVE = frozenset(("his", "their", "its", "hers", "theirs"))


def _put(question: str, name: str) -> str:
    """The question with its first pronoun in words: "what is her best book" gives "what is the best book of Ada"."""
    match = _PRONOUN.search(question)
    if match is None:
        return question
    word, after = match[0].lower(), question[match.end() :]
    if word == "there":
        return f"{question[: match.start()]}in {name}{after}"
    if word not in _POSSESSIVE and not (word == "her" and re.match(r"\s+[a-z]", after)):
        return f"{question[: match.start()]}{name}{after}"
    whole = re.fullmatch(r"((?:what|who|which)\s+(?:is|are|was|were)\s+)", question[: match.start()], re.IGNORECASE)
    if whole and len(words(after)) <= 5 and not re.search(r"\b(?:called|named)\b", after):
        return f"{whole[1]}the {after.strip()} of {name}"
    return f"{question[: match.start()]}{name}'s{after}"


_MEN = re.compile(r"\b(?:father|husband|brother|son|king|uncle|grandfather|man|boy)\b", re.IGNORECASE)
_WOMEN = re.compile(r"\b(?:mother|wife|sister|daughter|queen|aunt|grandmother|woman|girl)\b", re.IGNORECASE)


def _owner(first: str, pronoun: str) -> str:
    """Who the pronoun means where it cannot be the one asked for: "Who was Ada's father, and when was she born?"."""
    owned = re.search(r"((?:[A-Z][\w.-]*\s+){0,3}[A-Z][\w.-]*)['’]s?\s+(\w+)", first)
    if not owned:
        return ""
    mismatch = (pronoun in ("she", "her", "hers") and _MEN.search(owned[2])) or (
        pronoun in ("he", "him", "his") and _WOMEN.search(owned[2])
    )
    return owned[1] if mismatch else ""


_NAMES = re.compile(
    r"(?<!^)(?:\b[Tt]he )?\b[A-Z0-9][\w'’.-]*(?: (?:(?:of|the|de|van|von|in"
    r"|at) )*[A-Z0-9][\w'’.-]*)*"
)


def subject_of(question: str) -> str:
    """What a question is about: its longest name, or the noun behind its first "the"; "" where neither is there."""
    named = [m[0].removesuffix("'s").removesuffix("’s") for m in _NAMES.finditer(question) if not m[0].isdigit()]
    named = [n for n in named if n.lower() not in STOPWORDS]
    if named:
        return max(named, key=len).strip(" .,")
    noun = re.search(
        r"\b(?:the|a|an) (?!first\b|last\b|most\b)((?:[a-z-]+ ){0,1}?[a-z-]+)(?= (?:of|in|on|at|is|was|were|did"
        r"|have|has)\b|$)",
        question,
    )
    return noun[0] if noun else ""
