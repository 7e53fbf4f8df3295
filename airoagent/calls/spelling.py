"""Which registered name a model means by a name it wrote: a tool's in a plan, a function's or a parameter's in a call.

    >>> names = Spellings(["DuckDuckGo", "KnowledgeModel"])
    >>> names.resolve("duck duck go"), names.resolve("functions.DuckDuckGo:0")
    ('DuckDuckGo', 'DuckDuckGo')
    >>> nearest("Knowledge Modle", ["KnowledgeModel"])
    ('KnowledgeModel',)

A name counts when it is registered; when it is after case, spaces, ``_``, ``-``, ``.``, ``/`` and a Markdown backslash
are set aside; when it is after a namespace before it, ``()``, ``:0`` or ``.run`` after it, or the word Tool at its end;
and when it is the last part of one registered name (``echo`` for ``zoo.echo``). Two that fit are none.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_SEPARATORS = str.maketrans("", "", " _-./\\@\t\n\u00a0")
_TAIL = re.compile(r"(?:\(\s*\)|:[0-9]{1,4})\Z")
_METHOD = re.compile(r"\.(?:a?(?:run|invoke|call)|execute)\Z")
_SCOPE = re.compile(r"[.:/]|(?<=\w)__(?=\w)")
_KIND = re.compile(r"(?<=\w)(?:tool|function)\Z")


def spelled(name: str) -> str:
    """A name with case and separators set aside: what two spellings of it have in common."""
    return name.translate(_SEPARATORS).casefold()


class Spellings:
    """Registered names, ready to be looked up by what a model wrote."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        # None: two names are alike so far, and neither is meant for sure.
        self._whole: dict[str, str | None] = {}
        self._last: dict[str, str | None] = {}
        for name in self._names:
            _, _, after_first = name.partition(".")  # of the tool of a server, whose own name may have dots
            whole = spelled(name)
            self._whole[whole] = None if whole in self._whole else name
            for key in {spelled(after_first or name), spelled(_SCOPE.split(name)[-1])}:
                self._last[key] = None if key in self._last else name

    def resolve(self, name: str) -> str | None:
        """The one registered name that is meant; None where it is not sure."""
        if name in self._names:
            return name
        keys = spellings(name)
        return next((table[key] for table in (self._whole, self._last) for key in keys if key in table), None)


def spellings(name: str) -> tuple[str, ...]:
    """What a name may be short for, with case and separators set aside: itself, and without what stands around it."""
    bare = _TAIL.sub("", name.strip())
    keys = tuple(spelled(form) for one in (bare, _METHOD.sub("", bare)) for form in (one, _SCOPE.split(one)[-1]))
    return tuple(dict.fromkeys((*keys, *(_KIND.sub("", key) for key in keys))))


def nearest(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names that look like this one, at most three."""
    by_key = {spelled(one): one for one in sorted(names)}
    return tuple(by_key[key] for key in difflib.get_close_matches(spelled(name)[:80], by_key, n=3, cutoff=0.6))
