"""The answer's text while the model writes it: `AnswerText` events among those that a watcher sees.

The pieces come from the step that the answer waits for, once it is the only one left: a step that could still fail
elsewhere would take the answer back. What is shown is what the answer will begin with (`answer_so_far`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airoagent.events import (
    AnswerText,
    AttemptFailed,
    Event,
    ModelCalled,
    PlanParsed,
    PlanRefused,
    Replanned,
    RunFinished,
    StepFinished,
    StepStarted,
    StepText,
)
from airoagent.prompts.context_prompts import answer_so_far
from airoagent.prompts.harmless import visible
from airoagent.prompts.own_text import starts_in_thoughts
from airoagent.records.run_record import Run
from airoagent.toolbox.tool import Tool

_MOST = 20_000  # characters that are shown early: each piece is read together with those before it


class AnswerWatch:
    """Passes the events of a run on to ``watch``, with `AnswerText` in between."""

    def __init__(self, run: Run, tools: Mapping[str, Tool], watch: Callable[[Event], None]) -> None:
        self._run = run
        self._tools = tools
        self._watch = watch
        self._written: dict[str, str] = {}  # by steps whose tools pass on what the model writes
        self._shown = ""
        self._early = True
        self._thinks = False  # the model's prompt begins thoughts, so that only their end can be seen

    def __call__(self, event: Event) -> None:
        """One more event."""
        match event:
            case StepStarted():
                self._written.pop(event.step, None)
            case AttemptFailed() if event.step in self._written:
                self._withdraw()
            case StepText() if self._early:
                self._written[event.step] = self._written.get(event.step, "") + event.text
            case PlanRefused() | Replanned():
                self._written.clear()
                self._withdraw()
            case ModelCalled():
                self._thinks = self._thinks or starts_in_thoughts(event.text)
            case RunFinished():
                if not (event.answer or "").startswith(self._shown):
                    self._withdraw()
                self._show(event.answer or "")
        self._watch(event)
        if self._early and isinstance(event, StepText | PlanParsed | StepFinished):
            text = self._so_far()
            if text.startswith(self._shown):
                self._show(text)
            elif not self._shown.startswith(text):
                self._withdraw()

    def _show(self, text: str) -> None:
        piece = text[len(self._shown) :]
        self._shown = text
        if piece:
            self._watch(AnswerText(piece))

    def _withdraw(self) -> None:
        if self._shown:
            self._early, self._shown = False, ""
            self._watch(AnswerText("", withdrawn=True))

    def _so_far(self) -> str:
        """What the answer is certain to begin with; "" where there is nothing to show yet."""
        plan, found = self._run.plan, self._run.evidence
        if plan is None or len(plan.steps) - len(found) > 1:
            return ""
        left = [step for step in plan.steps if step.id not in found]
        if len(left) != 1 or not (written := self._written.get(left[0].id, "")) or len(written) > _MOST:
            return self._shown
        tool = self._tools.get(left[0].tool)
        if tool is None or not tool.streams or (self._thinks and not starts_in_thoughts(written)):
            return self._shown
        text = answer_so_far(written)
        if not text:
            return self._shown
        before = ""
        for part in plan.final_template:
            if isinstance(part, str):
                before += part
            elif part.id == left[0].id:
                return (before + visible(text)).lstrip()
            else:
                before += found[part.id].text
        return self._shown
