"""Runs as documents to keep or send: Markdown, and HTML without script or network.

A report has the question and the answer, the sources with their quotes, a picture of the plan, and for each step its
input and evidence. Text of models and pages is text in it: escaped for each form, never markup.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from airoagent.errors import PlanError
from airoagent.events import InputEdited, StepFinished
from airoagent.findings import visible
from airoagent.plan.drawing import draw_plan
from airoagent.plan.plans import Plan
from airoagent.records.run_record import Run, account_text, quotes_by_page
from airoagent.view.plan_layout import HIGH, lay_out

_MOST_TEXT = 20_000  # characters of an input or an evidence
_MOST_DRAWN = 200  # steps of a plan that is drawn


def markdown_report(runs: Iterable[Run]) -> str:
    """The runs as Markdown; the picture of a plan is a mermaid diagram."""
    return "\n---\n\n".join("\n".join(_markdown(run)) for run in runs)


def html_report(runs: Iterable[Run]) -> str:
    """The runs as one HTML page."""
    runs = list(runs)
    return html_page((runs[0].question or runs[0].id)[:80] if runs else "airo", "<hr>".join(map(run_section, runs)))


def html_page(title: str, body: str, style: str = "") -> str:
    """A page with this body, which is markup already; it may load and run nothing."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{shown(title)}</title>'
    policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    return f"<!doctype html>\n<html>{policy}{head}<style>{_STYLE}{style}</style>\n<body>{body}</body></html>\n"


# What both forms say ------------------------------------------------------------------------------------------------


def _outcome(run: Run) -> str:
    if run.answer is not None:
        return run.answer
    return f"No answer: {run.failure.message if run.failure else run.status}"


def _steps(run: Run) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Of each step: its heading, its purpose, and its texts with what they are."""
    edited = {event.step: event.input for event in run.events if isinstance(event, InputEdited)}
    seconds = {event.evidence.id: event.seconds for event in run.events if isinstance(event, StepFinished)}
    for step in run.plan.steps if run.plan else ():
        took = f", {seconds[step.id]:.2f} s" if step.id in seconds else ""
        texts = [("Input", edited.get(step.id, step.input))]
        if step.id in run.failed:
            texts.append(("Failure", run.failed[step.id].message))
        elif step.id in run.evidence:
            note = run.evidence[step.id].note
            texts.append((f"Evidence ({note})" if note else "Evidence", run.evidence[step.id].text))
        yield f"{step.id}: {step.tool} ({run.step_status(step.id)}{took})", step.thought, texts


def _facts(run: Run) -> dict[str, str]:
    facts = {
        "Run": run.id,
        "Date": datetime.fromtimestamp(run.started, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Model": run.model,
        "Status": f"{run.status}, {run.seconds:.1f} s",
        "Tokens": account_text(run.account),
        "Parent": run.parent,
        "Said": run.setting("said"),
    }
    return {name: fact for name, fact in facts.items() if fact}


def _cut(text: str, run: Run) -> str:
    """A text without what could act on a terminal, at most so much of it."""
    lines = "\n".join(visible(line) for line in text[:_MOST_TEXT].split("\n"))
    more = f"\n... ({len(text):,} characters; all of it: airo runs show {run.id})"
    return lines + more if len(text) > _MOST_TEXT else lines


def _line(text: str) -> str:
    return visible(" ".join(text.split()))


# Markdown -----------------------------------------------------------------------------------------------------------

# Signs of inline markup; what begins a block, where it stands first; addresses that become links by themselves.
_MARKUP = re.compile(
    r"[\\`*_\[\]<>#|~&$!@^]|^[-+=](?=[ \-+=]|$)|(?<=^\d)[.)]|(?<=^\d\d)[.)]|:(?=//)|(?<=\bwww)\.", re.I
)


def _plain(text: str) -> str:
    """Text on one line as Markdown that shows it as it is."""
    return _MARKUP.sub(r"\\\g<0>", _line(text))


def _fenced(text: str) -> list[str]:
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return [f"{fence}text", text, fence, ""]


def _markdown(run: Run) -> Iterator[str]:
    yield from (f"# {_plain(run.question) or 'Run'}", "")
    yield from (f"{_plain(part)}\n" for part in _outcome(run).split("\n") if part.strip())
    if sources := quotes_by_page(run.sources):
        yield from ("## Sources", "")
        for (url, title), quotes in sources.items():
            yield f"- {_plain(title)} ({_plain(url)})" if title else f"- {_plain(url)}"
            yield from (f"  > {_plain(quote)}" for quote in quotes)
        yield ""
    if run.plan and (picture := _drawn(run.plan)):
        yield from ("## Plan", "", "```mermaid", picture.rstrip("\n"), "```", "")
    for number, (heading, thought, texts) in enumerate(_steps(run)):
        yield from () if number else ("## Steps", "")
        yield from (f"### {_plain(heading)}", "", *([_plain(thought), ""] if thought else []))
        for name, text in texts:
            yield from (f"{_plain(name)}:", "", *_fenced(_cut(text, run)))
    yield from ("## Record", "")
    yield from (f"- {name}: {_plain(fact)}" for name, fact in _facts(run).items())
    yield ""


def _drawn(plan: Plan) -> str:
    try:
        return draw_plan(plan, "mermaid") if 0 < len(plan.steps) <= _MOST_DRAWN else ""
    except PlanError:  # a plan put together by hand may have no graph
        return ""


# HTML ---------------------------------------------------------------------------------------------------------------

_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;"
    "padding:0 1rem}h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}h3{font-size:1rem;margin-bottom:0}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#8881;padding:.6rem;border-radius:4px;"
    "max-height:24rem;overflow:auto}blockquote{margin:.3rem 0;padding-left:.8rem;border-left:3px solid #8886}"
    ".answer{font-size:1.1rem}.plan{overflow-x:auto}svg text{font:12px system-ui,sans-serif;fill:currentColor}"
    "svg rect{fill:Canvas;stroke:#8889}svg path{fill:none;stroke:#888}svg .tip{fill:#888}small,dt{opacity:.7}"
    "dd{margin:0 0 .4rem}@media print{pre{max-height:none}}"
)


def run_section(run: Run) -> str:
    """What the page of a run says, as markup."""
    return "\n".join(_html(run))


def shown(text: str) -> str:
    """Text on one line as markup that shows it as it is."""
    return html.escape(_line(text))


def _html(run: Run) -> Iterator[str]:
    yield f"<h1>{shown(run.question) or 'Run'}</h1>"
    yield from (f'<p class="answer">{shown(part)}</p>' for part in _outcome(run).split("\n") if part.strip())
    if sources := quotes_by_page(run.sources):
        yield "<h2>Sources</h2><ul>"
        for (url, title), quotes in sources.items():
            web = url.startswith(("https://", "http://"))
            address = f'<a href="{html.escape(url)}" rel="noreferrer">{shown(url)}</a>' if web else shown(url)
            quoted = "".join(f"<blockquote>{shown(quote)}</blockquote>" for quote in quotes)
            yield f"<li>{shown(title)} <small>{address}</small>{quoted}</li>"
        yield "</ul>"
    if run.plan and (picture := _svg(run.plan)):
        yield f'<h2>Plan</h2><div class="plan">{picture}</div>'
    for number, (heading, thought, texts) in enumerate(_steps(run)):
        yield ("" if number else "<h2>Steps</h2>") + f"<h3>{shown(heading)}</h3>" + f"<div>{shown(thought)}</div>"
        yield from (f"<small>{shown(name)}</small><pre>{html.escape(_cut(text, run))}</pre>" for name, text in texts)
    facts = "".join(f"<dt>{name}</dt><dd>{shown(fact)}</dd>" for name, fact in _facts(run).items())
    yield f"<h2>Record</h2><dl>{facts}</dl>"


def _svg(plan: Plan) -> str:
    drawing = lay_out(plan, 800, 220)
    if drawing is None:
        return ""
    drawn = [f'<path d="{line.path}"/><path class="tip" d="{line.tip}"/>' for line in drawing.lines]
    for box in drawing.boxes:
        step, room = plan.step(box.id) if box.id else None, int((box.wide - 18) / 7)
        words = {19: f"{step.id}  {step.tool}", 36: step.input} if step else {28: "Answer"}
        round = 9 if step else HIGH // 2
        drawn.append(f'<rect x="{box.x}" y="{box.y}" width="{box.wide}" height="{HIGH}" rx="{round}"/>')
        drawn += [
            f'<text x="{box.x + 10}" y="{box.y + y}">{shown(word[:room] + "…" * (len(word) > room))}</text>'
            for y, word in words.items()
        ]
    size = f'width="{drawing.width}" height="{drawing.height}" viewBox="0 -3 {drawing.width} {drawing.height + 4}"'
    return f'<svg {size} role="img" aria-label="the plan">{"".join(drawn)}</svg>'
