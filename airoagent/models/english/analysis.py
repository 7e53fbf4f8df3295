"""Takes a question apart: from one line of English to a `Question`.

    >>> asked = analyse("How tall is the Eiffel Tower?")
    >>> asked.kind, asked.unit, asked.names
    ('measure', 'length', ('eiffel', 'tower'))

Pure; any text gives some `Question`, the plainest being kind "thing" (nothing known about the answer's form).
"""

from __future__ import annotations

import re

from airoagent.models.english.questions import (
    TELLING,
    Asked,
    Kind,
    Question,
    Side,
    last_verb,
    main_verb,
    stranded,
    terms_of,
    unit_of,
)
from airoagent.models.english.wordings import IDIOMS, NOUN_KINDS, PERSONS
from airoagent.models.english.words import (
    AUXILIARIES,
    DETERMINERS,
    PREPOSITIONS,
    STOPWORDS,
    fold,
    looks_verbal,
    stem,
    word_set,
    words,
)

__all__ = ["analyse"]

_SUMMARY = re.compile(
    r"^(?:summari[sz]e|sum up|describe|explain|outline|introduce|tell (?:me|us) (?:(?:more|something|a bit|all"
    r"|everything) )?about"
    r"|(?:write|give)(?: me| us)? (?:(?:a|an|the|some) )?(?:\w+ )?(?:overview|summary|description|account"
    r"|information|paragraph|introduction|explanation)"
    r"|what (?:do you know|can you tell (?:me|us)|is there to know) about|(?:write|talk|information|facts) (?:about"
    r"|on)\b)",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"^(?:list|enumerate|name (?:all|some|two|three|four|five|six|seven|eight|nine|ten|the (?:two|three|four|five"
    r"|six|seven))\b)",
    re.I,
)
_NAME_THE = re.compile(
    r"^(?:name|give|state|identify|find|provide|show|tell)\s+(?:me\s+|us\s+)?(?=(?:the|a|an|its|his|her)\b)", re.I
)
_WH = re.compile(r"\b(who|whom|whose|what|which|when|where|why|how)\b(?:'s\b)?", re.IGNORECASE)
_COMPARE = re.compile(
    r"\b(?:which|who|what)\b.*?\b(\w+er|more \w+|less \w+|first|last|earlier"
    r"|bigger)\b[^,:?]*[,:]\s*(.+?)\s+or\s+(.+?)\s*\??$",
    re.I,
)
_OR = re.compile(r"(?:^|[,\s])((?:the |a |an )?[\w'’. -]{2,60}?)\s+or\s+((?:the |a |an )?[\w'’. -]{2,60}?)\s*\??$")


_RELATIVE = re.compile(
    r"^(?:name|give|state|identify|find|tell me)\s+(?:me\s+)?the\s+((?:\w+\s+){1,3}?)(?:who|that|which)\s+(?=\w+\s)",
    re.I,
)
_CALLED_THAT = re.compile(r"^what (?:is|was|are|were) the ((?:[\w-]+ ){1,3})(?:called|named) (?:that|which|who) ", re.I)


def _plainly(text: str) -> str:
    """The question with idioms and roundabout forms in plain words: "Name the man who ..." asks "Which man ..."."""
    text = re.sub(r"^(who|what|when|where|how)['’]s\b", r"\1 is", text, flags=re.IGNORECASE)
    for idiom, words_of_it in IDIOMS:
        text = idiom.sub(words_of_it, text)
    text = _RELATIVE.sub(r"Which \1", text)
    return _CALLED_THAT.sub(r"Which \1", text)


def analyse(text: str) -> Question:
    """Take a (cleaned) question apart. Never raises; one line of English is expected, anything is accepted."""
    text = _plainly(" ".join(text.split())[:2000])
    plain = fold(text).rstrip("?!. ")
    terms, names = terms_of(text)
    if _SUMMARY.search(plain):
        subject = _SUMMARY.sub("", text).strip(" .?!:") or text
        terms, names = terms_of("About " + subject)
        keep = tuple(t for t in terms if t != "about")
        return Question(text, "summary", terms=keep, names=names)
    if _LIST.search(plain):
        return Question(text, "list", target=_noun_after(plain, _LIST), terms=terms, names=names)
    compare = _COMPARE.search(text)
    if compare:
        return Question(
            text, "choice", target=fold(compare[1]), terms=terms, names=names, options=(compare[2], compare[3])
        )
    named = _NAME_THE.sub("what is ", plain) if not _WH.match(plain) else plain
    wh = _WH.search(named)
    first = named.split(" ", 1)[0]
    if first in AUXILIARIES and (wh is None or wh.start() > 0):
        pair = _OR.search(re.sub(r"^\S+\s+", "", text)) if " or " in plain else None
        if pair:
            return Question(text, "choice", terms=terms, names=names, options=(pair[1].strip(), pair[2].strip()))
        rest = named.split()[1:]
        return Question(text, "yesno", verb=main_verb(rest, first in ("do", "does", "did")), terms=terms, names=names)
    if wh is None:
        return Question(text, "thing", terms=terms, names=names)
    return _wh_question(text, named, wh, terms, names)


def _noun_after(plain: str, lead: re.Pattern[str]) -> str:
    for word in words(lead.sub("", plain)):
        if word not in STOPWORDS and word not in AUXILIARIES:
            return stem(word)
    return ""


def _wh_question(text: str, plain: str, wh: re.Match[str], terms: tuple[str, ...], names: tuple[str, ...]) -> Question:
    cased = words(text)
    lower = words(plain[wh.end() :])
    offset = len(cased) - len(lower)
    rest = cased[offset:] if offset >= 0 and [fold(w) for w in cased[offset:]] == lower else lower
    if "'s" in wh[0]:
        lower, rest = ["is", *lower], ["is", *rest]
    word = wh[1].lower()
    tail = stranded(lower)
    if not tail and wh.start() > 0:
        before = words(plain[: wh.start()])
        tail = before[-1] if before and before[-1] in PREPOSITIONS else ""
    aux = lower[0] if lower and lower[0] in AUXILIARIES else ""
    made = Asked(text, plain, word, lower, rest, aux, tail, terms, names)
    if word == "how":
        return _how(made)
    if word in ("who", "whom", "whose"):
        return _who(made)
    if word in ("when", "where", "why"):
        kind: Kind = {"when": "date", "where": "place", "why": "reason"}[word]  # type: ignore[assignment]
        return made.question(kind, verb=made.verb(), tail="" if tail in ("in", "at", "on") else tail)
    return _what(made)


_LASTS = word_set("do does did has have had must should may can could will would")


def _how(parts: Asked) -> Question:
    first = parts.lower[0] if parts.lower else ""
    verb = Asked(
        parts.text,
        parts.plain,
        "",
        parts.lower[1:],
        parts.rest[1:],
        "".join(parts.lower[1:2]),
        parts.tail,
        parts.terms,
        parts.names,
    ).verb()
    if first == "many":
        noun = next((w for w in parts.lower[1:] if w not in STOPWORDS), "")
        # "how many square kilometres": the second word is the unit.
        return parts.question("count", stem(noun), verb=last_verb(parts))
    if first == "much":
        unit = unit_of(parts.plain)
        return parts.question("measure", "", unit, verb=last_verb(parts))
    if first == "long":
        lasting = re.search(
            r"\b(?:take|takes|took|last|lasts|lasted|live|lives|lived|stay|spend|spent|reign|reigned|rule|serve"
            r"|work|ago|for|before|after|sleep|wait|remain)\b",
            parts.plain,
        ) or (len(parts.lower) > 1 and parts.lower[1] in _LASTS and parts.lower[-1] != "be")
        return parts.question(
            "measure", first, "time" if lasting else "length", verb=verb, drop=() if not lasting else ("long",)
        )
    unit = unit_of(first)
    if unit:
        return parts.question("measure", stem(first), unit, verb=last_verb(parts))
    return parts.question("manner", verb=parts.verb())


def _who(parts: Asked) -> Question:
    if parts.word == "whose":
        noun = next((w for w in parts.lower if w not in STOPWORDS), "")
        return parts.question("person", stem(noun), verb=last_verb(parts))
    if parts.aux in ("is", "was", "are", "were"):
        rest = parts.rest[1:]
        content = [w for w in rest if w.lower() not in STOPWORDS]
        plain_name = not any(w in PERSONS or w in PREPOSITIONS - {"of"} for w in parts.lower[1:])
        if content and plain_name and all(w[0].isupper() or w[0].isdigit() for w in content):
            return parts.question("definition")
        role = next((w for w in parts.lower[1:] if w in PERSONS), "")
        verb = stem(role) if role.endswith(("er", "or")) and parts.lower[1] == "the" else parts.verb()
        owned = bool(
            role
            and re.search(
                rf"(?:'s|\bhis|\bher|\btheir) (?:\w+ )?{role}$"
                rf"|\bthe {role} of\b",
                parts.plain,
            )
        )
        idle = (stem(role),) if role in ("person", "people") else ()
        return parts.question("person", stem(role), verb=verb, side="before", tail=parts.tail, drop=idle, related=owned)
    if parts.aux in ("did", "does", "do"):
        return parts.question("person", verb=parts.verb(), side="after", tail=parts.tail)
    return parts.question("person", verb=parts.verb(), side="before", tail=parts.tail if parts.tail != "by" else "")


def _what(parts: Asked) -> Question:
    lower, aux = parts.lower, parts.aux
    if not aux and lower:
        return _what_noun(parts)
    if aux in ("is", "was", "are", "were"):
        return _what_is(parts)
    if aux:
        if re.search(r"\b(?:stand|stands|short) for$|\bmeans?$", parts.plain):
            return parts.question("meaning", drop=TELLING)
        if aux in ("do", "does") and lower[-1] == "do" and len(lower) <= 6:
            return parts.question("definition")
        return parts.question("thing", verb=parts.verb(), side="after", tail=parts.tail)
    return parts.question("thing")


def _what_noun(parts: Asked) -> Question:
    kind_of = re.match(
        r"(?:kinds?|types?|sorts?|species|breeds?|brands?|varieties|variety) of (\w+)", " ".join(parts.lower)
    )
    noun = kind_of[1] if kind_of else _head_noun(parts.lower)
    root = stem(noun)
    if noun in ("year", "years"):
        return parts.question("year", verb=last_verb(parts), drop=(root,))
    if noun in ("date", "day", "month", "century", "decade", "time", "period", "era"):
        return parts.question("date", noun, verb=last_verb(parts), drop=(root,))
    if noun in PERSONS:
        return parts.question("person", root, verb=last_verb(parts))
    if noun in ("number", "numbers", "amount", "figure") and parts.lower[0] == noun:
        return parts.question("count", root, verb=last_verb(parts), drop=(root,))
    if noun in ("percentage", "proportion", "fraction", "share"):
        return parts.question("measure", root, "share", verb=last_verb(parts))
    if looks_verbal(noun) or (len(parts.lower) > 1 and parts.lower[1] in DETERMINERS and noun.endswith("s")):
        return parts.question("thing", verb=root, side="before")
    asks_object = any(w in ("did", "does", "do") for w in parts.lower)
    side: Side = "after" if asks_object else "" if any(w in AUXILIARIES for w in parts.lower) else "before"
    return parts.question("noun", root, verb=last_verb(parts), side=side, tail=parts.tail)


def _head_noun(lower: list[str]) -> str:
    """The noun of "which large river flows": the last of at most three words before a verb or preposition."""
    head = lower[0]
    for word in lower[1:3]:
        if word in STOPWORDS or looks_verbal(word) or (word.endswith("s") and not word.endswith("ss")):
            break
        head = word
    return head


def _called(rest: str) -> str:
    """The noun of "X's debut book of poetry called": the last word before "of" or the verb, possessors left out."""
    phrase = re.sub(r"^.*(?:'s|s')\s+", "", rest)
    phrase = re.split(r"\s(?:of|in|on|at|for|that|which|called|named|by|with)\b", f"{phrase} called")[0]
    content = [w for w in words(phrase) if w not in STOPWORDS]
    return stem(content[-1]) if content else ""


_OF = re.compile(r"^(?:the |a |an |their |its |his |her )?((?:[\w'’-]+ ){0,4}?[\w'’-]+) (?:of|for|in|on|at|to) ")
_OWNED = re.compile(r"(?:\w's|s'|\b(?:their|its|his|her)) ((?:[\w-]+ ){0,3}[\w-]+)$")


def _what_is(parts: Asked) -> Question:
    rest = " ".join(parts.lower[1:])
    if parts.tail:
        return parts.question("thing", verb=parts.verb(), side="after", tail=parts.tail)
    if rest.endswith((" called", " named")) or rest in ("called", "named"):
        return parts.question("noun", _called(rest), verb="call", side="after")
    relation = _OF.match(rest) or _OWNED.search(rest)
    if relation:
        phrase = relation[1]
        if re.search(r"\bnumber\b", phrase):
            counted = words(rest[relation.end() :])
            return parts.question("count", stem(counted[0]) if counted else "")
        unit = unit_of(phrase)
        if phrase.split()[-1] in NOUN_KINDS:
            kind, stands_for = NOUN_KINDS[phrase.split()[-1]]
            rest_verb = stem(stands_for) if stands_for else ""
            return parts.question(kind, verb=rest_verb, drop=() if stands_for else (stem(phrase.split()[-1]),))
        if phrase.split()[-1] == "time":
            return parts.question("measure", "time", "time")
        if phrase.endswith("population"):
            return parts.question("count", "people")
        if unit:
            return parts.question("measure", stem(phrase.split()[-1]), unit)
        if phrase in ("full name", "full form", "meaning", "long form"):
            return parts.question("meaning", drop=TELLING)
        if phrase.endswith("name") and relation.re is _OF:
            owned = bool(re.search(r"['’]s [\w-]+$", rest))
            target = _called(rest[relation.end() :])
            return parts.question("noun", target, verb="call", side="after", drop=("name",), related=owned)
        if phrase.split()[-1] in PERSONS:
            return parts.question("person", stem(phrase.split()[-1]), related=True)
        if phrase.split()[-1] in ("size", "capacity", "limit", "rate", "range"):
            return parts.question("measure", stem(phrase.split()[-1]))
        if phrase.split()[-1] in ("difference", "meaning", "definition"):
            return parts.question("definition")
        by_shape = phrase.split()[-1] in ("job", "profession", "occupation", "trade", "career", "nationality")
        target = stem(phrase.split()[-1])
        return parts.question("noun", target, side="after", related=not by_shape, drop=(target,) if by_shape else ())
    verb = main_verb(parts.rest[1:], False)
    if verb and len(words(rest)) > 1:
        return parts.question("thing", verb=verb, side="before")
    return parts.question("definition")
