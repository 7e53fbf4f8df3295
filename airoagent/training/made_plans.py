"""Made planning questions: tools with invented names, a question of some shape, and the plan that answers it.

Half of the questions are about invented names, so that nothing can be known by heart; half are about the world
(`questions.txt`), in the many forms that people ask in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import field, replace
from functools import cache
from random import Random
from typing import Final

from airoagent.frozen import frozen
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Ref, Step
from airoagent.prompts.chat import Style
from airoagent.prompts.plan_prompts import plan_prompt
from airoagent.training.examples import Example
from airoagent.training.invented import (
    Relation,
    data_of,
    invented_name,
    invented_value,
    numeric,
    relations,
    relations_of,
    subjects,
)
from airoagent.training.made_tools import (
    SHIPPED,
    is_own,
    offered_tools,
    own_tool_request,
    shipped_tools,
    with_own_tools,
)

Request = tuple[str, list[tuple[str, str, str]], str]
"""A question, steps as (thought, role, input), and the answer line."""


def _given(question: str, *found: int) -> str:
    return f"{question.rstrip('?')}, given {' and '.join(_ref(at) for at in found)}?"


def _ref(number: int) -> str:
    return f":evidence{number}:"


_LEFT_OUT: Final = re.compile(
    r"\b(?:what|which|who|whom|whose|when|where|why|how many|how much|how|is|was|are|were|did|does|do|has|have|can|be|"
    r"to be|(?:on|in|by|from|to|at|under|with|for) (?=wh)|since (?=wh)|until (?=wh)|the|an?|i|there|me)\b ?",
    re.IGNORECASE,
)  # fmt: skip


def _keywords(question: str) -> str:
    """What to search for: the words of the question that a text will have, too."""
    return " ".join(_LEFT_OUT.sub("", question.rstrip("?.")).split()) or question


def _hop(relation: Relation, x: str, first: int, *, described: bool = False) -> list[tuple[str, str, str]]:
    """Search for the value of a relation, and read it; ``described``: in the words "the author of X"."""
    who = "Who" if relation.value == "person" else "What"
    asked = f"{who} is the {relation.noun} of {x}?" if described else _asked(relation, x)
    described = described or x.startswith(":")  # the words of the question alone would say little
    searched = f"{relation.noun} of {x}" if described else _keywords(asked)
    return [
        (f"Search for the {relation.noun}.", "search", searched),
        (f"Read the {relation.noun}.", "read", _given(asked, first)),
    ]


def _relation(random: Random, among: Iterable[Relation]) -> Relation:
    """One of the relations, with one of its questions: the plan asks in the words of the question."""
    relation = random.choice(tuple(among))
    return replace(relation, asked=(random.choice(relation.asked),))


def _asked(relation: Relation, x: str) -> str:
    return relation.asked[0].replace("{x}", x)


def _one_hop(random: Random) -> Request:
    relation = _relation(random, relations())
    x = invented_value(random, relation.subject)
    return _asked(relation, x), _hop(relation, x, 0), _ref(1)


def _hops(random: Random, hops: int) -> Request:
    """A question whose subject is itself to be found: the mayor of the birthplace of the author of a book."""
    while True:
        path = [_relation(random, relations())]
        while len(path) < hops and (following := relations_of(path[-1].value)):
            path.append(_relation(random, following))
        if len(path) == hops:
            break
    x = invented_value(random, path[0].subject)
    steps: list[tuple[str, str, str]] = []
    named, known = (f"the {x}" if path[0].subject == "prize" else x), x
    both = hops == 2 and random.random() < 0.4  # "Who wrote it, and where was that person born?"
    for at, relation in enumerate(path):
        steps += _hop(relation, known, len(steps), described=not both and at + 1 < hops)
        known, inner = _ref(len(steps) - 1), named
        named = f"the {relation.noun} of {named}"
    question = _asked(path[-1], inner).replace("the the ", "the ")
    if both:
        thing = {"person": "that person", "place": "that place", "work": "that book"}.get(path[0].value, "it")
        second = random.choice((_asked(path[1], thing), _pronoun(random, path[1].asked[0], path[0].value)))
        question = f"{_asked(path[0], x).rstrip('?')}, and {second[0].lower()}{second[1:]}"
        return question, steps, f"{_ref(1)}, {_ref(3)}"
    return question, steps, _ref(len(steps) - 1)


_NAMED: Final = ("place", "company", "work", "building", "river", "prize", "country", "language", "room", "product")


def _both_parts(random: Random) -> Request:
    subject = random.choice(subjects())
    one, two = (_relation(random, [relation]) for relation in random.sample(relations_of(subject), 2))
    x = invented_value(random, subject)
    second = _asked(two, x)
    clear = one.value not in (_NAMED if subject != "person" else ("person",))  # "it" cannot be what was found
    if clear and random.random() < 0.6:
        second = _pronoun(random, two.asked[0], subject)
    question = f"{_asked(one, x).rstrip('?')}, and {second[0].lower()}{second[1:]}"
    return question, [*_hop(one, x, 0), *_hop(two, x, 2)], f"{_ref(1)}, {_ref(3)}"


def _url(random: Random) -> str:
    host, word = invented_name(random).lower(), invented_name(random).lower()
    host = random.choice(("www.", "", "docs.", "blog.", "news.")) + host
    host += random.choice((".org", ".com", ".net", ".io", ".edu", ".example.org"))
    number = random.randint(1, 990)
    year = random.randint(1990, 2026)
    paths = [
        *("about.html", f"{number}", f"{word}/notes", "", f"posts/{word}", f"v{number % 9}/{word}", f"a/{number}"),
        *(f"reports/{year}/{word}.html", f"{word}?id={number}", f"wiki/{word.capitalize()}"),
    ]
    return f"{random.choice(('https', 'https', 'http'))}://{host}/{random.choice(paths)}"


def _page(random: Random) -> Request:
    url, second = _url(random), _url(random)
    draw = random.random()
    if draw < 0.18:
        (question,) = _world().draw(random, "/links", url=url)
        return question, [("List the links of the page.", "links", url)], _ref(0)
    if draw < 0.26:
        question, read = _world().draw(random, "/pages", url=url, second=second)
        steps = [("Load a page.", "page", one) for one in (url, second)]
        return question, [*steps, ("Answer from both.", "read", _given(read, 0, 1))], _ref(2)
    relation = _relation(random, relations())
    inner = random.choice((_asked(relation, invented_value(random, relation.subject)), _world().draw(random, "?")[0]))
    low = inner[0].lower() + inner[1:]
    tell = _indirect(inner) or low.rstrip("?.")
    question, read = _world().draw(random, "/page", url=url, inner=inner, low=low, tell=tell)
    return question, [("Load the page.", "page", url), ("Answer from it.", "read", _given(read, 0))], _ref(1)


def _arithmetic(random: Random) -> Request:
    a: float
    a, b, c = (random.choice((random.randint(2, 99), random.randint(100, 9999))) for _ in range(3))
    if random.random() < 0.15:
        a = random.choice((2.5, 7.25, 0.5, 12.8))
    d = random.randint(2, 9)
    question, _, expression = random.choice(_world().lines["%"])[0].rpartition(" = ")
    question, expression = (text.format(a=a, b=b, c=c, d=d, B=f"{b:,}") for text in (question, expression))
    return question, [("Calculate it.", "calculate", expression)], _ref(0)


def _today(random: Random) -> Request:
    look = ("Look at the date.", "date", "")
    draw = random.random()
    if draw < 0.4:
        return _world().draw(random, "/today")[0], [look], _ref(0)
    if draw < 0.7:
        question, read = _world().draw(random, "/until", d=str(random.randint(2, 9)))
        return question, [look, ("Reckon from it.", "read", _given(read, 0))], _ref(1)
    question, searched, asked = _world().draw(random, "/ago")
    steps = [*_search_and_read(searched, asked, 0), look]
    return question, [*steps, ("Compare the two.", "read", _given(question, 1, 2))], _ref(3)


@frozen
class _World:
    """What `questions.txt` has: what names stand for, and the lines of each mark as tuples."""

    names: dict[str, tuple[str, ...]]
    lines: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)

    def draw(self, random: Random, mark: str, **given: str) -> tuple[str, ...]:
        """One of the lines, each {name} in it replaced by what is given or by one thing of that name."""
        line = random.choice(self.lines[mark])
        drawn = {name: random.choice(values) for name, values in self.names.items()}
        drawn |= {"year": str(random.randint(1930, 2025)), **given}
        return tuple(re.sub(r"\{(\w+)\}", lambda found: drawn.get(found[1], found[0]), part) for part in line)

    def kinds(self, mark: str) -> list[str]:
        """The kinds of which there are lines with this mark, as often as there are such lines."""
        return [one[1:] for one, lines in self.lines.items() if one[0] == mark for _ in lines]


@cache
def _world() -> _World:
    names: dict[str, tuple[str, ...]] = {}
    world = _World(names)
    for line in data_of("questions.txt").splitlines():
        name, colon, values = line.partition(": ")
        if colon and name.isalpha() and name.islower():
            names[name] = tuple(values.split(", "))
        else:
            mark, text = ("?", line) if line[0].isalpha() else line.split(" ", 1)
            if mark[0] == ">":
                kind, text = text.split(" ", 1)
                mark = f"{mark} {kind}"
            world.lines.setdefault(mark, []).append(tuple(text.split(" | ")))
    return world


def _search_and_read(searched: str, question: str, first: int) -> list[tuple[str, str, str]]:
    return [(f"Search for the {searched}.", "search", searched), ("Read the answer.", "read", _given(question, first))]


def _world_one(random: Random) -> Request:
    question, searched = _world().draw(random, "?")
    return question, _search_and_read(searched, question, 0), _ref(1)


def _world_hops(random: Random, hops: int = 2) -> Request:
    """The subject is described, or both are wanted: "Who wrote Emma, and where was she born?"."""
    onward = {one.split()[0] for one in _world().kinds(">")}
    kind = random.choice([one for one in _world().kinds("*") if hops == 2 or one in onward])
    described, searched, asked = _world().draw(random, f"*{kind}")
    steps = _search_and_read(searched, asked, 0)
    for at in range(1, hops - 1):
        both = random.choice([one for one in _world().kinds(">") if one.split()[0] == kind])
        outer, searched, second = _world().draw(random, f">{both}", x=_ref(2 * at - 1))
        steps += _search_and_read(searched, second, 2 * at)
        described, kind = outer.replace(_ref(2 * at - 1), described), both.split()[1]
    second, search = _world().draw(random, f"+{kind}")
    found = _ref(len(steps) - 1)
    steps += _search_and_read(search.format(x=found), second.format(x=found), len(steps))
    if hops > 2 or random.random() < 0.6:
        if random.random() < 0.15:  # "Where was Dune's author born?"
            described = re.sub(r"^the ([a-z]+) of ((?:the )?[A-Z][^,]*)$", r"\2's \1", described)
        return second.format(x=described), steps, _ref(3 if hops == 2 else len(steps) - 1)
    also = _pronoun(random, second, kind)
    joint = random.choice((" and ", " and ", ", and ", "? And ", "? "))
    also = also if joint != "? " else also[0].upper() + also[1:]
    return asked.rstrip("?") + joint + also, steps, f"{_ref(1)}, {_ref(3)}"


def _pronoun(random: Random, question: str, kind: str) -> str:
    """The question about what has been named: "where was he born?"."""
    persons = (("he", "his"), ("she", "her"), ("they", "their"))
    it, its = random.choice(persons) if kind == "person" else ("it", "its")
    text = re.sub(r"the ((?:(?!\bthe\b)[\w -])+) of (?:the )?\{x\}", rf"{its} \1", question).replace("{x}'s", its)
    text = re.sub(r"\b(?:in|to) \{x\}", "there", text) if kind in ("city", "country", "place") else text
    him = {"he": "him", "she": "her", "they": "them"}.get(it, it)
    text = re.sub(r"\b(call|reach|by|for|to|of|from|with|about) \{x\}", rf"\1 {him}", text)
    text = text.replace("the {x}", "{x}").format(x=it)
    if it == "they":
        for one, many in ("was they", "were they"), ("does they", "do they"), ("is they", "are they"):
            text = text.replace(one, many)
    return text[0].lower() + text[1:]


def _pair(random: Random, mark: str) -> tuple[tuple[str, ...], list[str]]:
    """A line of two or three things, and the things."""
    kind = random.choice(_world().kinds(mark))
    if not kind:
        relation = _relation(random, (one for one in numeric() if mark == "=" or one.value != "year"))
        line = _world().draw(random, mark, noun=relation.noun)
        return line, [invented_value(random, relation.subject) for _ in "ab"]
    line = _world().draw(random, f"{mark}{kind}")
    if kind == "alike":
        return line, random.choice(_world().names[kind]).split("/")
    things = random.sample(_world().names[kind], 3 if "{c}" in line[0] else 2)
    unknown = {"built": "building", "city": "place", "person": "person", "company": "company", "work": "work"}
    if kind in unknown and random.random() < 0.25:
        things = [invented_value(random, unknown[kind]) for _ in things]
    return line, things


def _comparison(random: Random) -> Request:
    line, things = _pair(random, "=")
    question = line[0].format(**dict(zip("abc", things, strict=False)))
    searched = [line[1].format(x=x) for x in things]
    steps = [(f"Search for the {one}.", "search", one) for one in searched]
    read = _given(question.rstrip("."), *range(len(things)))
    return question, [*steps, ("Compare them.", "read", read)], _ref(len(things))


def _difference(random: Random, *, calculated: bool = True) -> Request:
    """Two figures to be found, then arithmetic on them, by the calculator if there is one."""
    (question, search, asked, expression), (a, b) = _pair(random, "~")
    question = question.format(a=a, b=b)
    searched = [search.format(x=x) for x in (a, b)]
    if not calculated:
        steps = [(f"Search for the {one}.", "search", one) for one in searched]
        return question, [*steps, ("Compare the two.", "read", _given(question.rstrip("."), 0, 1))], _ref(2)
    steps = _search_and_read(searched[0], asked.format(x=a), 0) + _search_and_read(searched[1], asked.format(x=b), 2)
    return question, [*steps, ("Calculate it.", "calculate", expression.format(a=_ref(1), b=_ref(3)))], _ref(4)


def _share(random: Random) -> Request:
    """One figure to be found, then arithmetic on it."""
    given = {"d": str(random.randint(2, 40)), "x": _ref(1)}
    question, searched, asked, expression = _world().draw(random, "/share", **given)
    return question, [*_search_and_read(searched, asked, 0), ("Calculate it.", "calculate", expression)], _ref(2)


def _described_pair(random: Random) -> Request:
    """Two people who are described, compared: each has to be found first."""
    (one, search_one, ask_one), (two, search_two, ask_two) = (_world().draw(random, "*person") for _ in range(2))
    question, searched = random.choice(
        [line for line in _world().lines["=person"] if "born" in line[1] or "age" in line[1] or "birth" in line[1]]
    )
    question = question.format(a=one, b=two)
    steps = [*_search_and_read(search_one, ask_one, 0), *_search_and_read(search_two, ask_two, 2)]
    for at in (1, 3):
        words = searched.format(x=_ref(at))
        steps.append((f"Search for the {words}.", "search", words))
    return question, [*steps, ("Compare the two.", "read", _given(question, 4, 5))], _ref(6)


def _age_at(random: Random) -> Request:
    """How old somebody was, who is described, when something happened."""
    question, searched, asked, happened = _world().draw(random, "/age")
    steps = _search_and_read(searched, asked, 0)
    for words in (f"date of birth of {_ref(1)}", happened):
        steps.append((f"Search for the {words}.", "search", words))
    return question, [*steps, ("Reckon from both.", "read", _given(question, 2, 3))], _ref(4)


def _latest(random: Random) -> Request:
    name = random.choice((*_world().names["software"], invented_value(random, "program")))
    question, asked = _world().draw(random, "/latest", x=name, v=_ref(1))
    steps = _search_and_read(f"latest version of {name}", f"What is the latest version of {name}?", 0)
    wanted = "new in" if "new in" in asked or "changed" in asked else "release date of"
    steps += _search_and_read(f"{wanted} {name} {_ref(1)}", asked, 2)
    return question, steps, f"{_ref(1)}, {_ref(3)}"


def _own_files(random: Random) -> Request:
    """What is asked of a folder: summaries, lists, where something stands."""
    kind = random.choice(("topic", "thing", "company", "software", "event", "city"))
    x = random.choice((random.choice(_world().names[kind]), invented_name(random), invented_value(random, "person")))
    question, read = _world().draw(random, "/own", x=x)
    return question, _search_and_read(x, read, 0), _ref(1)


# Questions that can stand in a sentence with another order of words, and that order.
_INDIRECT: Final = (
    (r"(what|who) (is|was|are|were) (the [\w'. -]+? of [^,]+)", r"\1 \3 \2"),
    (r"(how (?:tall|high|deep|long|large|old|hot|fast)) (is|was|are) ((?!they|it\b)[^,]+)", r"\1 \3 \2"),
    (r"(when|where|why|in what year|in which (?:country|city|year)) (is|was|were) ((?!they\b)[^,]+) "
     r"(born|built|founded|published|opened|invented|buried|based|found|completed|held|performed)", r"\1 \3 \2 \4"),
    (r"(what|where|when|how|how (?:much|long)|who) does ([^,]+) (live|stand|work|rise|eat|weigh|make|sleep|start|end)",
     r"\1 \2 \3s"),
    (r"(?!.*\b(?:is|was|are|were|did|does|do|has|have|can|could|should|will|would)\b)"
     r"((?:who|what|whose \w+|which \w+|how many (?:more )?\w+) \w+ [^,]+)", r"\1"),
)  # fmt: skip


def _indirect(question: str) -> str:
    """The question as a part of a sentence: "how tall the Louvre is"; nothing where that takes more grammar."""
    low = question[0].lower() + question[1:].rstrip("?")
    if re.search(r"\?|\b(?:when|from the|and|about|for|with|at that|worth|like)\b", low[5:]):
        return ""
    turned = (re.sub(pattern, order, low) for pattern, order in _INDIRECT if re.fullmatch(pattern, low))
    return next(turned, "")


def _worded(random: Random, request: Request) -> Request:
    """The request as somebody might put it: typed without capitals, politely, after other words."""
    question, steps, answer = request
    draw = random.random()
    if draw < 0.12 and "://" not in question:
        lowered = [(thought, role, text.lower()) for thought, role, text in steps]
        return question.lower().rstrip(random.choice(("?.", "."))), lowered, answer
    if draw < 0.2:
        question = question.rstrip("?.")
    elif draw < 0.23 and question.partition(" ")[0].isalpha():
        question = question[0].lower() + question[1:].rstrip("?.")
    elif draw < 0.4 and (indirect := _indirect(question)):
        question = _world().draw(random, "^", i=indirect)[0]
    elif draw < 0.5:
        (before,) = _world().draw(random, "<")
        low = question[0].lower() + question[1:] if before.endswith(",") else question
        question = f"{before} {low}"
    elif draw < 0.55:
        question = re.sub(r"^(What|Who|Where) is ", r"\1's ", question)
    elif draw < 0.6:
        ended = question if question[-1] in ".?!" else question + "."
        question = ended + random.choice((" Thanks!", " Thank you.", " Please answer briefly.", " Please."))
    return question, steps, answer


# Shape -> how often (two hops: 40 of 100).
PLAN_SHAPES: Final[dict[str, tuple[int, Callable[[Random], Request]]]] = {
    "one_hop": (7, _one_hop),
    "world_one": (13, _world_one),
    "two_hops": (10, lambda random: _hops(random, 2)),
    "world_two": (20, _world_hops),
    "three_hops": (2, lambda random: _hops(random, 3)),
    "world_three": (3, lambda random: _world_hops(random, 3)),
    "described_pair": (4, _described_pair),
    "age_at": (2, _age_at),
    "latest": (3, _latest),
    "comparison": (12, _comparison),
    "difference": (7, _difference),
    "difference_read": (2, lambda random: _difference(random, calculated=False)),
    "share": (2, _share),
    "both_parts": (3, _both_parts),
    "page": (8, _page),
    "arithmetic": (7, _arithmetic),
    "today": (4, _today),
    "own_files": (4, _own_files),
    "own_tool": (14, own_tool_request),
}


def made_plan(random: Random, style: Style, shape: str = "", *, shipped: bool = False) -> Example:
    """A question with tools, as the prompt of this style, and its plan; ``shipped``: with the tools of this program."""
    shapes = list(PLAN_SHAPES)
    shape = shape or random.choices(shapes, [PLAN_SHAPES[one][0] for one in shapes])[0]
    question, steps, answer = _worded(random, PLAN_SHAPES[shape][1](random))
    needed = {role for _, role, _ in steps}
    general = {role for role in needed if not is_own(role)}
    if shipped and (general - set(SHIPPED) or "links" in general):
        return made_plan(random, style, shipped=True)
    barred = ("calculate",) if shape == "difference_read" else ()
    tools = shipped_tools(random, general) if shipped else offered_tools(random, general, barred)
    tools = with_own_tools(random, tools, needed - general)
    bare = style == "compact"  # short for small models: without the thoughts, which the program does not need
    plan = Plan(
        tuple(
            Step(f"evidence{at}", "" if bare else thought, tools[role][0], _template(text))
            for at, (thought, role, text) in enumerate(steps)
        ),
        _template(answer),
    )
    return Example(plan_prompt(question, tools.values(), style=style), plan.to_text().strip(), "plan")


def _template(text: str) -> tuple[str | Ref, ...]:
    parts = re.split(r":(evidence\d+):", text)
    return tuple(Ref(part) if at % 2 else part for at, part in enumerate(parts) if part)
