"""What a model writes around its text, by family, and the loops it may fall into."""

from __future__ import annotations

import pytest

from airoagent.prompts.own_text import own_text, repeats_from


@pytest.mark.parametrize(
    "written",
    [
        "<think>\nKelp, surely.\n</think>\n\nIn the kelp.<|im_end|>",
        "Kelp, surely.\n</think>\n\nIn the kelp.",
        "<think>One.</think><think>Two.</think>In the kelp.",
        "<THINKING>Kelp?</THINKING> In the kelp.",
        "<reasoning>Kelp?</reasoning>In the kelp.</s>",
        "[THINK]Kelp, surely.[/THINK]In the kelp.</s>",
        "<|channel|>analysis<|message|>Kelp.<|end|><|start|>assistant<|channel|>final<|message|>In the kelp.<|return|>",
        "<|channel|>analysis<|message|>Kelp.<|end|><|start|>assistant<|channel|>commentary<|message|>Well."
        "<|end|><|start|>assistant<|channel|>final<|message|>In the kelp.",
        "<|channel|>final<|message|>In the kelp.<|return|>",
        "In the kelp.<|im_end|>\n<|im_start|>user\nAnd why?",
        "In the kelp.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnd why?",
        "In the kelp.<end_of_turn>\n<start_of_turn>user\nAnd why?",
        "In the kelp.<|end|>\n<|user|>\nAnd why?",
        "In the kelp.<|endoftext|>Otters are",
        "In the kelp.",
    ],
)
def test_thoughts_and_what_follows_the_end_are_taken_off(written: str) -> None:
    assert own_text(written).strip() == "In the kelp."


@pytest.mark.parametrize("written", ["<think>Kelp, and then", "[THINK]Kelp", "<|channel|>analysis<|message|>Kelp", ""])
def test_thoughts_that_never_end_leave_nothing(written: str) -> None:
    assert own_text(written) == ""


@pytest.mark.parametrize("text", ["Use <b>think</b> for it.", "if a < b and c > d: end()", "A [THINKER] sat."])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert own_text(text) == text


def steps(first: int, count: int, query: str) -> str:
    return "".join(f"Plan: Look.\n:evidence{n}: = Search[{query}]\n" for n in range(first, first + count))


@pytest.mark.parametrize(
    "loop",
    [
        "Lake Baikal, " * 60,
        "a" * 800,
        "I am sorry, but I do not know what the depth of the lake is at all. " * 12,
        "漢字です。" * 160,
        steps(0, 20, "how deep is Lake Baikal"),
    ],
)
def test_a_loop_is_seen_within_a_hundred_tokens_and_one_round_of_it_is_kept(loop: str) -> None:
    text = "Plan: Find the depth of the lake in the encyclopedia, then read it.\n" + loop
    seen = next(end for end in range(80, len(text) + 80, 80) if repeats_from(text[:end]) is not None)
    period = next(n for n in range(1, len(loop)) if loop.startswith(loop[n:])) if not loop.startswith("Plan") else 60
    assert seen <= 68 + max(420, 3 * period) + 80
    cut = repeats_from(text[:seen])
    assert cut is not None
    assert 68 <= cut <= 68 + 2 * period


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"Plan: Look for part {n}.\n:evidence{n}: = Search[part {n} of {n * n} rules]\n" for n in range(12)),
        "The otter sleeps in the kelp. It holds hands. " * 2,
        "| year | depth |\n" + "".join(f"| {1900 + n} | {n * 7 % 83} m |\n" for n in range(60)),
        "".join(f"{n}, " for n in range(400)),
    ],
)
def test_text_that_goes_on_is_not_a_loop(text: str) -> None:
    assert all(repeats_from(text[:end]) is None for end in range(80, len(text), 80))
