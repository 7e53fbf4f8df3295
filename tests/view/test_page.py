"""The page of a run: what the file holds, and what a real browser makes of it."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import pytest

from airoagent import Agent, Policy, Run, ScriptedModel, Source, ToolError, tool
from airoagent.events import (
    Evidence,
    ModelCalled,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepStarted,
    Usage,
)
from airoagent.toolbox.tool import ToolOutput
from airoagent.view.page import data_block, render_page, run_data
from tests.running import make_agent, run_plan
from tests.view.conftest import Show

HOSTILE = (
    "</script><script>window.pwned = 1</script><img src=x onerror='window.pwned = 2'>"
    "<!--<script>--><svg onload=window.pwned=3>{{script}} {{data}} :evidence0: ]]> \u2028\u2029 \ud800 &lt;b&gt;"
)


class _Tags(HTMLParser):
    """The tags of a page and what its script blocks hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: list[str] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.blocks.append("")
        self._inside = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.blocks[-1] += data


def search(text: str) -> str:
    """Searches."""
    return f"found: {text}"


def think(text: str) -> str:
    """Thinks."""
    return "in kelp"


PLAN = """Plan: Look.
:evidence0: = search[where otters sleep]
Plan: Read.
:evidence1: = think[What is in :evidence0:?]
Answer: They sleep :evidence1:."""


def data_of(page: str) -> dict[str, Any]:
    return dict(json.loads(_Tags(page).blocks[0]))


def hostile_run() -> Run:
    """A run in which everything that a model or a page can write is hostile."""

    @tool
    def search(text: str) -> ToolOutput:
        """Searches."""
        return ToolOutput(
            HOSTILE,
            (
                Source("javascript:window.pwned=4", HOSTILE, HOSTILE),
                Source("https://a.example/'\"><script>window.pwned=5</script>", HOSTILE),
                Source("data:text/html,<script>window.pwned=6</script>"),
                Source(" https://spaced.example/"),
                Source("https://good.example/otters", "Otters"),
            ),
            note=HOSTILE,
        )

    def fails(text: str) -> str:
        """Fails."""
        raise ToolError(HOSTILE, HOSTILE)

    plan = (
        f"Plan: {HOSTILE.replace(chr(0x2028), '')}\n:evidence0: = search[<b>x</b>]\n"
        "Plan: b\n:evidence1: = fails[:evidence0:]\nAnswer: :evidence0:"
    )
    run = make_agent(plan, search, fails, on_error="skip").run(HOSTILE)
    extra = ModelCalled(
        step="evidence0",
        purpose="answer",
        model=HOSTILE,
        prompt=HOSTILE + "\nmany words in a line of a prompt" * 1000,
        text=HOSTILE,
        finish="stop",
        usage=Usage(),
        seconds=0,
    )
    return Run.from_events([*run.events[:-1], extra, run.events[-1]])


def test_the_file_holds_every_evidence_and_prompt_and_nothing_to_load() -> None:
    run = run_plan(PLAN, search, think)
    page = render_page(run)
    data = data_of(page)
    finished = {
        event["step"]: event["evidence"]["text"] for event in data["events"] if event["type"] == "step_finished"
    }
    assert finished == {id: found.text for id, found in run.evidence.items()}
    assert [event["prompt"] for event in data["events"] if event["type"] == "model_called"]
    assert not re.search(r"\bsrc=|<link (?!rel=\"icon\" href=\"data:,\")|@import|url\(|https?://(?!www\.w3\.org)", page)


def test_the_policy_of_the_page_names_its_script_and_style_and_forbids_the_rest() -> None:
    page = render_page(run_plan(PLAN, search, think))
    policy = next(attrs["content"] for tag, attrs in _Tags(page).tags if "http-equiv" in attrs)
    rules = dict(rule.split(" ", 1) for rule in str(policy).split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert re.fullmatch(r"'sha256-[\w+/=]{44}'", rules["script-src"])
    assert re.fullmatch(r"'sha256-[\w+/=]{44}'", rules["style-src"])
    assert "unsafe" not in str(policy) and "connect-src" not in rules


def test_hostile_text_adds_no_tag_to_the_file() -> None:
    harmless, hostile = render_page(run_plan(PLAN, search, think)), render_page(hostile_run())
    assert [tag for tag, _ in _Tags(hostile).tags] == [tag for tag, _ in _Tags(harmless).tags]
    assert data_of(hostile)["events"][0]["question"] == HOSTILE


@pytest.mark.parametrize("text", ["</script>", "<!--", "]]>", "&amp;", "\u2028", "\u2029", "\ud800", "\x00", '"'])
def test_a_data_block_is_ascii_without_markup_and_reads_back_the_same(text: str) -> None:
    block = data_block({"text": text})
    assert block.isascii() and not set("<>&") & set(block)
    assert json.loads(block) == {"text": text}


def test_an_input_that_is_only_the_plan_filled_in_is_not_written_twice() -> None:
    run = run_plan(PLAN, search, think)
    started = [event for event in run_data(run)["events"] if event["type"] == "step_started"]
    assert [event["input"] for event in started] == [None, None]
    edited = [replace(event, input="another") if isinstance(event, StepStarted) else event for event in run.events]
    started = [event for event in run_data(Run.from_events(edited))["events"] if event["type"] == "step_started"]
    assert [event["input"] for event in started] == ["another", "another"]


def test_a_recorded_step_knows_its_line_in_the_text_that_the_model_wrote() -> None:
    run = run_plan("Here is a plan.\n\n" + PLAN, search, think)
    again = Run.from_events(run.events)
    assert [step["line"] for step in run_data(again)["plan"]["steps"]] == [4, 6]


def test_a_run_that_was_cut_in_the_middle_of_its_plan_shows_the_steps_that_were_certain() -> None:
    run = make_agent(PLAN, search, think).run("q")
    first = next(n for n, event in enumerate(run.events) if event.type == "step_finished")
    steps = run_data(Run.from_events(run.events[: first + 1]))["plan"]["steps"]
    assert steps[0]["template"] == [{"text": "where otters sleep"}]


def test_scripts_never_make_markup_of_text() -> None:
    for name in ("common.js", "page.js", "list.js"):
        script = (files("airoagent.view") / name).read_text(encoding="utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|DOMParser", script
        )


def test_pages_are_short_enough_to_be_kept_without_a_build() -> None:
    names = ("page.html", "page.css", "common.js", "page.js", "list.html", "list.js")
    assert sum(len((files("airoagent.view") / name).read_text().splitlines()) for name in names) < 1500


# In a browser -------------------------------------------------------------------------------------------------------


def test_the_page_draws_the_run_and_asks_nothing_of_the_network(show: Show) -> None:
    page = show(run_plan(PLAN, search, think))
    assert page.run("document.querySelector('.said').textContent") == "They sleep in kelp."
    assert page.run("document.querySelectorAll('#graph g.box').length") == 3
    assert page.run("document.querySelectorAll('#graph path.edge').length") == 2
    assert page.run("[...document.querySelectorAll('.step')].map((one) => one.dataset.status)") == ["done", "done"]
    assert page.problems == []
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []


def test_the_filled_in_input_marks_what_was_inserted(show: Show) -> None:
    page = show(run_plan(PLAN, search, think))
    page.press("j", "j", "o")
    box = "document.querySelector('[data-field=\"evidence1/filled\"]')"
    assert page.run(f"[...{box}.querySelectorAll('mark')].map((one) => one.textContent)") == [
        "found: where otters sleep"
    ]
    assert page.run(f"{box}.querySelector('.from').textContent") == "evidence0"
    page.run("[...document.querySelectorAll('.tabs button')].find((one) => one.textContent === 'as written').click()")
    written = page.run("document.querySelector('[data-field=\"evidence1/written\"]').textContent")
    assert written == "What is in evidence0?"


def test_hostile_text_is_shown_as_text_and_runs_nothing(show: Show) -> None:
    run = hostile_run()
    page = show(run)
    page.press("a")
    page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.until("document.querySelectorAll('details .text').length >= 4")
    assert page.run("window.pwned === undefined")
    assert page.run("document.querySelectorAll('img, iframe, object, embed, main script, main style').length") == 0
    links = page.run("[...document.querySelectorAll('main a')].map((one) => one.getAttribute('href'))")
    assert set(links) <= {"https://a.example/'\"><script>window.pwned=5</script>", "https://good.example/otters"}
    assert "https://good.example/otters" in links
    assert page.run("[...document.querySelectorAll('main a')].every((one) => /noopener/.test(one.rel))")
    shown = page.run("document.querySelector('[data-field=\"evidence0/output\"]').textContent")
    assert shown == run.evidence["evidence0"].text == HOSTILE.replace("\ud800", "\ufffd")
    assert page.problems == []


def test_private_evidence_and_an_unanswered_run_are_marked(show: Show) -> None:
    run = run_plan(PLAN, search, think)
    marked = [
        replace(event, evidence=replace(event.evidence, private=True, answered=False))
        if isinstance(event, StepFinished)
        else event
        for event in run.events
    ]
    facts, label = (
        "document.querySelector('.step .facts').textContent",
        "document.querySelector('.answer .label').textContent",
    )
    page = show(run)
    assert ("private" in page.run(facts), page.run(label)) == (False, "Answer")
    page = show(Run.from_events(marked))
    assert ("private" in page.run(facts), page.run(label)) == (True, "Not answered")


def test_the_policy_stops_a_script_that_was_put_into_the_file(chromium: Any, tmp_path: Any) -> None:
    file = tmp_path / "changed.html"
    page = render_page(run_plan(PLAN, search, think))
    file.write_text(page.replace("</main>", "</main><script>window.pwned = 1</script>"), encoding="utf-8")
    chromium.open(file.as_uri())
    assert chromium.run("window.pwned === undefined")
    assert any("Content Security Policy" in problem for problem in chromium.problems)


def test_ten_thousand_lines_are_all_there_in_a_bounded_number_of_elements(show: Show) -> None:
    lines = [f"line {n}: otters sleep afloat, {'x' * (n % 40)}" for n in range(10_000)]

    def search(text: str) -> str:
        """Searches."""
        return "\n".join(lines)

    page = show(run_plan(PLAN, search, think))
    page.press("a")
    box = "document.querySelector('[data-field=\"evidence0/output\"]')"
    assert page.run(f"{box}.textContent") == "\n".join(lines)
    assert page.run(f"getComputedStyle({box}.firstElementChild).contentVisibility") == "auto"
    assert page.run("document.querySelectorAll('*').length") < 1500
    page.run("document.getElementById('search').value = 'line 9876:'; find('line 9876:'); visit(0)")
    place = page.run(
        f"(() => {{ const at = [...CSS.highlights.get('hit')][0].getBoundingClientRect(), box = {box}"
        ".getBoundingClientRect(); return at.top >= box.top && at.bottom <= box.bottom; })()"
    )
    assert place is True
    assert page.problems == []


def test_one_line_without_end_is_cut_between_characters(show: Show) -> None:
    def search(text: str) -> str:
        """Searches."""
        return "\U0001f9a6" * 200_000

    page = show(run_plan(PLAN, search, think))
    page.press("a")
    box = "document.querySelector('[data-field=\"evidence0/output\"]')"
    assert page.run(f"{box}.childElementCount") < 300
    assert page.run(f"[...{box}.children].every((one) => one.textContent.isWellFormed())")
    assert page.run(f"{box}.textContent.length") == 400_000


def test_keys_move_open_search_and_show_help(show: Show) -> None:
    page = show(run_plan(PLAN, search, think))
    selected = "document.querySelector('.step.selected')?.id"
    page.press("j")
    assert page.run(selected) == "step-evidence0"
    page.press("j", "Enter")
    assert page.run(selected) == "step-evidence1"
    assert page.run("document.querySelector('.step.selected .more') !== null")
    page.press("k")
    assert page.run(selected) == "step-evidence0"
    page.press("/", "o", "t", "t", "e", "r")
    page.until("document.querySelectorAll('#hits button').length > 0")
    assert page.run("document.getElementById('search').value") == "otter"
    page.press("Enter", "Escape", "?")
    assert page.run("document.getElementById('keys').open")
    page.press("Escape")
    assert page.problems == []


def test_the_page_is_dark_where_the_system_is_and_when_asked(show: Show) -> None:
    page = show(run_plan(PLAN, search, think))
    light = page.run("getComputedStyle(document.body).backgroundColor")
    page.look(dark=True)
    page.until("document.documentElement.dataset.theme === 'dark'")
    assert page.run("getComputedStyle(document.body).backgroundColor") != light
    page.press("t")
    assert page.run("document.documentElement.dataset.theme") == "light"
    page.run("localStorage.clear()")


@pytest.mark.parametrize("width", [380, 700, 1000, 1600])
def test_nothing_stands_out_of_its_card_or_of_the_window(show: Show, width: int) -> None:
    page = show(hostile_run())
    page.look(width=width, height=800)
    page.press("a")
    page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.until("document.querySelectorAll('details .text').length >= 4")
    assert page.run("document.documentElement.scrollWidth") <= width
    out = """[...document.querySelectorAll('.step *, .panel *')].filter((one) => !one.closest('svg, .lane')
        && one.getBoundingClientRect().right > one.closest('.step, .panel').getBoundingClientRect().right + 1
        && !one.closest('.text')).map((one) => `${one.tagName} ${one.className} ${one.textContent.slice(0, 40)}`)"""
    assert page.run(out) == []
    boxes = "[...document.querySelectorAll('.text')]"
    assert page.run(f"{boxes}.every((one) => one.scrollWidth <= one.clientWidth + 1)")


def test_a_failed_run_shows_tries_repairs_and_what_was_not_run(show: Show) -> None:
    tries: list[str] = []

    def flaky(text: str) -> str:
        """Works at the second try."""
        tries.append(text)
        if len(tries) == 1:
            raise ToolError("not yet", retryable=True)
        return "here"

    def fails(text: str) -> str:
        """Never works."""
        raise ToolError("no luck", "try another")

    plan = (
        "Plan: a\n:evidence0: = Flaky[x]\nPlan: b\n:evidence1: = fails[:evidence0:]\n"
        "Plan: c\n:evidence2: = think[:evidence1:]\nAnswer: :evidence2:"
    )
    page = show(run_plan(plan, flaky, fails, think, on_error="skip", retries=1))
    page.press("a")
    text = page.run("document.querySelector('main').innerText")
    assert [page.run(f"document.getElementById('step-evidence{n}').dataset.status") for n in range(3)] == [
        "done",
        "failed",
        "skipped",
    ]
    for words in ("not yet", "2 tries", "no luck", "try another", "tool_name", "Not run:"):
        assert words in text
    assert page.run("document.querySelectorAll('.lane b').length") == 5  # the plan, two tries and a wait, one try
    assert page.problems == []


def test_a_plan_of_two_hundred_steps_is_drawn(show: Show) -> None:
    words = ["".join(pair) for pair in itertools.product("abcdefghijklmno", repeat=2)]  # no two steps say the same
    steps = [
        f"Plan: {words[n]}\n:evidence{n}: = think[{f':evidence{n - 1}: ' if n % 5 else ''}{words[n]}]"
        for n in range(200)
    ]
    page = show(run_plan("\n".join(steps) + "\nAnswer: :evidence199:", think))
    assert page.run("document.querySelectorAll('#graph g.box').length") == 201
    assert page.problems == []


@pytest.mark.parametrize("width", [390, 1280])
def test_a_wide_plan_is_zoomed_and_dragged(show: Show, width: int) -> None:
    steps = [f"Plan: s\n:evidence{n}: = search[part {n}]" for n in range(9)]
    page = show(run_plan("\n".join(steps) + "\nAnswer: " + " ".join(f":evidence{n}:" for n in range(9)), search))
    page.look(width=width)
    size = "Number(document.querySelector('#graph svg').getAttribute('width'))"
    left = "document.getElementById('graph').scrollLeft"
    room = page.run("document.getElementById('graph').clientWidth")
    assert page.run(size) > room and page.run(left) > 0, "large enough to read, and in the middle"
    assert page.run("document.documentElement.scrollWidth") <= width
    first = page.run(size)
    page.run("document.getElementById('in').click()")
    assert page.run(size) == pytest.approx(first * 1.3)
    before = page.run(left)
    page.run("document.getElementById('graph').scrollIntoView({ block: 'center' })")
    x, y = page.run(
        "(() => { const b = document.getElementById('graph').getBoundingClientRect();"
        " return [b.left + b.width / 2, b.top + 30]; })()"
    )
    for kind, at in (("mousePressed", x), ("mouseMoved", x + 40), ("mouseReleased", x + 40)):
        page.call("Input.dispatchMouseEvent", type=kind, x=at, y=y, button="left", buttons=1, clickCount=1)
    assert page.run(left) == pytest.approx(before - 40, abs=2)
    assert page.run("document.querySelector('.step.selected') === null"), "to drag is not to click"
    page.run("document.getElementById('fit').click()")
    assert page.run(size) <= room + 1
    if width == 1280:
        page.run("document.getElementById('across').click()")
        assert page.run("document.getElementById('graph').clientWidth") > 1000 and page.run(size) > room
    assert page.problems == []


@pytest.mark.parametrize("cut", [1, 3, 6])
def test_a_run_that_has_not_ended_says_so(show: Show, cut: int) -> None:
    run = run_plan(PLAN, search, think)
    page = show(Run.from_events(run.events[:cut]))
    assert page.run("document.querySelector('.pill').textContent") == "interrupted"
    assert page.problems == []


def test_a_refused_plan_shows_its_text_and_where_it_is_wrong(show: Show) -> None:
    run = make_agent("Plan: a\n:evidence0: = nothing_like_it[x]\nAnswer: :evidence0:", search).run("q")
    page = show(run)
    assert "unknown_tool" in page.run("document.getElementById('plan').innerText")
    assert page.run("document.querySelector('.pill').textContent") == "failed"
    assert page.problems == []


def test_a_trace_with_strange_step_names_harms_nothing(show: Show) -> None:
    at = 1.0
    events = [
        RunStarted(run="__proto__", question="q", model="m", at=at),
        StepStarted(step="__proto__", tool="constructor", input="i", at=at),
        StepFinished(Evidence("__proto__", "constructor", "t", at=at), attempt=1, seconds=1),
        StepFinished(Evidence('"]<b>', "x", "t", at=at), attempt=1, seconds=1),
        RunFinished(status="done", answer="a", sources=(), usage=Usage(), seconds=1, at=at),
    ]
    page = show(Run.from_events(events))
    page.press("a", "j", "j")
    assert page.run("document.querySelectorAll('.step').length") == 2
    assert page.run("document.querySelectorAll('.commands code').length") > 0
    assert "__proto__" in page.run("document.querySelector('#record .commands').innerText")
    assert page.problems == []


def test_a_plan_that_was_given_up_keeps_its_place_in_the_page(show: Show) -> None:
    def fails(text: str) -> str:
        """Fails."""
        raise ToolError("no luck")

    first = "Plan: a\n:evidence0: = search[first]\nPlan: b\n:evidence1: = fails[:evidence0:]\nAnswer: :evidence1:"
    model = ScriptedModel({"plan": [first, PLAN]})
    page = show(Agent(model, [search, think, fails], policy=Policy(replan=1), store=False).run("q"))
    assert page.run("document.querySelector('.said').textContent") == "They sleep in kelp."
    assert page.run("document.querySelectorAll('.step').length") == 2
    page.run("document.querySelectorAll('#plan details').forEach((one) => { one.open = true; })")
    text = page.run("document.getElementById('plan').innerText")
    assert "plan 1, given up" in text and "no luck" in text and "found: first" in text
    assert page.problems == []


def test_a_run_that_was_resumed_shows_how_it_ended(show: Show) -> None:
    run = run_plan(PLAN, search, think)
    ended = run.events[-1]
    assert isinstance(ended, RunFinished)
    stopped = replace(ended, status="interrupted", answer=None)
    page = show(Run.from_events([*run.events[:-1], stopped, RunResumed(run=run.id, model="another"), ended]))
    assert page.run("document.querySelector('.pill').textContent") == "done"
    assert "another" in page.run("document.getElementById('meta').innerText")
    assert page.problems == []


def test_a_function_call_is_shown_like_any_run(show: Show) -> None:
    model = ScriptedModel({"call": ['{"function": "search", "params": {"text": "otters"}}']})
    page = show(Agent(model, [search], store=False).call("look for otters", functions=[search]))
    assert page.run("document.querySelector('.pill').textContent") == "done"
    assert page.run("document.querySelector('.said').textContent") == "found: otters"
    assert page.run("document.querySelectorAll('.step').length") == 1
    assert page.problems == []


@pytest.mark.parametrize("name", ["x; rm -rf /", "$(reboot)", "--plan=x", "a b", "`id`"])
def test_a_command_to_copy_holds_no_name_that_a_shell_would_read(show: Show, name: str) -> None:
    run = run_plan(PLAN, search, think)
    assert isinstance(run.events[0], RunStarted)
    page = show(Run.from_events([replace(run.events[0], run=name, parent=name), *run.events[1:]]))
    page.press("a")
    commands = page.run("[...document.querySelectorAll('.commands code')].map((one) => one.textContent)")
    assert "airo replay FILE.jsonl" in commands and not any(name in command.split(" ", 2)[2] for command in commands)
