"""KnowledgeModel: answers a question from the evidence it is given, and says which source it stands on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence

from airoagent import (
    ContextBlock,
    Evidence,
    Source,
    ToolContext,
    ToolOutput,
    answer_grammar,
    closed_context_prompt,
    quoted_answer,
    read_cited_answer,
    tool,
)

_ASK = "Source? Don't make up answers if you don't know."
_NOTHING = ToolOutput("The model wrote no answer.", answered=False)  # all it wrote was thoughts, for example
_TEXT = "the text"  # how a question speaks of evidence that it does not lead to with "given"
# Characters: evidence up to here reads as part of the question ("the most famous work of ..."), the other in brackets.
_SHORT, _LONG = 200, 1000

_NOUNS = (
    r"(?:\s+(?:the|this|that|these|those|only|following|provided|given|information|context|texts?|passages?|contents?|"
    r"evidence|results?|search|pages?|in|from|of|on|and|both|:))*[\s:(\"']*$"
)
# "..., given the context :evidence0:" - the words that lead to a block are not part of the question.
_LEAD = re.compile(
    r"[\s,;:(-]*\b(?:given|using|based (?:up)?on|according to|considering|context"
    r"|(?:in|from|with|of)\s+(?:the|this|that)\s+(?:provided |following )?(?:information|context|text|passage|content|"
    r"evidence|results?|search|page))\b" + _NOUNS,
    re.IGNORECASE,
)
# "from :evidence4:" leads to a block only where what follows is a text, not a word of the question.
_WEAK_LEAD = re.compile(r"[\s,;:(-]*\b(?:in|from|with|within|per)\b" + _NOUNS, re.IGNORECASE)
_AND = re.compile(r"[\s,;&+/()]*(?:and|or|plus|with)?[\s,;&+/()]*", re.IGNORECASE)


@tool("KnowledgeModel", outside=False, timeout=0, streams=True)
async def knowledge_model(input: str, context: ToolContext) -> ToolOutput:
    """Question answering language model, particularly useful in answering questions based on an input passage of text. The input must be a text question that references an :evidence[n]: variable, e.g. What color is the cat, given :evidence1:?"""  # noqa: E501 - word for word from the model card
    nothing = context.nothing_found()
    if nothing is not None:
        return nothing
    question, given = _split(context.parts)
    for part in context.parts:
        if isinstance(part, Evidence) and not part.answered and part not in given:
            # The question is about something that was not found: asking on would only invite an invention.
            return ToolOutput(part.text, (), f"{part.id} has no answer to build on", answered=False)
    if not given:
        completion = await context.ask(input, "answer")
        if not completion.text.strip():
            return _NOTHING
        return ToolOutput(completion.text.strip(), answered=read_cited_answer(completion.text).answered)
    found = [ContextBlock(text, _metadata(sources)) for evidence in given for text, sources in evidence.blocks()]
    style = await context.style()
    asked = question or context.question
    instruction = f"{asked} {_ASK}".strip() if style == "airoboros" else asked
    fitted = await context.fit(found, instruction)
    blocks = list(fitted.blocks)
    grammar = answer_grammar(blocks) if context.settings.get("answers") == "verbatim" else ""
    completion = await context.ask(closed_context_prompt(blocks, instruction, style), "answer", grammar)
    written = completion.text.strip()
    if not written:
        return _NOTHING
    if written[0] == "[" and written.strip("[]. ") in {value for block in blocks for _, value in block.metadata}:
        written = f"Source: {written}"  # "[lease]" alone answers nothing
    answer = read_cited_answer(written)
    notes = [fitted.note] if fitted.note else []
    if answer.answered and completion.doubt:
        # The sentences that fit best are right more often than a guess.
        notes.append(f"{completion.doubt}: {answer.text[:200]!r}")
        answer = read_cited_answer(await asyncio.to_thread(quoted_answer, found, asked))
    known = {source.url: source for evidence in given for source in evidence.sources}
    cited = [dict(pairs) for pairs in answer.sources]
    if style != "airoboros" and not cited:
        cited = _standing(answer.text, blocks)
    strangers = [pairs["url"] for pairs in cited if pairs.get("url", "") and pairs["url"] not in known]
    if not answer.answered:
        notes.append("the sources given do not answer this")
    if cited and all(pairs.get("quote", "") and pairs["quote"] in answer.text for pairs in cited):
        notes.append("quoted")
    if strangers:
        notes.append(f"cited an address it was not given: {', '.join(strangers)}")
    backing = (  # it covers no characters of the answer
        Source(source.url, source.title or pairs.get("title", ""), pairs.get("quote", "") or source.quote)
        for pairs in cited
        if (source := known.get(pairs.get("url", ""))) is not None
    )
    return ToolOutput(
        answer.text or "The model named a source, but gave no answer.",
        tuple(backing),
        "; ".join(notes),
        answer.answered,
    )


def _split(parts: Iterable[str | Evidence]) -> tuple[str, list[Evidence]]:
    """The question without its "given :evidence0:", and the evidence to read for it.

    Evidence is to be read where words like "given" lead to it, where it continues such a list ("and :evidence2:"),
    and where it is too long to be a part of a question; other evidence is a word of the question.
    """
    parts = tuple(parts)
    question, given, reading, opened = "", [], False, False
    for place, part in enumerate(parts):
        if isinstance(part, str):
            reading = reading and _AND.fullmatch(part) is not None
            if not reading:
                question += part.removeprefix(")") if opened else part
                opened = False
            continue
        # In brackets it names what the question is about, as long as there is something else to read.
        aside = question.endswith("(") and any(isinstance(other, Evidence) for other in parts[place + 1 :])
        short = len(part.text) <= (_LONG if aside else _SHORT) and "\n" not in part.text.strip()
        lead = _LEAD.search(question) or (None if short else _WEAK_LEAD.search(question))
        if lead is not None or reading:
            opened = opened or (lead is not None and "(" in lead[0])
            question = question[: lead.start()] if lead is not None else question
            given.append(part)
            reading = True
        elif short:
            question += part.text.strip().rstrip(".")
        else:
            question += _TEXT
            given.append(part)
            reading = True
    question = re.sub(r"\s+([?.!,])", r"\1", question).strip(" ,;:")
    if question == _TEXT:
        question = ""
    return (question[:1].upper() + question[1:], given) if given else (question, given)


def _metadata(sources: Iterable[Source]) -> tuple[tuple[str, str], ...]:
    """At most 8 pairs, what the models were trained on; an address first, since it is what an answer cites."""
    pairs = (pair for one in sources for pair in (("url", one.url), ("title", one.title)))
    return tuple(pair for pair in pairs if pair[0] == "url" or pair[1])[:8]


def _standing(answer: str, blocks: Sequence[ContextBlock]) -> list[dict[str, str]]:
    """The first block that the answer stands in, with the line as a quote: small models are not asked for a source."""
    words = re.sub(r"^(?:Yes|No)[.,] ", "", answer).rstrip(".")
    for block in blocks if words else ():
        line = next((line.strip() for line in block.text.split("\n") if words in line), "")
        if line:
            about = dict(block.metadata)
            quote = line.removeprefix(f"{about.get('title', '')}: ")  # which a line about "her" is given to read
            return [{**about, "quote": quote if len(quote) <= _LONG else ""}]
    return []
