"""Made planning questions: tools with invented names, a question of some shape, and the plan that answers it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random
from typing import Final

from airoagent.plan.plans import Plan
from airoagent.plan.steps import Ref, Step
from airoagent.prompts.chat import Style
from airoagent.prompts.plan_prompts import plan_prompt
from airoagent.training.examples import Example
from airoagent.training.invented import NUMERIC, RELATIONS, Relation, invented_name, invented_value, relations_of

__all__ = ["PLAN_SHAPES", "made_plan", "offered_tools"]

_READER: Final = (
    "Question answering language model, particularly useful in answering questions based on an input passage of text. "
    "The input must be a text question that references an :evidence[n]: variable, e.g. What color is the cat, given "
    ":evidence1:?"
)
# Of each role: verbs and nouns that names are made of, and descriptions.
_ROLES: Final = {
    "search": (
        "Search Find Lookup Query Seek", "Web Docs Index Pages Archive",
        "Searches the web and gives titles, addresses and snippets.|Finds documents that may hold the answer to a "
        "query.|Search engine; the input is a few words.|Looks for pages about what is asked.",
    ),
    "read": (
        "Answer Read Ask Tell", "Model Reader Text Mind",
        _READER + "|Answers a question from an earlier finding, which the question must name.|Reads evidence and "
        "answers a question about it, e.g. Who won, given :evidence0:?",
    ),
    "page": (
        "Fetch Open Scrape Load", "Page Site Url Article",
        "Gives the text of the page at an address.|Loads a web page and returns its plain text. The input is a URL.",
    ),
    "links": (
        "List Extract Collect", "Links Hrefs Urls", "Lists the links of the page at a URL.|Extracts all hyperlinks.",
    ),
    "calculate": (
        "Calc Compute Solve", "Math Sum Number Arithmetic",
        "Calculates an arithmetic expression. The input must be numbers and + - * / ( ); it understands no words.|"
        "Exact arithmetic on numbers and findings that are numbers.",
    ),
    "date": (
        "Get Show Tell", "Today Date Clock Now", "Tells the current date and time.|Gives today's date.",
    ),
    "weather": ("Get Show", "Weather Forecast", "Gives the weather at a place.|Weather forecast for a town."),
    "translate": ("Make Do", "Translation Translate", "Translates a text.|Translates words into English."),
    "code": ("Write Make", "Code Script Program", "Writes a program for a task.|Generates source code."),
    "mail": ("Send Post", "Mail Message", "Sends a message to somebody.|Sends an e-mail."),
    "image": ("Draw Paint", "Picture Image", "Makes a picture from a description.|Draws what is described."),
}  # fmt: skip
# The names that come with this program: a model should know them best, and not need them.
_OWN: Final = {
    "search": "DuckDuckGo DocumentSearch", "page": "TextScraper", "links": "HyperlinkExtractor",
    "calculate": "Calculator", "date": "Today", "code": "CodeWriter",
}  # fmt: skip

Request = tuple[str, list[tuple[str, str, str]], str]
"""A question, steps as (thought, role, input), and the answer line."""


def offered_tools(random: Random, needed: set[str]) -> dict[str, tuple[str, str]]:
    """Role -> name and description of the tools on offer: those needed, search and reading, and some others."""
    others = [role for role in _ROLES if role not in needed | {"search", "read"}]
    roles = [*(needed | {"search", "read"}), *random.sample(others, random.randint(0, 4))]
    roles.sort()
    random.shuffle(roles)
    own = random.random() < 0.3
    offered: dict[str, tuple[str, str]] = {}
    for role in roles:
        verbs, nouns, descriptions = _ROLES[role]
        name = _tool_name(random, verbs.split(), nouns.split())
        if role == "read" and random.random() < 0.7:
            offered[role] = ("KnowledgeModel", _READER)
            continue
        if own and role in _OWN:
            name = random.choice(_OWN[role].split())
        offered[role] = (name, random.choice(descriptions.split("|")))
    names = [name for name, _ in offered.values()]
    return offered if len(set(names)) == len(names) else offered_tools(random, needed)


def _tool_name(random: Random, verbs: list[str], nouns: list[str]) -> str:
    verb, noun, made = random.choice(verbs), random.choice(nouns), invented_name(random)
    name = random.choice(
        (
            f"{verb}{noun}",
            f"{verb.lower()}_{noun.lower()}",
            f"{made}{noun}",
            f"{noun}{verb}er",
            f"{made.lower()}_{verb.lower()}",
            made,
        )
    )
    return name.replace("eer", "er")


def _given(question: str, *found: int) -> str:
    return f"{question.rstrip('?')}, given {' and '.join(_ref(at) for at in found)}?"


def _ref(number: int) -> str:
    return f":evidence{number}:"


def _hop(relation: Relation, x: str, first: int) -> list[tuple[str, str, str]]:
    """Search for the value of a relation, and read it."""
    return [
        (f"Search for the {relation.noun}.", "search", f"{relation.noun} of {x}"),
        (f"Read the {relation.noun}.", "read", _given(_asked(relation, x), first)),
    ]


def _relation(random: Random, among: Iterable[Relation]) -> Relation:
    """One of the relations, with one of its questions: the plan asks in the words of the question."""
    relation = random.choice(tuple(among))
    return replace(relation, asked=(random.choice(relation.asked),))


def _asked(relation: Relation, x: str) -> str:
    return relation.asked[0].replace("{x}", x)


def _one_hop(random: Random) -> Request:
    relation = _relation(random, RELATIONS)
    x = invented_value(random, relation.subject)
    return _asked(relation, x), _hop(relation, x, 0), _ref(1)


def _hops(random: Random, hops: int) -> Request:
    """A question whose subject is itself to be found: the mayor of the birthplace of the author of a book."""
    while True:
        path = [_relation(random, RELATIONS)]
        while len(path) < hops and (following := relations_of(path[-1].value)):
            path.append(_relation(random, following))
        if len(path) == hops:
            break
    x = invented_value(random, path[0].subject)
    steps: list[tuple[str, str, str]] = []
    named, known = (f"the {x}" if path[0].subject == "prize" else x), x
    for relation in path:
        steps += _hop(relation, known, len(steps))
        known, inner = _ref(len(steps) - 1), named
        named = f"the {relation.noun} of {named}"
    question = _asked(path[-1], inner)
    if hops == 2 and random.random() < 0.4:  # both are wanted: "Who wrote it, and where was that person born?"
        thing = {"person": "that person", "place": "that place", "work": "that book"}.get(path[0].value, "it")
        second = _asked(path[1], thing)
        question = f"{_asked(path[0], x).rstrip('?')}, and {second[0].lower()}{second[1:]}"
        return question, steps, f"{_ref(1)}, {_ref(3)}"
    return question, steps, _ref(len(steps) - 1)


def _comparison(random: Random) -> Request:
    relation = _relation(random, NUMERIC)
    a, b = (invented_value(random, relation.subject) for _ in range(2))
    question = random.choice(
        (f"Which has the greater {relation.noun}, {a} or {b}?", f"Compare the {relation.noun} of {a} and {b}.")
    )
    steps = [(f"Search for the {relation.noun} of {x}.", "search", f"{relation.noun} of {x}") for x in (a, b)]
    return question, [*steps, ("Compare the two.", "read", _given(question.rstrip("."), 0, 1))], _ref(2)


def _both_parts(random: Random) -> Request:
    subject = random.choice(("person", "company", "place", "building", "work"))
    one, two = (_relation(random, [relation]) for relation in random.sample(relations_of(subject), 2))
    x = invented_value(random, subject)
    second = _asked(two, x)
    question = f"{_asked(one, x).rstrip('?')}, and {second[0].lower()}{second[1:]}"
    return question, [*_hop(one, x, 0), *_hop(two, x, 2)], f"{_ref(1)}, {_ref(3)}"


def _page(random: Random) -> Request:
    name = invented_name(random).lower()
    url = (
        f"https://{random.choice(('www.', '', 'docs.'))}{name}.{random.choice(('org', 'com', 'net'))}/"
        + random.choice(("about.html", f"{random.randint(1, 900)}", f"{invented_name(random).lower()}/notes", ""))
    )
    if random.random() < 0.2:
        question = random.choice((f"List the links on {url}", f"Which pages does {url} link to?"))
        return question, [("List the links of the page.", "links", url)], _ref(0)
    relation = _relation(random, RELATIONS)
    inner = _asked(relation, invented_value(random, relation.subject))
    question, read = random.choice(
        (
            (f"According to {url}, {inner[0].lower()}{inner[1:]}", inner),
            (f"Read {url} and tell me: {inner}", inner),
            (f"Summarize {url}", "What is the summary?"),
            (f"What is {url} about?", "What is it about?"),
        )
    )
    return question, [("Load the page.", "page", url), ("Answer from it.", "read", _given(read, 0))], _ref(1)


def _arithmetic(random: Random) -> Request:
    a, b, c = (random.choice((random.randint(2, 99), random.randint(100, 9999))) for _ in range(3))
    question, expression = random.choice(
        (
            (f"What is {a} + {b}?", f"{a} + {b}"), (f"How much is {a} times {b}?", f"{a} * {b}"),
            (f"Compute ({a} - {b}) / {c}", f"({a} - {b}) / {c}"), (f"What is {a}% of {b}?", f"{b} * {a} / 100"),
            (f"How many minutes are {a} hours?", f"{a} * 60"), (f"How many days are {a} weeks?", f"{a} * 7"),
            (f"Subtract {a} from {b}.", f"{b} - {a}"), (f"Add up {a}, {b} and {c}.", f"{a} + {b} + {c}"),
            (f"If one ticket costs {a} euros, what do {b} tickets cost?", f"{a} * {b}"),
            (f"{c} apples are packed into boxes of {a}. How many boxes is that?", f"{c} / {a}"),
        )
    )  # fmt: skip
    return question, [("Calculate it.", "calculate", expression)], _ref(0)


def _difference(random: Random) -> Request:
    """Two figures to be found, then arithmetic on them."""
    relation = _relation(random, NUMERIC)
    a, b = (invented_value(random, relation.subject) for _ in range(2))
    question, sign = random.choice(
        (
            (f"What is the difference between the {relation.noun} of {a} and that of {b}?", "-"),
            (f"Add the {relation.noun} of {a} to that of {b}.", "+"),
            (f"How many times greater is the {relation.noun} of {a} than that of {b}?", "/"),
        )
    )
    steps = [*_hop(relation, a, 0), *_hop(relation, b, 2)]
    return question, [*steps, ("Calculate it.", "calculate", f"{_ref(1)} {sign} {_ref(3)}")], _ref(4)


def _today(random: Random) -> Request:
    if random.random() < 0.5:
        question = random.choice(("What day is it today?", "What is today's date?", "Which year is it now?"))
        return question, [("Look at the date.", "date", "")], _ref(0)
    x = invented_value(random, "company")
    relation = _relation(random, (one for one in relations_of("company") if one.value == "year"))
    question = f"How many years ago was {x} founded?"
    steps = [*_hop(relation, x, 0), ("Look at the date.", "date", "")]
    return question, [*steps, ("Compare the two.", "read", _given(question, 1, 2))], _ref(3)


def _other_tool(random: Random) -> Request:
    place = invented_value(random, "place")
    question = random.choice(
        (f"Is it raining in {place}?", f"What is the weather in {place}?", f"How warm is {place}?")
    )
    return question, [("Ask for the weather.", "weather", place)], _ref(0)


# Shape -> how often (two hops: 40 of 100).
PLAN_SHAPES: Final[dict[str, tuple[int, Callable[[Random], Request]]]] = {
    "one_hop": (18, _one_hop),
    "two_hops": (40, lambda random: _hops(random, 2)),
    "three_hops": (4, lambda random: _hops(random, 3)),
    "comparison": (8, _comparison),
    "both_parts": (6, _both_parts),
    "page": (8, _page),
    "arithmetic": (6, _arithmetic),
    "difference": (4, _difference),
    "today": (4, _today),
    "other_tool": (2, _other_tool),
}


def made_plan(random: Random, style: Style, shape: str = "") -> Example:
    """A question with tools, as the prompt of this style, and its plan."""
    shapes = list(PLAN_SHAPES)
    shape = shape or random.choices(shapes, [PLAN_SHAPES[one][0] for one in shapes])[0]
    question, steps, answer = PLAN_SHAPES[shape][1](random)
    tools = offered_tools(random, {role for _, role, _ in steps})
    if random.random() < 0.15:
        question = question.rstrip("?.")
    elif random.random() < 0.1:
        question = random.choice(("Please tell me: ", "I would like to know: ", "Hi! ")) + question
    plan = Plan(
        tuple(
            Step(f"evidence{at}", thought, tools[role][0], _template(text))
            for at, (thought, role, text) in enumerate(steps)
        ),
        _template(answer),
    )
    return Example(plan_prompt(question, tools.values(), style=style), plan.to_text().strip(), "plan")


def _template(text: str) -> tuple[str | Ref, ...]:
    parts = re.split(r":(evidence\d+):", text)
    return tuple(Ref(part) if at % 2 else part for at, part in enumerate(parts) if part)
