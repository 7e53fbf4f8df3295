"""Evidence cut to what a model can read: the sentences that speak of the question, in their order, with their source.

    fitted = fit_blocks(blocks, "Where do otters sleep?", 3000, tokenizer_length)
    fitted.blocks, fitted.note

All blocks are ranked together by BM25 against the instruction, and share the tokens by need: a short block is kept
whole, what it leaves goes to the longer ones. A gap is marked with ``[...]``, and the note says how much of which
source was left out. Linear in the length of the text; nothing is cut where everything fits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from airoagent.errors import ModelError
from airoagent.prompts.context_prompts import ContextBlock, closed_context_prompt
from airoagent.text.rank import bm25
from airoagent.text.sentences import sentence_spans
from airoagent.text.words import query_stems, stem, word_set, words

__all__ = ["Fitted", "fit_blocks"]

GAP = "\n[...]\n"

_AIM = 240  # characters: sentences are put together until a passage has as many
_LONGEST = 800  # a sentence over this is cut at a space
_DENSEST = 12  # characters a token stands for at most, on the average of a whole text
_NEIGHBOUR = 0.25  # of the neighbour's score: what is next to a hit often explains it

# What the instruction says besides the question: "Source? Don't make up answers if you don't know."
_FRAME = word_set("answer bas context given inform know mak sourc text")


@dataclass(frozen=True, slots=True)
class Fitted:
    """Blocks that fit, and a note on what was left out (``""``: nothing)."""

    blocks: tuple[ContextBlock, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Passage:
    block: int
    start: int
    end: int


def fit_blocks(blocks: Sequence[ContextBlock], instruction: str, budget: int, count: Callable[[str], int]) -> Fitted:
    """The blocks cut so that their closed-context prompt has at most ``budget`` tokens, as ``count`` counts them.

    Raises ModelError where the instruction alone has more.
    """
    blocks = tuple(blocks)
    size = sum(len(block.text) for block in blocks)
    if size <= budget * _DENSEST and count(closed_context_prompt(blocks, instruction)) <= budget:
        return Fitted(blocks)
    bare = count(closed_context_prompt((), instruction))
    if bare >= budget:
        raise ModelError(
            f"the question alone is {bare} tokens long, and the window leaves {max(budget, 0)} for it and its evidence",
            "ask a shorter question, write fewer tokens (--max-tokens), or choose a model with a longer window",
        )
    passages = [passage for number, block in enumerate(blocks) for passage in _cut(number, block.text)]
    scores = _rank(blocks, passages, instruction)
    kept = _share(blocks, passages, scores, budget - bare, count)
    # Passages were counted one by one, which is a little off: the whole is what has to fit.
    order = sorted(kept, key=lambda number: (scores[number], -number))
    while True:
        fitted = _compose(blocks, passages, kept)
        length = count(closed_context_prompt(fitted, instruction))
        if length <= budget or not order:
            break
        for number in order[: max(1, len(order) * (length - budget) // length)]:
            kept.discard(number)
            order.remove(number)
    return Fitted(fitted, _note(blocks, passages, kept))


def _cut(block: int, text: str) -> list[_Passage]:
    """Passages of whole sentences, which together are the text."""
    passages: list[_Passage] = []
    start = 0

    def close(end: int) -> None:
        nonlocal start
        while end - start > _LONGEST:
            space = text.rfind(" ", start + _LONGEST // 2, start + _LONGEST)
            at = space + 1 if space > 0 else start + _LONGEST
            passages.append(_Passage(block, start, at))
            start = at
        if end > start:
            passages.append(_Passage(block, start, end))
            start = end

    last = 0
    for _, end in sentence_spans(text):
        if last > start and end - start > 2 * _AIM:
            close(last)
        if end - start >= _AIM:
            close(end)
        last = end
    close(len(text))
    return passages


def _rank(blocks: Sequence[ContextBlock], passages: Sequence[_Passage], instruction: str) -> list[float]:
    """The BM25 score of each passage, all blocks together; where nothing matches what stands first is best."""
    terms = query_stems(instruction)
    texts = [list(map(stem, words(blocks[one.block].text[one.start : one.end]))) for one in passages]
    own = bm25(texts, [term for term in terms if term not in _FRAME] or terms)
    scores = list(own)
    for number, (before, after) in enumerate(pairwise(passages)):
        if before.block == after.block:
            scores[number] = max(scores[number], own[number] + _NEIGHBOUR * own[number + 1])
            scores[number + 1] += _NEIGHBOUR * own[number]
    first: dict[int, int] = {}
    for number, passage in enumerate(passages):
        place = number - first.setdefault(passage.block, number)
        # Decides only where nothing else does: pages begin with what they are about.
        scores[number] += 0.01 / (1 + place)
    return scores


def _share(
    blocks: Sequence[ContextBlock],
    passages: Sequence[_Passage],
    scores: Sequence[float],
    budget: int,
    count: Callable[[str], int],
) -> set[int]:
    """The passages to keep. Each block has a right to its share of the tokens; what is not needed goes to the best."""
    ranking = sorted(range(len(passages)), key=lambda number: (-scores[number], number))
    best: dict[int, float] = {}
    for number in ranking:
        best.setdefault(passages[number].block, scores[number])
    frames = {
        number: count(closed_context_prompt([ContextBlock("", block.metadata)], ""))
        for number, block in enumerate(blocks)
    }
    open_blocks: set[int] = set()
    for number in sorted(best, key=lambda number: -best[number]):
        if (sum(frames[each] for each in open_blocks) + frames[number]) * 2 <= budget or not open_blocks:
            open_blocks.add(number)
    left = budget - sum(frames[number] for number in open_blocks)
    # Only as many passages are counted as could be kept; the better ones come first.
    costs: dict[int, int] = {}
    needs = dict.fromkeys(open_blocks, 0)
    for number in ranking:
        block = passages[number].block
        if block in open_blocks and needs[block] <= left:
            passage = passages[number]
            costs[number] = count(blocks[block].text[passage.start : passage.end])
            needs[block] += costs[number]
    shares = _fill(needs, left)
    kept: set[int] = set()
    for limited in (True, False):
        for number, cost in costs.items():
            block = passages[number].block
            if number not in kept and cost <= left and (not limited or cost <= shares[block]):
                kept.add(number)
                left -= cost
                shares[block] -= cost
    return kept


def _fill(needs: dict[int, int], budget: int) -> dict[int, int]:
    """The budget in shares: who needs less than an equal part gets what it needs, the others divide the rest."""
    shares: dict[int, int] = {}
    waiting = sorted(needs, key=lambda number: needs[number])
    for place, number in enumerate(waiting):
        shares[number] = min(needs[number], budget // (len(waiting) - place))
        budget -= shares[number]
    return shares


def _compose(blocks: Sequence[ContextBlock], passages: Sequence[_Passage], kept: set[int]) -> tuple[ContextBlock, ...]:
    """The blocks of which something is kept: passages in their order, gaps marked."""
    texts: dict[int, str] = {}
    ends: dict[int, int] = {}
    for number in sorted(kept):
        passage = passages[number]
        text = blocks[passage.block].text
        here = texts.get(passage.block, "")
        if passage.start != ends.get(passage.block, 0):
            here = f"{here.rstrip()}{GAP}" if here else GAP.lstrip()
        texts[passage.block] = here + text[passage.start : passage.end]
        ends[passage.block] = passage.end
    for number, end in ends.items():
        if end < len(blocks[number].text):
            texts[number] = texts[number].rstrip() + GAP.rstrip()
    return tuple(ContextBlock(texts[number], blocks[number].metadata) for number in sorted(texts))


def _note(blocks: Sequence[ContextBlock], passages: Sequence[_Passage], kept: set[int]) -> str:
    """How much of which source was left out."""
    whole: dict[int, int] = {}
    read: dict[int, int] = {}
    for number, passage in enumerate(passages):
        size = passage.end - passage.start
        whole[passage.block] = whole.get(passage.block, 0) + size
        read[passage.block] = read.get(passage.block, 0) + (size if number in kept else 0)
    cut = [
        f"{_called(blocks[number], number)} ({read[number]:,} of {size:,} characters read)"
        for number, size in whole.items()
        if read[number] < size
    ]
    if not cut:
        return ""
    more = f" and {len(cut) - 8} more" if len(cut) > 8 else ""
    return f"did not fit the model's window whole: {', '.join(cut[:8])}{more}"


def _called(block: ContextBlock, number: int) -> str:
    return next((value for key, value in block.metadata if key in ("url", "title")), f"text {number + 1}")
