"""Decoding held to a grammar, through llguidance: only tokens that keep the completion in the language can come.

A grammar is Lark as llguidance reads it. Writers of grammars, mind two things: a llama model's natural first token
carries a leading space, so begin with an optional one (it is dropped from the completion); and bound every repeat, or
a completion may run to the token limit.
"""

from __future__ import annotations

import importlib.util
from typing import Any

from airoagent.errors import ModelError

__all__ = ["GrammarMask", "grammar_tokenizer", "grammars_available"]


def grammars_available() -> bool:
    """Whether llguidance is installed; without it models write freely."""
    return importlib.util.find_spec("llguidance") is not None


def grammar_tokenizer(tokenizer: Any, width: int, ends: list[int]) -> Any:
    """The tokenizer as llguidance needs it (0.2 s, keep it): ``width`` of the output layer, tokens that end a text.

    None for a tokenizer without a fast form, which llguidance cannot read.
    """
    import llguidance.hf

    if not getattr(tokenizer, "is_fast", False):
        return None
    return llguidance.hf.from_tokenizer(tokenizer, n_vocab=width, eos_token=ends)


class GrammarMask:
    """The mask of one completion: call it with the ids so far (one row) and the scores of the next token.

    ``start`` is how many ids are prompt. It may be called with fewer ids than before (prompt lookup tries drafts): it
    then goes back. Raises ModelError for a grammar that llguidance does not take.
    """

    def __init__(self, tokenizer: Any, grammar: str, start: int) -> None:
        from llguidance import LLMatcher

        self._matcher = LLMatcher(tokenizer, LLMatcher.grammar_from_lark(grammar))
        self._start = start
        self._taken: list[int] = []
        self._check()

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The scores with every token ruled out that would leave the language."""
        import torch

        self._follow(input_ids[0, self._start :].tolist())
        allowed = torch.frombuffer(bytearray(self._matcher.compute_logit_bias()), dtype=torch.uint8)
        self._check()
        # Entries are 0 or 200; the table is made as wide as the output layer (`grammar_tokenizer`).
        return scores.masked_fill((allowed == 0).to(scores.device), float("-inf"))

    def forced(self, ids: list[int]) -> list[int]:
        """The tokens that the grammar leaves no choice about after these ids; often none."""
        self._follow(ids[self._start :])
        tokens: list[int] = self._matcher.compute_ff_tokens()
        self._check()
        return tokens

    def _follow(self, tokens: list[int]) -> None:
        """Take the matcher to where ``tokens`` lead, going back first where they differ from what it has taken."""
        same = next((n for n, pair in enumerate(zip(tokens, self._taken, strict=False)) if pair[0] != pair[1]), None)
        same = min(len(tokens), len(self._taken)) if same is None else same
        if same < len(self._taken):
            self._matcher.rollback(len(self._taken) - same)
        self._matcher.consume_tokens(tokens[same:])
        self._taken = tokens
        self._check()

    def _check(self) -> None:
        # The matcher never raises by itself: an error is a state, and then its mask allows only the end.
        if self._matcher.is_error():
            reason = str(self._matcher.get_error()).strip().splitlines()[0]
            raise ModelError(f"the grammar for this completion cannot be used: {reason}")
