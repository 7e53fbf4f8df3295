"""Evidence cut to what a model can read: the sentences that speak of the question, in their order, with their source.

    fitted = fit_blocks(blocks, "Where do otters sleep?", 3000, tokenizer_length)
    fitted.blocks, fitted.note

All blocks are ranked together by BM25 against the instruction, and share the tokens by need: a short block is kept
whole, what it leaves goes to the longer ones. A gap is marked with ``[...]``, and the note says how much of which
source was left out. Linear in the length of the text; nothing is cut where everything fits.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from airoagent.errors import ModelError
from airoagent.prompts.context_prompts import ContextBlock, closed_context_prompt

__all__ = ["Fitted", "fit_blocks"]

GAP = "\n[...]\n"

_AIM = 240  # characters: sentences are put together until a passage has as many
_LONGEST = 800  # a sentence over this is cut at a space
_DENSEST = 12  # characters a token stands for at most, on the average of a whole text
_K1, _B = 1.2, 0.75
_NEIGHBOUR = 0.25  # of the score beside it: what stands beside a hit often explains it

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]»]*\s+(?=[^a-z\s])|(?<=[。！？])|\n+")
_ABBREVIATED = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|Prof|St|Sr|Jr|Gen|vs|cf|ca|No|vol|pp|Fig|approx|e\.g|i\.e|[A-Z])\.$")
_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_EMPTY = frozenset(
    _WORD.findall(
        "a about according all also am an and any are as at based be been but by can context could did do does don for "
        "from given had has have he her his how i if in information into is it its know make me my no not of on only "
        "or our out please she should so source t tell text than that the their them there these they this those to up "
        "us using was we were what when where which who whom whose why will with would you your answers"
    )
)
_ENDINGS = ("ing", "ies", "ed", "es", "s", "y", "e")


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
            "ask a shorter question, write fewer tokens (--max-tokens), or take a model with a longer window",
        )
    passages = [passage for number, block in enumerate(blocks) for passage in _cut(number, block.text)]
    scores = _rank(blocks, passages, _terms(instruction))
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
    for match in _SENTENCE_END.finditer(text):
        end = match.end()
        if match[0] and "\n" not in match[0] and _ABBREVIATED.search(text, max(last, match.start() - 8), match.start()):
            continue
        if last > start and end - start > 2 * _AIM:
            close(last)
        if end - start >= _AIM:
            close(end)
        last = end
    close(len(text))
    return passages


def _terms(instruction: str) -> list[str]:
    """The words that count, without their endings; of text without spaces each pair of characters."""
    terms: dict[str, None] = {}
    spare: dict[str, None] = {}
    for word in _WORD.findall(instruction.lower()):
        if _UNSPACED.search(word):
            terms.update(dict.fromkeys("".join(pair) for pair in pairwise(word)))
        elif word in _EMPTY or (len(word) == 1 and not word.isdigit()):
            spare[word] = None
        else:
            ending = next((end for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= 4), "")
            terms[word.removesuffix(ending)] = None
    return list(terms or spare)[:32]


def _rank(blocks: Sequence[ContextBlock], passages: Sequence[_Passage], terms: Sequence[str]) -> list[float]:
    """The BM25 score of each passage, all blocks together; where nothing matches what stands first is best."""
    counts: list[dict[int, int]] = [_occurrences(blocks, passages, term) for term in terms]
    average = sum(passage.end - passage.start for passage in passages) / max(len(passages), 1)
    own = [0.0] * len(passages)
    for found in counts:
        rarity = math.log(1 + (len(passages) - len(found) + 0.5) / (len(found) + 0.5))
        for number, times in found.items():
            length = (passages[number].end - passages[number].start) / average
            own[number] += rarity * times * (_K1 + 1) / (times + _K1 * (1 - _B + _B * length))
    scores = list(own)
    for number, (before, after) in enumerate(pairwise(passages)):
        if before.block == after.block:
            scores[number] = max(scores[number], own[number] + _NEIGHBOUR * own[number + 1])
            scores[number + 1] += _NEIGHBOUR * own[number]
    first: dict[int, int] = {}
    for number, passage in enumerate(passages):
        place = number - first.setdefault(passage.block, number)
        scores[number] += 0.01 / (
            1 + place
        )  # Decides only where nothing else does: pages begin with what they are about.
    return scores


def _occurrences(blocks: Sequence[ContextBlock], passages: Sequence[_Passage], term: str) -> dict[int, int]:
    """How often each passage has a word that begins with the term."""
    found: dict[int, int] = {}
    whole_words = not _UNSPACED.search(term)
    first = 0
    for number, block in enumerate(blocks):
        last = first
        while last < len(passages) and passages[last].block == number:
            last += 1
        text = _lower(block.text)
        starts = [passage.start for passage in passages[first:last]]
        at = text.find(term)
        while at >= 0:
            if not whole_words or at == 0 or not text[at - 1].isalnum():
                place = first + bisect_right(starts, at) - 1
                found[place] = found.get(place, 0) + 1
            at = text.find(term, at + len(term))
        first = last
    return found


def _lower(text: str) -> str:
    """Lower case, character for character, so that places stay what they are."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(each if len(each) == 1 else character for character in text for each in (character.lower(),))


def _share(
    blocks: Sequence[ContextBlock],
    passages: Sequence[_Passage],
    scores: Sequence[float],
    budget: int,
    count: Callable[[str], int],
) -> set[int]:
    """The passages to keep. Each block has a right to its share of the tokens; what nobody needs goes to the best."""
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
