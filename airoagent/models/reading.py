"""The reader: finds the shortest span of the blocks that answers a question, and the sentence it stands in.

    >>> page = Block("The tower was finished in 1889. It is 330 metres tall.", (("title", "Eiffel Tower"),))
    >>> read([page], "How tall is the Eiffel Tower?").text
    '330 metres'

It counts and compares words; it does not understand. Sentences are ranked (`ranking`), spans of the fitting sort taken
from the best (`spans`), and each is judged by how near it stands to the question's words and by the shape of the
sentence ("designed by X", "X, the capital of"). Where nothing covers enough of the question, the answer is None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from airoagent.models.english.analysis import analyse
from airoagent.models.english.comparing import Comparison, comparison
from airoagent.models.english.guides import say_by_form
from airoagent.models.english.hedging import clause_with, is_certain
from airoagent.models.english.judging import Judged, Reading, judge
from airoagent.models.english.names import names, unlike_person
from airoagent.models.english.parts import clean, two_parts
from airoagent.models.english.passages import Block, Sentence
from airoagent.models.english.questions import Question
from airoagent.models.english.ranking import Library, Ranked, light_stems, rank, read_library, standing
from airoagent.models.english.sayings import (
    Said,
    say_choice,
    say_definition,
    say_list,
    say_meaning,
    say_summary,
    say_yes_or_no,
    spelled_out,
)
from airoagent.models.english.short import by_names, first_to_read, is_short, say_labelled
from airoagent.models.english.spans import line_of
from airoagent.models.english.steps import days_between, named_plainly

__all__ = ["Finding", "read", "write_answer"]


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer: its text, the sentences it stands in, and its points (comparable between answers to one question).

    ``core`` is the span thought likeliest where the text is the whole clause around it, "" where the text is it.
    """

    text: str
    quotes: tuple[Sentence, ...]
    score: float = 1.0
    core: str = ""


# How much of the question must be accounted for, of all its words and of those that are no names (with and without
# names in it). Chosen on the development questions of the library.
_LEAST_POINTS = 3.0
_LEAST, _LEAST_RELATION, _LEAST_ALONE = 0.5, 0.25, 0.5


def read(blocks: Sequence[Block], instruction: str) -> Finding | None:
    """The answer that the blocks give to an instruction, or None where they give none."""
    library = read_library(blocks)
    question = spelled_out(clean(instruction), library)
    question = named_plainly(question)
    span = days_between(question)
    if span is not None and (span.dated or span.answer):
        return Finding(span.answer, _holding(library, re.findall(r"\(([^()]+)\)", question))) if span.answer else None
    two = two_parts(question)
    if two is None:
        asked = analyse(question)
        compared = comparison(asked)
        return _read_one(library, asked) if compared is None else _read_both(library, compared)
    first = _read_one(library, analyse(two.first))
    if first is None and two.chained:
        return None
    near = first.quotes[0] if first is not None and first.quotes else None
    second = _read_one(library, analyse(two.second((first.core or first.text) if first else "")), near)
    findings = [found for found in (first, second) if found is not None]
    if len(findings) < 2:
        return findings[0] if findings else None
    quotes = tuple(dict.fromkeys(q for f in findings for q in f.quotes))
    return Finding("; ".join(f.text for f in findings), quotes, min(f.score for f in findings))


def _read_both(library: Library, compared: Comparison) -> Finding | None:
    """Which of two: by the figures the question gives, or the ones that stand in the blocks."""
    given = compared.given
    if given is not None:
        choice = compared.choice(*given)
        return None if choice is None else Finding(choice, _holding(library, given))
    left, right = (_read_one(library, analyse(question)) for question in compared.questions)
    choice = compared.choice(left.text, right.text) if left and right else None
    if choice is None or left is None or right is None:
        return None
    return Finding(choice, tuple(dict.fromkeys(left.quotes + right.quotes)), min(left.score, right.score))


def _holding(library: Library, figures: Sequence[str]) -> tuple[Sentence, ...]:
    """The first sentence that holds each of these figures."""
    held = (next((s for s in library.sentences if figure in s.text and not s.short), None) for figure in figures)
    return tuple(dict.fromkeys(sentence for sentence in held if sentence is not None))


def _read_one(library: Library, question: Question, near: Sentence | None = None) -> Finding | None:
    short = is_short(library)
    labelled = say_labelled(library, question) if short else None
    if labelled is not None:
        return Finding(labelled[0], tuple(library.sentences[p] for p in labelled[1]), labelled[2])
    ranked = rank(library, question)
    if not ranked:
        return _whole_text(library, question)
    told = say_by_form(library, ranked, question)
    if told is not None and _named(ranked, question, told[1]):
        return Finding(told[0], tuple(library.sentences[p] for p in told[1]), told[2])
    say = _SAYINGS.get(question.kind)
    if not say:
        return _of_few(library, ranked, question, near) if short else _best_span(library, ranked, question, near)
    if short and question.kind == "yesno":
        ranked = by_names(library, ranked, question)
    said = say(library, ranked, question)
    if said is None or not _enough(ranked, question, said[1]):
        return _of_few(library, ranked, question, near) if short and question.kind == "definition" else None
    return Finding(said[0], tuple(library.sentences[p] for p in said[1]), said[2])


def _of_few(library: Library, ranked: list[Ranked], question: Question, near: Sentence | None) -> Finding | None:
    """The span of a short text that answers; the sentence that speaks of all that is asked where no span does."""
    chosen, speaks = first_to_read(library, ranked, question)
    found = _best_span(library, chosen, question, near)
    if found is not None or not speaks:
        return found
    for entry in chosen:
        sentence = library.sentences[entry.place]
        meant = _meant(library, entry.place) if question.kind == "person" else ""
        spans = judge(Reading(sentence, entry, meant, library.common), question)
        if spans and is_certain(spans[0], spans, question, library.stems[entry.place]):
            return Finding(spans[0].text, (sentence,), spans[0].points)
        if spans:
            return Finding(clause_with(sentence, spans[0].text, question), (sentence,), spans[0].points, spans[0].text)
    return None


_SAYINGS: Mapping[str, Callable[[Library, Sequence[Ranked], Question], Said | None]] = {
    "summary": say_summary,
    "list": say_list,
    "definition": say_definition,
    "meaning": say_meaning,
    "choice": say_choice,
    "yesno": say_yes_or_no,
}


def _whole_text(library: Library, question: Question) -> Finding | None:
    """ "Summarise this": no word of the question names a subject, so the first sentences are it."""
    if question.kind != "summary" or question.names or not library.sentences:
        return None
    first = [s for s in library.sentences if not s.short][:3] or list(library.sentences[:3])
    return Finding(" ".join(s.text for s in first), tuple(first[:1]), 0.6)


_POINTER = re.compile(r"\W*(?:see also|see the page|read more|more about|back to|last updated|copyright|©)\b", re.I)


def _best_span(library: Library, ranked: list[Ranked], question: Question, near: Sentence | None) -> Finding | None:
    """The span with the most points; a sentence beside the one that answered the first part gets some for that.

    Where other spans of its sentence come near it, the clause is the answer.
    """
    beside = library.sentences.index(near) if near is not None else -1
    starts, lengths = _extents(library)
    names_of_pages = [_page_name(block) for block in library.blocks]
    judged: list[tuple[Judged, float]] = []
    for entry in ranked[:60]:
        if not _enough([entry], question, (entry.place,)):
            continue
        sentence = library.sentences[entry.place]
        titled = sentence.text in library.blocks[sentence.block].meta("title") or entry.place == starts[sentence.block]
        if (sentence.short and titled) or _POINTER.match(sentence.text):
            continue  # the page's title; a pointer to another page
        # Of two that say the same, the earlier: pages tell first what they are about.
        extra = -0.2 * (entry.place - starts[sentence.block]) / max(lengths[sentence.block], 1)
        if _announces(sentence, names_of_pages):
            extra -= 1.5
        if near is not None and sentence.block == near.block:
            apart = abs(entry.place - beside)
            extra += 0.5 if apart == 0 else 0.4 if apart < 3 else 0.25
        meant = _meant(library, entry.place) if question.kind == "person" else ""
        found = judge(Reading(sentence, entry, meant, library.common), question)
        judged += [(one, one.points + extra) for one in found[:5]]
    best, points = max(judged, key=lambda pair: (pair[1], -pair[0].place), default=(None, 0.0))
    if best is None or points < _LEAST_POINTS:
        return None
    quote = library.sentences[best.place]
    if is_certain(best, [one for one, _ in judged], question, library.stems[best.place]):
        return Finding(best.text, (quote,), points)
    return Finding(clause_with(quote, best.text, question), (quote,), points, best.text)


def _page_name(block: Block) -> str:
    """What a page is called, without the site's name behind a bar."""
    return re.split(r"\s[|–—-]\s", block.meta("title"))[0].strip()


def _announces(sentence: Sentence, names_of_pages: Sequence[str]) -> bool:
    """Whether it is an entry of a table of contents: another page's name, with no full sentence behind it."""
    if sentence.text.endswith((".", "!", "?")) and not sentence.item:
        return False
    return any(
        name and number != sentence.block and sentence.text.startswith(name)
        for number, name in enumerate(names_of_pages)
    )


def _extents(library: Library) -> tuple[list[int], list[int]]:
    """Where each block's sentences begin, and how many it has."""
    starts, lengths = [0] * len(library.blocks), [0] * len(library.blocks)
    for place, sentence in enumerate(library.sentences):
        if not lengths[sentence.block]:
            starts[sentence.block] = place
        lengths[sentence.block] += 1
    return starts, lengths


def _meant(library: Library, place: int) -> str:
    """Who "he" or "she" is in a sentence: the person the page is about, else the last person named before."""
    sentence = library.sentences[place]
    title = line_of(library.blocks[sentence.block].meta("title"))
    for span in names(title):
        if span.last - span.first in (1, 2, 3) and span.first == 0 and not unlike_person(title, span):
            return title.text[span.start : span.end]
    for other in range(place - 1, max(place - 5, -1), -1):
        before = library.sentences[other]
        if before.block != sentence.block:
            break
        line = line_of(before.text)
        people = [s for s in names(line) if s.last > s.first and not unlike_person(line, s)]
        if people:
            return line.text[people[0].start : people[0].end]
    return ""


def _enough(ranked: Sequence[Ranked], question: Question, places: tuple[int, ...]) -> bool:
    """Whether the sentences speak of what was asked: enough of the question covered, no name or year of it missing."""
    if not places:
        return True
    entries = [r for r in ranked if r.place in places]
    if not entries:
        return False
    best = max(entries, key=standing)
    if not _named(entries, question, places):
        return False
    if question.kind in ("summary", "list"):
        return best.coverage >= 0.3
    if question.kind == "meaning" and best.names > 0.85:
        return True
    if question.related and question.target in best.missing:
        return False
    if best.names > 0.85 and best.coverage > 0.7 and len(question.names) >= 3:
        return True
    nouns = [t for t in question.terms if t not in (question.verb, question.target)]
    if not question.names and any(
        t in best.missing and best.weights[t] * 3 > sum(best.weights.values()) for t in nouns
    ):
        return False
    if question.names and not _telling(question):
        return True
    return best.coverage >= _LEAST and best.relation >= (_LEAST_RELATION if question.names else _LEAST_ALONE)


def _named(ranked: Sequence[Ranked], question: Question, places: tuple[int, ...]) -> bool:
    """Whether the sentences, or what they stand under, speak of the question's names and years."""
    best = max((r for r in ranked if r.place in places), key=standing, default=None)
    if best is None or (question.names and best.names < 0.5):
        return False
    lacking = [name for name in question.names if name in best.missing]
    return not any(name.isdigit() for name in lacking) and not len(lacking) * 3 >= len(question.names) > 0


def _telling(question: Question) -> bool:
    """Whether the question has words besides names, idle verbs and the noun that only says what is asked for.

    "From what country did Ada come?" has none: neither "country" nor "come" need stand in the sentence that tells.
    """
    idle = {*question.names, *light_stems(), "" if question.related else question.target}
    return any(term not in idle for term in question.terms)


def write_answer(blocks: Sequence[Block], finding: Finding | None, instruction: str) -> str:
    """The answer in the form the models were trained to write, or a plain sentence that the sources do not tell."""
    if finding is None:
        asked = clean(instruction)
        return (
            f"The given sources do not say: {asked[:200]}{'...' if len(asked) > 200 else ''}"
            if asked
            else "The given sources do not say."
        )
    lines = [finding.text, "", "Source:"]
    for quote in finding.quotes:
        pairs = {key: value for key, value in reversed(blocks[quote.block].metadata) if key.lower() != "quote"}
        ordered = [key for key, _ in blocks[quote.block].metadata if key in pairs]
        lines += [f"{key}: {pairs[key]}" for key in dict.fromkeys(ordered)]
        lines.append(f"quote: {' '.join(quote.text.split())}")
    return "\n".join(lines)
