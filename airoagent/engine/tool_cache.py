"""Results of tools kept from run to run (`reuse` keeps what an earlier plan of the same run found)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import time
from collections.abc import Mapping

from airoagent.events import Evidence, Origin, Source
from airoagent.plan.steps import Step
from airoagent.records.store import Store
from airoagent.toolbox.tool import Tool, ToolOutput

_log = logging.getLogger("airoagent")


class ToolCache:
    """The `Services.recall` and `Services.keep` of a run whose user wants results reused up to ``seconds`` old.

    Only tools that say so (``cacheable``: what they find depends on their input alone) are kept, apart for other
    ``settings``. What is read from the user's documents is not: they change, and another folder may have the same name.
    """

    def __init__(self, store: Store, seconds: float, settings: Mapping[str, str] | None = None) -> None:
        self._store = store
        self._seconds = seconds
        self._settings = sorted((settings or {}).items())

    def recall(self, step: Step, tool: Tool, text: str) -> tuple[Evidence, Origin] | None:
        """What this tool gave for this input not too long ago."""
        if not _may_be_kept(tool, text):
            return None
        body = self._store.cached(self._key(tool, text), time.time() - self._seconds)
        if body is None:
            return None
        try:
            kept = json.loads(body)
            sources = tuple(Source(**source) for source in kept["sources"])
            return ToolOutput(**{**kept, "sources": sources}).evidence(step.id, tool.name), "cache"
        except (ValueError, TypeError, KeyError) as error:
            _log.debug("what was kept of %s is damaged: %s", tool.name, error)
            return None

    def keep(self, step: Step, tool: Tool, text: str, output: ToolOutput) -> None:
        """Keep what a call gave, if it told anything."""
        if _may_be_kept(tool, text) and output.answered and output.reusable:
            body = json.dumps(dataclasses.asdict(output)).encode()
            self._store.cache(self._key(tool, text), body, time.time() - self._seconds)

    def _key(self, tool: Tool, text: str) -> bytes:
        what = json.dumps([tool.name, tool.version, tool.origin, text, self._settings])
        return hashlib.sha256(what.encode()).digest()


def _may_be_kept(tool: Tool, text: str) -> bool:
    return tool.cacheable and "docs://" not in text.lower()
