"""Calls that several steps of a run make: the first makes it, and the others take what it gave.

Which calls are the same depends on the tool, its input and, where the tool sees more than the text, on where the text
is from. The tool must be repeatable and without side effects.
"""

from __future__ import annotations

import asyncio

from airoagent.engine.provenance import Provenance
from airoagent.errors import AiroError
from airoagent.events import Evidence
from airoagent.plan.evidence import Filled
from airoagent.toolbox.tool import Tool

__all__ = ["SharedCalls"]


class SharedCalls:
    """The calls that have been started, by the step that makes each."""

    def __init__(self, provenance: Provenance) -> None:
        self._provenance = provenance
        self._first: dict[tuple[object, ...], str] = {}
        self._ended: dict[str, AiroError | None] = {}
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    def caller(self, step: str, tool: Tool, text: str, parts: Filled) -> str:
        """The step that makes this very call: this one, or the first that came to it."""
        key: tuple[object, ...] = (tool.name, text)
        if tool.network and self._provenance.read:  # what one may not send, another may
            key = (*key, self._provenance.private_in(parts))
        if tool.context_parameter:  # what it makes of the text may depend on where the text is from
            evidence = [part for part in parts if isinstance(part, Evidence)]
            key = (*key, *[(part.sources, part.untrusted and part.written) for part in evidence])
        return self._first.setdefault(key, step)

    async def failure_of(self, caller: str) -> AiroError | None:
        """Wait for the end of the caller's step: the failure it came to, None if it has its evidence."""
        if caller not in self._ended:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(caller, []).append(waiting)
            await waiting
        return self._ended[caller]

    def end(self, step: str, failure: AiroError | None = None) -> None:
        """The step has ended: those that wait for it go on."""
        self._ended[step] = failure
        if self._waiting:
            for waiting in self._waiting.pop(step, ()):
                if not waiting.done():
                    waiting.set_result(None)
