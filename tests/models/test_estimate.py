"""The estimate of a text's length is near what a Llama tokenizer makes of it, and rather above."""

from __future__ import annotations

import pytest

from airoagent.models.server.stream import estimate_tokens


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        # Lengths with Llama-2's vocabulary lie between these.
        ("The otter sleeps afloat in the kelp and holds the paw of another otter.", 15, 24),
        ("12345 67890", 10, 14),
        ("for (int i = 0; i < n; i++) { sum += values[i]; }", 22, 40),
        ("水獭在海藻中睡觉。", 9, 27),
        ("", 0, 1),
    ],
)
def test_is_near_what_a_tokenizer_counts(text: str, least: int, most: int) -> None:
    assert least <= estimate_tokens(text) <= most


def test_a_long_text_is_linear() -> None:
    assert estimate_tokens("word " * 100_000) == pytest.approx(100_000, rel=0.01)
