"""Tools that made plans can use: those that come with this program, and others of `tools.txt` with invented names.

Tools that look alike but do something else stand among them.
"""

from __future__ import annotations

import re
from collections.abc import Container
from functools import cache
from importlib.resources import files
from random import Random
from typing import Final

from airoagent.training.invented import invented_name

__all__ = ["SHIPPED", "offered_tools", "shipped_tools"]

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
    text = files(__package__).joinpath("tools.txt").read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=\w)", re.sub(r"(?m)^#.*\n", "", text).strip()):
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
