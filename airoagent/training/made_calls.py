"""Made function calls: a request, functions with nested parameters on offer, and the call, in JSON or YAML."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from importlib.resources import files
from random import Random
from typing import Final

import yaml

from airoagent.calls.call_parser import Call, Format, call_prompt, write_call
from airoagent.calls.function_loader import load_functions
from airoagent.calls.functions import Function, Functions, Json, Param
from airoagent.prompts.chat import Style
from airoagent.training.examples import Example
from airoagent.training.invented import invented_name, invented_value

__all__ = ["made_call"]

_KINDS: Final = {
    "summary": "printer is out of paper,search page is slow,wrong total on the invoice,door does not close,"
    "no sound",
    "valve": "main,garden,boiler,left,cold water", "currency": "GBP,USD,EUR,CHF,dollars,euros,pounds",
    "word": "serendipity,ubiquitous,harvest,gentle,lattice,thrive,solace", "language": "French,German,Polish,Spanish",
    "speaker": "kitchen,left,garden,bathroom,front", "team": "sales,design,support,data",
    "subject": "haircut,parents' evening,tax office,board meeting,eye test,choir",
    "bed": "roses,tomatoes,lettuce,herbs",
    "hour": "8:00,9:30,17:45,6 pm,noon,20:15", "event": "summer party,opening,dinner,reading",
    "disk": "disk D,the NAS",
    "day": "today,tomorrow,Sunday,Friday,Monday,Wednesday", "date": "12 May,3 June,next Monday,Friday,1 August",
    "number": "RX20931,4471-88,DE77120,P-5520",
    "message": "dinner is ready,the keys are under the mat,the train is late",
    "from": "USD,EUR,GBP,CHF", "to": "JPY,SEK,PLN,INR", "room": "hall,cellar,attic,study,bathroom",
    "keyword": "courage,harvest,lattice,meadow,orbit,puzzle", "extension": "txt,md,csv,log",
    "caption": "our first day,sunset,the old harbour,grandma at 80", "until": "noon,10 pm,22:30,tomorrow",
    "purpose": "lunch,train tickets,paper,a present", "coin": "red,old,golden", "club": "Riverside,Rot-Weiss,Park Lane",
    "street": "12 Mill Lane,Station Road 4,Hauptstrasse 9",
    "task": "water the plants,call the bank,renew the passport,fix the gate",
}  # fmt: skip
_GOODS: Final = ["milk", "batteries", "apples", "tea", "light bulbs", "dog food", "printer ink"]
_VERBS: Final = {
    "get": "fetch read give show", "send": "post deliver", "start": "begin run", "find": "plan search look_up",
    "add": "create make", "set": "change adjust", "make": "create add", "book": "reserve order", "create": "new add",
    "search": "find query", "delete": "remove erase", "report": "file open", "copy": "duplicate",
}  # fmt: skip
# Known names as well as invented ones: a model that only knows the latter copies "Kyoto" as "Kyford".
_PLACES: Final = (
    "Lisbon, Nairobi, Toronto, Kyoto, Prague, Lima, Istanbul, Melbourne, Seville, Riga, Chicago, Hanoi, Zurich, "
    "Bergen, Glasgow, Madrid, Cairo, Athens, Warsaw, Dublin, Boston, Seattle, Mumbai, Osaka, Seoul, Naples, "
    "Bordeaux, Cologne, Dresden, Antwerp, Utrecht, Malmo, Turku, Porto, Bilbao, New Orleans, Buenos Aires, Cape "
    "Town, San Diego, Salzburg"
)
_FIRST: Final = "Emma Jack Maria Ahmed Sofia Ben Lena Carlos Mia Oscar Ruth Igor Yuki Sam Nina Pedro Alice Max"
_NAMES: Final = ("recipient", "artist", "payee", "person")
_FILES: Final = ("file", "archive", "source", "target", "path", "document", "folder")


@cache
def _functions() -> tuple[Functions, dict[str, list[str]]]:
    """The functions of `functions.yaml`, and the requests to each."""
    entries = yaml.safe_load(files(__package__).joinpath("functions.yaml").read_text(encoding="utf-8"))
    requests = {name: entry.pop("requests") for name, entry in entries.items()}
    return load_functions(entries), requests


def _value(random: Random, param: Param) -> Json:
    if param.enum:
        return random.choice(param.enum)
    if param.name in _KINDS:
        return random.choice(_KINDS[param.name].split(","))
    match param.kind:
        case "integer":
            return random.choice((random.randint(2, 12), random.randint(2, 60), random.randint(2, 1200)))
        case "number":
            return random.choice((random.randint(2, 900), random.randint(100, 90_000) / 100))
        case "array":
            if param.name in ("guests", "people"):
                return [invented_value(random, "person") for _ in range(random.randint(1, 3))]
            return list[Json](random.sample(_GOODS, random.randint(1, 3)))
    if param.name in _FILES:
        ending = {"folder": "", "archive": ".zip"}.get(
            param.name, random.choice((".png", ".jpg", ".txt", ".csv", ".pdf"))
        )
        place = random.choice(("", "", "/home/", "/srv/", "data/", "C:\\\\files\\\\" if ending else "/data/"))
        return f"{place}{invented_name(random).lower()}{ending}"
    if param.name in _NAMES:
        first = random.choice((invented_value(random, "person").split()[0], random.choice(_FIRST.split())))
        return random.choice((invented_value(random, "person"), first))
    if param.name in ("title", "show"):
        return invented_value(random, "work")
    if param.name != "company" and random.random() < 0.6:
        return random.choice(_PLACES.split(", "))
    return invented_value(random, "company" if param.name == "company" else "place")


_COUNTED: Final = "zero one two three four five six seven eight nine ten eleven twelve"


def _words(random: Random, value: Json) -> str:
    if isinstance(value, list):
        return random.choice((", ", " and ")).join(map(str, value[:-1])) + " and " * (len(value) > 1) + str(value[-1])
    if type(value) is int and value <= 12 and random.random() < 0.4:
        return _COUNTED.split()[value]
    return str(value)


def _renamed(random: Random, function: Function) -> Function:
    """The function under another name of the same meaning, so that no name is learned by heart."""
    verb, _, rest = function.name.partition("_")
    verb = random.choice([verb, *_VERBS.get(verb, "").split()])
    name = random.choice((f"{verb}_{rest}", f"{rest}_{verb}", f"{invented_name(random).lower()}_{verb}_{rest}"))
    return replace(function, name=name)


def _likeness(function: Function) -> set[str]:
    return {*function.name.split("_"), *(param.name for param in function.params)}


def made_call(random: Random, style: Style) -> Example:
    """A request with functions, as the prompt of this style, and the call that serves it."""
    known, requests = _functions()
    chosen = random.sample(list(known), random.choice((2, 3, 4, 5, 6)))
    wanted = chosen[0]
    if random.random() < 0.5:  # functions that take the same or do the like: what must not be called instead
        alike = sorted(known, key=lambda one: -len(_likeness(one) & _likeness(wanted)))
        chosen = [wanted, *dict.fromkeys(one for one in (*alike[1:3], *chosen) if one != wanted)][: len(chosen)]
    request = random.choice(requests[wanted.name])
    params: dict[str, Json] = {}
    for place in re.findall(r"\{([\w/]+)\}", request):
        outer, _, inner = place.partition("/")
        param = next(one for one in wanted.params if one.name == outer)
        value = _value(random, next(one for one in param.members if one.name == inner) if inner else param)
        request = request.replace("{" + place + "}", _words(random, value))
        if inner:
            params[outer] = (
                {**before, inner: value} if isinstance(before := params.get(outer), dict) else {inner: value}
            )
        else:
            params[outer] = value
    if random.random() < 0.3:
        request = random.choice(("Please: ", "Hi! ", "")) + request[:1].upper() + request[1:]
    renamed = {function.name: _renamed(random, function) for function in chosen}
    random.shuffle(chosen)
    offered = Functions(renamed[function.name] for function in chosen)
    order = {param.name: at for at, param in enumerate(wanted.params)}
    call = Call(renamed[wanted.name].name, dict(sorted(params.items(), key=lambda one: order[one[0]])))
    format: Format = random.choice(("json", "yaml"))
    return Example(call_prompt(request, offered, format, style), write_call(call, format).strip(), "call")
