"""What a site asks of robots: the rules of RFC 9309 in its robots.txt, read by Protego.

>>> rules = Robots("User-agent: *\\nDisallow: /private*.html$\\nAllow: /private/open.html")
>>> rules.allows("airoagent", "/private/a.html"), rules.allows("airoagent", "/private/open.html")
(False, True)
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from protego import Protego

__all__ = ["ALLOW_ALL", "DENY_ALL", "Robots"]

_MOST_BYTES = 500 * 1024  # what RFC 9309 asks to be read
_VERSION = re.compile(r"^(\s*user-?agent\s*:\s*[a-z_-]+)/[^\r\n]*", re.IGNORECASE | re.MULTILINE)


class Robots:
    """The rules of one robots.txt; lines that cannot be read are passed over, as the RFC asks."""

    def __init__(self, text: str | bytes) -> None:
        body = text.encode("utf-8", "replace") if isinstance(text, str) else text
        text = body[:_MOST_BYTES].decode("utf-8", "replace").removeprefix("\ufeff")
        # A version after an agent's name is not part of the name; Protego takes it for one.
        self._text = _VERSION.sub(r"\1", text.replace("\r", "\n"))

    @cached_property
    def _rules(self) -> Protego:
        from protego import Protego

        return Protego.parse(self._text)

    def allows(self, agent: str, path: str) -> bool:
        """Whether the agent (its product name) may fetch the path (with its query, percent-encoded)."""
        # With a host before it, so that //x is read as the path that it is.
        return path == "/robots.txt" or self._rules.can_fetch("https://host.invalid" + path, agent)


ALLOW_ALL = Robots("")
DENY_ALL = Robots("User-agent: *\nDisallow: /")
