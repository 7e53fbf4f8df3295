"""What to search for, and how a person would say so.

    >>> search_query("Who won the Nobel Prize in Literature in 2020?")
    'who won the Nobel Prize in Literature in 2020'
    >>> search_query("How tall is the Eiffel Tower?"), search_thought("How tall is the Eiffel Tower?")
    ('height of the Eiffel Tower', 'Search for the height of the Eiffel Tower.')

A search engine reads a question as well as a person does, and the search of documents passes over its small words, so
a question is kept as it is asked; what asks for a thing by its name or by a measure becomes that name.
"""

from __future__ import annotations

import re

from airoagent.models.english.words import AUXILIARIES, BASE_VERBS, STOPWORDS, word_set

__all__ = ["search_query", "search_thought"]

_NOUN_OF = {
    "tall": "height",
    "high": "height",
    "long": "length",
    "deep": "depth",
    "wide": "width",
    "heavy": "weight",
    "old": "age",
    "thick": "thickness",
    "big": "size",
    "large": "size",
}
_MEASURED = re.compile(rf"^how ({'|'.join(_NOUN_OF)}) (?:is|are|was|were) (?!it\b|they\b)(.+)$", re.IGNORECASE)
_NAMED = re.compile(r"^(?:what|who|which) (?:is|are|was|were) ((?:the|an?|:evidence\d+:|[\w.-]+) ?.*)$", re.IGNORECASE)
_DANGLES = re.compile(r"\b(?:called(?: that.*)?|named|like|for|about|of|in|to|from|at|by)$", re.IGNORECASE)
_ORDER = re.compile(
    r"^(?:tell (?:me|us)(?: (?:more|something|all|everything))?(?: about)?|(?:name|give|list|describe|explain|find|show"
    r"|summari[sz]e|identify|state|outline)(?: me| us)?(?: all)?)\s+(?=\S)",
    re.IGNORECASE,
)
_FILLERS = re.compile(r"\b(?:please|exactly|actually|really|currently|nowadays)\b[\s,]*", re.IGNORECASE)
_QUESTION = re.compile(r"^(?:who|whom|whose|what|which|when|where|why|how|in|on|at|by|from|for|to|since|with)\b", re.I)
_WHOLE, _MOST = 20, 14  # words of a question that is searched as it is, and of what is left of a longer one
_ARTICLE = re.compile(r"^(?:the|an?) ", re.IGNORECASE)


def _subject(question: str) -> tuple[str, bool]:
    """What is searched for, and whether it is a thing ("the height of ...") and not a question."""
    text = " ".join(_FILLERS.sub("", question).split()).strip(" ?!.,;") or question.strip()
    ordered = _ORDER.sub("", text)
    if ordered != text and not _QUESTION.match(ordered):
        return ordered, True
    measured = _MEASURED.match(ordered)
    if measured:
        return f"the {_NOUN_OF[measured[1].lower()]} of {measured[2]}", True
    named = _NAMED.match(ordered)
    if named and not _DANGLES.search(named[1]):
        return named[1], True
    head, _, rest = ordered.partition(" ")
    if head.lower() in STOPWORDS or head.lower() in BASE_VERBS:
        head = head if head.isupper() and len(head) > 1 else head.lower()
    return f"{head} {rest}".strip(), False


def search_query(question: str) -> str:
    """The words to search for; names, quotes, years and references are kept. Never empty for a question that is not."""
    subject, named = _subject(question)
    subject = _ARTICLE.sub("", subject) if named else subject
    words = subject.split()
    if len(words) <= _WHOLE:
        return subject or question[:200]
    telling = [word for word in words if word.lower().strip(",;:.?!\"'") not in STOPWORDS | _IDLE]
    return " ".join((telling or words)[:_MOST])


_IDLE = word_set("many much long tall got get there also then")


def search_thought(question: str) -> str:
    """The sentence of a plan that says what is searched for."""
    subject, named = _subject(question)
    words = subject.split()
    if len(words) > _WHOLE:
        return f"Search for {search_query(question)}."
    if named:
        return f"Search for {subject}."
    asks = next((i for i, word in enumerate(words) if _QUESTION.match(word)), -1)
    inverted = any(word.lower() in AUXILIARIES for word in words[asks + 1 : asks + 2]) or asks != 0
    if not inverted and words[0] in ("who", "which", "what", "whose") and not _turned(words):
        return f"Find out {subject}."
    return f"Search for an answer to: {subject[:1].upper()}{subject[1:]}?"


def _turned(words: list[str]) -> bool:
    """Whether the verb stands before its subject: "which river does the canal cross"."""
    return any(word in ("do", "does", "did", "is", "are", "was", "were", "has", "have", "can") for word in words[1:8])
