"""What need not be called for again: results kept from run to run, and what an earlier plan of this run found."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import time
from collections.abc import Iterable, Mapping

from airoagent.engine.policy import Recall
from airoagent.engine.record import Run
from airoagent.engine.store import Store
from airoagent.events import Event, Origin, Source, StepFailed, StepFinished, StepStarted
from airoagent.language.parse import PlanParser
from airoagent.language.plan import Plan, Step
from airoagent.language.prompts import known_so_far
from airoagent.toolbox.tool import Tool, Toolbox, ToolOutput

__all__ = ["Reuse", "ToolCache"]

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

    def recall(self, step: Step, tool: Tool, text: str) -> tuple[ToolOutput, Origin] | None:
        """What this tool gave for this input not too long ago."""
        if not _may_be_kept(tool, text):
            return None
        body = self._store.cached(self._key(tool, text), time.time() - self._seconds)
        if body is None:
            return None
        try:
            kept = json.loads(body)
            sources = tuple(Source(**source) for source in kept["sources"])
            return ToolOutput(**{**kept, "sources": sources}), "cache"
        except (ValueError, TypeError, KeyError) as error:
            _log.debug("what was kept of %s is damaged: %s", tool.name, error)
            return None

    def keep(self, step: Step, tool: Tool, text: str, output: ToolOutput) -> None:
        """Keep what a call gave, if it told anything."""
        if _may_be_kept(tool, text) and output.answered:
            body = json.dumps(dataclasses.asdict(output)).encode()
            self._store.cache(self._key(tool, text), body, time.time() - self._seconds)

    def _key(self, tool: Tool, text: str) -> bytes:
        what = json.dumps([tool.name, tool.version, tool.origin, text, self._settings])
        return hashlib.sha256(what.encode()).digest()


def _may_be_kept(tool: Tool, text: str) -> bool:
    return tool.cacheable and "docs://" not in text.lower()


class Reuse:
    """What one run can do without calling: what a record tells, the evidence of its earlier plans, then the cache."""

    def __init__(self, cache: ToolCache | None = None, record: Recall | None = None) -> None:
        self._cache = cache
        self.record = record
        self._found: dict[tuple[str, str], ToolOutput] = {}
        self._failed: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._done = Plan(())
        self.begun = False

    def remember(self, run: Run, events: Iterable[Event]) -> None:
        """Keep what the plan that has just failed found; a plan that could not be read leaves the earlier one."""
        self.begun = True
        inputs: dict[str, str] = {}
        for event in events:
            if isinstance(event, StepStarted):
                inputs[event.step] = event.input
            elif isinstance(event, StepFinished):
                output = ToolOutput(
                    event.text, event.sources, event.note, event.answered, event.untrusted, event.written
                )
                self._found[(event.tool, inputs[event.step])] = output
            elif isinstance(event, StepFailed):
                self._failed[f"{event.tool}[{inputs[event.step]}]"] = event.failure.message
        if run.plan is not None:
            done = tuple(step for step in run.plan.steps if step.id in run.evidence)
            self._done = Plan(done)
            self._texts = {step.id: run.evidence[step.id].text for step in done}

    def known(self) -> str:
        """What the model is told before it writes the next plan."""
        steps = self._done.steps
        following = 1 + max((int(step.id.removeprefix("evidence")) for step in steps), default=-1)
        done = [(f":{step.id}: = {step.tool}[{step.input}]", self._texts[step.id]) for step in steps]
        return known_so_far(done, tuple(self._failed.items()), following)

    def continued(self, text: str, tools: Toolbox, truncated: bool) -> Plan:
        """A plan that goes on from the steps of the earlier one; PlanError if it is none."""
        parser = PlanParser(tools)
        parser.feed(self._done.to_text() if self._done.steps else "")
        parser.feed(text)
        return parser.finish(truncated)

    def recall(self, step: Step, tool: Tool, text: str) -> tuple[ToolOutput, Origin] | None:
        """The output of this very call, if it is known."""
        told = None if self.record is None else self.record(step, tool, text)
        if told is not None:
            return told
        known = self._found.get((tool.name, text))
        if known is not None:
            return known, "shared"
        return None if self._cache is None else self._cache.recall(step, tool, text)

    def keep(self, step: Step, tool: Tool, text: str, output: ToolOutput) -> None:
        """A call gave this."""
        if self._cache is not None:
            self._cache.keep(step, tool, text, output)
