"""Questions about texts that come with them: a plan that hands the texts over and asks the model, and calls no tool.

    Plan: Take the text that was given with the question.
    :evidence0: = GivenText[stdin]
    Plan: Answer the question from it alone.
    :evidence1: = KnowledgeModel[Given :evidence0:]
    Answer: :evidence1:

KnowledgeModel makes the closed-context prompt of it, one block a text, as it does of all evidence. Being evidence, the
texts are on record: such a run is replayed, forked and explained like any other. A form feed in a text begins its next
page, as in what pdftotext writes: the pages are sources of their own, ``lease.pdf#page=2``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from airoagent.engine.session import Session
from airoagent.errors import StoreError, UsageError
from airoagent.events import Evidence, Source
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Ref, Step
from airoagent.records.run_record import Run
from airoagent.toolbox.tool import ToolOutput, as_tool

GIVEN_TEXT = "GivenText"
_MOST = 10  # texts of one question: as many as HotpotQA gives
_PLAN_SIGNS = re.compile(r"[^\w .,()+-]")  # what a name may not hold: brackets, signs of references, newlines

Texts = str | Mapping[str, str] | Sequence[tuple[str, str]]
"""A text, or several with a name each."""


def plan_about(texts: Texts) -> tuple[Plan, dict[str, str]]:
    """The plan that answers from these texts alone, and the texts by the names it has for them.

    A text without a name is called ``text``. UsageError for one without a word in it, and for more than 10.
    """
    pairs = (
        [("text", texts)] if isinstance(texts, str) else list(texts.items() if isinstance(texts, Mapping) else texts)
    )
    empty = next((name for name, text in pairs if not text.strip()), None)
    if empty is not None:
        raise UsageError(f"there is nothing in {empty} to answer from", "give a text with words in it")
    if len(pairs) > _MOST:
        raise UsageError(
            f"{len(pairs)} texts are too many for one question: {_MOST} at most",
            "put them in a folder and name it with --docs",
        )
    named: dict[str, str] = {}
    for name, text in pairs:
        plain = _PLAN_SIGNS.sub("_", name).strip() or "text"
        names = (plain, *(f"{plain} ({number})" for number in range(2, _MOST + 1)))
        named[next(name for name in names if name not in named)] = text
    words = "text that was" if len(named) == 1 else "texts that were"
    steps = [
        Step(f"evidence{number}", "" if number else f"Take the {words} given with the question.", GIVEN_TEXT, (name,))
        for number, name in enumerate(named)
    ]
    template: list[str | Ref] = []
    for step in steps:
        template += [" and " if template else "Given ", Ref(step.id)]
    last = Step(f"evidence{len(steps)}", "Answer the question from that alone.", "KnowledgeModel", tuple(template))
    return Plan((*steps, last), (Ref(last.id),)), named


def with_texts(session: Session, texts: Mapping[str, str]) -> Session:
    """The same session with a tool that hands over each text by its name."""

    async def given_text(name: str) -> ToolOutput:
        """Hands over a text that was given with the question."""
        if name not in texts:
            raise UsageError(f"no text {name!r} was given", f"given: {', '.join(texts)}")
        return _paged(name, texts[name].split("\f"))

    return session.with_tools(as_tool(given_text, name=GIVEN_TEXT, private=True))


_NUMBER = re.compile(r"#[a-z]+=([0-9]{1,5})\Z")  # of an imported record anything may be said


def _paged(name: str, pages: list[str]) -> ToolOutput:
    """A text with its pages as sources, called as in addresses of documents; those without a word are none."""
    if len(pages) == 1:
        return ToolOutput(pages[0], (Source(name),))
    from airoagent.documents.binary_files import place_of

    place = place_of(name)
    text, sources = "", []
    for number, page in enumerate(map(str.strip, pages), 1):
        if page:
            text += f"\n\n{page}" if text else page
            sources.append(Source(f"{name}#{place}={number}", start=len(text) - len(page), end=len(text)))
    return ToolOutput(text, tuple(sources))


def text_given(evidence: Evidence) -> str:
    """The text that was given with a question, as it is on record: with a form feed between its pages."""
    parts = [one for one in evidence.sources if one.end]
    numbered = {
        int(found[1]): evidence.text[one.start : one.end] for one in parts if (found := _NUMBER.search(one.url))
    }
    if not parts or len(numbered) < len(parts):
        return evidence.text
    return "\f".join(numbered.get(number, "") for number in range(1, max(numbered) + 1))


def with_texts_of(session: Session, run: Run, *, new_plan: bool = False) -> Session:
    """The session as a recorded run needs it: with the texts that had been given with its question, the schema of its
    answer, and MCP servers only where its plan (or a new one) may call them.

    StoreError where it had some that did not get on record before it was stopped.
    """
    if schema := run.setting("schema"):
        from airoagent.engine.structured import answer_schema

        session = replace(session, form=answer_schema(schema))
    if GIVEN_TEXT not in run.tools:
        return session if new_plan or run.plan is None else session.needing(step.tool for step in run.plan.steps)
    steps = () if run.plan is None else run.plan.steps
    mine = [step for step in steps if step.tool == GIVEN_TEXT]
    if not mine or any(step.id not in run.evidence for step in mine):
        raise StoreError(
            f"the run {run.id} was stopped before the text that came with its question was on record", "ask again"
        )
    return with_texts(session.needing(()), {step.input: text_given(run.evidence[step.id]) for step in mine})
