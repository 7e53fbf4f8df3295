"""Text to tokens, tokens to text, and the picking of the next token: what happens around each forward pass.

Nothing here knows asyncio or threads. torch is imported where it is used.
"""

from __future__ import annotations

import codecs
import re
import secrets
from collections.abc import Callable, Iterable
from typing import Any, Final

from airoagent.errors import ModelError
from airoagent.events import Usage
from airoagent.models.base import Chunk, Finish, Sampling
from airoagent.models.stopping import StopFilter
from airoagent.prompts.wrappers import Wrapper

# llama.cpp's window for its repeat penalty, which is what the 1.1 of the model cards was set for.
_PENALTY_WINDOW: Final = 64


def encode_plain(tokenizer: Any, text: str) -> list[int]:
    """Text as ids, none of them a control token: ``</s>`` in it is four characters and not the end.

    Raises ModelError if the tokenizer makes a control token of it all the same.
    """
    # A shell passes on bytes that are not UTF-8, which no tokenizer reads.
    text = text.encode(errors="replace").decode()
    # Not verbose: it would warn of texts longer than the window, which the caller answers with an error.
    encoded = tokenizer(text, add_special_tokens=False, split_special_tokens=True, verbose=False)
    ids: list[int] = encoded["input_ids"]
    control = {tokenizer.bos_token_id, tokenizer.eos_token_id} - {None, tokenizer.unk_token_id}
    if not control.isdisjoint(ids):
        raise ModelError(
            "this model's tokenizer turns ordinary text into control tokens, so outside text cannot be read safely",
            "use the tokenizer.json of the original model",
        )
    return ids


def encode_prompt(tokenizer: Any, wrapper: Wrapper, prompt: str, system: str | None, *, begin: bool) -> list[int]:
    """The ids the model reads for an instruction.

    ``begin`` puts the begin-of-text token in front; a chat template spells its own. Of a chat template the control
    tokens are ids, while system text and instruction are only ever text.
    """
    if wrapper.name != "template":
        start = [tokenizer.bos_token_id] if begin and tokenizer.bos_token_id is not None else []
        return start + encode_plain(tokenizer, wrapper.wrap(prompt, system))
    ids: list[int] = []
    plain = ""
    control = control_tokens(tokenizer)
    for text, trusted in wrapper.parts(prompt, system):
        for piece in _split(text, control) if trusted else [text]:
            token = control.get(piece) if trusted else None
            if token is None:
                plain += piece  # Runs of text are encoded whole, as the tokenizer itself would.
                continue
            ids += encode_plain(tokenizer, plain) if plain else []
            ids.append(token)
            plain = ""
    return ids + (encode_plain(tokenizer, plain) if plain else [])


def control_tokens(tokenizer: Any) -> dict[str, int]:
    """The control tokens by how they are spelled. Those without a role (Mistral's [INST]) are only among the added."""
    named = {text: tokenizer.convert_tokens_to_ids(text) for text in tokenizer.all_special_tokens}
    return named | {one.content: token for token, one in tokenizer.added_tokens_decoder.items() if one.special}


def _split(text: str, words: Iterable[str]) -> list[str]:
    """Text cut before and after each of the words, the longest first."""
    longest_first = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    return [piece for piece in re.split(f"({longest_first})", text) if piece] if longest_first else [text]


class TokenText:
    """Tokens to text, one at a time, without ever showing half a character.

    The bytes of each token go through one UTF-8 decoder. Bytes that are not UTF-8 become U+FFFD once that is certain;
    control tokens have no text.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._control = frozenset(control_tokens(tokenizer).values())
        self._added = {token: str(entry.content) for token, entry in tokenizer.added_tokens_decoder.items()}
        backend = getattr(tokenizer, "backend_tokenizer", None)
        byte_level = backend is not None and "ByteLevel" in repr(backend.decoder)
        self._characters = _byte_level_alphabet() if byte_level else {}
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token: int) -> str:
        """The text that is certain now that this token has come."""
        return self._decoder.decode(self._bytes_of(token))

    def finish(self) -> str:
        """What is left when no more tokens come: U+FFFD for a character that was cut, else nothing."""
        return self._decoder.decode(b"", final=True)

    def _bytes_of(self, token: int) -> bytes:
        if token in self._control:
            return b""
        if token in self._added:
            return self._added[token].encode()
        piece: str | None = self._tokenizer.convert_ids_to_tokens(token)
        if piece is None:  # The output layer may be wider than the vocabulary.
            return b""
        if self._characters:
            return bytes(self._characters[character] for character in piece)
        if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
            return bytes([int(piece[3:5], 16)])
        return piece.replace("\u2581", " ").encode()


def _byte_level_alphabet() -> dict[str, int]:
    """Byte-level BPE spells a byte as a visible character: printable Latin-1 as itself, the others from U+0100 on."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(0x100 + n): byte for n, byte in enumerate(hidden)}


class TokenPicker:
    """Picks the next token, as a logits processor: what it returns leaves greedy search one choice.

    It draws with a generator of its own, so a seed means the same tokens whatever else draws random numbers in this
    process. Order: repetition penalty over the last 64 tokens, grammar, temperature, top-p.
    """

    def __init__(self, sampling: Sampling, device: Any, mask: Callable[[Any, Any], Any] | None = None) -> None:
        import torch
        from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor, TopPLogitsWarper

        chosen = sampling.for_purpose("think")
        self._temperature = chosen.temperature or 0.0
        self._penalise = RepetitionPenaltyLogitsProcessor(float(chosen.repetition_penalty or 1))
        self._most_likely = TopPLogitsWarper(chosen.top_p)
        self._mask = mask
        self._generator = torch.Generator(device=device)
        self._generator.manual_seed(secrets.randbits(63) if sampling.seed is None else sampling.seed % 2**63)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The scores (one row) with all but the picked token ruled out; at temperature 0 the search picks the best."""
        import torch

        scores = scores.float()
        if bool(torch.isnan(scores).any()):
            raise ModelError("the model computes NaN: its weights are damaged or do not fit")
        if self._penalise.penalty != 1:
            scores = self._penalise(input_ids[:, -_PENALTY_WINDOW:].to(scores.device), scores)
        if self._mask is not None:
            scores = self._mask(input_ids, scores)
        if self._temperature == 0:
            return scores
        scores = scores / self._temperature
        if self._most_likely.top_p < 1:
            scores = self._most_likely(input_ids, scores)
        picked = torch.multinomial(torch.softmax(scores, dim=-1), 1, generator=self._generator)
        return torch.full_like(scores, float("-inf")).scatter(1, picked, 0.0)


class CompletionWriter:
    """Turns the tokens of one completion into text, passes it on, and says when it ends."""

    def __init__(
        self, text: TokenText, ends: tuple[int, ...], stops: StopFilter, tell: Callable[[Chunk], None]
    ) -> None:
        self._text = text
        self._stops = stops
        self._ends = frozenset(ends)
        self._tell = tell
        self._finish: Finish = "length"

    def __call__(self, token: int) -> bool:
        """Take the next token; return whether the completion ends with it."""
        if token in self._ends:
            self._finish = "stop"
            return True
        if shown := self._stops.feed(self._text.feed(token)):
            self._tell(Chunk(shown))
        if self._stops.stopped:
            self._finish = "stop"
        return self._stops.stopped

    def last_chunk(self, read: int, all: int) -> Chunk:
        """What was held back, why the completion ended, and its cost: tokens read, and read and written together."""
        rest = self._stops.feed(self._text.finish()) + self._stops.finish()
        return Chunk(rest, self._finish, Usage(read, all - read, 1))
