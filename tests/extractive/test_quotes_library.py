"""The reader over the example library keeps what it has reached; the figures are those of bench_reader.py."""

from __future__ import annotations

import pytest

from tests.benchmarks.bench_reader import measure


@pytest.mark.parametrize(("split", "held"), [("dev", 22), ("held_out", 18)])
def test_quotes_that_hold_the_answer_do_not_become_fewer(split: str, held: int) -> None:
    counts = measure(split)
    assert counts["held"] >= held, counts
