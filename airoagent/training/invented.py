"""Invented names, and the relations that made questions and texts are about.

A relation joins a subject to a value. From one entry come questions of one hop and, nested, of several ("Where was the
author of The Paper Harbour born?"), the sentences of a text that tells the value, in other words than the questions,
and questions to be answered yes or no.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

__all__ = ["NUMERIC", "RELATIONS", "Relation", "invented_name", "invented_value", "relations_of"]

_SYLLABLES: Final = (
    "ka ro mi ven tal bor el du san pri lo gar nis hem tor vi ral os ber quin ma le fen dra sol ith wen car ju "
    "pol ner ash ul zef orn vey tuk sil mor bran hel ost pel gry ned fal"
)
_FIRST: Final = (
    "Anna Boris Clara David Elena Felix Greta Hugo Irene Jonas Karin Leo Marta Nils Olga Paul Rita Simon Tara "
    "Victor Wanda Yusuf Zoe Amir Bella Chen Dilip Esra Farid Gita Hanna Ivan Jun Kofi Lucia Mei Noor Otto Priya "
    "Samir"
)
_MONTHS: Final = "January February March April May June July August September October November December"
_THINGS: Final = "Garden River Harbour Lantern Mirror Orchard Bridge Window Storm Island Compass Ladder Letter"
_TITLES: Final = ("The Silent {}", "The {} of Glass", "A Winter {}", "Beyond the {}", "The Last {}", "The Paper {}")
_WORDS: Final = {
    "job": "engineer,painter,botanist,surgeon,carpenter,chemist,pilot,composer,geologist,teacher,banker,sculptor",
    "product": "bicycles,pianos,glass bottles,woollen socks,garden tools,fishing nets,lamps,tractors,microscopes",
    "material": "granite,oak,brick,copper,marble,bamboo,concrete,limestone,steel,clay",
    "language": "French,German,Polish,Hindi,Swahili,Danish,Greek,Czech,Tamil,Welsh",
    "count": "two,three,four,five,six,seven,eight,nine",
    "form": "{} Ltd,{} Works,{} Group,{} Brothers,{} Foods,{} Press,{} Motors",
    "built": "{} Tower,{} Bridge,{} Castle,{} Hall,{} Lighthouse,the {} Museum",
    "prize": "{} Prize,{} Medal,{} Award",
    "money": "{} euros,{} dollars,{} pounds",
    "length": "{} metres,{} feet,{} m",
    "weight": "{} tonnes,{} kg,{} kilograms",
}


def _of(random: Random, kind: str) -> str:
    return random.choice(_WORDS[kind].split(","))


def invented_name(random: Random) -> str:
    """A word that no language has."""
    return "".join(random.choice(_SYLLABLES.split()) for _ in range(random.choice((2, 2, 3)))).capitalize()


def invented_value(random: Random, kind: str) -> str:
    """A value of the kind: a person, a place, a year, an amount with its unit, ..."""
    name = invented_name(random)
    number = f"{random.choice((random.randint(3, 99), random.randint(100, 9999), 100 * random.randint(20, 9000))):,}"
    match kind:
        case "person":
            return f"{random.choice(_FIRST.split())} {name}"
        case "place":
            return name + random.choice(("", "", "ville", " Bay", "burg"))
        case "year":
            return str(random.randint(1650, 2025))
        case "date":
            return f"{random.randint(1, 28)} {random.choice(_MONTHS.split())} {random.randint(1650, 2025)}"
        case "work":
            return random.choice(_TITLES).format(random.choice(_THINGS.split()))
        case "company":
            return _of(random, "form").format(name)
        case "building":
            return _of(random, "built").format(name)
        case "prize":
            return _of(random, "prize").format(name)
        case "number":
            return number
        case "money" | "length" | "weight":
            return _of(random, kind).format(number)
    return _of(random, kind)


@dataclass(frozen=True, slots=True)
class Relation:
    """``noun`` of a ``subject`` is a ``value``; ``{x}`` and ``{v}`` stand for the two.

    ``asked`` are questions for the value, ``told`` sentences that tell it, ``checked`` a question for yes or no.
    """

    subject: str
    value: str
    noun: str
    asked: tuple[str, ...]
    told: tuple[str, ...]
    checked: str = ""


def _relation(subject: str, value: str, noun: str, asked: str, told: str, checked: str = "") -> Relation:
    return Relation(subject, value, noun, tuple(asked.split("|")), tuple(told.split("|")), checked)


# One line each: what is asked, what is told, what is checked.
RELATIONS: Final = (
    _relation("person", "date", "date of birth", "When was {x} born?|What is the date of birth of {x}?",
        "{x} was born on {v}.|Born on {v}, {x} was the youngest of four.", "Was {x} born on {v}?"),
    _relation("person", "place", "birthplace", "Where was {x} born?|Which town does {x} come from?",
        "{x} was born in {v}.|{x} came from {v}.|{v} is where {x} came into the world.", "Was {x} born in {v}?"),
    _relation("person", "job", "profession", "What was the profession of {x}?|What did {x} do for a living?",
        "{x} worked as a {v}.|{x} earned a living as a {v}.", "Was {x} a {v}?"),
    _relation("person", "person", "spouse", "Who did {x} marry?|Who was {x} married to?",
        "{x} married {v}.|{v} and {x} were husband and wife.", "Was {x} married to {v}?"),
    _relation("person", "year", "year of death", "When did {x} die?|In what year did {x} pass away?",
        "{x} died in {v}.|The funeral of {x} was held in {v}.", "Did {x} die in {v}?"),
    _relation("person", "place", "university", "Where did {x} study?|Which university did {x} go to?",
        "{x} studied at the University of {v}.|{x} took a degree at the University of {v}."),
    _relation("person", "work", "best-known book",
        "Which book is {x} best known for?|What is the best-known book of {x}?",
        "{x} is best known for the book {v}.|Readers remember {x} for {v}."),
    _relation("person", "prize", "prize", "Which prize did {x} win?|What award did {x} receive?",
        "{x} received the {v}.|In the end the {v} went to {x}."),
    _relation("person", "count", "number of children", "How many children did {x} have?",
        "{x} had {v} children.|{x} raised {v} children."),
    _relation("person", "person", "teacher", "Who taught {x}?|From whom did {x} learn the trade?",
        "{x} was taught by {v}.|{x} learned everything from {v}."),
    _relation("company", "year", "year of foundation", "When was {x} founded?|Since when has {x} existed?",
        "{x} was founded in {v}.|{x} opened its doors in {v}.", "Was {x} founded in {v}?"),
    _relation("company", "person", "founder", "Who founded {x}?|By whom was {x} started?",
        "{x} was founded by {v}.|{v} set up {x} in a shed.", "Did {v} found {x}?"),
    _relation("company", "place", "head office", "Where is {x} based?|In which city is the head office of {x}?",
        "The head office of {x} is in {v}.|{x} has its seat in {v}.", "Is {x} based in {v}?"),
    _relation("company", "number", "number of employees",
        "How many people work for {x}?|How large is the staff of {x}?",
        "{x} employs {v} people.|On the payroll of {x} are {v} people."),
    _relation("company", "product", "main product", "What does {x} make?|What is the main product of {x}?",
        "{x} makes {v}.|{x} is known for its {v}.", "Does {x} make {v}?"),
    _relation("company", "money", "turnover", "What was the turnover of {x}?|How much did {x} take last year?",
        "Last year {x} took {v}.|{x} had sales of {v}."),
    _relation("company", "person", "director", "Who is in charge of {x}?|Who is the director of {x}?",
        "{v} has led {x} for years.|At the head of {x} stands {v}.", "Is {v} in charge of {x}?"),
    _relation("place", "number", "population", "How many people live in {x}?|What is the population of {x}?",
        "{x} has {v} inhabitants.|{v} people live in {x}."),
    _relation("place", "person", "mayor", "Who is the mayor of {x}?|Who governs {x}?",
        "The mayor of {x} is {v}.|{v} was elected mayor of {x}.", "Is {v} the mayor of {x}?"),
    _relation("place", "language", "language", "Which language is spoken in {x}?|What do people in {x} speak?",
        "The people of {x} speak {v}.|In {x} signs are in {v}.", "Do people in {x} speak {v}?"),
    _relation("place", "building", "best-known sight",
        "What is the best-known sight of {x}?|What do visitors of {x} see first?",
        "Most visitors come to {x} for {v}.|The sight of {x} is {v}."),
    _relation("work", "person", "author", "Who wrote {x}?|Who is the author of {x}?",
        "{x} was written by {v}.|{v} is the author of {x}.", "Did {v} write {x}?"),
    _relation("work", "year", "year of publication", "When was {x} published?|In which year did {x} come out?",
        "{x} came out in {v}.|{x} was first printed in {v}.", "Did {x} come out in {v}?"),
    _relation("work", "number", "number of pages", "How many pages does {x} have?|How long is {x}?",
        "{x} runs to {v} pages.|{x} has {v} pages."),
    _relation("building", "length", "height", "How tall is {x}?|What is the height of {x}?",
        "{x} rises to {v}.|{x} is {v} tall."),
    _relation("building", "person", "architect", "Who designed {x}?|Who was the architect of {x}?",
        "{x} was designed by {v}.|{v} drew the plans of {x}.", "Did {v} design {x}?"),
    _relation("building", "year", "year of completion", "When was {x} completed?|Since when does {x} stand?",
        "{x} was completed in {v}.|Work on {x} ended in {v}.", "Was {x} completed in {v}?"),
    _relation("building", "material", "material", "What is {x} made of?|Which material was {x} built from?",
        "{x} is built of {v}.|The walls of {x} are of {v}.", "Is {x} built of {v}?"),
    _relation("building", "money", "cost", "What did {x} cost?|How much was paid for {x}?",
        "{x} cost {v}.|{v} were spent on {x}."),
    _relation("building", "weight", "weight", "How much does {x} weigh?|How heavy is {x}?",
        "{x} weighs {v}.|All of {x} brings {v} to the scales."),
    _relation("prize", "person", "latest winner", "Who won the {x} last?|To whom did the {x} go last?",
        "The {x} last went to {v}.|{v} is the latest winner of the {x}.", "Did {v} win the {x}?"),
    _relation("prize", "money", "prize money", "How much money comes with the {x}?|What is the {x} worth?",
        "The {x} is worth {v}.|With the {x} come {v}."),
)  # fmt: skip

NUMERIC: Final = tuple(one for one in RELATIONS if one.value in ("number", "length", "weight", "money", "year"))


def relations_of(subject: str) -> tuple[Relation, ...]:
    """The relations whose subject is of this kind."""
    return tuple(one for one in RELATIONS if one.subject == subject)
