"""What a page keeps from its reader's eyes: nodes hidden by attribute, by inline style, by a class of its own sheet.

Text that no reader sees is a favourite place for instructions to a model. Only the page itself is looked at: scripts
are not run, outside style sheets are not loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from airoagent.text.words import word_set

__all__ = ["hidden_by_attributes", "hidden_by_style", "hidden_selectors"]


# Class names that by convention mean "for screen readers only" or "not shown".
_HIDDEN_CLASSES = word_set(
    "sr-only visually-hidden visuallyhidden screen-reader-text screen-reader-only screenreader-only offscreen "
    "off-screen u-hidden is-hidden element-invisible d-none mw-editsection headerlink"
)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_ESCAPE = re.compile(r"\\([0-9a-f]{1,6})\s?|\\(.)", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(px|pt|pc|em|rem|ex|ch|vw|vh|vmin|vmax|cm|mm|in|%)?$")
_FAR = {
    "": 900,
    "px": 900,
    "pt": 700,
    "pc": 60,
    "em": 60,
    "rem": 60,
    "ex": 100,
    "ch": 100,
    "cm": 25,
    "mm": 250,
    "in": 10,
    "%": 100,
    "vw": 100,
    "vh": 100,
    "vmin": 100,
    "vmax": 100,
}
_MOVES = frozenset({"left", "right", "top", "bottom", "text-indent", "margin-left", "margin-top", "inset-inline-start"})
_ZERO_HIDES = frozenset({"font-size", "opacity", "max-height", "max-width", "zoom"})


def hidden_by_attributes(attrs: Mapping[str, str]) -> bool:
    """Whether an element's own attributes keep it from being seen."""
    if "hidden" in attrs and attrs["hidden"].strip().lower() != "until-found":
        return True
    if attrs.get("aria-hidden", "").strip().lower() == "true":
        return True
    style = attrs.get("style")
    if style and hidden_by_style(style):
        return True
    names = attrs.get("class")
    return bool(names) and _hidden_class(names or "")


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
    if name == "display":
        return value == "none"
    if name in ("visibility", "content-visibility"):
        return value in ("hidden", "collapse")
    if name in _ZERO_HIDES:
        size = _size(value)
        return size is not None and 0 <= size[0] < (0.05 if name in ("opacity", "zoom") else _tiny(size[1]))
    if name in _MOVES:
        size = _size(value)
        return size is not None and size[0] <= -_FAR[size[1]]
    if name in ("width", "height"):
        size = _size(value)
        cut = rules.get("overflow", rules.get("overflow-x", "")) in ("hidden", "clip")
        return size is not None and cut and 0 <= size[0] <= 1
    if name == "clip":
        numbers = re.findall(r"-?[\d.]+", value)
        return value.startswith("rect(") and bool(numbers) and all(n.strip(".") in ("0", "1") for n in numbers)
    if name == "clip-path":
        return value.startswith(("inset(50%", "inset(100%", "circle(0"))
    if name == "color":
        background = rules.get("background-color", rules.get("background", ""))
        return value == "transparent" or (bool(background) and _colour(value) == _colour(background))
    if name == "transform":
        return re.match(r"scale[xy]?\( ?0(?:\.0+)? ?[,)]", value) is not None
    return False


def _tiny(unit: str) -> float:
    """Below this, in the unit, a letter cannot be read."""
    return {"": 0.01, "px": 1.5, "pt": 1.2, "%": 5}.get(unit, 0.1)


def _size(value: str) -> tuple[float, str] | None:
    match = _NUMBER.match(value)
    return (float(match[1]), match[2] or "") if match else None


_COLOURS = {
    "white": "#ffffff",
    "black": "#000000",
    "#fff": "#ffffff",
    "#000": "#000000",
    "rgb(255,255,255)": "#ffffff",
    "rgb(0,0,0)": "#000000",
}


def _colour(value: str) -> str:
    value = value.replace(" ", "")
    return _COLOURS.get(value, value)


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
