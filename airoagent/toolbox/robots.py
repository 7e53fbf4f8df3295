"""What a site asks of robots: the rules of RFC 9309, read from its robots.txt.

    >>> rules = Robots("User-agent: *\\nDisallow: /private*.html$\\nAllow: /private/open.html")
    >>> rules.allows("airoagent", "/private/a.html"), rules.allows("airoagent", "/private/open.html")
    (False, True)

`urllib.robotparser` gets wildcards, the longest match and repeated groups wrong, and stumbles over a byte order mark.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes

__all__ = ["ALLOW_ALL", "DENY_ALL", "Robots"]

_MOST_BYTES = 500 * 1024
_MOST_RULES = 5000
_MOST_PATTERN = 2048
_KEPT = "/?&=:;,@!$'()*+~-._#[]"


@dataclass(frozen=True, slots=True)
class _Rule:
    """One Allow or Disallow line; ``pieces`` are the texts between its stars, ``anchored`` its ``$`` at the end."""

    allow: bool
    length: int
    pieces: tuple[str, ...]
    anchored: bool

    def matches(self, path: str) -> bool:
        """Whether the pattern matches from the start of the path; time in proportion to the path's length per piece."""
        first, *rest = self.pieces
        if not path.startswith(first):
            return False
        place = len(first)
        if not rest:
            return not self.anchored or place == len(path)
        last = rest.pop() if self.anchored else None
        for piece in rest:
            found = path.find(piece, place)
            if found < 0:
                return False
            place = found + len(piece)
        return last is None or (len(path) - len(last) >= place and path.endswith(last))


@dataclass(slots=True)
class _Group:
    agents: list[str] = field(default_factory=list)
    rules: list[_Rule] = field(default_factory=list)


class Robots:
    """The rules of one robots.txt; lines that cannot be read are passed over, as the RFC asks."""

    def __init__(self, text: str | bytes) -> None:
        if isinstance(text, bytes):
            text = text[:_MOST_BYTES].decode("utf-8", errors="replace")
        self._groups: list[_Group] = []
        self._read(text[:_MOST_BYTES].removeprefix("\ufeff"))

    def _read(self, text: str) -> None:
        group: _Group | None = None
        count = 0
        for line in text.replace("\r", "\n").split("\n"):
            name, colon, value = line.partition("#")[0].partition(":")
            key, value = name.strip().lower(), value.strip()
            if not colon:
                continue
            if key in ("user-agent", "useragent", "user agent"):
                if group is None or group.rules:
                    group = _Group()
                    self._groups.append(group)
                group.agents.append(_product(value))
            elif key in ("allow", "disallow") and group is not None and count < _MOST_RULES:
                count += 1
                group.rules.append(_rule(key == "allow", value))

    def allows(self, agent: str, path: str) -> bool:
        """Whether the agent (its product name) may fetch the path (with its query, percent-encoded).

        All groups of the agent count as one; without one the groups of ``*`` do. The longest matching rule decides,
        and of two as long the one that allows.
        """
        if path == "/robots.txt":
            return True
        wanted = agent.lower()
        rules = [rule for group in self._groups if wanted in group.agents for rule in group.rules]
        if not any(wanted in group.agents for group in self._groups):
            rules = [rule for group in self._groups if "*" in group.agents for rule in group.rules]
        target = _normal(path or "/")
        best: tuple[int, bool] = (-1, True)
        for rule in rules:
            if rule.length and (rule.length, rule.allow) > best and rule.matches(target):
                best = (rule.length, rule.allow)
        return best[1]


def _product(value: str) -> str:
    """The product token of a User-agent line, in small letters: a version or comment after it does not count."""
    if value.startswith("*"):
        return "*"
    end = next(
        (place for place, char in enumerate(value) if not (char.isascii() and (char.isalpha() or char in "-_"))), None
    )
    return value[:end].lower()


def _rule(allow: bool, value: str) -> _Rule:
    pattern = _normal(value[:_MOST_PATTERN])
    if pattern and pattern[0] not in "/*":
        pattern = "/" + pattern
    anchored = pattern.endswith("$")
    return _Rule(allow, len(pattern), tuple(pattern.removesuffix("$").split("*")), anchored)


def _normal(path: str) -> str:
    """One spelling of a path, so that ``%7Ejoe`` and ``~joe`` are the same and ``%2F`` is not ``/``."""
    pieces = path.split("%")
    parts = [quote(pieces[0], safe=_KEPT)]
    for piece in pieces[1:]:
        code = piece[:2]
        if len(code) == 2 and all(char in "0123456789abcdefABCDEF" for char in code):
            byte = unquote_to_bytes("%" + code)
            plain = byte.isalnum() or byte in b"-._~"
            parts.append((byte.decode("ascii") if plain else f"%{code.upper()}") + quote(piece[2:], safe=_KEPT))
        else:
            parts.append("%25" + quote(piece, safe=_KEPT))
    return "".join(parts)


ALLOW_ALL = Robots("")
DENY_ALL = Robots("User-agent: *\nDisallow: /")
