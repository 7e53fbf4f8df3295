"""The reader over the example library keeps what it has reached; the figures are those of bench_reader.py."""

from __future__ import annotations

import pytest

from tests.benchmarks.bench_reader import measure


@pytest.mark.parametrize(("split", "answers", "recognised"), [("dev", 31, 5), ("held_out", 23, 3)])
def test_right_answers_over_the_library_do_not_become_fewer(split: str, answers: int, recognised: int) -> None:
    counts = measure(split)
    assert counts["answers"] >= answers, counts
    assert counts["recognised"] >= recognised, counts
