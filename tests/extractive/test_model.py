"""The built-in model behind the Model protocol: formats, honesty, determinism, and never an error on any text."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from airoagent.extractive.model import ExtractiveModel, write
from airoagent.models.base import Chunk, Model, Prompt, Sampling, complete
from airoagent.prompts.context_prompts import ContextBlock, closed_context_prompt, read_cited_answer
from airoagent.prompts.plan_prompts import plan_prompt

TOWER = ContextBlock(
    "The tower was designed by Stephen Sauvestre and opened in 1889. It is 330 metres tall.",
    (("url", "docs://eiffel.html"), ("title", "The Eiffel Tower")),
)
ASK = " Source? Don't make up answers if you don't know."


def chunks_of(prompt: Prompt) -> list[Chunk]:
    async def collect() -> list[Chunk]:
        return [chunk async for chunk in ExtractiveModel().stream(prompt)]

    return asyncio.run(collect())


def test_it_is_a_model_and_says_what_it_is() -> None:
    model = ExtractiveModel()
    assert isinstance(model, Model)
    assert (model.info.name, model.info.backend, model.info.context_length) == ("extractive", "extractive", None)
    assert "no weights" in model.info.note and "airo pull smollm2" in model.info.note
    assert model.wrap("as it is") == "as it is"
    assert model.count_tokens("three little words") == 3


def test_an_answer_is_the_sentence_and_cites_its_block() -> None:
    text = write(closed_context_prompt([TOWER], "Is it 330 metres tall?" + ASK))
    assert text == (
        "The Eiffel Tower: It is 330 metres tall.\n\n"
        "Source:\nurl: docs://eiffel.html\ntitle: The Eiffel Tower\nquote: It is 330 metres tall."
    )
    answer = read_cited_answer(text)
    assert answer.answered
    assert answer.text == "The Eiffel Tower: It is 330 metres tall."
    assert answer.sources == (
        (("url", "docs://eiffel.html"), ("title", "The Eiffel Tower"), ("quote", "It is 330 metres tall.")),
    )


def test_a_block_without_metadata_is_quoted_alone() -> None:
    text = write(closed_context_prompt([ContextBlock(TOWER.text)], "Who designed the tower?" + ASK))
    assert text == (
        "The tower was designed by Stephen Sauvestre and opened in 1889.\n\n"
        "Source:\nquote: The tower was designed by Stephen Sauvestre and opened in 1889."
    )


def test_what_the_blocks_do_not_tell_is_said_plainly_and_without_a_source() -> None:
    answer = read_cited_answer(write(closed_context_prompt([TOWER], "Who painted the Mona Lisa?" + ASK)))
    assert not answer.answered
    assert answer.sources == ()


def test_a_question_without_blocks_gets_an_honest_sentence() -> None:
    text = write("Who designed the Eiffel Tower?")
    assert "no knowledge of its own" in text and "-m" in text


def test_the_stream_comes_in_lines_and_ends_with_its_cost() -> None:
    prompt = Prompt(closed_context_prompt([TOWER], "How tall is the Eiffel Tower?" + ASK))
    chunks = chunks_of(prompt)
    assert "".join(chunk.text for chunk in chunks) == write(prompt.text)
    assert len(chunks) > 3
    last = chunks[-1]
    assert last.finish == "stop" and last.usage is not None
    assert last.usage.calls == 1 and last.usage.prompt_tokens == len(prompt.text.split())
    assert all(chunk.finish is None for chunk in chunks[:-1])


def test_stop_strings_and_the_token_limit_end_the_completion() -> None:
    text = closed_context_prompt([ContextBlock(TOWER.text)], "Is it 330 metres tall?")
    stopped = asyncio.run(complete(ExtractiveModel(), Prompt(text, stop=("Source:",))))
    assert stopped.text == "It is 330 metres tall.\n\n" and stopped.finish == "stop"
    cut = asyncio.run(complete(ExtractiveModel(), Prompt(text, sampling=Sampling(max_tokens=2))))
    assert cut.text.split() == ["It", "is"] and cut.finish == "length"


def test_reading_leaves_the_event_loop_free() -> None:
    page = ContextBlock((TOWER.text + "\n\n") * 3000)
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.005)

    async def main() -> None:
        other = asyncio.create_task(beat())
        await complete(ExtractiveModel(), Prompt(closed_context_prompt([page], "How tall is it?")))
        other.cancel()

    asyncio.run(main())
    assert beats > 3


def test_the_same_prompt_gives_the_same_bytes_in_every_process() -> None:
    prompt = closed_context_prompt([TOWER, ContextBlock("Ada and Bob and Eve met in Rome in 1889.")], "Who opened it?")
    code = "import sys; from airoagent.extractive.model import write; sys.stdout.write(write(sys.stdin.read()))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            input=prompt,
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path), "PYTHONIOENCODING": "utf-8"},
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(outputs) == 1


def test_it_imports_nothing_heavy() -> None:
    code = "import sys, airoagent.extractive.model as e; e.write('x'); print([m for m in sys.modules if '.' not in m])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("torch", "transformers", "bs4", "lxml", "httpx", "pydantic", "rich", "click"):
        assert f"'{heavy}'" not in loaded


def assert_in_format(text: str) -> None:
    answer = read_cited_answer(text)
    assert answer.text
    if not answer.answered:
        assert answer.sources == ()
        return
    head, mark, tail = text.partition("\n\nSource:\n")
    assert answer.text == head.strip()
    if mark:
        assert all(line.partition(": ")[2] for line in tail.split("\n")), tail


def test_a_quote_that_begins_as_the_sources_do_is_read_as_an_answer() -> None:
    page = ContextBlock("Sources: the otters themselves.", (("url", "https://a.example"),))
    text = write(closed_context_prompt([page], "Which sources have the otters?"))
    assert_in_format(text)
    assert read_cited_answer(text).text == "“Sources: the otters themselves.”"


WORDS = (
    "Who when what how many tall Ada Byron was born in Rome on 3 May 1815 . , ; : ? ! | - # ' \" ( ) [ ] the a of and "
    "330 metres 5% £7 1,000 \n \t Source: quote: url: USER: ENDINPUT BEGINCONTEXT by because no not is X. e.g. 漢字 é"
)
PIECES = st.sampled_from(WORDS.split(" "))


@given(st.text(max_size=400), st.text(max_size=200))
def test_any_block_and_any_question_get_an_answer_in_format(block: str, question: str) -> None:
    assert_in_format(write(closed_context_prompt([ContextBlock(block, (("url", "u"),))], question)))


@given(st.lists(PIECES, max_size=80), st.lists(PIECES, max_size=14))
def test_any_mix_of_words_gets_an_answer_in_format(block: list[str], question: list[str]) -> None:
    blocks = [ContextBlock(" ".join(block), (("url", "u"), ("title", " ".join(block[:4]) or "t")))]
    assert_in_format(write(closed_context_prompt(blocks, " ".join(question))))


@given(st.text(max_size=500))
def test_any_prompt_at_all_gets_some_text(prompt: str) -> None:
    assert write(prompt)
    assert write("BEGININPUT\n" + prompt)
    assert write(plan_prompt("x", [("T", "t")])[:200] + prompt)
