"""Evidence cut to what a model can read: the sentences that speak of the question, in their order, with their source.

    fitted = fit_blocks(blocks, "Where do otters sleep?", 3000, tokenizer_length)
    fitted.blocks, fitted.note

All blocks are ranked together by BM25 against the instruction. Each has the same share of the tokens, so that a short
one is kept whole; what is not needed goes to the best passages. A gap is marked with ``[...]``, and the note says how
much of which source was left out. Linear in the length of the text; nothing is cut where everything fits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

from airoagent.errors import ModelError
from airoagent.frozen import frozen
from airoagent.prompts.context_prompts import ContextBlock, closed_context_prompt
from airoagent.text.rank import bm25
from airoagent.text.sentences import sentence_spans
from airoagent.text.words import query_stems, stem, word_set, words

GAP = "\n[...]\n"

_AIM = 240  # characters: sentences are put together until a passage has as many
_LONGEST = 800  # a sentence over this is cut at a space
_DENSEST = 12  # characters a token stands for at most, on the average of a whole text
_NEIGHBOUR = 0.25  # of the neighbour's score: what is next to a hit often explains it

# What the instruction says besides the question: "Source? Don't make up answers if you don't know."
_FRAME = word_set("answer bas context given inform know mak sourc text")


@frozen
class Fitted:
    """Blocks that fit, and a note on what was left out (``""``: nothing)."""

    blocks: tuple[ContextBlock, ...]
    note: str = ""


@frozen
class _Passage:
    block: int
    start: int
    text: str


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
    scores = _rank(passages, instruction)
    ranking = sorted(range(len(passages)), key=lambda number: (-scores[number], number))
    kept = _share(blocks, passages, ranking, budget - bare, count)
    # Passages were counted one by one, which is a little off: the whole is what has to fit.
    order = [number for number in ranking if number in kept]
    while True:
        fitted = _compose(blocks, passages, sorted(order))
        length = count(closed_context_prompt(fitted, instruction))
        if length <= budget or not order:
            break
        del order[-max(1, len(order) * (length - budget) // length) :]
    return Fitted(fitted, _note(blocks, [passages[number] for number in order]))


def _cut(block: int, text: str) -> list[_Passage]:
    """Passages of whole sentences, which together are the text."""
    ends, start, last = [], 0, 0
    for _, end in sentence_spans(text):
        if last > start and end - start > 2 * _AIM:
            ends.append(start := last)
        if end - start >= _AIM:
            ends.append(start := end)
        last = end
    passages, start = [], 0
    for end in [*ends, len(text)]:
        while start < end:
            at = end
            if end - start > _LONGEST:
                space = text.rfind(" ", start + _LONGEST // 2, start + _LONGEST)
                at = space + 1 if space > 0 else start + _LONGEST
            passages.append(_Passage(block, start, text[start:at]))
            start = at
    return passages


def _rank(passages: Sequence[_Passage], instruction: str) -> list[float]:
    """The BM25 score of each passage, all blocks together; where nothing matches what stands first is best."""
    terms = query_stems(instruction)
    texts = [list(map(stem, words(passage.text))) for passage in passages]
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
    ranking: Sequence[int],
    budget: int,
    count: Callable[[str], int],
) -> set[int]:
    """The passages to keep: of each block the best up to its share of the tokens, then the best of all that is left.

    Blocks whose frames would take more than half of the tokens are left out, the worst first. Only as many passages
    are counted as are kept, and the first of each block that is not.
    """
    frames: dict[int, int] = {}
    for block in dict.fromkeys(passages[number].block for number in ranking):
        frame = count(closed_context_prompt([ContextBlock("", blocks[block].metadata)], ""))
        if not frames or (sum(frames.values()) + frame) * 2 <= budget:
            frames[block] = frame
    left = budget - sum(frames.values())
    shares = dict.fromkeys(frames, left // max(len(frames), 1))
    kept: set[int] = set()
    for limited in (True, False):
        full: set[int] = set()
        for number in ranking:
            block = passages[number].block
            if number in kept or block in full or block not in frames:
                continue
            cost = count(passages[number].text)
            if cost > (min(shares[block], left) if limited else left):
                full.add(block)
                continue
            kept.add(number)
            left -= cost
            shares[block] -= cost
    return kept


def _compose(
    blocks: Sequence[ContextBlock], passages: Sequence[_Passage], kept: Sequence[int]
) -> tuple[ContextBlock, ...]:
    """The blocks of which something is kept: passages in their order, gaps marked."""
    texts: dict[int, str] = {}
    ends: dict[int, int] = {}
    for passage in (passages[number] for number in kept):
        here = texts.get(passage.block, "")
        if passage.start != ends.get(passage.block, 0):
            here = f"{here.rstrip()}{GAP}" if here else GAP.lstrip()
        texts[passage.block] = here + passage.text
        ends[passage.block] = passage.start + len(passage.text)
    for number, end in ends.items():
        if end < len(blocks[number].text):
            texts[number] = texts[number].rstrip() + GAP.rstrip()
    return tuple(ContextBlock(text, blocks[number].metadata) for number, text in texts.items())


def _note(blocks: Sequence[ContextBlock], kept: Sequence[_Passage]) -> str:
    """How much of which source was left out."""
    read: Counter[int] = Counter()
    for passage in kept:
        read[passage.block] += len(passage.text)
    names = [
        next((value for key, value in block.metadata if key in ("url", "title")), f"text {number}")
        for number, block in enumerate(blocks, 1)
    ]
    cut = [
        f"{names[number]} ({read[number]:,} of {len(block.text):,} characters read)"
        for number, block in enumerate(blocks)
        if read[number] < len(block.text)
    ]
    if not cut:
        return ""
    more = f" and {len(cut) - 8} more" if len(cut) > 8 else ""
    return f"did not fit the model's window whole: {', '.join(cut[:8])}{more}"
