"""The grammar of verbatim answers: words of the evidence as they stand, and the source they were taken from.

    >>> block = ContextBlock("Otters sleep afloat.", (("url", "https://a.example/otters"),))
    >>> "Otters sleep afloat." in answer_grammar([block]).lark()
    True

An answer is a part of one block's text, cut between words; then come ``Source:`` and that block's own metadata, and no
other's: what is cited is where the words stand. Where nothing in the blocks answers, the model may say one sentence in
place of an answer (``decline``), which `prompts.read_cited_answer` understands.
"""

from __future__ import annotations

from collections.abc import Sequence

from airoagent.prompts.context_prompts import ContextBlock
from airoagent.prompts.grammar import Alt, Grammar, Piece, Rule, Seq, Text, Use, Words, optional
from airoagent.prompts.harmless import harmless

__all__ = ["DECLINE", "answer_grammar"]

DECLINE = "The context does not say."
_LONGEST = 30_000
"""Characters of a block that answers are taken from: its automaton takes 20 ms to build."""


def answer_grammar(blocks: Sequence[ContextBlock], decline: str = DECLINE) -> Grammar:
    """The grammar of answers in the words of these blocks, as a closed-context prompt shows them.

    ``decline`` is the sentence for "it does not say" ("": there has to be an answer). ValueError if there is neither
    text to answer with nor such a sentence.
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
        pairs = "".join(f"\n{_one_line(key)}: {_one_line(value)}" for key, value in block.metadata)
        source = f"\nSource:{pairs}" if pairs else ""
        answers.append(Seq((Use(name), Text(source))) if source else Use(name))
        longest = max(longest, len(source.encode()))
    if not answers:
        raise ValueError("there is no text to answer with")
    start = Rule("start", Seq((optional(Text(" ")), Alt(tuple(answers)))))
    return Grammar((start, *rules), ("\n",), longest + 64)


def _one_line(text: str) -> str:
    return " ".join(harmless(text).split())
