"""Answers that manuals give: defaults, versions, what a call returns, which option or function does something.

A manual is a list of terms with what is said of each (`Sentence.entry`). A question names the term and asks one thing
about it, or says what the term does and asks for its name. Each function takes what `ranking` found and gives a text
with the place of the sentence it stands in, or nothing: then the question is read like any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from airoagent.models.english.passages import Sentence
from airoagent.models.english.questions import Question
from airoagent.models.english.ranking import Library, Ranked, standing
from airoagent.models.english.sayings import Said, to_clause_end
from airoagent.models.english.telling import LEAST, RELEASE, Told, codes_of, is_of, lower, named, tell, whole
from airoagent.models.english.words import NUMBER_WORDS, UNITS, near_words, stem, stems, words

__all__ = ["MANUALS"]

_DEFAULT = re.compile(r"^(?!(?:is|are|does|do|did|can|has|have|was|were|why)\b).*\bdefaults?\b", re.I)
_VERSION = re.compile(
    r"\b(?:in|since|as of|from|with|by|until) (?:which|what) (?:[\w.]+ ){0,2}(?:version|release)s?\b"
    r"|^(?:which|what) (?:[\w.]+ ){0,2}(?:version|release)s?\b",
    re.I,
)
_NOUNS = (
    "function|method|option|flag|switch|parameter|argument|setting|command|meta-command|statement|pragma|variable|"
    "module|class|exception|operator|keyword|constant|attribute|clause|directive|property|field|data type|type|"
    "status|code"
)
_WHICH = re.compile(
    rf"^(?:\w+ )?(?:which|what)(?! (?:is|are|was|were|do|does|did|will|can|type)\b)(?: [\w.-]+){{0,3}}? ({_NOUNS})s?\b "
    rf"(?!(?:is the|was the|line|for|{_NOUNS})\b)(?!of (?!the \w+ (?:module|library|package|class)\b))",
    re.I,
)
_TELLS = re.compile(
    r"^what (?:does|do|will|is|are) (?:the |an? )?(.+?) (return|give|do|mean|stand for|indicate|contain|used for)\b",
    re.I,
)
_WHAT_IS = re.compile(r"^(?:what|who) (?:is|are) (?:an? |the )?(.+?)(?: (?:in|of) .+)?[?.! ]*$", re.I)
_SORTS = frozenset(map(stem, (*_NOUNS.replace(" ", "|").split("|"), "error", "result", "call", "program")))


_COUNTED = "|".join(
    (
        *sorted({unit for units in UNITS.values() for unit in units if unit.isalpha() and len(unit) > 2}),
        "connections",
        "entries",
        "rows",
        "columns",
        "characters",
        "pages",
        "times",
    )
)
_NUMBER = rf"[-+]?\d[\d.,]*\d?(?: ?(?:%|[kKMGT]i?B\b|(?:{_COUNTED}|ms|s|m|h)\b))?"
_SPELLED = rf"(?:{'|'.join(NUMBER_WORDS)})(?: (?:{_COUNTED}))?\b"
_VALUE = (
    rf"(?:{_NUMBER}|{_SPELLED}|[\"“'‘`][^\"”'’`]{{1,60}}[\"”'’`]|~?/[\w./-]+|localhost\b|\w+_\w+|(?-i:[A-Z]{{2,}})\b"
    r"|(?:on|off|true|false|none|null|yes|no|enabled|disabled)\b)"
)
_SURELY = r"(?:typically |usually |currently |set to |always |the )*"
_VALUES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\bdefaults?(?: value| setting)?(?: is| are| was|:| of| to|,|=)? ?{_SURELY}({_VALUE})",
        rf"\bdefault (?:[\w-]+ ){{1,6}}(?:is|are|was|to) {_SURELY}({_VALUE})",
        rf"({_VALUE})[,;]?(?: \w+)? by default",
        rf"({_VALUE}),? (?:\(?(?:is |which is )?the default)",
        rf"by default,? (?:[\w-]+ ){{0,8}}?({_NUMBER}|{_SPELLED})",
    )
)


def _default(library: Library, ranked: Sequence[Ranked], question: Question) -> Said | None:
    asked = frozenset(question.terms) - {stem("default"), stem("value"), stem("setting")}

    def fits(sentence: Sentence) -> float:
        roots = stems(sentence.text)
        if sentence.cells:
            headed = any(stem(word) == "default" for head in sentence.header for word in words(head))
            return 0.6 * headed * len(asked & set(roots)) * 2
        if "default" not in roots or sentence.short:
            return 0.0
        about = set(stems(sentence.entry)) | set(roots)
        share = len(asked & about) / max(len(asked), 1)
        return 0.2 + share + (0.5 if any(value.search(sentence.text) for value in _VALUES) else 0.0)

    for told in tell(library, ranked, question, fits)[:1]:
        if told.points < LEAST:
            break
        if told.sentence.cells:
            return _cell(told, "default")
        found = next((m for value in _VALUES if (m := value.search(told.sentence.text))), None)
        text = found[1].strip("\"“”'‘’` .,") if found else whole(told.sentence)
        return text, (told.entry.place,), told.points
    return None


def _cell(told: Told, head: str) -> Said | None:
    """The cell of a row under a header."""
    cells, header = told.sentence.cells, told.sentence.header
    at = next((n for n, name in enumerate(header) if head in name.lower()), -1)
    at += len(cells) - len(header) if at >= 0 else 0
    return (cells[at].strip("` "), (told.entry.place,), told.points) if 0 <= at < len(cells) and cells[at] else None


def _version(library: Library, ranked: Sequence[Ranked], question: Question) -> Said | None:
    known = set(RELEASE.findall(question.text))
    wanted = {root: near_words(root) for root in question.terms if root not in question.names}

    def release(text: str) -> str:
        return next((found for found in RELEASE.findall(text) if found not in known), "")

    def fits(sentence: Sentence) -> float:
        if sentence.cells:
            return 0.3 if release(sentence.text) else 0.0
        own = release(sentence.text)
        if not own and not release(sentence.heading) and not release(library.blocks[sentence.block].meta("title")):
            return 0.0
        roots = {*stems(sentence.text), *stems(sentence.entry)}
        does = sum(root in roots or bool(roots & near.keys()) for root, near in wanted.items()) / max(len(wanted), 1)
        marked = bool(re.search(r"\b(?:new in|since|added|introduced|first|changed|removed)\b", sentence.text, re.I))
        return 0.1 + 1.2 * does + (0.5 if own and marked else 0.0)

    for told in tell(library, ranked, question, fits, old=True)[:1]:
        if told.points < LEAST:
            break
        title = library.blocks[told.sentence.block].meta("title")
        found = (release(text) for text in (told.sentence.text, told.sentence.heading, title))
        return next(filter(None, found)), (told.entry.place,), told.points
    return None


_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("option flag switch", re.compile(r"-{1,2}\w")),
    ("function method", re.compile(r"[\w.]+\(|[\w]+[._]\w+")),
    ("variable constant", re.compile(r"[A-Z][A-Z0-9_]{2,}")),
    ("setting parameter", re.compile(r"\w+_\w+|[\w.]+ \(")),
    ("command statement meta-command pragma keyword clause", re.compile(r"\\\w|[A-Z]{3,}|[a-z]\w+")),
    ("exception class module type", re.compile(r"(?:exception|class|module) [\w.]+")),
    ("exit status code", re.compile(r"[\w-]+$")),
)


_RAISED = re.compile(r"\b[A-Z]\w*(?:Error|Exception|Warning|Exit|Interrupt)\b")


def _which(library: Library, ranked: Sequence[Ranked], question: Question) -> Said | None:
    """The term whose description says what the question says."""
    asks = _WHICH.search(question.text)
    noun = asks[1].lower() if asks else ""
    shape = next((pattern for nouns, pattern in _SHAPES if noun in nouns), None)
    codes = codes_of(question)
    target = stem(noun)
    asked = [t for t in question.terms if t != target]

    def fits(sentence: Sentence) -> float:
        name = named(sentence)
        raised = noun == "exception" and not sentence.short and bool(_RAISED.search(sentence.text))
        if raised and re.search(r"\brais", sentence.text, re.IGNORECASE):
            name = ""
        elif not name or sentence.short or (name in codes) or (shape and not shape.match(sentence.entry)):
            return 0.0
        roots = {*stems(sentence.text), *(stems(sentence.entry) if raised else ())}
        held = sum(1.0 if t in roots else 0.7 * bool(roots & near_words(t).keys()) for t in asked)
        return 0.1 + 2.0 * held / max(len(asked), 1)

    for told in tell(library, ranked, question, fits)[:1]:
        best = standing(ranked[0])
        if told.points < max(LEAST, best):
            break
        thrown = _RAISED.search(told.sentence.text)
        if noun == "exception" and thrown and re.search(r"\brais", told.sentence.text, re.IGNORECASE):
            return thrown[0], (told.entry.place,), told.points
        term = re.sub(r"^(?:class|exception|async|static|property|\(\w+\)) |\(.*$", "", told.sentence.entry)
        return term.strip(" `:"), (told.entry.place,), told.points
    return None


def _tells(library: Library, ranked: Sequence[Ranked], question: Question) -> Said | None:
    """What a call returns, what an option does, what a code means: the sentence that says so."""
    asks = _TELLS.search(question.text)
    codes = codes_of(question) or frozenset(asks[1].lower().split()[-1:] if asks and asks[2] == "return" else ())
    if not asks or not codes or (question.kind == "meaning" and all(code.isalpha() for code in codes)):
        return None  # "What does WAL stand for?": an abbreviation
    verb = stem(asks[2].split()[0])
    returns = verb == stem("return")
    others = [t for t in question.terms if t not in question.names and t != verb and t not in _SORTS]
    seen: set[tuple[int, str]] = set()
    first: set[int] = set()
    for place, sentence in enumerate(library.sentences):
        if sentence.entry and not sentence.short and (sentence.block, sentence.entry) not in seen:
            seen.add((sentence.block, sentence.entry))
            first.add(place)

    def fits(sentence: Sentence) -> float:
        roots = stems(sentence.text)
        if sentence.short or len(roots) < 3 or sentence.text.startswith("#"):
            return 0.0
        about = is_of(named(sentence), codes) or bool(codes & set(lower(sentence.entry)[:3]))
        subject = any(word in codes for word in lower(sentence.text)[:3])
        if not (about or subject) or (sentence.cells and not about):
            return 0.0
        says = verb in roots or roots[0] == stem("return")
        held = sum(t in roots for t in others) / max(len(others), 1)
        if returns:
            return 0.3 + 1.2 * says + 0.6 * held
        means = bool(re.search(_MEANS, sentence.text)) and not sentence.text.startswith("This means")
        return 0.3 + 0.4 * says + 0.6 * held + 0.5 * means + 0.6 * (subject and not sentence.cells)

    told = tell(library, ranked, question, fits)
    if not told or told[0].points < LEAST:
        return None
    title = {root for block in library.blocks for root in stems(block.meta("title"))}
    near = () if returns or any(root not in title for root in others) else told
    close = [t for t in near if t.points > told[0].points - 0.8 and t.entry.place in first]
    best = min(close, key=lambda t: -t.points) if close else told[0]
    text = whole(best.sentence)
    if best.sentence.cells:
        text = "; ".join(cell for cell in best.sentence.cells[1:] if cell)
    return text, (best.entry.place,), best.points


_MEANS = r"\b(?:indicates?|means?|is (?:returned|raised|used|set)|stands? for|signals?|says that)\b"


def _is(library: Library, ranked: Sequence[Ranked], question: Question) -> Said | None:
    """The sentence that begins "An X is a ..." or "Xs are ..."."""
    asks = _WHAT_IS.search(question.text)
    subject = set(stems(asks[1])) if asks else set()
    if not (question.kind == "definition" or _ONE.match(question.text)) or not subject or len(subject) > 4:
        return None
    opening = {s for last, s in pairwise(library.sentences) if last.heading != s.heading}

    def fits(sentence: Sentence) -> float:
        if set(stems(sentence.heading.rpartition(": ")[2])) == subject and not sentence.short:
            return 1.4 if sentence in opening else 0.0
        said = _DEFINES.match(sentence.text)
        called = _CALLED.search(sentence.text)
        if called and set(stems(called[1])) == subject:
            return 1.2
        return (1.5 if said[2] else 1.0) if said and set(stems(said[1])) == subject else 0.0

    for told in tell(library, ranked, question, fits)[:1]:
        said = _DEFINES.match(told.sentence.text)
        if told.points < LEAST:
            break
        if (said is None or set(stems(said[1])) != subject) and _CALLED.search(told.sentence.text):
            return whole(told.sentence), (told.entry.place,), told.points
        said = said if said and set(stems(said[1])) == subject else None
        text = to_clause_end(told.sentence.text, 0 if said is None else said.start(2) if said[2] else said.end())
        return text, (told.entry.place,), told.points
    return None


_ONE = re.compile(r"what is an? [^?]*?(?: (?:in|for) [\w. ]+)?\??$", re.IGNORECASE)
_CALLED = re.compile(
    r"\b(?:called|known as|named) (?:an? |the )?([\w-]+)(?=, (?:whose|which|a|an|the|that)\b)", re.IGNORECASE
)
_DEFINES = re.compile(
    r"(?:an?|the)?\s*(\S.{1,60}?),? (?:is|are|was|were|means|refers to|stands for) ((?:an?|the|one)\b)?", re.IGNORECASE
)


def _record(library: Library, ranked: Sequence[Ranked], question: Question) -> Said | None:
    """The other cell of a row of two whose first is what is asked for: "columns per table | 1,600"."""
    if question.kind not in ("count", "measure", "noun", "thing", "meaning"):
        return None
    asked = {root for term in question.terms for root in (term, *near_words(term))}

    def fits(sentence: Sentence) -> float:
        titled = sentence.text in library.blocks[sentence.block].meta("title")
        roots = set(stems(sentence.cells[0])) if 2 <= len(sentence.cells) <= 3 and not titled else set()
        return 1.0 + len(roots) / len(question.terms) if len(roots) > 1 and roots <= asked else 0.0

    for told in tell(library, ranked, question, fits)[:1]:
        if told.points >= LEAST and told.sentence.cells[1]:
            return told.sentence.cells[1], (told.entry.place,), told.points
    return None


MANUALS: tuple[tuple[re.Pattern[str], Callable[[Library, Sequence[Ranked], Question], Said | None]], ...] = (
    (_VERSION, _version),
    (_DEFAULT, _default),
    (_WHICH, _which),
    (_TELLS, _tells),
    (_WHAT_IS, _is),
    (re.compile("^(?:what|how|which)", re.IGNORECASE), _record),
)
"""The forms of question that manuals answer, each with what answers it."""
