"""The corpus of slips: what each text means is written down beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plan.malformed import read, snapshot, texts


def test_the_corpus_is_there() -> None:
    assert len(texts()) >= 80
    assert {path.stem for path in texts()} == {path.stem for path in texts()[0].parent.glob("*.json")}


@pytest.mark.parametrize("path", texts(), ids=lambda path: path.stem)
def test_a_slip_is_read_as_it_was_meant(path: Path) -> None:
    assert snapshot(path.stem, read(path)) == path.with_suffix(".json").read_text(encoding="utf-8")
