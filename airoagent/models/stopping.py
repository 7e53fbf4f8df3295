"""Stop strings in streamed text: exact, and never shown.

stops = StopFilter(("USER:",))
stops.feed("An otter. US")   # "An otter. "   (the rest may become a stop string)
stops.feed("ER: more")       # ""             (it did: stops.stopped is True)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from airoagent.models.base import Chunk
from airoagent.prompts.own_text import THOUGHTS_END, after_thoughts, thoughts_end
from airoagent.prompts.wrappers import trim_completion

_TURNS = ("USER:", "ASSISTANT:")
_MOST_TEXT = 4 * 1024 * 1024  # characters for one prompt, far more than any model can write in its window


async def bounded(chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    """The chunks, up to a size (then cut: ``length``): a server may not keep to its limit of tokens.

    Closing this closes what it reads from.
    """
    room = _MOST_TEXT
    source: Any = chunks
    try:
        async for chunk in chunks:
            yield chunk
            room -= len(chunk.thoughts) + len(chunk.text)
            if room <= 0:
                yield Chunk("", "length")
                return
    finally:
        await source.aclose()


class StopFilter:
    """Passes text on up to the first stop string, holding back whatever might still become one.

    A turn marker at the very end of a completion is dropped as well, since models write the start of the next turn
    before they stop. With ``drop_space`` one leading space is dropped: the one that parts the answer from the wrapper.
    With ``watch`` False that is all it does: the text is one that ends by itself.
    """

    __slots__ = ("_drop_space", "_held", "_stop", "_watch", "stopped")

    def __init__(self, stop: tuple[str, ...] = (), *, drop_space: bool = False, watch: bool = True) -> None:
        self._stop = tuple(text for text in stop if text)
        self._watch = watch
        self._held = ""
        self._drop_space = drop_space
        self.stopped = False

    def feed(self, text: str) -> str:
        """Take the next piece; return what can be shown now. After a stop string nothing more comes."""
        if self.stopped or not text:
            return ""
        held = self._held + text
        if self._drop_space:
            held = held.removeprefix(" ")
            self._drop_space = False
        if not self._watch:
            return held
        ends = [at for stop in self._stop if (at := held.find(stop)) >= 0]
        if ends:
            self.stopped = True
            self._held = ""
            return trim_completion(held[: min(ends)])
        keep = len(held) - self._may_become(held)
        self._held = held[keep:]
        return held[:keep]

    def finish(self) -> str:
        """The model has ended: what was held back and turned out to be text."""
        rest, self._held = trim_completion(self._held), ""
        return rest

    def _may_become(self, text: str) -> int:
        """How many characters at the end may yet become a stop string, or are a turn marker nothing has followed."""
        bare = text.rstrip()
        # Whitespace may follow a whole marker; inside one there is none.
        held = [len(turn) + len(text) - len(bare) for turn in _TURNS if bare.endswith(turn)]
        return max(held + [_overlap(text, word, len(word) - 1) for word in (*self._stop, *_TURNS)])


def _overlap(text: str, word: str, most: int) -> int:
    """The length of the longest end of ``text`` (up to ``most``) that ``word`` begins with."""
    return next((n for n in range(min(most, len(text)), 0, -1) if text.endswith(word[:n])), 0)


class ThoughtFilter:
    """Tells the thoughts that a completion begins with from the text after them."""

    __slots__ = ("_held", "_inside", "_passed")

    def __init__(self) -> None:
        self._held: str | None = ""  # None: the thoughts are over
        self._passed = 0  # characters of it that were passed on as thoughts
        self._inside = False

    def feed(self, text: str) -> tuple[str, str]:
        """Take the next piece; return the thoughts in it, and the text that can be shown now."""
        if self._held is None:
            return "", text
        self._held += text
        # To look through all of them for each piece takes long: an end mark is shorter than 16 characters.
        if self._inside and not THOUGHTS_END.search(self._held, len(self._held) - len(text) - 16):
            own, end = "", None
        else:
            own, end = after_thoughts(self._held), thoughts_end(self._held)
        self._inside = end is None
        until = len(self._held) - len(own) if own or end is None else end
        thoughts, self._passed = self._held[self._passed : until], until
        if own:
            self._held = None
        return thoughts, own

    def finish(self) -> str:
        """The model has ended: the text that was held back."""
        rest, self._held = (self._held or "")[self._passed :], None
        return rest
