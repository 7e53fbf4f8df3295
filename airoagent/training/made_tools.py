"""Tools that made plans can use: those that come with this program, others of `tools.txt` with invented names, among
which stand tools that look alike but do something else, and those of `own_tools.txt`, which people add to a program.

The last are for plans that need one tool and no search. A planner that has only seen searches takes a search for
everything, whatever the user's own tools say of themselves.
"""

from __future__ import annotations

import re
from collections.abc import Container
from functools import cache
from random import Random
from typing import Final

from airoagent.frozen import frozen
from airoagent.training.invented import data_of, invented_name, invented_value

_SEARCH: Final = "Tool that enables the user to search for information"
# The tools that come with this program, of which either search is on offer.
SHIPPED: Final = {
    "search": ("DocumentSearch", f"{_SEARCH} in the documents at hand."),
    "page": (
        "TextScraper",
        "Load one or more websites from the input string containing newline delimited links, where input is one or "
        "more links, and produces plain text output containing the content of the links.",
    ),
    "links": ("HyperlinkExtractor", "Extract links from plain text and produces a plain text, newline delimited "
              "response of links."),
    "read": (
        "KnowledgeModel",
        "Question answering language model, particularly useful in answering questions based on an input passage of "
        "text. The input must be a text question that references an :evidence[n]: variable, e.g. What color is the "
        "cat, given :evidence1:?",
    ),
    "calculate": ("Calculator", "Calculates an arithmetic expression exactly."),
    "date": ("Today", "Gives the current date and time."),
}  # fmt: skip


def shipped_tools(random: Random, needed: set[str]) -> dict[str, tuple[str, str]]:
    """Role -> name and description of the tools of this program that are needed or usually there."""
    usual = {"search", "page", "links", "read"}
    offered = {role: tool for role, tool in SHIPPED.items() if role in usual | needed}
    if random.random() < 0.4:
        offered["search"] = ("DuckDuckGo", f"{_SEARCH} using the DuckDuckGo search engine.")
    return offered


@cache
def _roles() -> dict[str, tuple[list[str], list[str], list[str], list[str]]]:
    """Of each role in `tools.txt`: verbs and nouns that names are made of, names that people use, descriptions."""
    found: dict[str, tuple[list[str], list[str], list[str], list[str]]] = {}
    for entry in re.split(r"\n(?=\w)", data_of("tools.txt").strip()):
        head, *descriptions = entry.split("\n- ")
        role, _, names = head.partition(": ")
        verbs, nouns, known = (part.split() for part in names.split(" | "))
        found[role] = (verbs, nouns, known, descriptions)
    return found


def offered_tools(random: Random, needed: set[str], barred: Container[str] = ()) -> dict[str, tuple[str, str]]:
    """Role -> name and description of the tools on offer: those needed, search and reading, and some others."""
    usual = ["page", "links", "calculate"] if random.random() < 0.65 else []
    roles = needed | {"search", "read", *usual}
    others = [role for role in _roles() if role not in roles]
    roles |= set(random.sample(others, random.randint(0, 3)))
    order = [role for role in _roles() if role in roles and role not in barred]
    random.shuffle(order)
    plain = random.random() < 0.6
    offered: dict[str, tuple[str, str]] = {}
    for role in order:
        verbs, nouns, names, descriptions = _roles()[role]
        name = random.choice(names) if plain else _tool_name(random, verbs, nouns)
        if role == "read" and random.random() < 0.7:
            name = "KnowledgeModel"
        offered[role] = (name, random.choice(descriptions))
    found = [name for name, _ in offered.values()]
    return offered if len(set(found)) == len(found) else offered_tools(random, needed, barred)


def _tool_name(random: Random, verbs: list[str], nouns: list[str]) -> str:
    verb, noun, made = random.choice(verbs), random.choice(nouns), invented_name(random)
    names = (f"{verb}{noun}", f"{verb.lower()}_{noun.lower()}", f"{made}{noun}", f"{made.lower()}_{verb.lower()}", made)
    return random.choice(names)


@frozen
class OwnTool:
    """``told``: its output is the answer to a question about ``values``, which may be ``places``."""

    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    told: bool
    values: tuple[str, ...]
    places: bool
    questions: tuple[str, ...]

    def offered(self, random: Random) -> tuple[str, str]:
        """One of its names, now and then an invented one, and one of its descriptions."""
        name = random.choice(self.names)
        if random.random() < 0.3:
            name = f"{invented_name(random)}{name}" if name[0].isupper() else f"{invented_name(random).lower()}_{name}"
        return name, random.choice(self.descriptions)


@cache
def own_tools() -> tuple[OwnTool, ...]:
    """The tools of `own_tools.txt`."""
    found = []
    for entry in re.split(r"^(?=[=~] )", data_of("own_tools.txt"), flags=re.M)[1:]:
        head, values, *questions = entry.strip().split("\n")
        names, *descriptions = head[2:].split(" | ")
        drawn = tuple(values.removeprefix("< ").removesuffix(" @").split(", "))
        told, places = head[0] == "=", values.endswith(" @")
        found.append(OwnTool(tuple(names.split()), tuple(descriptions), told, drawn, places, tuple(questions)))
    return tuple(found)


def is_own(role: str) -> bool:
    """Whether a role is that of one of these tools."""
    return role.startswith("own ")


def own_tool_request(random: Random) -> tuple[str, list[tuple[str, str, str]], str]:
    """A question, steps as (thought, role, input), and the answer line; the tool's role is "own N"."""
    number = random.randrange(len(own_tools()))
    tool, role = own_tools()[number], f"own {number}"
    question, _, asked = random.choice(tool.questions).partition(" => ")
    steps: list[tuple[str, str, str]] = []
    x = random.choice(tool.values)
    if tool.places and random.random() < 0.4:
        country = invented_value(random, "country")
        x = f"the capital of {country}"
        steps = [
            ("Find the capital.", "search", f"capital of {country}"),
            ("Read its name.", "read", f"What is the capital of {country}, given :evidence0:?"),
        ]
    elif random.random() < 0.15 and not asked and not tool.places and x[0].isupper():
        x = invented_name(random)
    steps.append(("Ask the tool.", role, asked or (":evidence1:" if steps else x)))
    question, last = question.replace("{x}", x), len(steps) - 1
    if tool.told and not re.match(r"(?:Is|Are|Am|Do|Does|Did|Was|Will|Can|Has|Have)\b", question):
        return question, steps, f":evidence{last}:"
    asks = question if question.endswith("?") else f"What is the answer to: {question.rstrip('.')}?"
    steps.append(("Read the answer.", "read", f"{asks.rstrip('?')}, given :evidence{last}:?"))
    return question, steps, f":evidence{last + 1}:"


def with_own_tools(random: Random, offered: dict[str, tuple[str, str]], needed: set[str]) -> dict[str, tuple[str, str]]:
    """The tools on offer, each a name and a description, and among them the needed ones of these, and some others."""
    others = [role for at in range(len(own_tools())) if (role := f"own {at}") not in needed]
    more = random.choice((0, 0, 1, 2, 4)) if needed or random.random() < 0.2 else 0
    roles = [*needed, *random.sample(others, more)]
    own = {role: own_tools()[int(role.removeprefix("own "))].offered(random) for role in roles}
    tools = list({**own, **offered}.items())
    random.shuffle(tools)
    names = [name for _, (name, _) in tools]
    return dict(tools) if len(set(names)) == len(names) else with_own_tools(random, offered, needed)
