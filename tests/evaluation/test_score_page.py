"""The page of an evaluation: figures, plots and every run, in one file that runs and loads nothing."""

from __future__ import annotations

from bs4 import BeautifulSoup

from airoagent import tool
from airoagent.evaluation.question_files import Question
from airoagent.evaluation.score_page import score_page
from airoagent.evaluation.scores import score
from airoagent.records.run_record import Run
from tests.running import run_plan


@tool
def look(text: str) -> str:
    """Looks things up."""
    return f"<script>alert(1)</script> {text}"


def ask(text: str, *answers: str) -> tuple[Question, Run]:
    return Question(text, f"What is {text}?", answers), run_plan(
        f":evidence0: = look[{text}]\nAnswer: :evidence0:", look
    )


def test_the_page_has_every_run_and_no_script() -> None:
    asked = [ask("kelp & co", "kelp"), ask("moss", "fern")]
    results = [score(*one) for one in asked]
    runs = {run.id: run for _, run in asked}
    page = score_page("q.jsonl", {"one": results, "<two>": results[:1]}, runs.get)
    tree = BeautifulSoup(page, "html.parser")
    assert not tree.find_all(["script", "link", "img", "iframe"]) and "default-src 'none'" in page
    shown = [one.get_text() for one in tree.select("details.q > summary")]
    assert shown == ["right, right: What is kelp & co?", "wrong: What is moss?"]
    assert "<script>alert(1)</script> moss" in tree.select("details.q.wrong")[0].get_text()
    holds, tokens = (
        [row.select(".bar") for row in tree.select("tr") if row.td and row.td.text == name]
        for name in ("holds", "tokens")
    )
    assert [bar.select_one(".mean")["style"] for bar in holds[0]] == ["left:0.0%;width:50.0%", "left:0.0%;width:100.0%"]
    assert len(tokens[0]) == 2 and "<two>" in tree.get_text()


def test_a_run_without_a_record_is_named() -> None:
    question, run = ask("kelp", "kelp")
    page = score_page("q", {"one": [score(question, run)]}, lambda _: None)
    assert f"There is no record of the run {run.id}." in page
