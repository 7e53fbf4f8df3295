"""Completions written side by side: one forward pass of the model gives each of them its next token.

A `RowBatch` is a left-padded batch that rows join and leave at any token; each row picks its own tokens, with its own
grammar. A row that is alone may look ahead: tokens that are likely to come (forced by its grammar, or a repetition of
what it has read) are tried in the same pass, and kept as far as the row picks them itself. `BatchGroup` holds one such
batch, and apart from it the rows whose text must not depend on who else is writing: the same sums in a wider batch are
rounded otherwise, and a draw that was close goes the other way. Used from one thread.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from airoagent.models.base import Chunk
from airoagent.models.local.decoding import CompletionWriter

# Tokens that a kept prompt and a new one must share for the shared part not to be read again.
_LEAST_SHARED: Final = 64


class BatchRow:
    """One completion in the making.

    ``ids`` is the prompt and then what was written; ``most`` how many tokens may be; ``pick`` takes the ids (one row)
    and the scores of the next token and leaves one the best; ``take`` gets the picked token and says whether the
    completion ends with it. ``keep`` has the prompt kept for later ones that begin alike; ``guess`` proposes tokens
    that may come next; with ``alone`` it shares no pass with others (see `BatchGroup`).
    """

    __slots__ = ("_pick", "alone", "ended", "guess", "ids", "keep", "left", "start", "take")

    def __init__(
        self,
        ids: list[int],
        most: int,
        pick: Callable[[Any, Any], Any],
        take: CompletionWriter,
        *,
        keep: bool = False,
        guess: Callable[[list[int]], list[int]] | None = None,
        alone: bool = False,
    ) -> None:
        self.ids = ids
        self.start = len(ids)
        self.left = most
        self._pick = pick
        self.take = take
        self.keep = keep
        self.guess = guess
        self.alone = alone
        self.ended = most < 1

    def advance(self, scores: Any) -> int:
        """Pick the next token from its scores (one row), and return it."""
        import torch

        token = int(self._pick(torch.tensor([self.ids]), scores).argmax())
        self.ids.append(token)
        self.left -= 1
        self.ended = self.take(token) or self.left < 1
        return token

    def last_chunk(self) -> Chunk:
        """What was held back, why the completion ended, and its cost."""
        return self.take.last_chunk(self.start, len(self.ids))

    def guesses(self) -> list[int]:
        """Tokens that may come next, fewer than may still be written."""
        return self.guess(self.ids)[: self.left - 1] if self.guess is not None and self.left > 1 else []


class RowBatch:
    """The rows being written by one model, and their key-value cache."""

    def __init__(self, model: Any, device: Any) -> None:
        self._model = model
        self._device = device
        accepted = inspect.signature(model.forward).parameters
        self._positions = "position_ids" in accepted
        self._few_logits = "logits_to_keep" in accepted
        # `cache` from transformers 5.24 on; the old name warns there, and goes in 5.40.
        self._cache_name = "cache" if "cache" in accepted else "past_key_values"
        self.rows: list[BatchRow] = []
        self._cache: Any = None
        self._mask: Any = None
        self._kept_ids: list[int] = []
        self._kept: list[tuple[Any, Any]] = []

    def join(self, rows: Sequence[BatchRow]) -> None:
        """Read the prompts of these rows, each of which then has its first token; rows that have ended stay out.

        An error leaves the rows that were there before as they were.
        """
        import torch

        with torch.no_grad():
            known = [row for row in rows if row.keep and self._shared(row.ids) >= _LEAST_SHARED]
            together = [row for row in rows if row not in known]
            for group in ([together] if together else []) + [[row] for row in known]:
                self._add(group, *self._read(group, known=group[0] in known))

    def step(self) -> None:
        """Write one more token of each row, or several of a row that is alone; rows that have ended leave."""
        import torch

        with torch.no_grad():
            guesses = self.rows[0].guesses() if len(self.rows) == 1 else []
            tokens = torch.tensor([[row.ids[-1], *guesses] for row in self.rows])
            self._mask = torch.cat([self._mask, torch.ones_like(tokens, dtype=torch.bool)], dim=1)
            logits = self._forward(tokens, self._mask, self._cache, tokens.shape[1])
            if guesses:
                self._follow(self.rows[0], guesses, logits)
            else:
                for number, row in enumerate(self.rows):
                    row.advance(logits[number : number + 1, -1])
        self.leave(lambda row: row.ended)

    def leave(self, out: Callable[[BatchRow], bool]) -> None:
        """Let go of the rows that ``out`` names."""
        import torch

        stay = [number for number, row in enumerate(self.rows) if not out(row)]
        if len(stay) == len(self.rows):
            return
        self.rows = [self.rows[number] for number in stay]
        if not self.rows:
            self._cache = self._mask = None
            return
        mask = self._mask[stay]
        padding = int(mask.int().argmax(dim=1).min())  # Columns in which no row has a token any more.
        self._mask = mask[:, padding:]
        index = torch.tensor(stay)
        for layer in self._cache.layers:
            at = index.to(layer.keys.device)
            layer.keys, layer.values = layer.keys[at, :, padding:], layer.values[at, :, padding:]

    def _follow(self, row: BatchRow, guesses: list[int], logits: Any) -> None:
        """Pick token by token for as long as the guesses are what is picked; forget the rest of them."""
        wrong = len(guesses)
        for number, guess in enumerate([*guesses, None]):
            if row.advance(logits[:, number]) != guess or row.ended:
                break
            wrong -= 1
        if wrong > 0:
            self._cache.crop(-wrong)
            self._mask = self._mask[:, :-wrong]

    def _read(self, rows: list[BatchRow], *, known: bool) -> tuple[Any, Any]:
        """Read prompts: their cache and mask."""
        import torch
        from transformers import DynamicCache

        cache, skip = DynamicCache(), 0
        if known:
            skip = self._cut_kept(rows[0].ids)
            for number, (keys, values) in enumerate(self._kept):
                cache.update(keys, values, number)
        longest = max(len(row.ids) for row in rows)
        padded = torch.tensor([[0] * (longest - len(row.ids)) + row.ids for row in rows])
        mask = torch.tensor([[False] * (longest - len(row.ids)) + [True] * len(row.ids) for row in rows])
        logits = self._forward(padded[:, skip:], mask, cache, 1)
        if len(rows) == 1 and rows[0].keep and not known:
            self._kept_ids = rows[0].ids[: rows[0].start]
            self._kept = [(layer.keys, layer.values) for layer in cache.layers]
        for number, row in enumerate(rows):
            row.advance(logits[number : number + 1, -1])
        return cache, mask

    def _forward(self, tokens: Any, mask: Any, cache: Any, keep: int) -> Any:
        """The scores after each of the last ``keep`` tokens."""
        settings: dict[str, Any] = {self._cache_name: cache}
        if self._positions:
            positions = (mask.long().cumsum(dim=1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
            settings["position_ids"] = positions.to(self._device)
        if self._few_logits:
            settings["logits_to_keep"] = keep
        output = self._model(
            input_ids=tokens.to(self._device), attention_mask=mask.long().to(self._device), use_cache=True, **settings
        )
        return output.logits[:, -keep:]

    def _add(self, read: list[BatchRow], cache: Any, mask: Any) -> None:
        """Join what was read to what is there, both padded on the left to the same length."""
        import torch

        stay = [number for number, row in enumerate(read) if not row.ended]
        if not stay:
            return
        length = max(self._mask.shape[1] if self.rows else 0, mask.shape[1])
        for number, layer in enumerate(cache.layers):
            index = torch.tensor(stay, device=layer.keys.device)
            for name in ("keys", "values"):
                new = getattr(layer, name)
                new = _widen(new[index] if len(stay) < len(read) else new, length, 2)
                if self.rows:
                    new = torch.cat([_widen(getattr(self._cache.layers[number], name), length, 2), new])
                setattr(layer, name, new)
        mask = _widen(mask[stay], length, 1)
        self._mask = torch.cat([_widen(self._mask, length, 1), mask]) if self.rows else mask
        self._cache = cache
        self.rows = [*self.rows, *(read[number] for number in stay)]

    def _shared(self, ids: list[int]) -> int:
        """How many tokens these ids begin with that the kept prompt begins with, too; at least one is left to read."""
        most = min(len(ids) - 1, len(self._kept_ids))
        return next((n for n in range(most) if ids[n] != self._kept_ids[n]), most)

    def _cut_kept(self, ids: list[int]) -> int:
        """Keep only what the kept prompt and this one share; its length."""
        shared = self._shared(ids)
        if shared < len(self._kept_ids):
            self._kept_ids = self._kept_ids[:shared]
            self._kept = [(keys[:, :, :shared].clone(), values[:, :, :shared].clone()) for keys, values in self._kept]
        return shared


class BatchGroup:
    """Rows written together, and rows each written alone; all of them advance by one step at a time."""

    def __init__(self, model: Any, device: Any) -> None:
        self._batch = partial(RowBatch, model, device)
        self._together = self._batch()
        self._single: list[RowBatch] = []

    @property
    def rows(self) -> list[BatchRow]:
        """All that are being written."""
        return [row for batch in (self._together, *self._single) for row in batch.rows]

    def join(self, rows: Sequence[BatchRow]) -> None:
        """As `RowBatch.join`."""
        single = [(self._batch(), row) for row in rows if row.alone]
        try:
            self._together.join([row for row in rows if not row.alone])
            for batch, row in single:
                batch.join([row])
        except BaseException:
            self._together.leave(lambda row: row in rows)
            raise
        self._single += [batch for batch, _ in single]

    def step(self) -> None:
        """As `RowBatch.step`."""
        for batch in (self._together, *self._single):
            if batch.rows:
                batch.step()
        self._single = [batch for batch in self._single if batch.rows]

    def leave(self, out: Callable[[BatchRow], bool]) -> None:
        """As `RowBatch.leave`."""
        for batch in (self._together, *self._single):
            batch.leave(out)


def _widen(tensor: Any, length: int, dimension: int) -> Any:
    """The tensor with zeros in front of this dimension, to this length."""
    import torch

    short = length - tensor.shape[dimension]
    after = [0, 0] * (tensor.dim() - dimension - 1)
    return torch.nn.functional.pad(tensor, [*after, short, 0]) if short else tensor


_KEY: Final = 3  # tokens that have to be the same for the ones after them to be proposed
_MOST: Final = 16


class PromptLookup:
    """Proposes tokens for one completion: call it with all ids so far, each time the model is to go on.

    ``forced`` gives the tokens that a grammar forces after these ids. How many are proposed follows what came true:
    it doubles after a proposal that was right to its end, and is halved after one that was wrong at once.
    """

    __slots__ = ("_forced", "_from", "_index", "_proposed", "_seen", "_size")

    def __init__(self, forced: Callable[[list[int]], list[int]] | None = None) -> None:
        self._forced = forced
        self._index: dict[tuple[int, ...], int] = {}
        self._seen = 0
        self._size = 4
        self._proposed: list[int] = []
        self._from = 0

    def __call__(self, ids: list[int]) -> list[int]:
        """The tokens proposed to follow ``ids``; often none."""
        self._learn(ids)
        # Only places that something follows: the end of the text is what is looked up.
        for end in range(max(self._seen, _KEY), len(ids)):
            self._index[tuple(ids[end - _KEY : end])] = end
        self._seen = max(self._seen, len(ids))
        forced = self._forced(ids) if self._forced is not None else []
        if forced:
            self._proposed = []
            return forced[:_MOST]
        at = self._index.get(tuple(ids[-_KEY:]))
        self._proposed = [] if at is None else ids[at : at + self._size]
        self._from = len(ids)
        return self._proposed

    def _learn(self, ids: list[int]) -> None:
        if not self._proposed:
            return
        came = ids[self._from : self._from + len(self._proposed)]
        right = next((n for n, token in enumerate(came) if token != self._proposed[n]), len(came))
        if right == len(self._proposed):
            self._size = min(2 * self._size, _MOST)
        elif right == 0:
            self._size = max(self._size // 2, 1)
