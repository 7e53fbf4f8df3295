"""Random texts of a language, drawn from its grammar by llguidance itself: no model, byte by byte."""

from __future__ import annotations

import random
import re

from airoagent.prompts.grammar import Grammar

__all__ = ["Language", "lark_of"]


def lark_of(grammar: Grammar, *, by_words: bool = False) -> str:
    """The grammar's GBNF, as llguidance converts it to Lark; its escapes, which the converter cuts, put in by hand."""
    from llguidance.gbnf_to_lark import gbnf_to_lark

    gbnf = grammar.gbnf(by_words=by_words)
    kept = re.sub(r"\\u([0-9A-F]{4})", lambda found: chr(0xF0000 + int(found[1], 16)), gbnf)
    spelled = {code: f"\\u{code - 0xF0000:04X}" for code in map(ord, kept) if 0xF0000 <= code < 0x100000}
    return str(gbnf_to_lark(kept)).translate(spelled)


class Language:
    """What a grammar allows."""

    def __init__(self, grammar: Grammar | str) -> None:
        from llguidance import LLMatcher, LLTokenizer

        self._tokenizer = LLTokenizer("byte")
        lark = grammar.lark() if isinstance(grammar, Grammar) else grammar
        self._matcher = LLMatcher(self._tokenizer, LLMatcher.grammar_from_lark(lark))
        assert not self._matcher.is_error(), self._matcher.get_error()

    def __contains__(self, text: str) -> bool:
        """Whether the text, all of it, is of the language."""
        tokens = self._tokenizer.tokenize_bytes(text.encode())
        self._matcher.reset()
        return bool(self._matcher.try_consume_tokens(tokens) == len(tokens) and self._matcher.is_accepting())

    def walk(self, random: random.Random, wanted: str, wish: float = 0.8, ends: str = "\n]") -> str:
        """A random text: mostly of the ``wanted`` characters where they may stand; ``ends`` come more often."""
        self._matcher.reset()
        written = bytearray()
        while not self._matcher.is_stopped():
            token = self._pick(random, wanted, wish, ends)
            if token is None:
                break
            self._matcher.consume_token(token)
            assert not self._matcher.is_error(), self._matcher.get_error()
            written.append(token)
        return written.decode()

    def _pick(self, random: random.Random, wanted: str, wish: float, ends: str) -> int | None:
        bias = self._matcher.compute_logit_bias()
        allowed = [token for token in range(256) if bias[token]]
        if not allowed or (self._matcher.is_accepting() and random.random() < 0.2):
            return None
        for few, chance in ((ends, 0.08), (wanted, wish)):
            liked = [token for token in allowed if token < 128 and chr(token) in few]
            if liked and random.random() < chance:
                return random.choice(liked)
        return random.choice(allowed)
