"""What a whole JSON object of a plan means: a step, the question, the answer, or nothing."""

from __future__ import annotations

from airoagent.language.draft import Draft
from airoagent.language.frame import Frame
from airoagent.language.objects import looks_like_step, read_object, read_step
from airoagent.language.plan import Step
from airoagent.language.reading import read_template

__all__ = ["ObjectSteps"]


class ObjectSteps:
    """Takes whole objects into the draft; ``answered`` says that one of them held the answer."""

    __slots__ = ("_count", "_draft", "_frame", "answered")

    def __init__(self, draft: Draft, frame: Frame) -> None:
        self._draft, self._frame = draft, frame
        self._count = 0
        self.answered = False

    def take(self, text: str, start: int, line: int, known: int) -> Step | None:
        """Take an object that stands at ``start``; the step, if it is one that can be added.

        ``known`` is how many steps in it have been taken already: then it is only what is around them.
        """
        draft, value = self._draft, read_object(text)
        if value is None:
            if looks_like_step(text):
                draft.fail(start, "syntax", "This object is not valid JSON.")
            else:
                self._frame.chatter(start)
            return None
        step = None if known else read_step(value)
        if step is None:
            self._take_fields({key.lower(): item for key, item in value.items()}, start, known > 0)
            return None
        self._frame.statement()
        draft.dollar = draft.dollar or step.dollar
        number = self._count if step.number is None else step.number
        self._count += 1
        if step.joined:
            draft.note(start, "arguments", "The step has several arguments.", "kept as one text")
        tool = draft.tool(step.tool, draft.names.resolve(step.tool), start)
        template = read_template(step.input, draft.refs, draft.findings, start, draft.earlier)
        thought = step.thought or self._frame.thought()
        return draft.add(number, thought, tool, template, line, start, start, len(step.input))

    def _take_fields(self, fields: dict[str, object], start: int, known: bool) -> None:
        """An object that is no step: it may hold the question and the answer."""
        question, answer = fields.get("question"), fields.get("answer", fields.get("final_answer"))
        if isinstance(question, str) and not self._draft.question:
            self._draft.question = " ".join(question.split())
            known = True
        if isinstance(answer, str) and answer and self._draft.defined:
            self._draft.set_answer(answer, start)
            self.answered = True
        elif not known:
            self._frame.chatter(start)
