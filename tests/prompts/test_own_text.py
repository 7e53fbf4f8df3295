"""What a model writes around its text, by family, and the loops it may fall into."""

from __future__ import annotations

import re

import pytest

from airoagent.prompts.context_prompts import answer_so_far
from airoagent.prompts.own_text import own_text, repeats_from, starts_in_thoughts

WRITTEN = [
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
    "◁think▷Kelp, surely.◁/think▷In the kelp.",
    "<seed:think>Kelp, surely.</seed:think>In the kelp.",
    "In the kelp.<｜end▁of▁sentence｜><｜User｜>And why?",
    "In the kelp.<|END_OF_TURN_TOKEN|>",
    "In the kelp.[|endofturn|]\n[|user|]And why?",
    "<|start_header_id|>assistant<|end_header_id|>\n\nIn the kelp.<|eot_id|>",
    "<|im_start|>assistant\nIn the kelp.<|im_end|>",
    "<start_of_turn>model\nIn the kelp.",
    "<|assistant|>\nIn the kelp.",
    "Assistant: In the kelp.\nHuman: And why?",
    "[/INST] In the kelp.",
    "<|START_THINKING|>Kelp.<|END_THINKING|><|START_RESPONSE|>In the kelp.<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
    "<|channel|>final <|constrain|>json<|message|>In the kelp.<|return|>",
    "<|header_start|>assistant<|header_end|>\n\nIn the kelp.<|eot|><|header_start|>user<|header_end|>\n\nAnd why?",
    "<|im_start|>assistant<|im_sep|>In the kelp.<|im_end|>",
    "In the kelp.<|observation|>\nAnd why?",
    "In the kelp.[EOS]",
    "In the kelp.<|endofturn|>",
    "In the kelp.",
]


@pytest.mark.parametrize("written", WRITTEN)
def test_thoughts_and_what_follows_the_end_are_taken_off(written: str) -> None:
    assert own_text(written).strip() == "In the kelp."


@pytest.mark.parametrize("written", [text for text in WRITTEN if not starts_in_thoughts(text)])
def test_what_can_be_shown_of_an_answer_while_it_is_written_is_never_taken_back(written: str) -> None:
    answer = "<b>In</b> the kelp, which they wrap around themselves so that they do not drift."
    written = written.replace("In the kelp.", answer)
    shown = [answer_so_far(written[:end]) for end in range(len(written) + 1)]
    assert all(answer.startswith(text) for text in shown) and len(shown[-1]) > 40


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


@pytest.mark.parametrize(
    "phrase", ["Crew: Crew, ", "the lake, given :evidence<{}>", "a cantata about coffee drinkers, part {} of "]
)
def test_a_phrase_over_and_over_in_the_input_of_a_step_is_a_loop_though_it_counts(phrase: str) -> None:
    start = "Plan: Look it up.\n:evidence0: = KnowledgeModel[The crew of Apollo 11, "
    text = start + "".join(phrase.format(number) for number in range(1, 60))
    seen = next(end for end in range(len(start), len(text), 4) if repeats_from(text[:end]) is not None)
    cut = repeats_from(text[:seen])
    assert seen <= len(start) + 250 and cut is not None and cut <= len(start) + 2 * len(phrase)
    assert repeats_from(text.replace("KnowledgeModel[", "")[: seen - 15]) is None  # not in an answer


def test_an_input_with_many_figures_or_references_is_not_a_loop() -> None:
    joined = " and ".join(f":evidence{number}:" for number in range(60))
    for input in (joined, " + ".join(map(str, range(10, 99))), "km in 1990, people in 1991, roads in 1992, "):
        assert repeats_from(f":evidence0: = Calculator[{input}") is None


SEARCHED = "Plan: Search for the answer.\n:evidence0: = DocumentSearch[1,250,000 / 4]\n"
READ = "Plan: Read the answer.\n:evidence1: = KnowledgeModel[1,250,000 / 4, given :evidence0:?]\n"


def read_again(ids: list[str], input: str) -> str:
    numbered = (f"Plan: Read it.\n:evidence{n}: = DocumentSearch[{input.format(id)}]\n" for n, id in enumerate(ids, 2))
    return "".join(numbered)


@pytest.mark.parametrize(
    ("start", "written"),
    [
        ("Answer: ", "3," + "000," * 120),
        ("Answer: 15 percent of 2,480. ", "15 percent of 2,480 is 2480. " * 20),
        ("Answer: 3.5% of 12,000. ", "3.5% of 12,000 is 3.5% of 12,000. " * 20),
        ("Answer: 1,250,000 / 4 = 300,000. ", "300,000 is 300,000. " * 30),
        ("Answer: 99 + 1 = 100. 100 + 1 = 21. ", "".join(f"{n} + 1 = {n + 1}. " for n in range(21, 90))),
        ("Answer: ", "".join(f"{n}, " for n in range(155, 320))),
        (":evidence2: = DocumentSearch[first person to climb it, given :evidence<1:2", ":1" * 150),
        (":evidence2: = DocumentSearch[The Night Watch, given ", ":evidence<>" * 60),
        (":evidence2: = KnowledgeModel[The sum is 15 + 21 = 36, ", "which is 12 + 15 + 18 + 21 = 62, " * 20),
        ("", read_again(["evidence1"] * 12, ":{}: year")),
        ("", read_again(["evidence1", *(f"evidence{n}" for n in range(1, 14))], ":{}: year")),
        ("", read_again(["evidence0", "evidence1"] * 8, "What is the sum's value, given :{}:?")),
    ],
)
def test_what_a_small_model_wrote_below_a_plan_ends_within_a_hundred_tokens(start: str, written: str) -> None:
    text = f"{SEARCHED}{READ}{start}"
    seen = next(end for end in range(len(text), len(text + written), 24) if repeats_from((text + written)[:end]))
    cut = repeats_from((text + written)[:seen])
    assert cut is not None and cut >= len(SEARCHED + READ)
    assert len(re.findall(r"[^\W\d_]{1,8}|\d|[^\w\s]", (text + written)[max(cut, len(text)) : seen])) <= 110


@pytest.mark.parametrize(
    "answer",
    [
        "".join(f"in {year} it was :evidence{n}:, " for n, year in enumerate((1954, 1974, 1990, 2014, 2018, 2022))),
        "".join(f"Lake {name} is :evidence1: deep, " for name in ("Baikal", "Superior", "Victoria", "Ness", "Como")),
        "the first primes are 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71: :evidence1:",
        ", ".join(f":evidence{n}:" for n in range(2)) + " and the rest :evidence1:, all of it from :evidence0:",
    ],
)
def test_an_answer_line_of_many_parts_is_not_a_loop(answer: str) -> None:
    text = f"{SEARCHED}{READ}Answer: {answer}\n"
    assert all(repeats_from(text[:end]) is None for end in range(80, len(text) + 1, 5))


def plan_step(number: int, input: str, tool: str = "DocumentSearch", thought: str = "Look it up.") -> str:
    return f"Plan: {thought}\n:evidence{number}: = {tool}[{input}]\n"


@pytest.mark.parametrize(
    "inputs",
    [
        ["How deep is Lake Baikal?"],
        ["Lake Baikal depth", "depth of the Danube"],
        ["Lake Baikal depth", "depth of the Danube", "length of the Nile"],
        ["depth of Lake Baikal", "Lake Baikal depth of", "Depth of Lake Baikal."],
        ["name of :evidence{last}:"],
        ["Given :evidence{last}:, how deep is it?"],
        ["place of :evidence{last}:", "name in :evidence{last}:"],
    ],
)
@pytest.mark.parametrize("thought", ["Look it up.", "This is step {n} of the plan, for which I look it up once more."])
def test_calls_that_find_nothing_new_are_a_loop_though_their_numbers_go_up(inputs: list[str], thought: str) -> None:
    text = ""
    for number in range(40):
        input = inputs[number % len(inputs)].format(last=max(0, number - 1))
        text += plan_step(number, input, thought=thought.format(n=number))
        found = repeats_from(text)
        if found is not None:
            break
    assert found is not None
    assert number <= 5 + 2 * len(inputs)
    assert text[found - 1] == "\n"
    kept = text[:found].count("= DocumentSearch[")
    assert 1 <= kept <= number


@pytest.mark.parametrize(
    "plan",
    [
        [(f"depth of Lake {name}", "DocumentSearch") for name in ("Baikal", "Victoria", "Superior", "Ness", "Como")],
        [
            (f"depth of Lake {name}", "DocumentSearch")
            if n % 2 == 0
            else (f"How deep, given :evidence{n - 1}:?", "Read")
            for n, name in enumerate(x for name in ("Baikal", "Victoria", "Superior", "Ness") for x in (name, name))
        ],
        [(sum_, "Calculator") for sum_ in ("3 + 5", "3 * 5", "3 / 5", "5 / 3", "5 - 3", "3 - 5")],
        [(f"lake {n}", "Search") for n in range(5)]
        + [(f"How deep is it, given :evidence{n}:?", "Read") for n in range(5)],
        [("Who was Ada Lovelace?", "Search"), *((f"mother of :evidence{n}:", "Search") for n in range(4))],
        [("a b", "Search"), ("a b", "Search"), ("c d", "Search"), ("c d", "Search")],
    ],
)
def test_a_plan_of_different_calls_is_not_a_loop(plan: list[tuple[str, str]]) -> None:
    text = ""
    for number, (input, tool) in enumerate(plan):
        text += plan_step(number, input, tool, thought=f"Part {number}.")
        assert all(repeats_from(text[:end]) is None for end in range(len(text) - 80, len(text) + 1, 10)), number


@pytest.mark.parametrize(
    "loop",
    [
        " ".join(
            ("Lake Baikal depth", "depth of Lake Baikal", "the Lake Baikal", "of depth the Lake")[n * n % 7 % 4]
            for n in range(60)
        ),
        "\n".join(f"{n}. The lake is very deep, and the water is very cold." for n in range(1, 40)),
    ],
)
def test_an_input_that_grows_without_a_new_word_and_a_list_of_one_item_are_loops(loop: str) -> None:
    text = f"Plan: Find it.\n:evidence0: = Search[{loop}"
    seen = next(end for end in range(80, len(text) + 80, 80) if repeats_from(text[:end]) is not None)
    assert seen <= 600


@pytest.mark.parametrize("begin", ["<think>\n", ""])
def test_a_plan_that_was_drafted_in_thoughts_is_no_loop(begin: str) -> None:
    plan = "".join(
        f":evidence{at}: = DuckDuckGo[the depth of the lake number {word}]\n"
        for at, word in enumerate(("one", "two", "three", "four"))
    )
    drafted = f"{begin}First:\n{plan}Let me check that.\n{plan}"
    if begin:
        assert repeats_from(drafted) is None
    assert repeats_from(f"{drafted}</think>\n{plan}") is None
    again = f"{drafted}</think>\n{plan}{plan}"
    assert repeats_from(again) == len(again) - len(plan)
