"""``airo chat``: turns from a pipe, as from a terminal."""

from __future__ import annotations

from tests.cli.conftest import Airo


def test_a_follow_up_is_completed_shown_and_answered(shell: Airo) -> None:
    talk = "Where is the Eiffel Tower?\nAnd how tall is it?\n/runs\n/why\n/tools\n/nonsense\n"
    result = shell("chat", "--docs", "examples/library", input=talk)
    assert result.code == 0
    assert "asked: How tall is the Eiffel Tower?" in result.err
    assert "330" in result.out and "docs://library/" in result.out
    assert "How tall is the Eiffel Tower?" in result.out and "DocumentSearch" in result.out
    assert "/quit" in result.out


def test_lines_that_end_in_a_backslash_go_on(shell: Airo) -> None:
    result = shell("chat", "--docs", "examples/library", input="Where do otters \\\nsleep?\n/quit\nnever asked\n")
    assert result.code == 0 and "otter" in result.out.lower() and "never" not in result.out


def test_what_goes_wrong_in_a_turn_does_not_end_the_talk(shell: Airo) -> None:
    result = shell("chat", "-m", "scripted:/nonexistent.json", input="hello\n")
    assert result.code == 3
    result = shell("chat", "--docs", "examples/library", input="xyzzy plugh?\nWhere do otters sleep?\n")
    assert result.code == 0 and "otter" in result.out.lower()
