"""Made planning questions: tools with invented names, a question of some shape, and the plan that answers it.

Half of the questions are about invented names, so that nothing can be known by heart; half are about the world
(`questions.txt`), in the many forms that people ask in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import field, replace
from functools import cache
from importlib.resources import files
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
    invented_name,
    invented_value,
    numeric,
    relations,
    relations_of,
    subjects,
)

__all__ = ["PLAN_SHAPES", "made_plan", "offered_tools"]

_READER: Final = (
    "Question answering language model, particularly useful in answering questions based on an input passage of text. "
    "The input must be a text question that references an :evidence[n]: variable, e.g. What color is the cat, given "
    ":evidence1:?"
)
_SEARCH: Final = "Tool that enables the user to search for information"
# Of each role: verbs and nouns that names are made of, names that people use, descriptions.
_ROLES: Final = {
    "search": (
        "Search Find Lookup Query Seek", "Web Docs Index Pages Archive", "Search WebSearch search_web Google Lookup",
        "Searches the web and gives titles, addresses and snippets.|Finds documents that may hold the answer to a "
        "query.|Search engine; the input is a few words.|Looks for pages about what is asked.|Searches the web for "
        f"the query; gives the titles, addresses and snippets of the best pages.|{_SEARCH} in the documents at hand.|"
        f"{_SEARCH} using the DuckDuckGo search engine.",
    ),
    "read": (
        "Answer Read Ask Tell", "Model Reader Text Mind", "KnowledgeModel LLM Ask QuestionAnswering",
        _READER + "|Answers a question from an earlier finding, which the question must name.|Reads evidence and "
        "answers a question about it, e.g. Who won, given :evidence0:?|Answers a question from the evidence given with "
        "it; a language model.|A language model that answers questions about evidence.",
    ),
    "page": (
        "Fetch Open Scrape Load Read", "Page Site Url Article", "read_page TextScraper fetch open_url get_page",
        "Gives the text of the page at an address.|Loads a web page and returns its plain text. The input is a URL.|"
        "Reads the web page at the given address; gives its main text.|Load one or more websites from the input "
        "string containing newline delimited links.",
    ),
    "links": (
        "List Extract Collect", "Links Hrefs Urls", "list_links HyperlinkExtractor get_links",
        "Lists the links of the page at a URL.|Extracts all hyperlinks.|Gives the links of the web page at the given "
        "address.|Extract links from plain text and produces a plain text, newline delimited response of links.",
    ),
    "calculate": (
        "Calc Compute Solve", "Math Sum Number Arithmetic", "calculator Calculator Math calc",
        "Calculates an arithmetic expression. The input must be numbers and + - * / ( ); it understands no words.|"
        "Exact arithmetic on numbers and findings that are numbers.|Works out an arithmetic expression, e.g. 3 * (4 + "
        "5).|Calculates an arithmetic expression exactly.",
    ),
    "date": (
        "Get Show Tell", "Today Date Clock Now", "Today today current_date",
        "Gives the current date and time.|Gives today's date.",
    ),
    "weather": ("Get Show", "Weather Forecast", "get_weather", "Gives the weather at a place.|Weather forecast."),
    "translate": ("Make Do", "Translation Translate", "translate", "Translates a text.|Translates into English."),
    "code": ("Write Make", "Code Script Program", "CodeWriter", "Writes a program for a task.|Generates source code."),
    "mail": ("Send Post", "Mail Message", "send_mail", "Sends a message to somebody.|Sends an e-mail."),
    "image": ("Draw Paint", "Picture Image", "draw", "Makes a picture from a description.|Draws what is described."),
    "stock": ("Get Show", "Price Quote Share", "quote", "Gives the price of a share.|Stock prices by company."),
}  # fmt: skip

# The tools that come with this program, of which either search is on offer.
_SHIPPED: Final = {
    "search": ("DocumentSearch", f"{_SEARCH} in the documents at hand."),
    "page": (
        "TextScraper",
        "Load one or more websites from the input string containing newline delimited links, where input is one or "
        "more links, and produces plain text output containing the content of the links.",
    ),
    "links": ("HyperlinkExtractor", "Extract links from plain text and produces a plain text, newline delimited "
              "response of links."),
    "read": ("KnowledgeModel", _READER),
    "calculate": ("Calculator", "Calculates an arithmetic expression exactly."),
    "date": ("Today", "Gives the current date and time."),
}  # fmt: skip


def _shipped_tools(random: Random, needed: set[str]) -> dict[str, tuple[str, str]]:
    usual = {"search", "page", "links", "read"}
    offered = {role: tool for role, tool in _SHIPPED.items() if role in usual | needed}
    if random.random() < 0.4:
        offered["search"] = ("DuckDuckGo", f"{_SEARCH} using the DuckDuckGo search engine.")
    return offered


Request = tuple[str, list[tuple[str, str, str]], str]
"""A question, steps as (thought, role, input), and the answer line."""


def offered_tools(random: Random, needed: set[str]) -> dict[str, tuple[str, str]]:
    """Role -> name and description of the tools on offer: those needed, search and reading, and some others."""
    usual = ["page", "links", "calculate"] if random.random() < 0.5 else []
    roles = needed | {"search", "read", *usual}
    others = [role for role in _ROLES if role not in roles]
    order = [role for role in _ROLES if role in roles | set(random.sample(others, random.randint(0, 3)))]
    random.shuffle(order)
    plain = random.random() < 0.6
    offered: dict[str, tuple[str, str]] = {}
    for role in order:
        verbs, nouns, names, descriptions = _ROLES[role]
        name = random.choice(names.split()) if plain else _tool_name(random, verbs.split(), nouns.split())
        if role == "read" and random.random() < 0.7:
            name = "KnowledgeModel"
        offered[role] = (name, random.choice(descriptions.split("|")))
    found = [name for name, _ in offered.values()]
    return offered if len(set(found)) == len(found) else offered_tools(random, needed)


def _tool_name(random: Random, verbs: list[str], nouns: list[str]) -> str:
    verb, noun, made = random.choice(verbs), random.choice(nouns), invented_name(random)
    names = (f"{verb}{noun}", f"{verb.lower()}_{noun.lower()}", f"{made}{noun}", f"{made.lower()}_{verb.lower()}", made)
    return random.choice(names)


def _given(question: str, *found: int) -> str:
    return f"{question.rstrip('?')}, given {' and '.join(_ref(at) for at in found)}?"


def _ref(number: int) -> str:
    return f":evidence{number}:"


_LEFT_OUT: Final = re.compile(
    r"\b(?:what|which|who|whom|whose|when|where|why|how many|how much|how|is|was|are|were|did|does|do|has|have|can|be|"
    r"(?:on|in|by|from|to|at|under) (?=wh)|since (?=wh)|until (?=wh)|the|an?|i|there|me)\b ?", re.IGNORECASE
)  # fmt: skip


def _keywords(question: str) -> str:
    """What to search for: the words of the question that a text will have, too."""
    return " ".join(_LEFT_OUT.sub("", question.rstrip("?.")).split()) or question


def _hop(relation: Relation, x: str, first: int, *, described: bool = False) -> list[tuple[str, str, str]]:
    """Search for the value of a relation, and read it; ``described``: in the words "the author of X"."""
    who = "Who" if relation.value == "person" else "What"
    asked = f"{who} is the {relation.noun} of {x}?" if described else _asked(relation, x)
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
    question = _asked(path[-1], inner)
    if both:
        thing = {"person": "that person", "place": "that place", "work": "that book"}.get(path[0].value, "it")
        second = _asked(path[1], thing)
        question = f"{_asked(path[0], x).rstrip('?')}, and {second[0].lower()}{second[1:]}"
        return question, steps, f"{_ref(1)}, {_ref(3)}"
    return question, steps, _ref(len(steps) - 1)


def _comparison(random: Random) -> Request:
    relation = _relation(random, numeric())
    a, b = (invented_value(random, relation.subject) for _ in range(2))
    question = random.choice(
        (f"Which has the greater {relation.noun}, {a} or {b}?", f"Compare the {relation.noun} of {a} and {b}.")
    )
    steps = [(f"Search for the {relation.noun} of {x}.", "search", f"{relation.noun} of {x}") for x in (a, b)]
    return question, [*steps, ("Compare the two.", "read", _given(question.rstrip("."), 0, 1))], _ref(2)


def _both_parts(random: Random) -> Request:
    subject = random.choice(subjects())
    one, two = (_relation(random, [relation]) for relation in random.sample(relations_of(subject), 2))
    x = invented_value(random, subject)
    second = _asked(two, x)
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
    url = _url(random)
    if random.random() < 0.25:
        question = random.choice(
            (f"List the links on {url}", f"Which pages does {url} link to?", f"Which links are on {url} ?",
             f"Show me all links of {url}", f"Get the hyperlinks from {url}")
        )  # fmt: skip
        return question, [("List the links of the page.", "links", url)], _ref(0)
    relation = _relation(random, relations())
    inner = random.choice((_asked(relation, invented_value(random, relation.subject)), _world().draw(random, "?")[0]))
    topic = random.choice(_world().names[random.choice(("topic", "thing", "software", "company"))])
    low = inner[0].lower() + inner[1:]
    question, read = random.choice(
        (
            (f"According to {url}, {low}", inner),
            (f"Read {url} and tell me: {inner}", inner),
            (f"Read {url} and tell me {low.rstrip('?.')}.", inner),
            (f"Open {url}. {inner}", inner),
            (f"Summarize {url}", "What is the summary?"),
            (f"Summarise {url} in three sentences", "What is the summary in three sentences?"),
            (f"Give me a summary of {url}", "What is the summary?"),
            (f"What is {url} about?", "What is it about?"),
            (f"What does {url} say about {topic}?", f"What does it say about {topic}?"),
            (f"Does {url} mention {topic}?", f"Does it mention {topic}?"),
            (f"Who wrote {url}?", "Who wrote it?"),
        )
    )
    return question, [("Load the page.", "page", url), ("Answer from it.", "read", _given(read, 0))], _ref(1)


def _arithmetic(random: Random) -> Request:
    a, b, c = (random.choice((random.randint(2, 99), random.randint(100, 9999))) for _ in range(3))
    question, _, expression = random.choice(_world().lines["%"])[0].rpartition(" = ")
    question, expression = (
        text.format(a=a, b=b, c=c, d=random.randint(2, 9), B=f"{b:,}") for text in (question, expression)
    )
    return question, [("Calculate it.", "calculate", expression)], _ref(0)


def _difference(random: Random) -> Request:
    """Two figures to be found, then arithmetic on them."""
    relation = _relation(random, numeric())
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


@frozen
class _World:
    """What `questions.txt` has: what names stand for, and the lines of each mark as tuples."""

    names: dict[str, tuple[str, ...]]
    lines: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)

    def draw(self, random: Random, mark: str) -> tuple[str, ...]:
        """One of the lines, each {name} in it replaced by one thing of that name."""
        line = random.choice(self.lines[mark])
        drawn = {name: random.choice(values) for name, values in self.names.items()}
        drawn["year"] = str(random.randint(1930, 2025))
        return tuple(re.sub(r"\{(\w{2,})\}", lambda found: drawn[found[1]], part) for part in line)


@cache
def _world() -> _World:
    names: dict[str, tuple[str, ...]] = {}
    world = _World(names)
    for line in files(__package__).joinpath("questions.txt").read_text(encoding="utf-8").splitlines():
        name, colon, values = line.partition(": ")
        if colon and name.isalpha():
            names[name] = tuple(values.split(", "))
        elif not line.startswith("#"):
            mark, text = (line[0], line[2:]) if line[1] == " " and not line[0].isalpha() else ("?", line)
            world.lines.setdefault(mark, []).append(tuple(text.split(" | ")))
    return world


def _search_and_read(searched: str, question: str, first: int) -> list[tuple[str, str, str]]:
    return [(f"Search for the {searched}.", "search", searched), ("Read the answer.", "read", _given(question, first))]


def _world_one(random: Random) -> Request:
    question, searched = _world().draw(random, "?")
    return question, _search_and_read(searched, question, 0), _ref(1)


def _world_two(random: Random) -> Request:
    """The subject is described, or both are wanted: "Who wrote Emma, and where was she born?"."""
    mark = random.choice("*@")
    described, searched, asked = _world().draw(random, mark)
    second, search = _world().draw(random, "+" if mark == "*" else "-")
    steps = _search_and_read(searched, asked, 0)
    steps += _search_and_read(search.format(x=_ref(1)), second.format(x=_ref(1)), 2)
    if random.random() < 0.6:
        return second.format(x=described), steps, _ref(3)
    joint = random.choice((" and ", ", and "))
    if mark == "*":
        whole = asked.rstrip("?") + joint + _pronoun(random, second)
    else:
        whole = f"{asked.rstrip('?')}{joint}{second[0].lower()}{second[1:]}".format(x="it")
    return whole, steps, f"{_ref(1)}, {_ref(3)}"


def _pronoun(random: Random, question: str) -> str:
    """The question about a person who has been named: "where was he born?"."""
    he, his = random.choice((("he", "his"), ("she", "her"), ("they", "their")))
    text = re.sub(r"the ([\w ]+) of \{x\}", rf"{his} \1", question).format(x=he)
    if he == "they":
        for one, many in ("was they", "were they"), ("does they", "do they"), ("is they", "are they"):
            text = text.replace(one, many)
    return text[0].lower() + text[1:]


def _world_compare(random: Random, mark: str = "=") -> Request:
    question, searched, kind = _world().draw(random, mark)
    a, b = random.sample(_world().names[kind], 2)
    if random.random() < 0.3:
        a, b = (invented_value(random, {"built": "building"}.get(kind, "place")) for _ in range(2))
    question = question.format(a=a, b=b)
    steps = [(f"Search for the {searched.format(x=x)}.", "search", searched.format(x=x)) for x in (a, b)]
    return question, [*steps, ("Compare the two.", "read", _given(question.rstrip("."), 0, 1))], _ref(2)


def _world_difference(random: Random) -> Request:
    return _world_compare(random, "~")


def _described_pair(random: Random) -> Request:
    """Two people who are described, compared: each has to be found first."""
    (one, search_one, ask_one), (two, search_two, ask_two) = (_world().draw(random, "*") for _ in range(2))
    question, searched = random.choice(
        (("Who is older, {} or {}?", "date of birth of {}"), ("Who was born first, {} or {}?", "date of birth of {}"),
         ("Who lived longer, {} or {}?", "age of {}"), ("Who has won more prizes, {} or {}?", "prizes of {}"))
    )  # fmt: skip
    question = question.format(one, two)
    steps = [*_search_and_read(search_one, ask_one, 0), *_search_and_read(search_two, ask_two, 2)]
    steps += [(f"Search for {searched.format(_ref(at))}.", "search", searched.format(_ref(at))) for at in (1, 3)]
    return question, [*steps, ("Compare the two.", "read", _given(question, 4, 5))], _ref(6)


def _latest(random: Random) -> Request:
    name = random.choice((*_world().names["software"], invented_value(random, "program")))
    question = random.choice(
        (f"Find the latest release of {name} and tell me when it came out.",
         f"What is the newest version of {name} and when was it released?",
         f"Which version of {name} is current, and when did it come out?")
    )  # fmt: skip
    steps = _search_and_read(f"latest version of {name}", f"What is the latest version of {name}?", 0)
    steps += _search_and_read(f"release date of {name} {_ref(1)}", f"When did {_ref(1)} come out?", 2)
    return question, steps, f"{_ref(1)}, {_ref(3)}"


def _own_files(random: Random) -> Request:
    """What is asked of a folder: summaries, lists, where something stands."""
    kind = random.choice(("topic", "thing", "company", "software"))
    x = random.choice((random.choice(_world().names[kind]), invented_name(random)))
    question, read = random.choice(
        ((f"Summarize what my notes say about {x}.", f"What do the notes say about {x}?"),
         (f"Which files mention {x}?", f"Which files mention {x}?"),
         (f"List everything we know about {x}.", f"What is known about {x}?"),
         (f"In which document is {x} described?", f"Which document describes {x}?"),
         (f"Give me a summary of {x}", f"What is the summary of {x}?"),
         (f"What do we need for {x}?", f"What is needed for {x}?"))
    )  # fmt: skip
    return question, _search_and_read(x, read, 0), _ref(1)


# Shape -> how often (two hops: 40 of 100).
PLAN_SHAPES: Final[dict[str, tuple[int, Callable[[Random], Request]]]] = {
    "one_hop": (9, _one_hop),
    "world_one": (14, _world_one),
    "two_hops": (14, lambda random: _hops(random, 2)),
    "world_two": (18, _world_two),
    "three_hops": (2, lambda random: _hops(random, 3)),
    "described_pair": (3, _described_pair),
    "latest": (2, _latest),
    "comparison": (2, _comparison),
    "world_compare": (9, _world_compare),
    "world_difference": (4, _world_difference),
    "both_parts": (4, _both_parts),
    "page": (9, _page),
    "arithmetic": (8, _arithmetic),
    "difference": (2, _difference),
    "today": (3, _today),
    "own_files": (3, _own_files),
    "other_tool": (2, _other_tool),
}


def made_plan(random: Random, style: Style, shape: str = "", *, shipped: bool = False) -> Example:
    """A question with tools, as the prompt of this style, and its plan; ``shipped``: with the tools of this program."""
    shapes = list(PLAN_SHAPES)
    shape = shape or random.choices(shapes, [PLAN_SHAPES[one][0] for one in shapes])[0]
    question, steps, answer = PLAN_SHAPES[shape][1](random)
    needed = {role for _, role, _ in steps}
    if shipped and (needed - set(_SHIPPED) or "links" in needed):
        return made_plan(random, style, shipped=True)
    tools = _shipped_tools(random, needed) if shipped else offered_tools(random, needed)
    draw = random.random()
    if draw < 0.1:
        question = question.rstrip("?.")
    elif draw < 0.15:
        question = question[0].lower() + question[1:].rstrip("?.")
    elif draw < 0.22:
        question = random.choice(("Please tell me: ", "I would like to know: ", "Hi! ", "Tell me, ")) + question
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
