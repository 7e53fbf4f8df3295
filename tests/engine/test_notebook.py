"""A run as a notebook shows it."""

from __future__ import annotations

from xml.etree import ElementTree

from airoagent import Run, ToolError
from tests.running import run_plan


def search(text: str) -> str:
    """Searches."""
    return "<script>alert(1)</script>\x1b[31m kelp " + "x" * 10_000


def fails(text: str) -> str:
    """Fails."""
    raise ToolError("no <b>luck</b>")


def test_a_run_is_a_short_table_of_escaped_text() -> None:
    plan = "Plan: a\n:evidence0: = search[otters & seals]\nPlan: b\n:evidence1: = fails[x]\nAnswer: :evidence0:"
    shown = run_plan(plan, search, fails, on_error="skip")._repr_html_()
    tree = ElementTree.fromstring(shown)
    assert not {"script", "b2", "img", "a"} & {element.tag for element in tree.iter()}
    rows = [["".join(cell.itertext()) for cell in row] for row in tree.findall(".//tbody/tr")]
    assert [row[1:3] for row in rows] == [["search", "otters & seals"], ["fails", "x"]]
    assert rows[0][3].startswith("<script>alert(1)</script>") and "\x1b" not in shown
    assert rows[1][3] == "no <b>luck</b>"
    assert len(shown) < 6000 and "http" not in shown


def test_a_run_without_a_plan_is_shown() -> None:
    assert "running" in Run()._repr_html_()
