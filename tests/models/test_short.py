"""A text of a sentence or two: what it says is answered, what it does not say is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from airoagent.models.english.passages import Block
from airoagent.models.reading import read
from tests.cli.conftest import REPO

if TYPE_CHECKING:
    from pathlib import Path

_FILE: Path = REPO / "tests" / "data" / "short_texts.json"
_PAIRS: dict[str, list[tuple[str, str, str | None]]] = json.loads(_FILE.read_text("utf-8"))


def _is_right(text: str, question: str, told: str | None) -> bool:
    found = read([Block(text, (("url", "stdin"),))], question)
    if told is None or found is None:
        return told is None and found is None
    return told.lower() in found.text.lower() and all(quote.text in text for quote in found.quotes)


@pytest.mark.parametrize(("text", "question", "told"), _PAIRS["dev"])
def test_a_short_text_answers_what_it_says_and_nothing_else(text: str, question: str, told: str | None) -> None:
    assert _is_right(text, question, told)


def test_short_texts_that_the_reader_was_not_made_on_are_mostly_read_right() -> None:
    right = sum(_is_right(*pair) for pair in _PAIRS["held_out"])
    assert right >= 19, f"{right} of {len(_PAIRS['held_out'])}"
