"""GBNF, as those read it who are held to it: llama.cpp, llguidance's converter, and xgrammar (vLLM)."""

from __future__ import annotations

import random
import re

import pytest

from airoagent.plan.plan_grammar import plan_grammar
from airoagent.prompts.context_prompts import ContextBlock, answer_grammar
from airoagent.prompts.grammar import Chars, Grammar, Rep, Rule, Seq, Text, Use
from tests.prompts.walking import Language, lark_of

TOOLS = ("DuckDuckGo", "KnowledgeModel", "TextScraper")


def every_sign() -> Grammar:
    """Signs that some reader of GBNF takes for something else, in a text, in a class and in a negated class."""
    signs = "\t\n\r\x00\x1f \"'\\[]^-/{}()|*+?#.\x7f\xa0ʰʰBA1️\u200b\u2028\ufeff\uffff\U000e0000\U0010ffff漢😀"
    odd = tuple((ord(sign), ord(sign)) for sign in signs)
    return Grammar(
        (
            Rule("start", Seq((Text(signs), Rep(Use("ODD"), 1, 60), Text("\n="), Rep(Use("REST"), 1, 60)))),
            Rule("ODD", Chars((*odd, (0x2B0, 0x2FF), (0xE0001, 0xE0FFF)))),
            Rule("REST", Chars(((0x2B0, 0x2FF), *odd), negated=True)),
        )
    )


GRAMMARS = {
    "plan": plan_grammar(TOOLS, steps=3, thought=20, input=20, answer=10),
    "answer": answer_grammar(
        [ContextBlock("Otters sleep in kelp.\nThey hold hands — “paws”.", (("url", "https://a.example/x"),))]
    ),
    "signs": every_sign(),
}


@pytest.mark.parametrize("name", GRAMMARS)
def test_no_escape_is_written_that_a_reader_takes_for_another(name: str) -> None:
    gbnf = GRAMMARS[name].gbnf()
    escapes = set(re.findall(r"\\(u[0-9A-F]{4}|.)", gbnf.replace("\\\\", "")))
    assert {escape for escape in escapes if not escape.startswith("u")} <= {"n", "r", "t", '"'}
    assert all(line.isprintable() or "\U000e0000" in line or "\U0010ffff" in line for line in gbnf.splitlines())


def test_every_sign_means_itself_to_llguidances_converter() -> None:
    check_both_ways(Language(lark_of(every_sign())))


@pytest.mark.parametrize("by_words", [False, True])
@pytest.mark.parametrize("name", GRAMMARS)
def test_vllms_xgrammar_and_llguidance_read_the_same(name: str, by_words: bool) -> None:
    xgrammar = pytest.importorskip("xgrammar", reason="xgrammar is not installed")
    compiled = xgrammar.Grammar.from_ebnf(GRAMMARS[name].gbnf(by_words=by_words))
    language, draw = Language(lark_of(GRAMMARS[name])), random.Random(3)
    for _ in range(20):
        text = language.walk(draw, ":evidnc01 []OtersbckS", 0.8)
        assert xgrammar.testing._is_grammar_accept_string(compiled, text), text
        cut = text[: len(text) // 2]
        assert xgrammar.testing._is_grammar_accept_string(compiled, cut) == (cut in language), cut


def check_both_ways(other: Language) -> None:
    same, draw = Language(every_sign()), random.Random(5)
    for _ in range(20):
        assert other.walk(draw, "\x00]^-\\漢\U000e0001", 0.5, "") in same
        assert same.walk(draw, "\x00]^-\\漢\U000e0001", 0.5, "") in other
