"""Questions that need several look-ups: of two figures, of two dates, of a thing named only by another.

>>> figures("How much taller is the mast than the mill?").questions
('What is the height of the mast?', 'What is the height of the mill?')
>>> nested("Where was the author of The Wild Iris born?").about("Ada")
'Where was Ada born?'
>>> days_between("How many days are there between the start (16 July 1969) and the end (24 July 1969)?").answer
'8 days'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

__all__ = ["Between", "Figures", "Nested", "days_between", "figures", "named_plainly", "nested", "versus"]


@dataclass(frozen=True, slots=True)
class Figures:
    """Things whose figures are added, or the second's taken from the first's; one question each."""

    questions: tuple[str, ...]
    sign: str


_NOUNS = {
    "taller": "height",
    "higher": "height",
    "lower": "height",
    "longer": "length",
    "shorter": "length",
    "deeper": "depth",
    "shallower": "depth",
    "wider": "width",
    "heavier": "weight",
    "lighter": "weight",
    "older": "age",
    "larger": "area",
    "bigger": "area",
    "tall": "height",
    "high": "height",
    "long": "length",
    "deep": "depth",
    "wide": "width",
    "heavy": "weight",
    "old": "age",
}
_TOTAL = re.compile(
    r"^what (?:is|are|was|were) (?:the )?(?:combined|total|joint|sum of(?: the)?) (\w+) of (.+ and .+)$"
    r"|^how (\w+) (?:are|were) (.+ and .+?) (?:together|in total|combined|altogether|in sum)$",
    re.IGNORECASE,
)
_MORE = re.compile(r"^(?:by )?how (?:much|many \w+) (\w+er) (?:is|was|are) (.+?) than (.+)$", re.IGNORECASE)
_APART = re.compile(r"^what (?:is|was) the difference (?:in|of) (\w+) between (.+?) and (.+)$", re.IGNORECASE)


def figures(question: str) -> Figures | None:
    """The figures whose sum or difference is asked for; None for any other question."""
    text = question.rstrip(" ?!.")
    total = _TOTAL.match(text)
    if total:
        noun = _noun(total[1] or total[3])
        things = re.split(r",\s*(?:and\s+)?|\s+and\s+", total[2] or total[4])
        return Figures(tuple(f"What is the {noun} of {thing}?" for thing in things), "+") if noun else None
    found = _MORE.match(text) or _APART.match(text)
    noun = _noun(found[1]) if found else ""
    if not found or not noun:
        return None
    return Figures(tuple(f"What is the {noun} of {thing}?" for thing in found.groups()[1:]), "-")


def _noun(word: str) -> str:
    """ "length" for "longer", "long", "lengths" and "length"; "" for what is no measure."""
    word = word.lower()
    if word in _NOUNS:
        return _NOUNS[word]
    plain = word.removesuffix("s") if not word.endswith("ss") else word
    return plain if plain in {*_NOUNS.values(), "population", "price", "cost", "size", "number"} else ""


@dataclass(frozen=True, slots=True)
class Between:
    """The time between two events: what asks for each one's date ("" where the question gives it), and the unit."""

    unit: str
    events: tuple[str, str]
    questions: tuple[str, str]

    def with_dates(self, first: str, last: str) -> str:
        """The question with each event's date in brackets behind it."""
        return f"How many {self.unit} are there between {self.events[0]} ({first}) and {self.events[1]} ({last})?"

    @property
    def answer(self) -> str:
        """The time in whole units, where the events are given as days or years; "" where they are not."""
        one, two = (_day(re.sub(r"^.*\(([^()]*)\)$", r"\1", event)) for event in self.events)
        if one is None or two is None or (self.unit in ("days", "weeks") and not (one[1] and two[1])):
            return ""
        (first, exact), (last, exactly) = sorted((one, two))
        days = (last - first).days
        months = 12 * (last.year - first.year) + last.month - first.month - (last.day < first.day)
        years = months // 12 if exact and exactly else last.year - first.year
        count = {"days": days, "weeks": days // 7, "months": months, "years": years}[self.unit]
        said = f"{count:,} {self.unit if count != 1 else self.unit[:-1]}"
        return said if exact and exactly else f"about {said}"

    @property
    def dated(self) -> bool:
        """Whether the question gives something for the date of each event."""
        return all(re.search(r"\([^()]+\)$", event) for event in self.events)


_HAPPENED = {
    "birth": "was {} born",
    "death": "did {} die",
    "opening": "was {} opened",
    "launch": "was {} launched",
    "start": "did {} start",
    "beginning": "did {} begin",
    "end": "did {} end",
    "completion": "was {} completed",
    "discovery": "was {} discovered",
    "publication": "was {} published",
    "release": "was {} released",
    "landing": "did {} land",
    "invention": "was {} invented",
    "foundation": "was {} founded",
    "founding": "was {} founded",
    "construction": "was {} built",
    "wedding": "did {} marry",
}
_SPAN = re.compile(
    r"^how many (days|weeks|months|years) (?:(?:are|is|were|was|lie|lay|passed|elapsed|went|by|have|had|there|in) )*"
    r"(?:between|from) (.+?) (?:and|to|until|till) (.+)$",
    re.IGNORECASE,
)


def days_between(question: str) -> Between | None:
    """The time between two events that a question asks for; None for any other question."""
    found = _SPAN.match(question.rstrip(" ?!."))
    if not found:
        return None
    first, last = found[2], found[3]
    owner = re.sub(r"^(?:the )?\w+ of ", "", first)
    last = re.sub(r"^(?:its|his|her|their) (\w+)$", rf"the \1 of {owner}", last)
    return Between(found[1].lower(), (first, last), (_when(first), _when(last)))


def _when(event: str) -> str:
    if _day(event) is not None:
        return ""
    happened = re.match(r"^the (\w+) of (.+)$", event) or re.match(r"^(?P<of>.+?)['’]s (?P<what>\w+)$", event)
    if happened:
        what, of = (happened[1], happened[2]) if event.startswith("the ") else (happened["what"], happened["of"])
        if what in _HAPPENED:
            return f"When {_HAPPENED[what].format(of)}?"
    return f"When was {event}?"


_IN_ORDER = "january february march april may june july august september october november december"
_NAMED_MONTH = _IN_ORDER.replace(" ", "|")
_DAY = re.compile(
    rf"(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<m>{_NAMED_MONTH}),? (?P<y>\d{{4}})"
    rf"|(?P<m2>{_NAMED_MONTH}) (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y2>\d{{4}})"
    r"|(?P<y3>\d{4})-(?P<m3>\d\d)-(?P<d3>\d\d)|\b(?P<y4>\d{4})\b",
    re.IGNORECASE,
)
_NUMBERS = {name: number for number, name in enumerate(_IN_ORDER.split(), 1)}


def _day(text: str) -> tuple[date, bool] | None:
    """The day that a text names, and whether it is the very day and not only its year."""
    found = _DAY.search(text)
    if found is None:
        return None
    year = int(found["y"] or found["y2"] or found["y3"] or found["y4"])
    month = _NUMBERS.get((found["m"] or found["m2"] or "").lower(), 0) or int(found["m3"] or 0)
    day = int(found["d"] or found["d2"] or found["d3"] or 0)
    try:
        return (date(year, month, day), True) if day else (date(year, 1, 1), False)
    except ValueError:
        return None


_VERSUS = re.compile(
    r"^(?:compare|contrast) (?P<a>.+?) (?:and|with|to) (?P<b>.+)$"
    r"|^what (?:is|are) the (?:\w+ )?differences? between (?P<c>.+?) and (?P<d>.+)$"
    r"|^how (?:does|do|is|are) (?P<e>.+?) (?:differ|different) from (?P<f>.+)$",
    re.IGNORECASE,
)


def versus(question: str) -> tuple[str, str] | None:
    """The two things that a question sets against each other; None where it does not."""
    found = _VERSUS.match(question.rstrip(" ?!."))
    if found is None:
        return None
    groups = [group.strip(" ,") for group in found.groups() if group]
    return groups[0], groups[1]


_MADE = {
    "author": "wrote",
    "writer": "wrote",
    "inventor": "invented",
    "founder": "founded",
    "creator": "created",
    "designer": "designed",
    "architect": "designed",
    "composer": "composed",
    "painter": "painted",
    "director": "directed",
    "discoverer": "discovered",
    "developer": "developed",
    "builder": "built",
}
_RELATION = re.compile(
    rf"\bthe ({'|'.join(_MADE)}|president|capital|publisher|captain|leader|owner) of "
    r"((?:the |a )?(?:[\"“][^\"”]{2,80}[\"”]|[A-Z0-9][\w'’.-]*(?: (?:(?:of|the|de|and|in|on) )*[A-Z0-9][\w'’.-]*)*))"
)


@dataclass(frozen=True, slots=True)
class Nested:
    """A question about somebody it names only as "the author of X": what asks who that is, and the words around."""

    first: str
    before: str
    named: str
    after: str

    def about(self, name: str) -> str:
        """The question about this name, to search for."""
        return f"{self.before} {name} {self.after}".strip() + "?"

    def with_name(self, name: str) -> str:
        """The question with the name in brackets behind what stands for it."""
        return f"{self.before} {self.named} ({name}) {self.after}".strip() + "?"


def nested(question: str) -> Nested | None:
    """A question with another one inside it; None for any other."""
    found = _RELATION.search(question)
    if found is None:
        return None
    before, after = question[: found.start()].strip(), question[found.end() :].strip(" ?!.")
    if not after and re.match(r"^(?:who|what|which)\b[^,]{0,30}$|^(?:name|give|tell)\b", before, re.IGNORECASE):
        return None  # the relation is what is asked for
    asks = "What is" if found[1] == "capital" else "Who is"
    first = f"Who {_MADE[found[1]]} {found[2]}?" if found[1] in _MADE else f"{asks} the {found[1]} of {found[2]}?"
    return Nested(first, before, found[0], after)


_KNOWN = re.compile(_RELATION.pattern + r" \(([^()]*)\)")


def named_plainly(question: str) -> str:
    """The question with the name that stands in brackets in the place of "the author of X", if it is a name."""

    def name(found: re.Match[str]) -> str:
        known = found[3].strip()
        is_name = known[:1].isupper() and len(known.split()) <= 5
        return known if is_name else found[0][: found[0].rindex(" (")]

    return _KNOWN.sub(name, question)
