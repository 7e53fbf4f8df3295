"""Ways of asking, as data: idioms put plainly, nouns and adjectives that ask for a measure, words for people."""

from __future__ import annotations

import re
from typing import Literal

from airoagent.models.english.words import word_set

__all__ = ["IDIOMS", "IDLE", "MEASURES", "NOUN_KINDS", "PERSONS"]

# "What is the X of ...": nouns that ask what a question word would ask, with the verb they stand for.
NOUN_KINDS: dict[str, tuple[Literal["place", "date", "year", "reason"], str]] = {
    "birthplace": ("place", "born"),
    "location": ("place", ""),
    "site": ("place", ""),
    "whereabouts": ("place", ""),
    "headquarters": ("place", ""),
    "home": ("place", "live"),
    "residence": ("place", "live"),
    "birthday": ("date", "born"),
    "birthdate": ("date", "born"),
    "date": ("date", ""),
    "year": ("year", ""),
    "reason": ("reason", ""),
}

MEASURES: tuple[tuple[str, str], ...] = (
    (
        "tall|high|height|elevation|altitude|deep|depth|wide|width|far|distance|length|diameter|radius|wingspan|thick|broad",
        "length",
    ),
    ("heavy|weight|mass|weigh|weighs", "weight"),
    ("old|age", "age"),
    ("fast|speed|quick|quickly", "speed"),
    ("hot|cold|warm|temperature|boiling point|melting point", "heat"),
    ("cost|costs|price|pay|pays|paid|earn|worth|expensive|money|budget|salary|sold", "money"),
    ("duration|lifespan|gestation", "time"),
    ("area|large|big", "area"),
    ("volume", "volume"),
    ("percentage|percent|proportion|share|fraction", "share"),
)
PERSONS = word_set(
    "person man woman author writer poet architect scientist inventor composer painter artist king queen emperor "
    "president "
    "sculptor engineer explorer astronomer physicist chemist mathematician philosopher laureate winner founder "
    "designer "
    "director leader actor actress singer musician pilot captain navigator astronaut cosmonaut botanist biologist "
    "naturalist "
    "novelist playwright monk pope saint pharaoh sultan emperor minister chancellor mayor general programmer "
    "developer creator "
    "discoverer father mother mayor lord duke prince princess senator governor commander secretary wife husband "
    "brother sister son daughter maintainer founders inventors architects people"
)

IDLE = word_set(
    "nowadays currently today now presently actually officially exactly all really originally roughly "
    "approximately altogether "
    "total usually normally typically ago people's once exist exists existed"
)

IDIOMS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"\b{idiom}\b", re.IGNORECASE), plain)
    for idiom, plain in (
        (r"(?:lost|lose) (?:their|his|her|its) (?:lives|life)", "died"),
        (r"put (?:his|her|their) (?:signature|name) (?:to|on|under)", "signed"),
        (r"pass(?:ed)? away", "died"),
        (r"touch(?:ed)? down", "landed"),
        (r"(?:take|took|taken) place", "happened"),
        (r"(?:give|gave) birth to", "born"),
        (r"(?:get|got) married(?: to)?", "married"),
        (r"(?:find|found) out", "discovered"),
        (r"(?:turn|turned) out to be", "become"),
        (r"(?:come|came) to an end", "ended"),
        (r"(?:come|came) into (?:being|existence)", "founded"),
        (r"(?:go|went) up in flames", "burned"),
        (r"(?:in charge of|at the head of)", "led"),
        (r"brought up", "raised"),
        (r"(?:grow|grew) up", "raised"),
        (r"set (?:foot|feet) on", "landed on"),
        (r"make use of", "use"),
        (r"built or born", "origin"),
        (r"put to death", "executed"),
        (r"(?:first|native) (?:language|tongue)", "mother tongue"),
        (r"at the same time", "at once"),
        (r"how come", "why"),
        (r"for what reason", "why"),
        (r"in what way", "how"),
        (r"what is the (?:reason|cause) (?:for|of|that)", "why is"),
    )
)
