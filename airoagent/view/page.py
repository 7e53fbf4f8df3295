"""One self-contained HTML file for a run: its events as data, and a script that draws them. Nothing is fetched.

The run goes into the file as JSON in a ``<script type="application/json">`` block in which no ``<``, ``>`` or ``&`` is
left, and the page's script makes text of it, never markup. The page's own rule (Content-Security-Policy) lets
run only the one script and the one style sheet whose hashes it names, and lets nothing be loaded from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from airoagent.errors import PlanError
from airoagent.events import Evidence, PlanParsed, StepStarted, to_json
from airoagent.plan.evidence import fill_text
from airoagent.plan.parser import PlanParser, parse_plan
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Ref, Template
from airoagent.prompts.harmless import visible
from airoagent.records.run_record import Run
from airoagent.view.plan_layout import lay_out

_ROOM, _WIDEST = 306, 156  # pixels that the plan has next to the steps, and of a box
_PLACE = re.compile(r"\{\{(\w+)\}\}")
# What could end the script block, start a comment in it, or end a line in old JavaScript.
_UNSAFE = re.compile("[<>&\u2028\u2029]")


def render_page(
    run: Run, *, home: str = "", follow: str = "", token: str = "", own: bool = False, folders: Sequence[str] = ()
) -> str:
    """The page of a run, whole.

    Where a server shows the page, ``home`` is the address of the list of runs, ``follow`` that of the run's further
    events, ``token`` lets the page fork the run, ``own`` says that it can be stopped there, and documents whose
    addresses begin with one of ``folders`` can be read there. In a file there is none of these, and it needs no network
    at all.
    """
    served = {"home": home, "follow": follow, "token": token, "own": own, "folders": folders}
    data = {**run_data(run), **served}
    outcome = run.status if run.answer is None else run.answer
    return assemble(
        "page.html",
        ("common.js", "page.js"),
        data,
        title=f"{run.question[:60] or run.id} · airo",
        plain=f"{run.question}\n\n{outcome}\n\nThis page needs JavaScript to show more.",
        connect=bool(home),
    )


def run_data(run: Run) -> dict[str, Any]:
    """What the page's script draws: the events, and the plan cut at its references."""
    # Text events of a live run stand whole in a later event; inputs that are only the plan filled in are put
    # together by the page, so that evidence stands in the file once.
    plan = plan_so_far(run)
    template = {step.id: step.template for step in plan.steps} if plan else {}
    events = []
    for event in run.events:
        body = to_json(event)
        if isinstance(event, StepStarted) and _is_filled(event.input, template.get(event.step), run.evidence):
            body["input"] = None
        elif isinstance(event, PlanParsed):
            body["text"] = ""  # the plan itself stands next to the events
        events.append(body)
    return {
        "run": run.id,
        "plan": None if plan is None else plan_data(plan, lines_of(run)),
        "events": events,
        "answered": run.answered,
    }


def plan_so_far(run: Run) -> Plan | None:
    """The run's plan; while it is being written, or where it was refused, the steps that are certain."""
    if run.plan is not None or not run.plan_text:
        return run.plan
    try:
        steps = tuple(PlanParser(run.tools).feed(run.plan_text))
    except PlanError:  # the record says what is wrong with the text; here there is only nothing to draw
        return None
    return Plan(steps, answer_template=()) if steps else None


def _is_filled(input: str, template: Template | None, found: dict[str, Evidence]) -> bool:
    if template is None or any(isinstance(part, Ref) and part.id not in found for part in template):
        return False
    return fill_text(template, found) == input


def lines_of(run: Run) -> dict[str, int]:
    """The line of each step in the text that the model wrote: a recorded plan knows only its canonical text."""
    try:
        return {step.id: step.line for step in parse_plan(run.plan_text, run.tools).steps}
    except PlanError:
        return {}


def plan_data(plan: Plan, lines: dict[str, int] | None = None) -> dict[str, Any]:
    """A plan for the page; ``lines`` says where its steps stand in the model's text."""
    return {
        "steps": [
            {
                "id": step.id,
                "thought": step.thought,
                "tool": step.tool,
                "template": _parts(step.template),
                "line": step.line if lines is None else lines.get(step.id, 0),
            }
            for step in plan.steps
        ],
        "answer": _parts(plan.final_template),
        "drawing": None if (drawing := lay_out(plan, _ROOM, _WIDEST)) is None else asdict(drawing),
    }


def _parts(template: Template) -> list[dict[str, str]]:
    return [{"ref": part.id} if isinstance(part, Ref) else {"text": part} for part in template]


def assemble(
    page: str,
    scripts: tuple[str, ...],
    data: dict[str, Any],
    *,
    title: str,
    plain: str = "",
    connect: bool = False,
    **more: str,
) -> str:
    """A page of this package with its style, scripts and data in it; ``connect`` lets it talk to its own server.

    ``more`` is markup for other places of the page.
    """
    script = "\n".join(_asset(name) for name in scripts)
    style = _asset("page.css")
    policy = [
        "default-src 'none'",
        *([f"script-src '{_hash(script)}'"] if scripts else []),
        f"style-src '{_hash(style)}'",
        "img-src data:",
        *(["connect-src 'self'"] if connect else []),
        "base-uri 'none'",
        "form-action 'none'",
    ]
    values = {
        "policy": "; ".join(policy),
        "title": html.escape(visible(title)),
        "style": style,
        "script": script,
        "plain": f"<pre>{html.escape(visible(plain))}</pre>" if plain else "",
        "data": data_block(data),
        **more,
    }
    # One pass: what a run holds is not read again for places to fill.
    return _PLACE.sub(lambda match: values[match[1]], _asset(page))


def document_page(title: str, url: str, text: str) -> str:
    """A document's text as a page without scripts."""
    shown = "".join(f"<p>{html.escape(visible(line))}</p>" for line in text.split("\n") if line.strip())
    title = title or url.rpartition("/")[2]
    return assemble("document.html", (), {}, title=title, url=html.escape(visible(url)), text=shown)


def data_block(value: Any) -> str:
    """A value as JSON that can stand in a script block: plain ASCII without ``<``, ``>`` and ``&``."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value))


def _asset(name: str) -> str:
    return (files("airoagent.view") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
