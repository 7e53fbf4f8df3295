"""The grammar of one function call, held to a JSON schema: as JSON, or as YAML.

    >>> schema = {"type": "object", "properties": {"function": {"const": "count"}}, "required": ["function"]}
    >>> print(call_grammar(schema, "yaml").lark().splitlines()[1])
    members0: "function:" " count\\n" ""

The schema is that of the whole call (`functions.call_schema`). It is narrowed first, so that every call comes to an end
and white space cannot pad it: texts and lists get a longest length where they have none, numbers a range and no
exponent, objects no further members. Narrowing only takes away: what is written is valid against the schema given.

JSON is one line, ``", "`` and ``": "`` between its parts; llguidance reads the schema itself, with all it knows
(patterns, formats, ranges). For GBNF, and for YAML, the grammar is written out here from types, enums, lengths and
members; GBNF leaves patterns, formats and ranges to the check of the call. In YAML, objects are blocks of lines and
everything else is as in JSON, without the characters at which YAML readers stumble.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from itertools import starmap
from typing import Any, Final, Literal

from airoagent.prompts.chat import ARGS, TOOL_CALLS, CallForm
from airoagent.prompts.grammar import (
    Alt,
    Chars,
    Control,
    Grammar,
    Json,
    Piece,
    Rep,
    Rule,
    Seq,
    Text,
    Use,
    Words,
    chars,
    optional,
)

Schema = Mapping[str, Any]

_TEXT: Final = 400
_ITEMS: Final = 16
_MEMBERS: Final = 8
_WHOLE: Final = 2**53
_NUMBER: Final = 10**15
_ENUMERATED: Final = 200  # whole numbers of a range that are listed one by one
_SEPARATORS = (", ", ": ")

_IN_JSON = Chars(((0x00, 0x1F), (0x22, 0x22), (0x5C, 0x5C), (0x7F, 0x7F)), negated=True)
# YAML folds lines at some of these, and its readers refuse the others.
_IN_YAML = Chars((*_IN_JSON.ranges, (0x80, 0xA0), (0x2028, 0x2029), (0xFEFF, 0xFEFF), (0xFFFE, 0xFFFF)), negated=True)
# Lines and all, but for what would end the tag.
_IN_TAG = Alt(
    (
        Chars(((0x00, 0x08), (0x0B, 0x1F), (0x3C, 0x3C), (0x7F, 0x7F)), negated=True),
        Seq((Text("<"), Chars(((0x00, 0x08), (0x0B, 0x1F), (0x2F, 0x2F), (0x7F, 0x7F)), negated=True))),
        Seq((Text("</"), Chars(((0x00, 0x1F), (0x70, 0x70), (0x7F, 0x7F)), negated=True))),
    )
)
_CLOSES_PARAMETER: Final = "\n</parameter>\n"
_CLOSES_FUNCTION: Final = "</function>"
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_ANY = ("string", "number", "boolean", "null")


def call_grammar(
    schema: Schema, format: Literal["json", "yaml"] = "json", words: str = "", form: CallForm | None = None
) -> Grammar:
    """The grammar of a call that is valid against this schema (`call_schema`: without ``$ref`` and ``allOf``).

    ``words``: texts are words of this, as they stand there; ``form``: how a model was trained to write its calls.
    """
    narrow = narrowed(schema)
    writer = _Writer(format == "yaml", re.sub(r'["\\\s\x00-\x1f\x7f-\xa0\u2028\u2029]+', " ", words).strip())
    if format == "yaml":
        body = writer.block(narrow, 0)
    elif form is not None and form.written != "json":
        write = writer.tags if form.written == "tags" else writer.named
        body = Alt(tuple(write(*one["properties"].values()) for one in _variants(narrow) or [narrow]))
    else:
        body = writer.value(narrow) if words else writer.guided(narrow)
    around = ("", "") if form is None else form.around
    opens, closes = ((Text(text),) if text else () for text in around)
    if form is not None and form.place:  # A backend that can put it into the prompt has done so.
        opens = (optional(Seq((Control(TOOL_CALLS), optional(Text(" "))))), *opens)
    rules = (Rule("start", Seq((optional(Text(" ")), *opens, body, *closes))), *starmap(Rule, writer.rules.items()))
    closers = ('"', "}", "]", "\n", ", ") if format == "yaml" else ('"', "}", "]", ", ")
    if form is not None and form.written == "tags":
        closers = (_CLOSES_FUNCTION, _CLOSES_PARAMETER, *closers)
    return Grammar(rules, (*filter(None, reversed(around)), *closers), 16 + _reach(narrow, 8) + len("".join(around)))


def narrowed(schema: Any) -> dict[str, Any]:
    """The schema with a bound to everything that has none; what is valid against it is valid against the schema."""
    if not isinstance(schema, Mapping):  # True: anything
        schema = {}
    found = {key: value for key, value in schema.items() if key not in ("description", "title", "default", "examples")}
    for key in ("anyOf", "oneOf"):
        if key in found:
            found[key] = [narrowed(one) for one in found[key]]
    if any(key in found for key in ("enum", "const", "anyOf", "oneOf")):
        return found
    kinds = found.get("type", _ANY)
    found["type"] = list(kinds) if isinstance(kinds, list | tuple) else kinds
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        _bound(found, kind)
    return found


def _bound(found: dict[str, Any], kind: str) -> None:
    if kind == "string" and "pattern" not in found and "format" not in found:
        found.setdefault("maxLength", max(_TEXT, found.get("minLength", 0)))
    elif kind in ("integer", "number"):
        most = _WHOLE if kind == "integer" else _NUMBER
        for key, other, value in (("minimum", "exclusiveMinimum", -most), ("maximum", "exclusiveMaximum", most)):
            if other not in found:
                found.setdefault(key, value)
    elif kind == "array":
        found["items"] = narrowed(found.get("items"))
        found.setdefault("maxItems", max(_ITEMS, found.get("minItems", 0)))
    elif kind == "object":
        found["properties"] = {name: narrowed(one) for name, one in found.get("properties", {}).items()}
        more = found.get("additionalProperties", not found["properties"])
        found["additionalProperties"] = False if more is False or found["properties"] else narrowed(more)


def _reach(schema: Schema, deep: int) -> int:
    """About how many characters a value has at least, once a model has started the largest of its variants."""
    if deep == 0:
        return 8
    variants = [_reach(one, deep - 1) for one in _variants(schema)]
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    variants += [len(json.dumps(value, ensure_ascii=False).encode()) for value in values]
    members = {name: 8 + len(name) + _reach(one, deep - 1) for name, one in schema.get("properties", {}).items()}
    needed = schema.get("required", ())
    open_ended = max((size for name, size in members.items() if name not in needed), default=0)
    own: int = 8 + sum(members.get(name, 0) for name in needed) + open_ended + schema.get("minLength", 0)
    if "minItems" in schema:
        own += schema["minItems"] * (2 + _reach(schema.get("items", {}), deep - 1))
    return max([own, *variants])


class _Writer:
    """Writes a narrowed schema out as ``rules``, by name."""

    def __init__(self, yaml: bool, words: str) -> None:
        self._yaml = yaml
        self._words = words
        self.rules: dict[str, Piece] = {}
        self._character = Alt(
            (_IN_YAML if yaml else _IN_JSON, Seq((Text("\\"), chars('"\\nt' if yaml else '"\\/bfnrt'))))
        )

    def _rule(self, name: str, piece: Piece) -> Use:
        self.rules[name] = piece
        return Use(name)

    # -- values as in JSON

    def value(self, schema: Schema) -> Piece:
        """A value, on one line."""
        variants = _variants(schema)
        if variants:
            return Alt(tuple(self.value(one) for one in variants))
        if "enum" in schema or "const" in schema:
            return _texts(_json(value) for value in schema.get("enum", [schema.get("const")]))
        kinds = schema["type"]
        if not isinstance(kinds, str):
            return Alt(tuple(self.value({**schema, "type": kind}) for kind in kinds))
        piece = self._of_kind(kinds, schema)
        if self._yaml and _is_wider(schema, kinds):
            return Json(_json({**schema, "x-guidance": {"whitespace_flexible": False}}), piece)
        return piece

    def _of_kind(self, kind: str, schema: Schema) -> Piece:
        match kind:
            case "string":
                free = schema.get("maxLength") == _TEXT and not schema.keys() & {"minLength", "pattern", "format"}
                if self._words and free:
                    self.rules["WORDS"] = Words(self._words)
                    return Seq((Text('"'), Use("WORDS"), Text('"')))
                return self._string('"', '"', schema.get("minLength", 0), schema.get("maxLength", _TEXT))
            case "integer":
                return _integer(schema)
            case "number":
                sign = () if schema.get("minimum", -1) >= 0 else (optional(Text("-")),)
                whole = Alt((Text("0"), Seq((chars("1-9"), Rep(chars("0-9"), 0, 14)))))
                return Seq((*sign, whole, optional(Seq((Text("."), Rep(chars("0-9"), 1, 10))))))
            case "array":
                least, most = schema.get("minItems", 0), schema.get("maxItems", _ITEMS)
                return _listed("[", self.value(schema.get("items", {})), "]", least, max(least, most))
            case "object":
                return self._object(schema)
        return _texts(("true", "false")) if kind == "boolean" else Text("null")

    def _string(self, opens: str, closes: str, least: int, most: int) -> Piece:
        self.rules.setdefault("CHARACTER", self._character)
        return Seq((Text(opens), Rep(Use("CHARACTER"), least, max(least, most)), Text(closes)))

    def _object(self, schema: Schema) -> Piece:
        members = schema["properties"]
        if not members:
            more = schema["additionalProperties"]
            if more is False:
                return Text("{}")
            return _listed("{", Seq((self._string('"', '": ', 1, 40), self.value(more))), "}", 0, _MEMBERS)
        parts = [(name, Seq((Text(f"{_json(name)}: "), self.value(one)))) for name, one in members.items()]
        return Seq((Text("{"), self._members(parts, schema.get("required", ()), ", ", empty=True), Text("}")))

    def _members(self, parts: list[tuple[str, Seq]], needed: Iterable[str], between: str, empty: bool) -> Piece:
        """Members in their order, those that are not needed possibly left out; ``empty``: all of them may be."""
        required = set(needed)
        # What may follow where no member has been written yet (None: nothing is not enough), and where one has.
        first: Piece | None = Text("") if empty else None
        later: Piece = Text("")
        for name, part in reversed(parts):
            alone: Piece = Seq((part, later))
            more: Piece = Seq((Text(between), part, later)) if between else alone
            if name not in required:
                alone, more = (alone if first is None else Alt((alone, first))), Alt((more, later))
            first, later = self._rule(f"members{len(self.rules)}", alone), self._rule(f"members{len(self.rules)}", more)
        assert first is not None
        return first

    def guided(self, schema: Schema) -> Json:
        """The same, read by llguidance from the schema itself."""
        guided = {**schema, "x-guidance": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}}
        return Json(json.dumps(guided, ensure_ascii=False), self.value(schema))

    # -- calls in forms of their own

    def named(self, function: Schema, params: Schema) -> Piece:
        """A function's name, and its parameters as JSON after it."""
        return Seq((Text(function["const"]), Control(ARGS), self.guided(params)))

    def tags(self, function: Schema, params: Schema) -> Piece:
        """A function and its parameters as tags."""
        parts = [
            (name, Seq((Text(f"<parameter={name}>\n"), self._tagged(one))))
            for name, one in params["properties"].items()
        ]
        members = self._members(parts, params.get("required", ()), "", empty=True)
        return Seq((Text(f"<function={function['const']}>\n"), members, Text(_CLOSES_FUNCTION)))

    def _tagged(self, schema: Schema) -> Piece:
        """A value on lines of its own, texts without quotes, up to the end of the tag that closes it."""
        if variants := _variants(schema):
            return Alt(tuple(self._tagged(one) for one in variants))
        if "enum" in schema or "const" in schema:
            values = schema.get("enum", [schema.get("const")])
            return _texts(f"{one if isinstance(one, str) else _json(one)}{_CLOSES_PARAMETER}" for one in values)
        kinds = schema["type"]
        if "string" not in ([kinds] if isinstance(kinds, str) else kinds):
            return Seq((self.value(schema), Text(_CLOSES_PARAMETER)))
        least = max(1, schema.get("minLength", 1))  # nothing between tags is read as no value
        most = max(least, schema.get("maxLength", _TEXT))
        # What is counted exactly is of single characters. It is one terminal with what ends it: a lexer that has taken
        # a newline for the end of a text does not go back.
        piece = _IN_TAG if (least, most) == (1, _TEXT) else _IN_TAG.items[0]
        self.rules[f"TEXT_{least}_{most}"] = Seq((Rep(piece, least, most), Text(_CLOSES_PARAMETER)))
        return Use(f"TEXT_{least}_{most}")

    # -- blocks of YAML

    def block(self, schema: Schema, depth: int) -> Piece:
        """A value that begins a line of its own, with the newline that ends it."""
        variants = _variants(schema)
        if variants:
            return Alt(tuple(self.block(one, depth) for one in variants))
        if schema.get("type") != "object" or not schema["properties"]:
            return Seq((self.value(schema), Text("\n")))
        parts = []
        for name, one in schema["properties"].items():
            key = f"{'  ' * depth}{name if _is_plain(name) else json.dumps(name)}:"
            parts.append((name, Seq((Text(key), self._after_key(one, depth + 1)))))
        lines = self._members(parts, schema.get("required", ()), "", empty=False)
        return lines if schema.get("required") or depth else Alt((lines, Text("{}\n")))

    def _after_key(self, schema: Schema, depth: int) -> Piece:
        """What follows a key and its colon, up to the end of the value's last line."""
        variants = _variants(schema)
        if variants:
            return Alt(tuple(self._after_key(one, depth) for one in variants))
        if schema.get("type") == "object" and schema["properties"]:
            lines = Seq((Text("\n"), self.block(schema, depth)))
            return lines if schema.get("required") else Alt((lines, Text(" {}\n")))
        if "enum" in schema or "const" in schema:
            return _texts(f" {_yaml_word(value)}\n" for value in schema.get("enum", [schema.get("const")]))
        return Seq((Text(" "), self.value(schema), Text("\n")))


def _integer(schema: Schema) -> Piece:
    first, last = _whole_range(schema)
    if last - first < _ENUMERATED:
        return _texts(str(number) for number in range(first, last + 1))
    digits = len(str(max(abs(first), abs(last))))
    sign = (Text("-"),) if last < 0 else (optional(Text("-")),) if first < 0 else ()
    more = Rep(chars("0-9"), 0, digits - 1)
    return Seq((*sign, Alt((Text("0"), Seq((chars("1-9"), more)))))) if digits > 1 else Seq((*sign, chars("0-9")))


def _listed(opens: str, item: Piece, closes: str, least: int, most: int) -> Piece:
    if most == 0:
        return Text(opens + closes)
    items = Seq((item, Rep(Seq((Text(", "), item)), max(least - 1, 0), most - 1)))
    return Seq((Text(opens), items if least else optional(items), Text(closes)))


def _variants(schema: Schema) -> list[Schema]:
    """What a value may be one of."""
    return list(schema.get("anyOf") or schema.get("oneOf") or ())


def _is_wider(schema: Schema, kind: str) -> bool:
    """Whether the schema says more of a scalar than is written out here."""
    if kind == "string":
        return "pattern" in schema or "format" in schema
    if kind == "integer":
        first, last = _whole_range(schema)
        return "multipleOf" in schema or ((first, last) != (-_WHOLE, _WHOLE) and last - first >= _ENUMERATED)
    bounded = (schema.get("minimum"), schema.get("maximum")) != (-_NUMBER, _NUMBER)  # by exclusive ones, too
    return kind == "number" and (bounded or "multipleOf" in schema)


def _whole_range(schema: Schema) -> tuple[int, int]:
    first = math.ceil(schema["minimum"]) if "minimum" in schema else math.floor(schema["exclusiveMinimum"]) + 1
    last = math.floor(schema["maximum"]) if "maximum" in schema else math.ceil(schema["exclusiveMaximum"]) - 1
    return first, last


def _texts(texts: Iterable[str]) -> Piece:
    items = tuple(Text(text) for text in texts)
    return items[0] if len(items) == 1 else Alt(items)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=_SEPARATORS)


def _is_plain(text: str) -> bool:
    return _PLAIN_KEY.fullmatch(text) is not None and text.lower() not in _YAML_WORDS


def _yaml_word(value: Any) -> str:
    return value if isinstance(value, str) and _is_plain(value) else json.dumps(value)
