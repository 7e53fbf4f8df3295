"""Invented names, and the relations that made questions and texts are about.

A relation joins a subject to a value. From one entry come questions of one hop and, nested, of several ("Where was the
author of The Paper Harbour born?"), the sentences of a text that gives the value, in other words than the questions,
and questions to be answered with yes or no. `relations.txt` has them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any, Final

import yaml

from airoagent.frozen import frozen


@cache
def data_of(file: str) -> Any:
    """What a data file of this folder holds: the value of a YAML file, the text of another, without its comments."""
    text = files(__package__).joinpath(file).read_text(encoding="utf-8")
    return yaml.safe_load(text) if file.endswith(".yaml") else re.sub(r"(?m)^#.*\n", "", text)


def _of(random: Random, kind: str) -> str:
    return str(random.choice(data_of("words.yaml")["kinds"][kind].split(", ")))


def invented_name(random: Random) -> str:
    """A word that no language has."""
    syllables = data_of("words.yaml")["syllables"].split()
    return "".join(random.choice(syllables) for _ in range(random.choice((2, 2, 3)))).capitalize()


def _clock(random: Random) -> str:
    hour, minute = random.randint(0, 23), random.choice((0, 0, 5, 15, 20, 30, 40, 45))
    return random.choice(
        (f"{hour}:{minute:02}", f"{hour % 12 + 1} {'pm' if hour > 11 else 'am'}", f"{hour}.{minute:02}")
    )


def _date(random: Random) -> str:
    day, month, year = random.randint(1, 28), _of(random, "month"), random.randint(1650, 2029)
    return random.choice(
        (f"{day} {month} {year}",) * 4 + (f"{month} {day}, {year}", f"{day} {month}", f"{month} {year}")
    )


def invented_value(random: Random, kind: str) -> str:
    """A value of the kind: a person, a place, a year, an amount with its unit, ..."""
    name = invented_name(random)
    number = f"{random.choice((random.randint(3, 99), random.randint(100, 9999), 100 * random.randint(20, 9000))):,}"
    if kind in ("number", "limit"):
        return number
    if kind in _AMOUNTS:
        return _of(random, _AMOUNTS[kind]).format(number)
    if kind in _PATTERNS:
        return _of(random, _PATTERNS[kind]).format(name)
    make = _MADE.get(kind)
    return make(random, name) if make is not None else _of(random, {"cause": "fate"}.get(kind, kind))


_AMOUNTS: Final = {"money": "sum", "length": "long", "weight": "heavy"}
_PATTERNS: Final = {
    "company": "form", "building": "built", "prize": "awarded", "event": "happening", "device": "gadget",
    "journey": "ride",
}  # fmt: skip


# Of a kind: its value, from a name of its own.
_MADE: Final[dict[str, Callable[[Random, str], str]]] = {
    "person": lambda random, name: f"{_of(random, 'first')} {random.choice((name, _of(random, 'surname')))}",
    # Half of them known ones: a model that only sees invented names writes "Genford" for "Geneva".
    "place": lambda random, name: random.choice(
        (_of(random, "city"), _of(random, "city"), name, name + random.choice(("ville", " Bay", "burg", "ford")))
    ),
    "river": lambda random, name: random.choice((name, f"River {name}")),
    "year": lambda random, name: str(random.randint(1650, 2025)),
    "date": lambda random, name: _date(random),
    "clock": lambda random, name: _clock(random),
    "work": lambda random, name: _of(random, "title").format(_of(random, "thing")),
    "animal": lambda random, name: f"the {name} {_of(random, 'beast')}",
    "program": lambda random, name: name.lower() + random.choice(("", "", "db", "lib", "-tools", "ctl")),
    "contract": lambda random, name: _of(random, "paper").format(
        random.choice((_of(random, "leased"), invented_value(random, "company")))
    ),
    "meeting": lambda random, name: _of(random, "gathering").format(_of(random, "topic")),
    "dish": lambda random, name: _of(random, "baked").format(_of(random, "eaten")),
    "room": lambda random, name: _of(random, "where").format(n=random.randint(1, 420)),
    "hours": lambda random, name: _of(random, "open").format(a=_clock(random), b=_clock(random)),
    "price": lambda random, name: _of(random, "sum").format(
        random.choice((random.randint(2, 900), f"{random.randint(1, 99)}.50"))
    ),
    "heat": lambda random, name: f"{random.randint(8, 24) * 10} {random.choice(('degrees', '°C'))}",
    "span": lambda random, name: f"{random.randint(2, 90)} {_of(random, 'unit')}",
    "age": lambda random, name: f"{random.randint(2, 80)} years",
    "version": lambda random, name: ".".join(str(random.randint(0, 14)) for _ in range(random.choice((2, 3)))),
    "port": lambda random, name: str(random.randint(1024, 65_000)),
    "path": lambda random, name: f"/etc/{name.lower()}.{random.choice(('conf', 'ini', 'toml'))}",
    "option": lambda random, name: f"-{_of(random, 'flag')}",
    "phone": lambda random, name: f"{random.randint(100, 999)} {random.randint(1000, 9999)}",
}


@frozen
class Relation:
    """``noun`` of a ``subject`` is a ``value``; ``{x}`` and ``{v}`` stand for the two.

    ``asked`` are questions for the value, ``told`` sentences that give it, ``checked`` a question for yes or no.
    """

    subject: str
    value: str
    noun: str
    asked: tuple[str, ...]
    told: tuple[str, ...]
    checked: str


@cache
def relations() -> tuple[Relation, ...]:
    """All of them, in the order of `relations.txt`."""
    found = []
    for entry in re.split(r"\n(?=[a-z])", data_of("relations.txt").strip()):
        head, *lines = entry.split("\n")
        pair, _, noun = head.partition(": ")
        subject, value = pair.split()
        parts = {line[0]: tuple(part.strip() for part in line[1:].split("|")) for line in lines}
        found.append(Relation(subject, value, noun, parts["?"], parts["."], parts.get("!", ("",))[0]))
    return tuple(found)


def subjects() -> tuple[str, ...]:
    """What relations have for a subject: person, company, ..."""
    return tuple(dict.fromkeys(one.subject for one in relations()))


def numeric() -> tuple[Relation, ...]:
    """The relations whose values can be compared and calculated with."""
    kinds = ("number", "length", "weight", "money", "year", "price", "age", "limit")
    return tuple(one for one in relations() if one.value in kinds)


def relations_of(subject: str) -> tuple[Relation, ...]:
    """The relations whose subject is of this kind."""
    return tuple(one for one in relations() if one.subject == subject)
