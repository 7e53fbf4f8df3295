"""How the built-in model answers a function-call prompt: by counting words. Nothing here reasons.

The function is the one whose name, description and parameters share the rarest words with the input (rare among the
functions on offer) and whose required parameters the input has something for. Each parameter is looked for by what its
name and description say it is (a file, a day, a place, a text, ...) among the quotes, figures, addresses, dates and
names of the input; nothing is used twice, and what the input does not hold is left out, so that a call with something
missing is reported as that and not made up.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from airoagent.calls.call_parser import Call, Format, write_call
from airoagent.calls.function_loader import read_functions
from airoagent.calls.functions import Function, Functions, Param
from airoagent.calls.scalars import Json
from airoagent.errors import UsageError
from airoagent.text.words import STOP_WORDS, spaced, stem, stems, words

_DAY = "(?:mon|tues|wednes|thurs|fri|satur|sun|to|yester)day|tomorrow|tonight"
_MONTH = "january|february|march|april|may|june|july|august|september|october|november|december"
# What can be a value by its form, in the order in which it is taken out of the sentence.
_FORMS_OF_VALUES = {
    "quote": r"\"([^\"\n]{1,400})\"|“([^”\n]{1,400})”|‘([^’\n]{1,400})’|(?<!\w)'((?:[^'\n]|'(?=\w)){1,400})'(?!\w)",
    "url": r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]",
    "email": r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}",
    "file": r"(?<![\w@/.])[\w~/][\w./~-]{0,200}\.[A-Za-z][A-Za-z0-9]{0,5}(?![\w@])",
    "date": rf"\b(?:\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)? (?:of )?(?:{_MONTH})(?: \d{{4}})?"
    rf"|(?:{_MONTH}) \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?|(?:next |this )?(?:{_DAY}))\b",
    "time": r"\b(?:\d{1,2}(?::\d{2})? ?[ap]\.?m\b\.?|\d{1,2}:\d{2}|(?<=at )\d{1,2}\.\d{2}|noon|midnight)",
    "number": r"(?<![\w.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w.]*\d)|(?<![\w.])-?\d+(?:\.\d+)?",
}
_VALUES = {kind: re.compile(form, re.IGNORECASE) for kind, form in _FORMS_OF_VALUES.items()}
_CAPITALS = re.compile(r"[A-Z][\w'’&-]*(?:[ -](?:of |the |de |van |von |la )?[A-Z][\w'’&-]*)*")
_WORD = re.compile(r"[\w'’-]+")
_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_NUMBER_WORDS = dict(zip(_TO_TWENTY.split(), range(21), strict=True)) | {"dozen": 12, "hundred": 100, "thousand": 1000}
# What people say, and what functions are called for it.
_SAYINGS = {
    "how many": "count number",
    "mention|occur|how many times|how often": "count occurrence",
    "say": "language translate",
    "rain|snow|sunny|temperature|forecast": "weather",
    "mail": "email message send",
    "where|which line|what line": "find line",
}


class _Clue(NamedTuple):
    """Something in the sentence that can be a value."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(slots=True)
class _Clues:
    """A sentence and what can be taken from it; ``plain`` is the sentence without quotes, addresses and files.

    ``said`` has the stems of its words (1.0), and of what those are called elsewhere (less).
    """

    text: str
    plain: str
    said: dict[str, float]
    left: list[_Clue]
    taken: list[tuple[int, int]] = field(default_factory=list)

    def of(self, *kinds: str) -> list[_Clue]:
        """The clues of these kinds that nothing has taken, in the order of the sentence."""
        return [clue for clue in self.left if clue.kind in kinds]

    def take(self, start: int, end: int) -> str | None:
        """The text that stands here, which nothing else can take then; None where its start has been taken before."""
        if any(first <= start < last for first, last in self.taken):
            return None
        self.left = [clue for clue in self.left if clue.end <= start or end <= clue.start]
        self.taken.append((start, end))
        return self.text[start:end].strip()


def _read_clues(text: str) -> _Clues:
    """Everything in a sentence that can be a value."""
    found: list[_Clue] = []
    rest = plain = text
    for kind, pattern in _VALUES.items():
        for match in pattern.finditer(rest):
            value = next((group for group in match.groups() if group), match[0])
            found.append(_Clue(kind, value, match.start(), match.end()))
        for clue in found:
            rest = rest[: clue.start] + " " * (clue.end - clue.start) + rest[clue.end :]
        plain = rest if kind == "file" else plain
    for match in _WORD.finditer(rest):
        if (word := match[0].lower()) in _NUMBER_WORDS:
            found.append(_Clue("number", str(_NUMBER_WORDS[word]), match.start(), match.end()))
    for match in _CAPITALS.finditer(rest):
        name, start = match[0], match.start()
        if not rest[:start].strip(" \n\"'(¿¡-") and not rest[match.end() :].lstrip().startswith(("'s", ",")):
            # The sentence's own capital says nothing; "Play Miles Davis" has a name after it.
            name = name.partition(" ")[2] * (name[:4] != "The ")
        if name and name.partition("'")[0] != "I":
            found.append(_Clue("name", name, match.end() - len(name), match.end()))
    said = {stem(word): 1.0 for word in words(plain.lower())}
    for saying, meant in _SAYINGS.items():
        if re.search(rf"\b(?:{saying})(?:s|ed|d|ing)?\b", plain, re.IGNORECASE):
            said = {stem(word): 0.7 for word in meant.split()} | said
    return _Clues(text, plain, said, sorted(found, key=lambda clue: clue.start))


def _filled(params: Iterable[Param], clues: _Clues) -> dict[str, Json]:
    """The parameters the sentence says something of; free text gets only what the others leave."""
    in_turn = sorted(params, key=lambda one: (_form(one) in ("", "text") and one.kind == "string", not one.required))
    values = {param.name: _value(param, clues) for param in in_turn}
    return {param.name: values[param.name] for param in params if values[param.name] is not None}


def _value(param: Param, clues: _Clues) -> Json:
    if param.enum:
        return _of_allowed(param.enum, clues)
    if param.members:
        return _filled(param.members, clues) or None
    if param.kind in ("integer", "number"):
        return _number(param, clues)
    if param.kind == "array":
        return [clue.text for clue in clues.of("name") or clues.of("quote", "email", "file", "url")] or None
    return None if param.kind in ("boolean", "object") else _text(param, clues)


def _of_allowed(values: Sequence[Json], clues: _Clues) -> Json:
    """The allowed value whose words the sentence says; None if it says none of any."""

    def score(value: Json) -> float:
        parts = words(spaced(str(value)).lower())
        return sum(clues.said.get(stem(part), 0.0) for part in parts) / max(len(parts), 1)

    chosen = max(values, key=score)
    return chosen if score(chosen) >= 0.4 else None


_JOINS = re.compile(r",|\band\b|\bby\b")  # what follows it belongs to another figure


def _number(param: Param, clues: _Clues) -> Json:
    """The figure that stands nearest to a word of the parameter; the first one for a parameter that must be there."""
    about = {stem(word) for word in words(spaced(param.name).lower())}
    worth = dict.fromkeys(stems(param.description), 0.3) | dict.fromkeys(about, 1.0)
    named = [(match.span(), worth.get(stem(match[0]), 0.0)) for match in _WORD.finditer(clues.plain)]

    def near(clue: _Clue) -> float:
        best = 0.0
        for span, weight in named:
            first, second = sorted([span, (clue.start, clue.end)])
            weight *= 0.3 if weight and _JOINS.search(clues.plain, first[1], second[0]) else 1.0
            best = max(best, weight / (1 + max(second[0] - first[1], 0) / 8))
        return best

    chosen = max(clues.of("number"), key=near, default=None)
    limit = re.search(r"max|limit|most|min|budget|price", param.name.lower())  # sentences rarely say its name
    if chosen is None or not (near(chosen) >= 0.15 or param.required or param.has_default or limit):
        return None
    number = float(chosen.text.replace(",", ""))
    if param.kind == "integer" and not number.is_integer():
        return None
    clues.take(chosen.start, chosen.end)
    return int(number) if number.is_integer() and "." not in chosen.text else number


_FORMS = (
    ("email", r"e-?mail|recipient"),
    ("url", r"url|link|website|web page|address of a page"),
    ("file", r"file|path|filename|document|image"),
    ("date", r"date|day|deadline|when|start|end\b|until|since"),
    ("time", r"time|hour|clock"),
    ("place", r"city|town|place|location|country|where|destination|region|address|origin"),
    ("name", r"name|person|artist|author|who|recipient|user|customer|company|singer|brand"),
    ("text", r"text|keyword|word|phrase|query|message|content|body|title|subject|label|term|topic|note|string"),
)


def _form(param: Param) -> str:
    """What a text parameter is by its name, or else by its description: a file, a date, a place, ..."""
    for text in (param.name.replace("_", " ").lower(), param.description.lower()):
        for form, pattern in _FORMS:
            if re.search(rf"\b(?:{pattern})", text):
                return form
    return ""


# The words that lead to a value, by the parameter's name.
_LEADS = """
source:from,of origin:from start:from,between,since from:from target:to,into,in to:to,into end:to,until,till,and
destination:to,into language:into,in,to artist:by,from author:by place:near,in,at,around city:in,for,at,near
location:in,at,near title:called,named,about topic:about,on subject:about,subject label:to,about body:saying,that,text
message:saying,that query:for,about name:called,named keyword:word,for,of,does,is
"""
_LEADS_TO = {name: leads.split(",") for name, _, leads in (entry.partition(":") for entry in _LEADS.split())}


def _text(param: Param, clues: _Clues) -> Json:
    """A text of the sentence for a parameter; None where there is nothing for it."""
    form = _form(param)
    name = param.name.lower().split("_")[-1]
    leads = _LEADS_TO.get(param.name.lower()) or _LEADS_TO.get(name, [])
    if form in _VALUES:
        return _first(clues.of(form), leads, clues)
    quote = _first(clues.of("quote"), leads, clues) if form == "text" or not (form or leads) else None
    if quote or form == "text" or not (form or leads):
        colon = None if quote else re.search(r":\s+(\S[^\n]{0,400})", clues.text)
        found = quote or (colon and clues.take(*colon.span(1)))
        if not found and (param.required or form == "text"):
            found = _following(leads, clues) or (_first(clues.of("name"), [], clues) if param.required else None)
        return found
    named = _first(clues.of("name"), leads, clues) or _following(leads, clues)
    if named is None and name in ("source", "origin") and (unit := _UNIT.search(clues.plain)):
        return clues.take(*unit.span(1))
    return named or (_first(clues.of("quote"), [], clues) if param.required else None)


_UNIT = re.compile(r"(?<![\w.])\d[\d.,]*\s+([A-Za-z]{2,20})")  # "250 USD"


def _first(found: list[_Clue], leads: list[str], clues: _Clues) -> str | None:
    """The clue that comes right after one of the words that lead to such a value, or else the first."""
    before = {clue: " ".join(_WORD.findall(clues.text[: clue.start][-40:])).lower() for clue in found}
    led = (
        clue for lead in leads for clue in found if re.search(rf"\b{lead}(?: the| an?| word| phrase)*$", before[clue])
    )
    chosen = next(led, found[0] if found else None)
    if chosen:
        clues.take(chosen.start, chosen.end)
    return chosen.text if chosen else None


_FOLLOWING = re.compile(
    r"(?!\d)[\w'’-]+(?:[ -](?!(?:to|into|in|from|by|for|at|on|with|and|please|until|near|does|occur|appear|stand)\b)"
    r"[\w'’-]+){0,3}",
    re.IGNORECASE,
)


def _following(leads: list[str], clues: _Clues) -> str | None:
    """The words after a leading word, up to the next preposition."""
    for lead in leads:
        for match in re.finditer(rf"\b{lead}\s+(?:the |a |an )?", clues.plain, re.IGNORECASE):
            found = _FOLLOWING.match(clues.plain, match.end())
            if found and found[0].lower() not in STOP_WORDS and (text := clues.take(*found.span())):
                return text
    return None


def chosen_call(input: str, functions_yaml: str, format: Format) -> str:
    """The call of the function that fits best, as text; "" where the functions cannot be read."""
    try:
        functions = Functions(read_functions(functions_yaml))
    except UsageError:
        return ""
    clues, bags = _read_clues(input), [_bag(function) for function in functions]
    seen = Counter(word for bag in bags for word in bag)
    rarity = {word: math.log(1 + len(bags) / count) for word, count in seen.items() if word not in STOP_WORDS}
    scored: list[tuple[float, dict[str, Json]]] = []
    for function, bag in zip(functions, bags, strict=True):
        params = _filled(function.params, replace(clues, taken=[]))
        score = sum(bag[word] * weight * rarity.get(word, 0.0) for word, weight in clues.said.items() if word in bag)
        for param in function.params:
            worth = 0.8 if param.required else 0.3
            score += worth if param.name in params else -0.8 * param.required
        scored.append((score, params))
    best = max(range(len(scored)), key=lambda at: scored[at][0])
    return write_call(Call(functions[best].name, scored[best][1]), format).rstrip("\n")


def _bag(function: Function) -> dict[str, float]:
    """The stems that speak for a function, with their weight: its name most, what its parameters say least."""
    said = [(spaced(function.name), 3.0), (function.description, 1.5)]
    for param in function.params:
        said += [(spaced(param.name), 1.0), (param.description, 0.6), *((spaced(str(one)), 1.2) for one in param.enum)]
    bag: dict[str, float] = {}
    for text, weight in said:
        for word in map(stem, words(text.lower())):
            bag[word] = max(weight, bag.get(word, 0.0))
    return bag
