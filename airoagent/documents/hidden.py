"""What a page keeps from its reader's eyes: nodes hidden by attribute, by inline style, by a class of its own sheet.

Text that no reader sees is a favourite place for instructions to a model. Only the page itself is looked at: scripts
are not run, outside style sheets are not loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from airoagent.text.words import word_set

# Class names that by convention mean "for screen readers only" or "not shown".
_HIDDEN_CLASSES = word_set(
    "sr-only visually-hidden visuallyhidden screen-reader-text screen-reader-only screenreader-only offscreen "
    "off-screen u-hidden is-hidden element-invisible d-none mw-editsection headerlink"
)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_ESCAPE = re.compile(r"\\([0-9a-f]{1,6})\s?|\\(.)", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(px|pt|pc|em|rem|ex|ch|vw|vh|vmin|vmax|cm|mm|in|%)?$")
# How far off is out of sight, by unit; "" counts as pixels.
_DISTANCES = (
    ":900 px:900 pt:700 pc:60 em:60 rem:60 ex:100 ch:100 cm:25 mm:250 in:10 %:100 vw:100 vh:100 vmin:100 vmax:100"
)
_FAR = {unit: float(far) for unit, _, far in (entry.partition(":") for entry in _DISTANCES.split())}
# Below this, in the unit, a letter cannot be read.
_TINY = {"": 0.01, "px": 1.5, "pt": 1.2, "%": 5.0}
_MOVES = frozenset({"left", "right", "top", "bottom", "text-indent", "margin-left", "margin-top", "inset-inline-start"})


def hidden_by_attributes(attrs: Mapping[str, str]) -> bool:
    """Whether an element's own attributes keep it from being seen."""
    return (
        ("hidden" in attrs and attrs["hidden"].strip().lower() != "until-found")
        or attrs.get("aria-hidden", "").strip().lower() == "true"
        or ("style" in attrs and hidden_by_style(attrs["style"]))
        or ("class" in attrs and _hidden_class(attrs["class"]))
    )


@lru_cache(4096)
def _hidden_class(names: str) -> bool:
    given = names.lower().split()
    if _HIDDEN_CLASSES.isdisjoint(given):
        return False
    # Bootstrap shows `d-none d-md-block` on a wide screen.
    return "d-none" not in given or not any(name.startswith("d-") and name != "d-none" for name in given)


def hidden_by_style(style: str) -> bool:
    """Whether inline declarations hide an element: not displayed, invisible, without size, or off the screen."""
    if "\\" in style:
        style = _ESCAPE.sub(_unescape, style)
    if "/*" in style:
        style = _COMMENT.sub("", style)
    rules: dict[str, str] = {}
    for declaration in style.lower().split(";"):
        name, colon, value = declaration.partition(":")
        if colon:
            rules[name.strip()] = " ".join(value.replace("!important", "").split())
    return any(_hides(name, value, rules) for name, value in rules.items())


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        code = int(match[1], 16)
        return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else ""
    return match[2]


def _hides(name: str, value: str, rules: Mapping[str, str]) -> bool:
    number = _NUMBER.match(value)
    size, unit = (float(number[1]), number[2] or "") if number else (None, "")
    if name == "display":
        return value == "none"
    if name in ("visibility", "content-visibility"):
        return value in ("hidden", "collapse")
    if name in ("opacity", "zoom"):
        return size is not None and 0 <= size < 0.05
    if name in ("font-size", "max-height", "max-width"):
        return size is not None and 0 <= size < _TINY.get(unit, 0.1)
    if name in _MOVES:
        return size is not None and size <= -_FAR[unit]
    if name in ("width", "height"):
        cut = rules.get("overflow", rules.get("overflow-x", "")) in ("hidden", "clip")
        return size is not None and cut and 0 <= size <= 1
    if name == "clip":
        numbers = re.findall(r"-?[\d.]+", value)
        return value.startswith("rect(") and bool(numbers) and all(n.strip(".") in ("0", "1") for n in numbers)
    if name == "clip-path":
        return value.startswith(("inset(50%", "inset(100%", "circle(0"))
    if name == "color":
        background = rules.get("background-color", rules.get("background", ""))
        return value == "transparent" or (bool(background) and _colour(value) == _colour(background))
    return name == "transform" and re.match(r"scale[xy]?\( ?0(?:\.0+)? ?[,)]", value) is not None


def _colour(value: str) -> str:
    value = value.replace(" ", "")
    short = re.fullmatch("#([0-9a-f])([0-9a-f])([0-9a-f])", value)
    digits = re.fullmatch(r"rgb\((\d{1,3}),(\d{1,3}),(\d{1,3})\)", value)
    if short:
        return "#" + "".join(2 * digit for digit in short.groups())
    if digits:
        return "#" + "".join(f"{int(part):02x}" for part in digits.groups())
    return {"white": "#ffffff", "black": "#000000"}.get(value, value)


_SELECTOR = re.compile(r"[a-z][a-z0-9]*\.[\w-]+|[.#][\w-]+", re.IGNORECASE)


def hidden_selectors(sheet: str) -> frozenset[str]:
    """The plain selectors (``.x``, ``#x``, ``tag.x``) that a style sheet hides for every reader.

    Rules inside ``@media`` and the like hold for some readers only and are left alone; so is a class that another
    rule of the sheet shows again.
    """
    hidden: set[str] = set()
    shown: set[str] = set()
    depth = start = 0
    selectors = ""
    sheet = _COMMENT.sub("", sheet)
    for match in re.finditer(r"[{}]", sheet):
        at = match.start()
        if match[0] == "{":
            if depth == 0:
                selectors = sheet[start:at]
            depth += 1
            start = at + 1
            continue
        depth = max(0, depth - 1)
        if depth == 0 and "@" not in selectors:
            names = {name.strip() for name in selectors.split(",")}
            declarations = sheet[start:at]
            if hidden_by_style(declarations):
                hidden.update(name for name in names if _SELECTOR.fullmatch(name))
            elif "display" in declarations or "visibility" in declarations:
                for name in names:  # `.open .menu` shows what `.menu` hides: a script will
                    shown.update(_SELECTOR.findall(name))
        start = at + 1
    return frozenset(hidden - shown) if hidden else frozenset()
