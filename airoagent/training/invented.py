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
from typing import Final

from airoagent.frozen import frozen

_SYLLABLES: Final = (
    "ka ro mi ven tal bor el du san pri lo gar nis hem tor vi ral os ber quin ma le fen dra sol ith wen car ju "
    "pol ner ash ul zef orn vey tuk sil mor bran hel ost pel gry ned fal"
)
_WORDS: Final = {
    "first": "Anna,Boris,Clara,David,Elena,Felix,Greta,Hugo,Irene,Jonas,Karin,Leo,Marta,Nils,Olga,Paul,Rita,Simon,Tara,"
    "Victor,Wanda,Yusuf,Zoe,Amir,Bella,Chen,Dilip,Esra,Farid,Gita,Hanna,Ivan,Jun,Kofi,Lucia,Mei,Noor,Otto,Priya,Samir,"
    "Emma,Jack,Ahmed,Sofia,Ben,Lena,Carlos,Mia,Oscar,Ruth,Igor,Yuki,Sam,Nina,Pedro,Alice,Max,Grace,Liam,Fatima,Diego,"
    "Aisha,Pierre,Camille,Sven,Astrid,Marek,Zofia,Giulia,Luca,Hiroshi,Naomi,Thabo,Ngozi,Arjun,Leila,Tom,Kate,Peter,Sarah",
    "surname": "Okafor,Lindqvist,Moreau,Kovacs,Hale,Weiss,Tanaka,Novak,Silva,Romero,Fischer,Jansen,Baker,Olsen,Rossi,"
    "Dubois,Kaya,Petrov,Mwangi,Sharma,Nguyen,Haddad,Cohen,O'Brien,MacLeod,de Vries,van Dijk,Santos,Castillo,Murphy,"
    "Schneider,Wright,Andersson,Virtanen,Horvat,Bianchi,Lefevre,Ito,Park,Mensah,Iyer,Demir,Walsh,Carter,Hughes,Meyer",
    "city": "Lisbon,Nairobi,Toronto,Kyoto,Prague,Lima,Istanbul,Melbourne,Seville,Riga,Chicago,Hanoi,Zurich,Bergen,"
    "Glasgow,Madrid,Cairo,Athens,Warsaw,Boston,Seattle,Mumbai,Osaka,Seoul,Naples,Bordeaux,Cologne,Dresden,Antwerp,"
    "Utrecht,Malmo,Turku,Bilbao,New Orleans,Buenos Aires,Cape Town,San Diego,Salzburg,Marseille,Turin,Gdansk,Leipzig,"
    "York,Hull,Nice,Split,Ghent,Bath,Cork,Galway,Aarhus,Tampere,Tartu,Vilnius,Brno,Graz,Basel,Lausanne,Nantes,Toulouse,"
    "St Gallen,Le Havre,La Paz,Rio de Janeiro,Sao Paulo,Santa Cruz,San Sebastian,Los Angeles,Salt Lake City,Las Palmas,"
    "Denver,Austin,Portland,Montreal,Quebec City,Vancouver,Havana,Bogota,Quito,Santiago,Accra,Lagos,Dakar,Tunis,Addis "
    "Ababa,Kampala,Durban,Mombasa,Dubai,Doha,Amman,Tbilisi,Baku,Tashkent,Delhi,Chennai,Colombo,Dhaka,Bangkok,Kuala "
    "Lumpur,Jakarta,Manila,Taipei,Shanghai,Sapporo,Nagoya,Busan,Perth,Brisbane,Wellington,Reykjavik,Stavanger,Uppsala,"
    "Newcastle upon Tyne,Stoke-on-Trent,Stratford-upon-Avon,Frankfurt an der Oder,Aix-en-Provence,The Hague",
    "month": "January,February,March,April,May,June,July,August,September,October,November,December",
    "weekday": "Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday",
    "thing": "Garden,River,Harbour,Lantern,Mirror,Orchard,Bridge,Window,Storm,Island,Compass,Ladder,Letter,Clock,Crow",
    "title": "The Silent {},The {} of Glass,A Winter {},Beyond the {},The Last {},The Paper {},{} in the Dark,My {}",
    "job": "engineer,painter,botanist,surgeon,carpenter,chemist,pilot,composer,geologist,teacher,banker,sculptor",
    "product": "bicycles,pianos,glass bottles,woollen socks,garden tools,fishing nets,lamps,tractors,microscopes",
    "material": "granite,oak,brick,copper,marble,bamboo,concrete,limestone,steel,clay",
    "language": "French,German,Polish,Hindi,Swahili,Danish,Greek,Czech,Tamil,Welsh",
    "country": "Norway,Peru,Kenya,Portugal,Vietnam,Canada,Morocco,Chile,Estonia,Nepal,Ghana,Iceland,Mexico,Japan",
    "count": "two,three,four,five,six,seven,eight,nine",
    "form": "{} Ltd,{} Works,{} Group,{} Brothers,{} Foods,{} Press,{} Motors,{}",
    "built": "{} Tower,{} Bridge,{} Castle,{} Hall,{} Lighthouse,the {} Museum,the {} Dam,{} Theatre",
    "awarded": "{} Prize,{} Medal,{} Award,{} Cup",
    "sum": "{} euros,{} dollars,{} pounds,EUR {},${},£{}",
    "long": "{} metres,{} feet,{} m",
    "heavy": "{} tonnes,{} kg,{} kilograms,{} grams",
    "beast": "otter,heron,lizard,beetle,fox,owl,frog,salmon,bat,tortoise",
    "food": "small fish,berries,grass,snails,roots,insects,seeds,mushrooms,tree bark,eggs",
    "fate": "a broken dam,a quarrel over taxes,heavy rain,the death of the king,a failed harvest,an earthquake,"
    "a strike",
    "happening": "the Battle of {},the Treaty of {},the Flood of {},the Siege of {},the {} Festival,the {} Fire",
    "paper": "the lease of {},the contract with {},the insurance of {},the subscription to {},the permit for {}",
    "leased": "the workshop,the flat,the boat,the car,the office,the garage",
    "gathering": "the {} meeting,the {} review,the {} workshop,the lecture on {}",
    "topic": "budget,safety,design,sales,garden,school,history,planning",
    "gadget": "the {} lamp,the {} camera,the {} 300,the {} phone,the {} drill,the {} watch",
    "colour": "dark blue,red,grey,white and green,black,yellow,silver",
    "baked": "the {} pie,the {} bread,the {} soup,the {} cake,the {} stew",
    "eaten": "apple,carrot,onion,plum,fish,lentil,cheese,walnut,pumpkin",
    "ride": "the bus to {},the ferry to {},the night train to {},the coach to {}",
    "licence": "MIT licence,Apache License 2.0,ISC licence,Mozilla Public License,zlib licence",
    "flag": "q,-quiet,s,-silent,-no-output,-hush",
    "where": "room {n},the blue room,the library,the canteen,hall {n},the east wing",
    "open": "from {a} to {b},daily from {a} to {b},from Tuesday to Sunday,on weekends only",
    "unit": "days,weeks,months,years,hours,minutes",
}


def _of(random: Random, kind: str) -> str:
    return random.choice(_WORDS[kind].split(","))


def invented_name(random: Random) -> str:
    """A word that no language has."""
    return "".join(random.choice(_SYLLABLES.split()) for _ in range(random.choice((2, 2, 3)))).capitalize()


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


def _leased(random: Random) -> str:
    return random.choice((_of(random, "leased"), invented_value(random, "company")))


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
    "contract": lambda random, name: _of(random, "paper").format(_leased(random)),
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
    text = files(__package__).joinpath("relations.txt").read_text(encoding="utf-8")
    found = []
    for entry in re.split(r"\n(?=[a-z])", re.sub(r"(?m)^#.*\n", "", text).strip()):
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
