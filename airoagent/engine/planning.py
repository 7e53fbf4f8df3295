"""Has the model write a plan, reads it while it is being written, and starts what is certain of it.

A text that cannot be used goes back to the model with what is wrong with it (`until_usable`). One in which the model
goes round in circles ends before the circle, and one of prose may be the run's answer (`prose_in`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from airoagent.engine.model_calls import until_usable
from airoagent.engine.policy import Ask
from airoagent.engine.recorder import Recorder
from airoagent.engine.reuse import Reuse, free_id
from airoagent.engine.scheduler import Execution
from airoagent.errors import Diagnostic, PlanError
from airoagent.events import PlanPart, PlanText, PlanWritten
from airoagent.plan.parser import PlanParser
from airoagent.plan.plan_grammar import plan_grammar
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Ref, Step
from airoagent.plan.tool_names import is_model
from airoagent.prompts.chat import searches
from airoagent.prompts.grammar import Grammar
from airoagent.prompts.own_text import Repeats, own_text
from airoagent.prompts.plan_prompts import plan_prompt
from airoagent.toolbox.tool import Tool, Toolbox

# Steps, and characters of a thought and an input, for models whose plans go astray where they are long. Where the
# answer line may hold text they guess the answer there, and go on guessing: it is references alone.
_SMALL = {"steps": 8, "thought": 200, "input": 240, "answer": 0}


async def write_plan(
    question: str,
    toolbox: Toolbox,
    ask: Ask,
    recorder: Recorder,
    execution: Execution | None = None,
    reuse: Reuse | None = None,
    retries: int = 0,
) -> Plan:
    """The plan, checked; PlanError if what the model wrote cannot be used, after asking again ``retries`` times.

    Steps that have become certain are given to ``execution`` while the rest is being written, except those with side
    effects and those that may not be repeated: the plan may yet be refused, or be written again after a kill. Once a
    plan is refused ``execution`` is given up: what it has started comes to its end before the next one is read. A plan
    after a failed one is told what is known (``reuse``), and may go on from it.
    """
    again = reuse is not None and reuse.begun
    style = await ask.style()
    tools = ((tool.name, tool.description) for tool in toolbox.values())
    known = reuse.known() if reuse is not None and again else ""
    bounds = {} if style == "airoboros" else _SMALL
    grammar = plan_grammar(toolbox, **bounds) if toolbox and not again else ""

    async def written(prompt: str, retry: bool) -> Plan:
        # A later plan may lean on the earlier one, which only its whole text shows.
        eager = execution if execution is not None and execution.eager and not again and not retry else None
        draft = _Draft(toolbox, recorder, eager)
        completion = await ask(prompt, "plan", grammar, heard=draft.heard)
        if execution is not None and retry:
            await execution.ended()
        loop = completion.finish == "repetition"
        before = draft.before_loop(completion.text, grammar) if loop else ""
        text = before or completion.text
        recorder(PlanWritten(text=text))
        try:
            truncated = completion.finish == "length" or (loop and not before)
            older = reuse if again else None
            plan = draft.finish(text, truncated) if older is None else older.read(text, truncated)
        except PlanError as error:
            if execution is not None:
                execution.give_up()
            error.text = error.text or text
            if _is_prose(error, toolbox):
                error.diagnostics += (_PROSE,)
            raise
        if execution is not None and not draft.started.issubset(plan.steps):  # it took back what was started
            execution.give_up()
            await execution.ended()
        if style != "airoboros" and _is_unread(plan, question, toolbox):
            plan = with_reader(plan, question, toolbox)
        return replace(plan, diagnostics=(*plan.diagnostics, _loop_after(text))) if loop else plan

    plan = await until_usable(written, plan_prompt(question, tools, known, style), retries, recorder)
    recorder.parsed(plan)
    return plan


class _Draft:
    """The plan while it is being written; what is certain of it is given to ``execution``, if there is one."""

    def __init__(self, toolbox: Toolbox, recorder: Recorder, execution: Execution | None) -> None:
        self._toolbox = toolbox
        self._recorder = recorder
        self._execution = execution
        self._parser = PlanParser(toolbox)
        self._repeats = Repeats()
        self._text = ""
        self._pending: list[str] = []
        self._steps: list[tuple[Step, bool]] = []  # and whether it finds nothing new
        self.started: set[Step] = set()

    def heard(self, text: str) -> None:
        """The model has written this."""
        self._recorder(PlanText(text=text))
        self._text += text
        self._pending.append(text)
        certain = [(step, self._repeats.again(step.id, step.tool, step.input)) for step in self._parser.feed(text)]
        self._steps += certain
        # What finds nothing new may be the beginning of a loop, which is left out.
        start = [step for step, known in certain if not known and _may_start(self._toolbox[step.tool])]
        if start and self._execution is not None:
            self._recorder(PlanPart(text="".join(self._pending)))
            self._pending.clear()
            self.started.update(start)
            self._execution.add(*start)

    def finish(self, text: str, truncated: bool) -> Plan:
        """The plan of a text, which has been read already unless it is not what was written."""
        if text != self._text:
            self._parser = PlanParser(self._toolbox)
            self._parser.feed(text)
        return self._parser.finish(truncated)

    def before_loop(self, rest: str, grammar: Grammar | str) -> str:
        """The plan up to the loop in which it ends: its steps that find something new; "" where there are none.

        Where the loop is in the first input, that is closed after one round (``rest``), as the grammar has it.
        """
        steps = self._steps
        while steps and steps[-1][1]:
            steps = steps[:-1]
        if steps:
            return "".join(self._text.splitlines(keepends=True)[: steps[-1][0].line])
        from airoagent.models.local.constraint import grammars_available, nearest_end

        rest = rest.rstrip(" ,;")
        held = isinstance(grammar, Grammar) and bool(_OPEN_INPUT.search(rest)) and grammars_available()
        end = nearest_end(grammar, rest) if held and isinstance(grammar, Grammar) else ""
        return rest + end if end else ""


_OPEN_INPUT = re.compile(r"=\s*\w+\[[^\]\n]+\Z")


def _may_start(tool: Tool) -> bool:
    return tool.repeatable and not tool.side_effects


def _answers_with(plan: Plan) -> Step:
    """The step whose evidence is the answer: the one that the answer line names alone, or else the last."""
    named = [one.id for one in plan.answer_template or () if isinstance(one, Ref)]
    return next((step for step in plan.steps if [step.id] == named), plan.steps[-1])


def _is_unread(plan: Plan, question: str, tools: Toolbox) -> bool:
    """Whether a plan answers with what a tool found: without an answer line, or a question with what was searched."""
    tool = tools[_answers_with(plan).tool]
    if plan.answer_template is None:
        return tool.outside
    alone = len(plan.answer_template) == 1 and isinstance(plan.answer_template[0], Ref)
    return alone and question.rstrip().endswith("?") and searches(tool.name, tool.description)


def with_reader(plan: Plan, question: str, tools: Iterable[str]) -> Plan:
    """The plan of a small model that forgot how to end it: what it answers with is read, if a tool can do that."""
    reader, last = next(filter(is_model, tools), ""), _answers_with(plan)
    if not reader:
        return plan
    asked = question.rstrip(" ?.")
    step = Step(free_id(step.id for step in plan.steps), "", reader, (f"{asked}, given ", Ref(last.id), "?"))
    found = Diagnostic(
        "unread", f"The plan answers with what {last.tool} finds.", last.line or 1, 1, f"{reader} reads it"
    )
    kept = (one for one in plan.diagnostics if one.kind != "no_answer")
    return replace(plan, steps=(*plan.steps, step), answer_template=(Ref(step.id),), diagnostics=(*kept, found))


def _loop_after(text: str) -> Diagnostic:
    message = "From here on the model wrote the same over and over."
    return Diagnostic("repetition", message, text.count("\n") + 1, 1, "left out")


# -- Prose in place of a plan

_PROSE = Diagnostic("prose", "The model answered without a plan.", 1, 1, "Its text is the answer; it has no sources.")
_AROUND_PROSE = {"chatter", "thoughts", "crlf", "rule"}
_LIKE_A_PLAN = re.compile(
    r"evidence[ _]?\[?\d|#E\d|^[ \t>*#-]*(?:plan|answer|question|tool|action|step \d+)[ *]*:|^\s*[\[{`<]",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE = re.compile(r"\w\W+\w.*[.!?][\"')]*\Z|\w.*[。！？]|(?:\w+\W+){4}\w", re.DOTALL)


def prose_in(error: PlanError) -> str:
    """The prose that a model wrote in place of a plan, which was refused with this error; "" where it is none."""
    return own_text(error.text).strip() if _PROSE in error.diagnostics else ""


def _is_prose(error: PlanError, tools: Toolbox) -> bool:
    """Whether a refused text is no plan with slips, but sentences without anything of a plan."""
    text = own_text(error.text).strip()
    kinds = {found.kind for found in error.diagnostics if found.repair}
    if error.kind != "empty_plan" or kinds - _AROUND_PROSE or _LIKE_A_PLAN.search(text):
        return False
    called = any(re.search(rf"{re.escape(name)}\s*[\[(]", text) for name in tools)
    return not called and _SENTENCE.search(text) is not None
