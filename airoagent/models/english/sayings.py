"""Answers that are not a single span: definitions, yes and no, one of two, lists, summaries.

Each takes what `ranking` found and gives texts with the places of the sentences they stand in, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from airoagent.models.english.questions import Question
from airoagent.models.english.ranking import Library, Ranked
from airoagent.models.english.spans import line_of
from airoagent.models.english.words import NEGATIONS, OPPOSITES, STOPWORDS, groups_of, stem, stems, words

__all__ = [
    "Said",
    "say_choice",
    "say_definition",
    "say_list",
    "say_meaning",
    "say_summary",
    "say_yes_or_no",
    "spelled_out",
    "to_clause_end",
]

Said = tuple[str, tuple[int, ...], float]
"""An answer, the places of the sentences it stands on, and points comparable with a span's."""

_IS = re.compile(
    r"\b(is|was|are|were|means|stands for|refers to)\s+(?:an?|the|one of|any|another|in|simply\s+an?)?\s*",
    re.IGNORECASE,
)


_BESIDE = re.compile(r"^(?:the |an? )?(.{2,60}?), ((?:an?|the) [^,;.]{3,120}),", re.IGNORECASE)


def say_definition(library: Library, ranked: Sequence[Ranked], question: Question) -> Said | None:
    """What a thing is: the predicate of "X is a ...", or the apposition of "X, a ..."."""
    asked = set(question.terms)
    best: Said | None = None
    for entry in ranked[:25]:
        sentence = library.sentences[entry.place]
        text = sentence.text
        if asked and asked == set(stems(sentence.heading.rpartition(": ")[2])) and _first_under(library, entry.place):
            # A glossary: the term is the heading, the text below it says what it is.
            said = to_clause_end(text, 0)
            if best is None or entry.coverage + 0.6 > best[2]:
                best = (said, (entry.place,), entry.coverage + 0.6)
        beside = _BESIDE.search(text)
        if beside and asked and asked == set(stems(beside[1])):
            if best is None or entry.coverage + 0.9 > best[2]:
                best = (beside[2], (entry.place,), entry.coverage + 0.9)
            continue
        for match in _IS.finditer(text):
            head = stems(text[: match.start()])
            if not head or len(head) > 8:
                break
            known = asked & set(head)
            pronoun = bool(re.match(r"(?:he|she|it|they)\b", text, re.I)) and entry.coverage > 0.5
            if not known and not pronoun:
                continue
            said = to_clause_end(text, match.end(1) + 1)
            points = (
                entry.coverage
                + 0.8 * len(known) / max(len(asked), len(head))
                + (0.2 if match[0].split()[-1].lower() in ("a", "an", "the", "one of") else 0)
            )
            if len(words(said)) > 1 and (best is None or points > best[2] + 1e-9):
                best = (said, (entry.place,), points)
            break
        else:
            apposition = re.search(r"^(.{2,60}?), ((?:an?|the) [^,;.]{3,120})[,.;]", text)
            if apposition and asked <= set(stems(apposition[1])) and (best is None or entry.coverage + 0.5 > best[2]):
                best = (apposition[2], (entry.place,), entry.coverage + 0.5)
    return best


def _first_under(library: Library, place: int) -> bool:
    """Whether this is the first sentence under its heading."""
    return not place or library.sentences[place - 1].heading != library.sentences[place].heading


def to_clause_end(text: str, start: int) -> str:
    """The text from ``start`` to where its clause ends, thirty words at most."""
    rest = text[start:]
    end = re.search(r"[;.](?:\s|$)|, (?:and|but|which|who|while|where|whose)\b| — |\s\(|: ", rest)
    said = rest[: end.start()] if end else rest
    said = " ".join(said.split()[:30])
    return said.strip(" ,;:.")


_SHORT_FOR = re.compile(
    r"\b(?:short for|stands? for|abbreviat\w+ (?:of|for)|means?|acronym (?:of|for))\s+([^,;.()]{2,80})", re.IGNORECASE
)


def say_meaning(library: Library, ranked: Sequence[Ranked], question: Question) -> Said | None:
    """What an abbreviation stands for: the words whose first letters it is, or what follows "short for"; else as a
    definition."""
    short = next((w for w in words(question.text)[1:] if sum(c.isupper() for c in w) > 1), "")
    letters = "".join(c for c in short.lower() if c.isalpha())
    for entry in ranked[:20]:
        told = _SHORT_FOR.search(library.sentences[entry.place].text)
        spelled = _spelled(library.sentences[entry.place].text, letters)
        if spelled or (told and entry.names > 0.6 and not told[0].lower().startswith("mean")):
            return spelled or (told[1].strip() if told else ""), (entry.place,), entry.coverage + 0.8
    for entry in ranked[:20]:
        told = _SHORT_FOR.search(library.sentences[entry.place].text)
        if told and entry.names > 0.6:
            return told[1].strip(), (entry.place,), entry.coverage + 0.8
    return say_definition(library, ranked, question)


def _spelled(text: str, letters: str) -> str:
    """The words of a text whose first letters spell ``letters``, small words between them allowed; "" if none do."""
    if not 2 <= len(letters) <= 8:
        return ""
    found = [(m[0], m.start(), m.end()) for m in re.finditer(r"[A-Za-z]+", text)]
    for first in range(len(found)):
        place, at = first, 0
        while place < len(found) and at < len(letters) and place - first < len(letters) + 3:
            word = found[place][0]
            if word[0].lower() == letters[at]:
                at += 1
            elif word.lower() not in ("of", "the", "and", "for", "in", "to", "a") or not at:
                break
            place += 1
        if at == len(letters) and place > first + 1:
            return text[found[first][1] : found[place - 1][2]]
    return ""


def spelled_out(question: str, library: Library) -> str:
    """The question with an abbreviation that the blocks never write in the capitalised words it stands for there."""

    def words_of(match: re.Match[str]) -> str:
        short = match[0]
        if any(stem(short) in found for found in library.stems):
            return short
        initials = r"\s+(?:of\s+|the\s+|for\s+|and\s+)*".join(rf"{letter}[a-z]+" for letter in short)
        spelled = re.compile(rf"\b{initials}\b")
        texts = (*(block.meta("title") for block in library.blocks), *(s.text for s in library.sentences))
        return next((" ".join(found[0].split()) for text in texts if (found := spelled.search(text))), short)

    return re.sub(r"\b[A-Z]{2,6}\b", words_of, question)


def say_yes_or_no(library: Library, ranked: Sequence[Ranked], question: Question) -> Said | None:
    """ "Yes" where one sentence says all that is asked, "No" where it says it with a "not" beside what is asked."""
    if not ranked:
        return None
    told = [e for e in ranked[:6] if not library.sentences[e.place].text.rstrip("*_").endswith("?")]
    entry = told[0] if told else ranked[0]
    line = line_of(library.sentences[entry.place].text)
    asked = {t for t in question.terms if t not in question.names} or set(question.terms)
    near = asked.union(*(groups_of(t) for t in asked))
    places = [i for i, root in enumerate(line.stems) if root in near]
    denials = [i for i, w in enumerate(line.lower) if w in NEGATIONS or w.endswith(("n't", "n’t"))]
    denied = any(abs(line.barrier[i] - line.barrier[p]) < 1.5 and abs(i - p) <= 5 for i in denials for p in places)
    denied = denied != any(one in asked and one not in line.stems and two in line.stems for one, two in OPPOSITES)
    asked_not = any(w.lower() in NEGATIONS for w in words(question.text))
    return ("No" if denied != asked_not else "Yes", (entry.place,), entry.coverage + 0.5)


def say_choice(library: Library, ranked: Sequence[Ranked], question: Question) -> Said | None:
    """One of two: the one that the sentence nearest the question speaks of."""
    best: Said | None = None
    rest = set(question.terms) - set().union(*(stems(o) for o in question.options))
    for option in question.options:
        roots = set(stems(option))
        for entry in ranked[:15]:
            bag = library.stems[entry.place]
            if roots and roots <= bag:
                points = entry.coverage + len(rest & bag) / max(len(rest), 1)
                if best is None or points > best[2]:
                    best = (option, (entry.place,), points)
    return best


def say_list(library: Library, ranked: Sequence[Ranked], question: Question) -> Said | None:
    """The items of a list that stands under what is asked, or the best sentence."""
    if not ranked:
        return None
    best = ranked[0]
    sentence = library.sentences[best.place]
    items: list[str] = []
    places = []
    listed = False
    for place in range(best.place + 1, min(best.place + 41, len(library.sentences))):
        item = library.sentences[place]
        if item.block != sentence.block or len(item.text) > 160 or (items and listed and not item.item):
            break
        listed = item.item
        if sentence.short and item.heading != sentence.text.rstrip(":"):
            break
        if not sentence.short and not sentence.text.endswith(":"):
            break
        items.append(item.text.rstrip(".;,"))
        places.append(place)
    if len(items) > 1:
        return "; ".join(items[:20]), tuple(places[:1]), best.coverage + 0.6
    return sentence.text, (best.place,), best.coverage + 0.4


def say_summary(library: Library, ranked: Sequence[Ranked], question: Question, most: int = 4) -> Said | None:
    """The two to four sentences that speak most of the subject, in the order of the text."""
    usable = [e for e in ranked if not library.sentences[e.place].short and not library.sentences[e.place].cells]
    usable = [e for e in usable if "](" not in library.sentences[e.place].text] or usable
    usable = [e for e in usable if 5 <= len(words(library.sentences[e.place].text)) <= 60] or list(ranked)
    if not usable:
        return None
    block = library.sentences[usable[0].place].block
    same = [e for e in usable if library.sentences[e.place].block == block]
    first = min(e.place for e in same)
    same.sort(
        key=lambda e: (
            -(e.coverage + 0.35 * e.own + (0.3 if e.place == first else 0) - 0.004 * (e.place - first)),
            e.place,
        )
    )
    places = tuple(sorted(e.place for e in same[:most]))
    text = " ".join(library.sentences[p].text for p in places)
    return text, places, usable[0].coverage + 0.5


def content(text: str) -> set[str]:
    """The stems of a text's content words."""
    return {stem(w) for w in words(text) if w.lower() not in STOPWORDS}
