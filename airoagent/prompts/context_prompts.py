"""The closed-context prompt the airoboros models were trained on, byte for byte; its answers' grammar and reading.

Source: the model cards of airoboros-l2-13b-gpt4-2.0 and -m2.0 ("Context obedient question answering"). The chat
wrapper around a prompt is in `wrappers`, since it differs by generation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from airoagent.frozen import frozen
from airoagent.prompts.chat import Style, answer_chat
from airoagent.prompts.grammar import Alt, Grammar, Piece, Rule, Seq, Text, Use, Words, optional
from airoagent.prompts.harmless import harmless
from airoagent.prompts.own_text import after_thoughts, own_text


@frozen
class ContextBlock:
    """One block of a closed-context prompt: text, and the metadata pairs it may be cited by (0 to 8)."""

    text: str
    metadata: tuple[tuple[str, str], ...] = ()


def closed_context_prompt(blocks: Sequence[ContextBlock], instruction: str, style: Style = "airoboros") -> str:
    """The closed-context prompt: one block per source, then the instruction.

    All of it may come from outside, so what could be taken for the frame is made harmless in it (`harmless`); metadata
    keys and values are put on one line each.
    """
    if style != "airoboros":
        texts = [(dict(block.metadata).get("url", ""), harmless(block.text)) for block in blocks]
        return answer_chat([(harmless(source), text) for source, text in texts], harmless(instruction), style)
    lines: list[str] = []
    for block in blocks:
        lines += ["BEGININPUT", "BEGINCONTEXT"]
        lines += [_pair(key, value) for key, value in block.metadata]
        lines += ["ENDCONTEXT", harmless(block.text), "ENDINPUT"]
    lines += ["BEGININSTRUCTION", harmless(instruction), "ENDINSTRUCTION"]
    return "\n".join(lines)


def read_closed_context_prompt(prompt: str) -> tuple[tuple[ContextBlock, ...], str] | None:
    """What `closed_context_prompt` was made from: the blocks and the instruction; None for another prompt.

    No text in such a prompt holds a marker (`harmless`), so it is taken apart where the markers are.
    """
    sources, mark, instruction = prompt.rpartition("BEGININSTRUCTION\n")
    if not mark or not instruction.endswith("\nENDINSTRUCTION"):
        return None
    blocks = []
    for source in sources.split("BEGININPUT\nBEGINCONTEXT\n")[1:]:
        context, _, text = source.partition("ENDCONTEXT\n")
        pairs = (line.partition(": ") for line in context.split("\n"))
        metadata = tuple((key, value) for key, mark, value in pairs if mark)
        blocks.append(ContextBlock(text.removesuffix("\n").removesuffix("\nENDINPUT"), metadata))
    return tuple(blocks), instruction.removesuffix("\nENDINSTRUCTION")


def _pair(key: str, value: str) -> str:
    """A metadata pair on one line. Made harmless as a whole: a key and the colon after it must not make a marker."""
    return harmless(" ".join(f"{' '.join(key.split())}: {value}".split()))


DECLINE = "The context does not say."
_LONGEST = 30_000
"""Characters of a block that answers are taken from: its automaton takes 20 ms to build."""


def answer_grammar(blocks: Sequence[ContextBlock], decline: str = DECLINE) -> Grammar:
    """The grammar of verbatim answers: words of the evidence as they stand, and the source they were taken from.

        >>> block = ContextBlock("Otters sleep afloat.", (("url", "https://a.example/otters"),))
        >>> "Otters sleep afloat." in answer_grammar([block]).lark()
        True

    An answer is a part of one block's text, cut between words; then come ``Source:`` and that block's own metadata.
    Where nothing in the blocks answers, the model may say the sentence ``decline`` in place of it ("": there has to be
    an answer), which `read_cited_answer` understands. ValueError if there is neither text nor such a sentence.
    """
    rules: list[Rule] = []
    answers: list[Piece] = [Text(decline)] if decline else []
    longest = 0
    for block in blocks:
        text = harmless(block.text)[:_LONGEST]
        if not text.strip():
            continue
        name = f"SPAN{len(rules)}"
        rules.append(Rule(name, Words(text)))
        pairs = "".join(f"\n{_pair(key, value)}" for key, value in block.metadata)
        source = f"\nSource:{pairs}" if pairs else ""
        answers.append(Seq((Use(name), Text(source))) if source else Use(name))
        longest = max(longest, len(source.encode()))
    if not answers:
        raise ValueError("there is no text to answer with")
    start = Rule("start", Seq((optional(Text(" ")), Alt(tuple(answers)))))
    return Grammar((start, *rules), ("\n",), longest + 64)


@frozen
class CitedAnswer:
    """A closed-context answer read back: the answer, and one tuple of metadata pairs for each source it names.

    ``answered`` is False when the model said that the blocks do not answer.
    """

    text: str
    sources: tuple[tuple[tuple[str, str], ...], ...] = ()
    answered: bool = True


SOURCE_LINE = re.compile(r"^[ \t]*(?:sources?|reference(?:\(s\)|s)?)[ \t]*:[ \t]*", re.IGNORECASE | re.MULTILINE)
"""How the sources of an answer begin: what stands before it is the answer."""

_PAIR = re.compile(r"[ \t]*(?:[-*][ \t]+)?([A-Za-z_][\w .-]{0,40}?)[ \t]*:[ \t]*(.+?)[ \t]*$")
_UNANSWERED = re.compile(
    r"(?:can ?not|can't|could not|couldn't|unable to) (?:be )?(?:answer|determine|find|tell)"
    r"|(?:does|do|did) ?(?:not|n't) (?:contain|provide|mention|say|tell|include|specify|state|give)"
    r"|(?:no|not enough|insufficient) (?:information|context)"
    r"|(?:is|are) not (?:mentioned|provided|given|specified|stated|available)"
    r"|\bI (?:do not|don't) know\b",
    re.IGNORECASE,
)


def read_cited_answer(text: str) -> CitedAnswer:
    """Read a closed-context answer: what stands before ``Source:`` (or ``Reference(s):``), and the pairs after it.

    A key that has been seen since the last source started starts the next one, so ``url, date, url, date`` is two; a
    source that is named again is one. Sources without an answer before them answer nothing.
    """
    answer = text.strip()
    sources: list[tuple[tuple[str, str], ...]] = []
    begin = SOURCE_LINE.search(answer)
    if begin is not None:
        pairs: list[tuple[str, str]] = []
        for line in SOURCE_LINE.sub("", answer[begin.end() :]).splitlines():
            found = _PAIR.match(line)
            if not found:
                continue
            key = found[1].lower()
            if any(key == seen for seen, _ in pairs):
                sources.append(tuple(pairs))
                pairs = []
            pairs.append((key, found[2]))
        if pairs:
            sources.append(tuple(pairs))
        sources = list(dict.fromkeys(sources))
        answer = answer[: begin.start()].rstrip()
    declined = len(answer) < 400 and _UNANSWERED.search(answer[:300]) is not None
    # "The drink does not contain sugar." is an answer where it is what the source says.
    quoted = any(key == "quote" and value in answer for pairs in sources for key, value in pairs)
    return CitedAnswer(answer, tuple(sources), bool(answer or begin is None) and (quoted or not declined))


_LONGEST_SIGN = 24  # characters of an end token, of what another turn or the sources begin with


def answer_so_far(text: str) -> str:
    """What the answer begins with, while the text is still being written: nothing that may yet turn out to be an end
    token, thoughts or the sources.
    """
    own = own_text(after_thoughts(text)).lstrip()
    begin = SOURCE_LINE.search(own)
    return own[: begin.start() if begin else -_LONGEST_SIGN].rstrip()
