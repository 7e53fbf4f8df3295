"""Reports of runs: Markdown and HTML that say what happened, with text as text."""

from __future__ import annotations

import html
import re

import pytest

from airoagent import Run, Source, ToolOutput, tool
from airoagent.view.report import html_report, markdown_report
from tests.running import run_plan

NASTY = "<script>alert(1)</script> **bold** [x](javascript:alert(1)) ```` | a_b_c \x1b[2J\nhttps://evil.example # & end"


SHOWN = NASTY.replace("\x1b", "\N{REPLACEMENT CHARACTER}")


@tool
def look(text: str) -> ToolOutput:
    """Looks things up."""
    return ToolOutput(NASTY, (Source("https://a.example/?q=<b>", "A *title*", "a  quote"),), note="one page")


@tool
def fails(text: str) -> str:
    """Never works."""
    raise ValueError("no luck")


@tool
def novel(text: str) -> str:
    """Tells a long story."""
    return "word " * 10_000


@pytest.fixture
def run() -> Run:
    plan = "Plan: Look.\n:evidence0: = look[x]\n:evidence1: = look[again :evidence0:]\nAnswer: It is :evidence1:"
    return run_plan(plan, look)


def test_a_report_has_question_answer_sources_plan_steps_and_record(run: Run) -> None:
    text = markdown_report([run])
    assert text.startswith("# a question\n")
    assert "evidence0 --> evidence1" in text and "evidence1 --> answer" in text
    assert (
        "### evidence0: look (done" in text and "Evidence (one page; 1 control" in text and "again :evidence0:" in text
    )
    assert r"- A \*title\* (https\://a.example/?q=\<b\>)" in text and "  > a quote" in text
    assert f"- Run: {run.id}" in text
    page = html_report([run])
    assert "<h1>a question</h1>" in page and page.count("<rect ") == 3 and page.count("<path d=") == 2
    assert "<blockquote>a quote</blockquote>" in page and run.id in page


def test_text_of_a_page_is_text_in_a_report(run: Run) -> None:
    page = html_report([run])
    assert "<script" not in page and "javascript:alert" in page and "\x1b" not in page
    assert html.unescape(re.findall(r"<pre>(.*?)</pre>", page, re.S)[1]) == SHOWN
    text = markdown_report([run])
    fence = "`````"
    assert f"{fence}text\n" in text and "\x1b" not in text
    outside = re.sub(rf"(?s){fence}text\n.*?\n{fence}", "", text)
    assert r"\<script\>" in outside and "<script>" not in outside and r"\*\*bold\*\*" in outside
    assert r"\[x\](javascript:" in outside and r"https\://evil" in outside


def test_a_report_of_a_failed_run_says_why_and_one_without_a_plan_has_no_picture() -> None:
    failed = run_plan(":evidence0: = fails[x]\n:evidence1: = look[:evidence0:]\nAnswer: :evidence1:", fails, look)
    text = markdown_report([failed])
    assert "No answer: evidence0 (fails) failed" in text and "Failure:" in text
    assert "### evidence1: look (skipped)" in text or "### evidence1: look (not run)" in text
    refused = run_plan(":evidence0: = nothing[x]\nAnswer: :evidence7:", look)
    for made in (markdown_report([refused]), html_report([refused])):
        assert "No answer" in made and "mermaid" not in made and "<svg" not in made


def test_several_runs_are_one_document_and_long_evidence_is_cut() -> None:
    long = run_plan(":evidence0: = novel[x]\nAnswer: done", novel)
    text = markdown_report([long])
    assert "(50,000 characters; all of it: airo runs show" in text and len(text) < 25_000
    assert markdown_report([long, long]).count("# a question\n") == 2
    assert html_report([long, long]).count("<h1>") == 2
