"""A run as a notebook shows it."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from airoagent import Notebook, Run, ToolError, UsageError
from tests.running import run_plan
from tests.view.chromium import Chromium


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
    assert len(shown) < 9000 and "http" not in shown
    drawn = tree.find(".//pre")
    assert drawn is not None and drawn.text is not None and "evidence0  search  otters & seals" in drawn.text


def test_progress_is_drawn_in_one_place_by_a_watch_while_the_run_goes_on() -> None:
    from tests.running import make_agent

    drawn: list[str] = []
    plan = "Plan: a\n:evidence0: = search[otters]\nAnswer: done"
    make_agent(plan, search).run("where?", watch=Notebook(drawn.append))
    shown = ["".join(ElementTree.fromstring(one).itertext()) for one in drawn]
    assert "where?" in shown[0] and any("otters" in one and "running" in drawn[n] for n, one in enumerate(shown))
    assert "done" in shown[-1] and 'title="running"' not in drawn[-1]


def test_without_a_notebook_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with pytest.raises(UsageError, match="needs IPython"):
        Notebook()


def test_a_run_without_a_plan_is_shown() -> None:
    assert "running" in Run()._repr_html_()


def test_a_card_scrolls_in_a_narrow_cell(chromium: Chromium, tmp_path: Path) -> None:
    run = run_plan(f":evidence0: = search[{'otters ' * 20}]\nAnswer: :evidence0:", search)
    file = tmp_path / "cell.html"
    file.write_text(f"<!doctype html>{run._repr_html_()}")
    chromium.look(width=390)
    chromium.open(file.as_uri())
    assert chromium.run("document.querySelector('table').offsetWidth") > 0
    assert chromium.run("document.documentElement.scrollWidth") <= 390
