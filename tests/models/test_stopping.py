"""Stop strings are exact however the text is cut."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest

from airoagent.models.stopping import StopFilter


def play(pieces: list[str], stop: tuple[str, ...], *, drop_space: bool = False) -> tuple[list[str], bool]:
    stops = StopFilter(stop, drop_space=drop_space)
    shown = [stops.feed(piece) for piece in pieces]
    return [*shown, stops.finish()], stops.stopped


@pytest.mark.parametrize(
    ("text", "stop", "expected", "stopped"),
    [
        ("An otter. USER: hi", ("USER:",), "An otter. ", True),
        ("An otter US", ("USER:",), "An otter US", False),
        ("aab", ("ab",), "a", True),
        ("ENDEND.", ("END.",), "END", True),
        ("x\n\ny", ("\n\n", "\n\ny"), "x", True),
        ("abc USER:", (), "abc ", False),
        ("abc ASSISTANT:  ", ("zz",), "abc ", False),
        ("abc ASSISTANT: x", ("zz",), "abc ASSISTANT: x", False),
        ("ASSISTANT: USER", (), "ASSISTANT: USER", False),
        ("", ("x",), "", False),
        ("USER:", ("USER:",), "", True),
    ],
)
def test_every_cut_of_a_text_gives_the_same(text: str, stop: tuple[str, ...], expected: str, stopped: bool) -> None:
    places = range(1, len(text))
    for count in range(min(3, len(text) or 1)):
        for cuts in combinations(places, count):
            bounds = [0, *cuts, len(text)]
            pieces = [text[a:b] for a, b in pairwise(bounds)]
            shown, ended = play(pieces, stop)
            assert ("".join(shown), ended) == (expected, stopped), pieces
    shown, ended = play(list(text), stop)
    assert ("".join(shown), ended) == (expected, stopped)


def test_text_that_cannot_become_a_stop_string_is_shown_at_once() -> None:
    stops = StopFilter(("USER:",))
    assert stops.feed("An otter.") == "An otter."
    assert stops.feed(" U") == " "
    assert stops.feed("nder") == "Under"


def test_nothing_comes_after_the_stop() -> None:
    stops = StopFilter(("END",))
    assert stops.feed("a END b") == "a "
    assert stops.stopped
    assert stops.feed("more") == ""
    assert stops.finish() == ""


def test_one_leading_space_is_dropped_and_no_more() -> None:
    assert play(["", " ", " Plan"], (), drop_space=True)[0] == ["", "", " Plan", ""]
    assert "".join(play(["  indented"], (), drop_space=True)[0]) == " indented"
