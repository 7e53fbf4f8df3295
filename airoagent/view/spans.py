"""OpenTelemetry spans of a run, made from its events: extra ``otel``.

    agent.run("Where do otters sleep?", watch=Spans())

One span ``invoke_agent`` a run; below it ``plan``, one ``execute_tool`` an attempt at a step, and one ``chat`` a model
call, below the plan or the step it was made for. Names and attributes are those of the GenAI semantic conventions.
Contents (question, prompts, inputs, evidence, answer) are left out unless asked for: they may be private.

`exported_spans` sends them by OTLP over HTTP to where OTEL_EXPORTER_OTLP_ENDPOINT says (http://localhost:4318 without
it), with the headers, the service name and the limits that the other OTEL_ variables give; on the command line that is
``--spans on``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airoagent.events import (
    AttemptFailed,
    Event,
    Failure,
    ModelCalled,
    PlanParsed,
    PlanRefused,
    Replanned,
    RunFinished,
    RunResumed,
    RunStarted,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepStarted,
)
from airoagent.extras import require

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult
    from opentelemetry.trace import Span, Tracer


_PLANNING = {"gen_ai.operation.name": "plan"}
_PATIENCE = 3.0  # seconds for a collector that does not answer; OTEL_EXPORTER_OTLP_TIMEOUT says otherwise


class Spans:
    """A ``watch`` that turns the events of one run into spans.

    ``tracer`` is where they go (None: the one that the program has set up for OpenTelemetry); with ``contents`` texts
    go along. MissingExtra without the package.
    """

    def __init__(self, tracer: Tracer | None = None, *, contents: bool = False) -> None:
        require("writing spans", "otel", "opentelemetry.trace")
        from opentelemetry import trace

        self._trace = trace
        self._tracer = tracer or trace.get_tracer("airoagent")
        self._contents = contents
        self._run: Span | None = None
        self._plan: Span | None = None
        self._steps: dict[str, Span] = {}
        self._model = ""

    def __call__(self, event: Event) -> None:
        """Open or close the spans that the event is about."""
        match event:
            case RunStarted() | RunResumed():
                self._begin(event)
            case Replanned():
                self._plan = self._open("plan", event.at, self._run, _PLANNING)
            case PlanParsed() | PlanRefused():
                self._close(self._plan, event.at, getattr(event, "failure", None))
                asked_again = isinstance(event, PlanRefused) and event.retry
                self._plan = self._open("plan", event.at, self._run, _PLANNING) if asked_again else None
            case StepStarted():
                attributes = {
                    "gen_ai.operation.name": "execute_tool",
                    "gen_ai.tool.name": event.tool,
                    "gen_ai.tool.call.id": event.step,
                    "airo.attempt": event.attempt,
                }
                attributes |= self._text("gen_ai.tool.call.arguments", event.input)
                self._steps[event.step] = self._open(f"execute_tool {event.tool}", event.at, self._run, attributes)
            case ModelCalled():
                self._model_call(event)
            case StepFinished() | StepFailed() | AttemptFailed() | StepCancelled():
                self._step_ended(event)
            case RunFinished():
                self._end(event)
            case _:
                return

    def _begin(self, event: RunStarted | RunResumed) -> None:
        self._model = event.model
        attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "airoagent",
            "gen_ai.request.model": event.model,
            "gen_ai.conversation.id": event.run,
        }
        if isinstance(event, RunStarted):
            attributes |= self._text("airo.question", event.question)
        self._run = self._open("invoke_agent airoagent", event.at, None, attributes)
        if isinstance(event, RunStarted) or event.afresh:
            self._plan = self._open("plan", event.at, self._run, _PLANNING)

    def _model_call(self, event: ModelCalled) -> None:
        parent = self._steps.get(event.step) if event.step else self._plan
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": event.model,
            "gen_ai.response.finish_reasons": (event.finish,),
            "gen_ai.usage.input_tokens": event.usage.prompt_tokens,
            "gen_ai.usage.output_tokens": event.usage.completion_tokens,
        }
        attributes |= self._text("gen_ai.input.messages", event.prompt) | self._text(
            "gen_ai.output.messages", event.text
        )
        span = self._open(f"chat {event.model}", event.at - event.seconds, parent or self._run, attributes)
        self._close(span, event.at, None)

    def _step_ended(self, event: StepFinished | StepFailed | AttemptFailed | StepCancelled) -> None:
        span = self._steps.pop(event.step, None)
        if span is not None and isinstance(event, StepFinished):
            span.set_attributes(
                {"airo.origin": event.origin, **self._text("gen_ai.tool.call.result", event.evidence.text)}
            )
        elif span is not None and isinstance(event, StepCancelled):
            span.set_attribute("airo.cancelled", True)
        self._close(span, event.at, getattr(event, "failure", None))

    def _end(self, event: RunFinished) -> None:
        for span in (*self._steps.values(), self._plan):
            self._close(span, event.at, None)
        if self._run is not None:
            attributes = {
                "airo.status": event.status,
                "gen_ai.usage.input_tokens": event.usage.prompt_tokens,
                "gen_ai.usage.output_tokens": event.usage.completion_tokens,
            }
            self._run.set_attributes({**attributes, **self._text("airo.answer", event.answer or "")})
        self._close(self._run, event.at, event.failure)
        self._run = self._plan = None
        self._steps.clear()

    def _text(self, name: str, text: str) -> dict[str, Any]:
        return {name: text} if self._contents else {}

    def _open(self, name: str, at: float, parent: Span | None, attributes: dict[str, Any]) -> Span:
        context = self._trace.set_span_in_context(parent) if parent is not None else None
        return self._tracer.start_span(name, context, start_time=round(at * 1e9), attributes=attributes)

    def _close(self, span: Span | None, at: float, failure: Failure | None) -> None:
        if span is None:
            return
        if failure is not None:
            message = failure.message if self._contents else None  # a message may quote an input
            span.set_status(self._trace.StatusCode.ERROR, message)
            span.set_attribute("error.type", failure.kind)
        span.end(round(at * 1e9))


def exported_spans(*, contents: bool = False) -> tuple[Callable[[], Spans], Callable[[], str]]:
    """What makes a run's spans, to be sent to a collector; and what sends the last of them, to be called at the end.

    That call gives back one sentence where not all could be sent, "" otherwise. MissingExtra without the packages.
    """
    require("sending spans", "otel", "opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

    unsent: list[int] = []

    logger = logging.getLogger("opentelemetry")  # its errors become one sentence at the end
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "airoagent"}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    patience = None if any(name.endswith("_TIMEOUT") for name in os.environ if name.startswith("OTEL_")) else _PATIENCE
    exporter = OTLPSpanExporter(timeout=patience)
    send = exporter.export

    def counted(spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = send(spans)
        if result is not SpanExportResult.SUCCESS:
            unsent.append(len(spans))
        return result

    exporter.export = counted
    provider.add_span_processor(BatchSpanProcessor(exporter))

    def finish() -> str:
        provider.shutdown()
        where = getattr(exporter, "_endpoint", "the collector")
        return f"{sum(unsent)} spans could not be sent to {where}" if unsent else ""

    return lambda: Spans(provider.get_tracer("airoagent"), contents=contents), finish
