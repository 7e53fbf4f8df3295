"""Decoding held to a grammar, through llguidance: only tokens that keep the completion in the language can come.

A grammar has to begin with an optional space, which a llama model's natural first token carries (it is dropped from the
completion), and to bound every repeat. A `Grammar` is wound up before the token limit: when the tokens that are left
just suffice for its shortest end, that end is written, so that even a completion cut short is of the language.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import takewhile
from typing import Any, Final

from airoagent.errors import ModelError
from airoagent.extras import has
from airoagent.prompts.grammar import Grammar

# Tokens of a shortest end that are looked for before giving up: no grammar needs as many.
_LONGEST_END: Final = 2000


def grammars_available() -> bool:
    """Whether llguidance is installed; without it models write freely."""
    return has("llguidance")


def grammar_tokenizer(tokenizer: Any, width: int, ends: list[int]) -> Any:
    """The tokenizer as llguidance needs it (0.2 s, keep it): ``width`` of the output layer, tokens that end a text.

    None for a tokenizer without a fast form, which llguidance cannot read.
    """
    import llguidance.hf

    if not getattr(tokenizer, "is_fast", False):
        return None
    return llguidance.hf.from_tokenizer(tokenizer, n_vocab=width, eos_token=ends)


def nearest_end(grammar: Grammar, text: str) -> str:
    """What leads from this text, cut off somewhere, to an end that the grammar allows; ``""`` if nothing does.

    For text from elsewhere, whose tokens are not known: it is taken byte by byte.
    """
    from llguidance import LLTokenizer

    tokenizer = LLTokenizer("byte")
    matcher = _compiled(tokenizer, grammar).deep_copy()
    # What came as broken UTF-8 was some sign of free text: the way to the end is the same from any other.
    written = list(text.replace("\ufffd", "x").encode())
    if matcher.validate_tokens(written) < len(written) or not matcher.consume_tokens(written):
        return ""
    end = _WindUp(tokenizer, grammar, 0).shortest(matcher)
    return bytes(end[:-1]).decode("utf-8", "replace")


# Compiling costs 20 ms, a copy next to nothing; a session asks for a few grammars again and again.
@lru_cache(maxsize=8)
def _compiled(tokenizer: Any, grammar: Grammar | str) -> Any:
    """The matcher of a grammar at its start; to be copied, not used."""
    from llguidance import LLMatcher, LLParserLimits

    def token_of(text: str) -> int | None:
        special = filter(tokenizer.is_special_token, range(tokenizer.vocab_size))
        return next((token for token in special if tokenizer.decode_str([token]) == text), None)

    lark = grammar.lark(token_of) if isinstance(grammar, Grammar) else grammar
    # Long texts are worked out as they come: doing so beforehand takes longer, and is given up at a vocabulary of
    # 32,000 for plans of more than six steps.
    limits = LLParserLimits(precompute_large_lexemes=False)
    return LLMatcher(tokenizer, LLMatcher.grammar_from_lark(lark), limits=limits)


class GrammarMask:
    """The mask of one completion: call it with the ids so far (one row) and the scores of the next token.

    ``start`` is how many ids are prompt, ``room`` how many may follow (None: not known). Called with fewer ids than
    before (prompt lookup tries drafts) it goes back. Raises ModelError for a grammar that llguidance does not take, and
    for tokens outside of the language.
    """

    def __init__(self, tokenizer: Any, grammar: Grammar | str, start: int, room: int | None = None) -> None:
        self._matcher = _compiled(tokenizer, grammar).deep_copy()
        self._start = start
        self._taken: list[int] = []
        self._check()
        self._windup = _WindUp(tokenizer, grammar, room) if room and isinstance(grammar, Grammar) else None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The scores with every token ruled out that would leave the language."""
        import torch

        self._follow(input_ids[0, self._start :].tolist())
        forced = self._windup.next(self._matcher, self._taken) if self._windup is not None else None
        if forced is not None:
            return torch.full_like(scores, float("-inf")).index_fill(1, torch.tensor([forced]).to(scores.device), 0)
        # As wide as the output layer: the table is made so (`grammar_tokenizer`).
        allowed = torch.frombuffer(bytearray(self._matcher.compute_logit_bias()), dtype=torch.uint8)
        self._check()
        return scores.masked_fill((allowed == 0).to(scores.device), float("-inf"))

    def forced(self, ids: list[int]) -> list[int]:
        """The tokens that the grammar leaves no choice about after these ids; often none."""
        self._follow(ids[self._start :])
        tokens: list[int] = self._matcher.compute_ff_tokens()
        self._check()
        return tokens

    def _follow(self, tokens: list[int]) -> None:
        """Take the matcher to where ``tokens`` lead, going back first where they differ from what it has taken."""
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(tokens, self._taken, strict=False)))
        if same < len(self._taken):
            self._matcher.rollback(len(self._taken) - same)
        # An end-of-text token that ended the completion has nothing to follow; anything else must be taken whole.
        taken = self._matcher.consume_tokens(tokens[same:])
        self._taken = tokens
        self._check()
        if not taken:
            raise ModelError("the completion has left the grammar it is held to")

    def _check(self) -> None:
        # The matcher never raises by itself: an error is a state, and then its mask allows only the end.
        if self._matcher.is_error():
            reason = str(self._matcher.get_error()).strip().splitlines()[0]
            raise ModelError(f"the grammar for this completion cannot be used: {reason}")


class _WindUp:
    """Leads a completion to its nearest end while the tokens for it are still there."""

    def __init__(self, tokenizer: Any, grammar: Grammar, room: int) -> None:
        self._tokenizer = tokenizer
        self._closers = [tokenizer.tokenize_str(text) for text in grammar.closers]
        self._slack = grammar.slack
        self._room = room
        self._look_at = room  # tokens left at which the end has to be looked for again
        self._at = 0
        self._end: list[int] = []

    def next(self, matcher: Any, taken: list[int]) -> int | None:
        """The token that has to come now; None while any may."""
        step = len(taken) - self._at
        if self._end and 0 <= step < len(self._end) and taken[self._at :] == self._end[:step]:
            return self._end[step]
        left = self._room - len(taken)
        if left > self._look_at:
            return None
        end = self.shortest(matcher)
        # One token freely chosen may lead at most `slack` away from the end. Below twice that, look at every token.
        self._look_at = len(end) + 2 * self._slack
        if left > len(end) + self._slack:
            return None
        self._at, self._end = len(taken), end
        return end[0] if end else None

    def shortest(self, matcher: Any) -> list[int]:
        """Tokens that lead from here to an end, with the end-of-text token; a short way, if not the shortest."""
        matcher = matcher.deep_copy()
        way: list[int] = []
        while len(way) < _LONGEST_END and not matcher.is_error():
            if matcher.is_accepting():
                return [*way, self._tokenizer.eos_token]
            closer = (tokens for tokens in self._closers if matcher.validate_tokens(tokens) == len(tokens))
            step = matcher.compute_ff_tokens() or next(closer, None) or self._any(matcher)
            if not step or not matcher.consume_tokens(step):
                break
            way += step
        return []

    def _any(self, matcher: Any) -> list[int]:
        """A token that may stand here: one of one letter or digit, if there is such a one."""
        allowed = [token for token, value in enumerate(matcher.compute_logit_bias()) if value]
        texts = ((token, self._tokenizer.decode_bytes([token])) for token in allowed)
        plain = (token for token, text in texts if len(text) == 1 and text.isalnum())
        return [next(plain, allowed[0])] if allowed else []
