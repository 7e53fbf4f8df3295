"""Spans of a run: what is below what, how it ended, and no contents unless asked for."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("opentelemetry", reason="the extra otel is not installed")

from opentelemetry import trace

from airoagent import ToolError, tool
from airoagent.view.spans import Spans
from tests.recording import counting
from tests.running import make_agent


class Kept(trace.NonRecordingSpan):
    """A span that keeps what it is told."""

    def __init__(self, name: str, parent: Any, start: int, attributes: dict[str, Any]) -> None:
        super().__init__(trace.INVALID_SPAN_CONTEXT)
        self.name, self.parent, self.start, self.attributes = name, parent, start, dict(attributes)
        self.ended: int | None = None
        self.status: Any = None

    def set_attribute(self, key: str, value: Any) -> None:
        self.attributes[key] = value

    def set_attributes(self, attributes: Any) -> None:
        self.attributes.update(attributes)

    def set_status(self, status: Any, description: str | None = None) -> None:
        self.status = status

    def end(self, end_time: int | None = None) -> None:
        assert self.ended is None, f"{self.name} ended twice"
        self.ended = end_time


class Keeper(trace.NoOpTracer):
    """A tracer that keeps its spans."""

    def __init__(self) -> None:
        self.spans: list[Kept] = []

    def start_span(self, name: str, context: Any = None, **options: Any) -> Kept:  # type: ignore[override]
        parent = trace.get_current_span(context) if context is not None else None
        span = Kept(name, parent, options["start_time"], options["attributes"])
        self.spans.append(span)
        return span


PLAN = ":evidence0: = count[a]\n:evidence1: = KnowledgeModel[What, given :evidence0:?]\nAnswer: :evidence1:"


@pytest.mark.parametrize("contents", [False, True])
def test_a_run_is_a_tree_of_ended_spans(contents: bool) -> None:
    count, _ = counting()
    keeper = Keeper()
    run = make_agent(PLAN, count, answers=["secret"]).run("private?", watch=Spans(keeper, contents=contents))
    by_name = {span.name: span for span in keeper.spans if not span.name.startswith("chat")}
    assert set(by_name) == {"invoke_agent airoagent", "plan", "execute_tool count", "execute_tool KnowledgeModel"}
    top = by_name["invoke_agent airoagent"]
    assert top.parent is None and all(span.parent is top for name, span in by_name.items() if span is not top)
    chats = [span for span in keeper.spans if span.name.startswith("chat")]
    assert {id(span.parent) for span in chats} == {id(by_name["plan"]), id(by_name["execute_tool KnowledgeModel"])}
    assert all(span.ended is not None and span.start <= span.ended for span in keeper.spans)
    assert top.attributes["gen_ai.conversation.id"] == run.id and top.attributes["airo.status"] == "done"
    told = " ".join(str(span.attributes) for span in keeper.spans)
    assert ("private?" in told) is ("secret" in told) is contents


def test_a_failure_is_an_error_of_its_step_and_of_the_run() -> None:
    @tool
    async def fails(text: str) -> str:
        """Never works."""
        raise ToolError("no luck")

    keeper = Keeper()
    make_agent(":evidence0: = fails[x]\nAnswer: :evidence0:", fails).run("q", watch=Spans(keeper))
    failed = {span.name for span in keeper.spans if span.status is trace.StatusCode.ERROR}
    assert failed == {"execute_tool fails", "invoke_agent airoagent"}
    assert all(span.ended is not None for span in keeper.spans)
