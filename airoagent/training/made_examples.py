"""Made training data: plans, readings and calls in the prompts that this program asks models with.

    for example in made_examples(1000, seed=1): ...

The text was written or is made here, mostly from invented names: nothing of any evaluation set, nothing of the example
library. Example N of a seed is the same however many are made. 45 in 100 are plans, nearly half of which take several
hops; 40 are readings, of which about a sixth cannot be answered; the others are function calls, in JSON or YAML, to the
functions of `functions.yaml` under several names of one meaning, so that none is learned by heart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from random import Random
from typing import Final, Literal

import yaml

from airoagent.calls.call_parser import Call, Format, call_prompt, write_call
from airoagent.calls.function_loader import load_functions
from airoagent.calls.functions import Function, Functions, Param
from airoagent.calls.scalars import Json
from airoagent.prompts.chat import Style
from airoagent.training.examples import Example
from airoagent.training.invented import data_of, invented_name, invented_value
from airoagent.training.made_plans import made_plan
from airoagent.training.made_readings import Passage, made_reading, passage_reading, written_passages

Styles = Literal["both", "airoboros", "chat", "compact"]
Kind = Literal["plan", "page", "shipped", "read", "call"]

_ENDINGS: Final = {
    "archive": (".zip", ".tar.gz"),
    "folder": ("",),
    "audio": (".mp3", ".wav"),
    "file": (".png", ".jpg", ".txt", ".csv", ".pdf", ".md", ".xlsx"),
}
_FILES: Final = ("file", "archive", "source", "target", "path", "document", "folder")
_SEVERAL: Final = ("options", "numbers", "pdfs")
_STEMS: Final = "report notes draft budget summer letter backup sales logo plan cv invoice index data april team"
_COUNTED: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_TENS: Final = {25: "twenty-five", 30: "thirty", 40: "forty", 45: "forty-five", 50: "fifty", 60: "sixty", 90: "ninety"}


@cache
def _functions() -> tuple[Functions, dict[str, list[str]], dict[str, str | list[str]]]:
    """The functions of `functions.yaml`, the requests to each, and the values of its parameters."""
    entries = dict(data_of("functions.yaml"))
    values = entries.pop("values")
    requests = {name: entry["requests"] for name, entry in entries.items()}
    bare = {name: {key: one for key, one in entry.items() if key != "requests"} for name, entry in entries.items()}
    return load_functions(bare), requests, values


def _value(random: Random, param: Param, kind: str) -> Json:
    """A value of the parameter, of this kind of the list or of one that is made here."""
    if param.enum:
        return random.choice(param.enum)
    if param.kind == "array" and kind in ("people", "guests"):
        return [_text(random, random.choice(("person", "name"))) for _ in range(random.randint(1, 3))]
    listed = _functions()[2].get(kind)
    if isinstance(listed, list):
        drawn = random.sample(listed, random.randint(2 if kind in _SEVERAL else 1, 4))
        return list[Json](drawn)
    if isinstance(listed, str) and listed.startswith("="):
        return _value(random, param, listed[1:])
    if isinstance(listed, str):
        ends = re.fullmatch(r"(\d+)-(\d+)", listed)
        text = str(random.randint(int(ends[1]), int(ends[2]))) if ends else random.choice(listed.split(", "))
    elif ends := re.fullmatch(r"(\d+)-(\d+)", kind):
        text = str(random.randint(int(ends[1]), int(ends[2])))
    elif param.kind in ("integer", "number"):
        text = str(random.choice((random.randint(2, 12), random.randint(2, 60), random.randint(2, 1200))))
    else:
        return _text(random, kind)
    number = param.kind in ("integer", "number")
    return (int(text) if re.fullmatch(r"\d+", text) else float(text)) if number else text


def _text(random: Random, kind: str) -> str:
    """A text of a kind that is not listed."""
    match kind:
        case "hour":
            hour, minute = random.randint(6, 22), random.choice((0, 0, 5, 15, 20, 30, 40, 45))
            half = f"{hour % 12 or 12}{f':{minute:02}' if minute else ''} {'pm' if hour > 11 else 'am'}"
            return random.choice((f"{hour}:{minute:02}",) * 4 + (f"{hour:02}:{minute:02}", half, half, half, "noon"))
        case "date":
            day, month = random.randint(1, 28), invented_value(random, "month")
            iso = f"2026-{random.randint(1, 12):02}-{day:02}"
            return random.choice((f"{day} {month}", f"{month} {day}", iso, "next Monday", "Friday", "tomorrow"))
        case "name":
            return invented_value(random, "person").split()[0]
    if kind in _FILES:
        ending = random.choice(_ENDINGS.get(kind, _ENDINGS["file"]))
        place = random.choice(("", "", "", "/home/", "/srv/", "data/", "~/", "docs/"))
        stem = random.choice((*_STEMS.split(), invented_name(random).lower()))
        return f"{place}{stem}{random.choice(('', '', '-2024', '_final', '2'))}{ending}"
    try:
        return invented_value(random, kind)
    except KeyError:
        return invented_value(random, "place")


def _words(random: Random, value: Json) -> str:
    """The value as people write it."""
    if isinstance(value, list):
        last = random.choice((" and ", " and ", ", and ")) if len(value) > 2 else " and "
        return ", ".join(map(str, value[:-1])) + last * (len(value) > 1) + str(value[-1])
    if type(value) is int and (value <= 20 or value in _TENS) and random.random() < 0.35:
        return _COUNTED.split()[value] if value <= 20 else _TENS[value]
    if type(value) is int and value > 999 and value % 50 == 0 and random.random() < 0.4:
        return f"{value:,}"
    if type(value) is float and random.random() < 0.5 and value == round(value, 1):
        return f"{value:.2f}" if value > 5 else str(value)
    return str(value)


def _request(random: Random, wanted: Function, template: str) -> tuple[str, dict[str, Json]]:
    """The request with its places filled, and the parameters of the call, in the order of the function."""
    request, _, implied = template.partition(" => ")
    params: dict[str, Json] = dict(yaml.safe_load(implied)) if implied else {}
    for place in re.findall(r"\{([^{}]+)\}", request):
        names, _, kind = place.partition("=")
        outer, _, inner = names.partition("/")
        param = next(one for one in wanted.params if one.name == outer)
        part = next(one for one in param.members if one.name == inner) if inner else param
        value = _value(random, part, kind or part.name)
        while isinstance(value, str) and not part.enum and value in params.values():  # from Bath to Bath
            value = _value(random, part, kind or part.name)
        before, _, after = request.partition("{" + place + "}")
        spaced = before[-1:] in ("", " ") and after[:1] in ("", " ", ".", "?")
        request = before + (_words(random, value) if spaced or isinstance(value, list) else str(value)) + after
        if inner:
            known = params.get(outer)
            value = {**known, inner: value} if isinstance(known, dict) else {inner: value}
            order = [one.name for one in param.members]
            value = dict(sorted(value.items(), key=lambda one: order.index(one[0])))
        params[outer] = value
    request = re.sub(r"\b[oO]n (?=(?:today|tomorrow|next|this)\b)", "", request)
    request = re.sub(r"\b([Aa]) (?=[aeio](?!ne|u))", r"\1n ", request)
    order = [param.name for param in wanted.params]
    return request, dict(sorted(params.items(), key=lambda one: order.index(one[0])))


def _said(random: Random, request: str) -> str:
    """The request as somebody might put it: politely, in passing, with a capital letter."""
    draw = random.random()
    if draw < 0.55:
        return request
    if request.split()[0].strip(",:;.?!").isalpha():  # the name of a file, an address: they stay as they are
        request = request[:1].upper() + request[1:]
    if draw < 0.7:
        return request
    ended = request if request[-1] in ".?!" else request + "."
    if draw < 0.85:
        return random.choice(("Hi! ", "Hello! ", "Please: ", "Hey, ", "Sorry to bother you. ", "One thing: ",
                              "Before I forget: ", "My hands are full right now. ", "Quick one: ", "I'm in a hurry. "
                              )) + ended  # fmt: skip
    return ended + random.choice((" Thanks!", " Thank you.", " Thank you very much.", " Please.", " Cheers"))


def _renamed(random: Random, function: Function, params: Mapping[str, str]) -> Function:
    """The function under another name of the same meaning; its parameters as ``params`` has them."""
    verb, _, rest = function.name.partition("_")
    verb = random.choice([verb, *data_of("words.yaml")["verbs"].get(verb, "").split()])
    camel = f"{verb}_{rest}".title().replace("_", "")
    names = [f"{verb}_{rest}"] * 8 + [camel[0].lower() + camel[1:], camel, f"{invented_name(random).lower()}_{rest}"]
    if function.name.partition("_")[0] in data_of("words.yaml")["verbs"]:
        names.append(f"{rest}_{verb}")
    bare = random.random() < 0.1
    renamed = tuple(
        replace(one, name=params[one.name], description="" if bare else one.description) for one in function.params
    )
    return replace(function, name=random.choice(names), params=renamed)


def _param_names(random: Random, function: Function) -> dict[str, str]:
    names, others = [one.name for one in function.params], data_of("words.yaml")["params"]
    other = {
        name: random.choice(others[name].split()) if name in others and random.random() < 0.5 else name
        for name in names
    }
    return other if len(set(other.values())) == len(names) else dict(zip(names, names, strict=True))


def _likeness(function: Function) -> set[str]:
    said = re.findall(r"[a-z]{4,}", function.description.lower())
    return {*function.name.split("_"), *(param.name for param in function.params), *said}


def _offered(random: Random, known: Functions) -> list[Function]:
    """Functions to offer, the wanted one first; often with those that are the most like it."""
    nested = [function for function in known if any(param.kind == "object" for param in function.params)]
    wanted = random.choice(nested if random.random() < 0.12 else known)
    twins = {name for group in data_of("words.yaml")["twins"] if wanted.name in group.split() for name in group.split()}
    known = Functions(function for function in known if function == wanted or function.name not in twins)
    others = random.sample([function for function in known if function != wanted], 5)
    chosen = [wanted, *others][: random.choice((2, 3, 4, 5, 5, 5, 6))]
    if random.random() < 0.65:
        alike = sorted(known, key=lambda one: -len(_likeness(one) & _likeness(wanted)))[1:9]
        alike = random.sample(alike[:4], 2) + random.sample(alike[4:], random.randint(0, 2))
        chosen = [wanted, *dict.fromkeys(one for one in (*alike, *chosen) if one != wanted)][: len(chosen)]
    return chosen


def made_call(random: Random, style: Style) -> Example:
    """A request with functions, as the prompt of this style, and the call that serves it."""
    known, requests, _ = _functions()
    chosen = _offered(random, known)
    wanted = chosen[0]
    request, params = _request(random, wanted, random.choice(requests[wanted.name]))
    names = {function.name: _param_names(random, function) for function in chosen}
    renamed = {function.name: _renamed(random, function, names[function.name]) for function in chosen}
    if len({function.name for function in renamed.values()}) < len(chosen):
        return made_call(random, style)
    random.shuffle(chosen)
    offered = Functions(renamed[function.name] for function in chosen)
    call = Call(renamed[wanted.name].name, {names[wanted.name][name]: value for name, value in params.items()})
    format: Format = random.choice(("json", "yaml"))
    return Example(
        call_prompt(_said(random, request), offered, format, style), write_call(call, format).strip(), "call"
    )


_MAKERS: Final[dict[Kind, Callable[[Random, Style], Example]]] = {
    "plan": made_plan,
    "page": lambda random, style: made_plan(random, style, "page"),
    "shipped": lambda random, style: made_plan(random, style, shipped=True),
    "read": made_reading,
    "call": made_call,
}


def made_examples(
    count: int, seed: int, styles: Styles = "both", passages: Sequence[Passage] = (), only: Kind | None = None
) -> Iterator[Example]:
    """So many examples; the prompts are for airoboros models, for those with a chat template (``both``: either of
    them), or ``compact``, for small models. Seven in ten readings are over texts that were written for this, and over
    ``passages``, if there are any. ``only`` one kind of them is made if it is named; ``page`` are plans that open an
    address, ``shipped`` those over the tools that come with this program.
    """
    passages = (*written_passages(), *passages)
    for number in range(count):
        random = Random(f"{seed} {number}")
        drawn: Style = "airoboros" if random.random() < 0.5 else "chat"
        style: Style = drawn if styles == "both" else styles
        kinds: tuple[Kind, ...] = ("plan", "read", "call")
        kind = random.choices(kinds, (45, 40, 15))[0]
        make = _MAKERS[only or kind]
        if make is made_reading and random.random() < 0.7:
            yield passage_reading(random, style, passages)
        else:
            yield make(random, style)
