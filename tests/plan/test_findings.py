"""Findings shown to a person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airoagent.errors import Diagnostic
from airoagent.findings import Finding, LineIndex, located, render_diagnostic, visible


def shown(text: str, column: int, line: int = 1, repair: str = "") -> list[str]:
    return render_diagnostic(Diagnostic("kind", "Something.", line, column, repair), text, "x.plan").splitlines()


def test_a_finding_names_its_place_shows_the_line_and_what_was_done() -> None:
    assert shown("one\ntwo three\nfour", 5, line=2, repair="left out") == [
        "x.plan:2:5: Something.",
        "    two three",
        "        ^",
        "    repair: left out",
    ]


@pytest.mark.parametrize(
    ("text", "column", "line", "caret"),
    [
        ("\tab", 2, "        ab", 8),
        ("a\tb", 3, "    a    b", 9),
        ("北京x", 3, "    北京x", 8),
        ("e\u0301x", 3, "    e\u0301x", 5),
        ("\x1b[31mred", 2, "    \\x1b[31mred", 8),
        ("a\u202eb", 3, "    a\\u202eb", 11),
        ("abc", 4, "    abc", 7),
        ("abc\r", 9, "    abc", 7),
    ],
)
def test_the_caret_stands_under_its_character(text: str, column: int, line: str, caret: int) -> None:
    _, second, third = shown(text, column)
    assert second == line
    assert third == " " * caret + "^"


def test_a_long_line_is_cut_around_the_caret() -> None:
    _, line, caret = shown("a" * 5_000 + "!" + "b" * 5_000, 5_001)
    assert len(line) < 120
    assert line.strip().startswith("…") and line.endswith("…")
    assert line[caret.index("^")] == "!"


def test_a_place_behind_the_text_is_still_told() -> None:
    assert shown("abc", 1, line=7) == ["x.plan:7:1: Something."]


@given(st.text(), st.text(), st.integers(1, 50), st.integers(1, 5))
def test_no_control_character_of_the_text_reaches_a_terminal(text: str, message: str, column: int, line: int) -> None:
    lines = render_diagnostic(Diagnostic("kind", message, line, column, message), text, message)
    assert all(one == "\n" or visible(one) == one for one in lines)


def test_offsets_become_lines_and_columns_in_the_order_of_the_text() -> None:
    text = "ab\n\ncd"
    assert [LineIndex(text).locate(at) for at in (0, 2, 3, 4, 6)] == [(1, 1), (1, 3), (2, 1), (3, 1), (3, 3)]
    found = located([Finding(4, "b", ""), Finding(0, "a", ""), Finding(4, "c", "")], text)
    assert [(one.kind, one.line, one.column) for one in found] == [("a", 1, 1), ("b", 3, 1), ("c", 3, 1)]


def test_findings_of_a_kind_that_are_found_thousands_of_times_are_counted() -> None:
    found = located([Finding(at, "a", "A.", "left out") for at in range(2_500)] + [Finding(5, "b", "B.")], "x" * 2_500)
    assert [one.kind for one in found].count("a") == 1_000
    assert [one.kind for one in found].count("b") == 1
    assert found[-1].message == "There are 1501 more findings of this kind from here on."
