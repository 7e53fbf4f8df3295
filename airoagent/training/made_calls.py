"""Made function calls: a request, functions with nested parameters on offer, and the call, in JSON or YAML."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random
from typing import Final

from airoagent.calls.call_parser import Call, Format, call_prompt, write_call
from airoagent.calls.function_loader import load_functions
from airoagent.calls.functions import Function, Functions, Json, Param
from airoagent.prompts.chat import Style
from airoagent.training.examples import Example
from airoagent.training.invented import invented_name, invented_value

__all__ = ["made_call"]

_FUNCTIONS: Final = """
get_forecast:
  description: Gives the weather forecast for a place.
  params:
    city: The name of the place.
    day: {description: Which day., required: false}
send_message:
  description: Sends a message to a person.
  params:
    recipient: Who gets it.
    message: {description: The text., type: string}
    options:
      description: How to send it.
      required: false
      params: {urgent: {type: boolean, required: false}, channel: {enum: [mail, sms]}}
start_timer:
  description: Starts a timer.
  params:
    minutes: {type: integer, description: How many minutes.}
resize_image:
  description: Changes the size of an image.
  params:
    file: The path of the image.
    size: {type: object, params: {width: {type: integer}, height: {type: integer, required: false}}}
convert_money:
  description: Converts an amount of money to another currency.
  params:
    amount: {type: number, description: How much.}
    from: The currency that is there.
    to: The currency that is wanted.
search_files:
  description: Searches text files for words.
  params:
    folder: Where to look.
    filters: {type: object, params: {keyword: {type: string}, extension: {type: string, required: false}}}
set_light:
  description: Switches the light in a room.
  params:
    room: Which room.
    state: {enum: ["on", "off"]}
book_room:
  description: Books a hotel room.
  params:
    city: Where.
    stay: {type: object, params: {nights: {type: integer}, guests: {type: integer, required: false}}}
find_route:
  description: Finds the way between two places.
  params:
    start: Where it begins.
    end: Where it ends.
    means: {description: How to travel., enum: [car, train, bicycle], required: false}
order_goods:
  description: Orders goods from a shop.
  params:
    items: {type: array, items: {type: string}, description: What to order.}
    deliver_to: {description: The town., required: false}
add_task:
  description: Adds a task to the list.
  params:
    task: What is to be done.
    priority: {enum: [low, normal, high], required: false}
play_song:
  description: Plays a piece of music.
  params:
    title: The name of the piece.
    artist: {description: Who plays it., required: false}
"""
# Requests to a function: {words} are values of the kind that _KINDS gives; / stands between a parameter and its part.
_REQUESTS: Final = {
    "get_forecast": "What is the weather in {city}?|Will it rain in {city} {day}?|forecast for {city} please",
    "send_message": "Tell {recipient} that {message}|Write to {recipient}: {message}|"
    "Send {recipient} by {options/channel} the words '{message}'",
    "start_timer": "Set a timer for {minutes} minutes|Wake me in {minutes} minutes|timer {minutes} min",
    "resize_image": "Make {file} {size/width} pixels wide|Resize {file} to {size/width} by {size/height}",
    "convert_money": "How much is {amount} {from} in {to}?|convert {amount} {from} to {to}",
    "search_files": "Look for '{filters/keyword}' in {folder}|"
    "Which {filters/extension} files in {folder} mention {filters/keyword}?",
    "set_light": "Turn {state} the light in the {room}|{room} light {state}",
    "book_room": "Book a room in {city} for {stay/nights} nights|"
    "I need a hotel in {city}, {stay/nights} nights, {stay/guests} people",
    "find_route": "How do I get from {start} to {end}?|Take me from {start} to {end} by {means}",
    "order_goods": "Order {items}|Buy {items} and send it to {deliver_to}|we need {items}",
    "add_task": "Put '{task}' on my list|Add a {priority} priority task: {task}",
    "play_song": "Play {title}|I want to hear {title} by {artist}",
}
_KINDS: Final = {
    "day": "today,tomorrow,on Sunday,on Friday",
    "message": "dinner is ready,the keys are under the mat,the train is late",
    "from": "USD,EUR,GBP,CHF", "to": "JPY,SEK,PLN,INR", "room": "hall,cellar,attic,study,bathroom",
    "keyword": "courage,harvest,lattice,meadow,orbit,puzzle", "extension": "txt,md,csv,log",
    "task": "water the plants,call the bank,renew the passport,fix the gate",
}  # fmt: skip
_GOODS: Final = ["milk", "batteries", "apples", "tea", "light bulbs", "dog food", "printer ink"]
_VERBS: Final = {
    "get": "fetch read",
    "send": "post deliver",
    "start": "begin run",
    "find": "plan search",
    "add": "create make",
}


def _value(random: Random, param: Param) -> Json:
    if param.enum:
        return random.choice(param.enum)
    if param.name in _KINDS:
        return random.choice(_KINDS[param.name].split(","))
    match param.kind:
        case "integer":
            return random.randint(2, 1200)
        case "number":
            return random.choice((random.randint(2, 900), random.randint(100, 90_000) / 100))
        case "array":
            return list[Json](random.sample(_GOODS, random.randint(1, 3)))
    if param.name in ("file", "folder"):
        ending = random.choice((".png", ".jpg")) if param.name == "file" else ""
        return f"/{random.choice(('home', 'srv', 'data'))}/{invented_name(random).lower()}{ending}"
    kind = {"recipient": "person", "artist": "person", "title": "work"}.get(param.name, "place")
    return invented_value(random, kind)


def _words(value: Json) -> str:
    return " and ".join(map(str, value)) if isinstance(value, list) else str(value)


def _renamed(random: Random, function: Function) -> Function:
    """The function under another name of the same meaning, so that no name is learned by heart."""
    verb, _, rest = function.name.partition("_")
    verb = random.choice([verb, *_VERBS.get(verb, "").split()])
    name = random.choice((f"{verb}_{rest}", f"{rest}_{verb}", f"{invented_name(random).lower()}_{verb}_{rest}"))
    return replace(function, name=name)


def made_call(random: Random, style: Style) -> Example:
    """A request with functions, as the prompt of this style, and the call that serves it."""
    known = load_functions(_FUNCTIONS)
    chosen = random.sample(list(known), random.randint(1, 6))
    wanted = chosen[0]
    request = random.choice(_REQUESTS[wanted.name].split("|"))
    params: dict[str, Json] = {}
    for place in re.findall(r"\{([\w/]+)\}", request):
        outer, _, inner = place.partition("/")
        param = next(one for one in wanted.params if one.name == outer)
        value = _value(random, next(one for one in param.members if one.name == inner) if inner else param)
        request = request.replace("{" + place + "}", _words(value))
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
