"""What a model writes around its text: thoughts before it, end tokens and turns of others after it; and loops in it.

    >>> own_text("<think>Kelp, surely.</think>\\nIn the kelp.<|im_end|>\\n<|im_start|>user\\nAnd why?")
    'In the kelp.'

Seen in: Qwen and DeepSeek (``<think>``, often without its beginning, which the template writes), Mistral
(``[THINK]``), Kimi (``◁think▷``), Command A, gpt-oss (harmony's channels), and the end tokens of the chat templates in
use, which a server that takes them for text passes on.
"""

from __future__ import annotations

import re

THOUGHT_TAGS = "think|thinking|thoughts?|reasoning|reflection|scratchpad|analysis|seed:think"
THOUGHTS_BEGIN = re.compile(
    rf"\s*+(?:<(?:{THOUGHT_TAGS})>|\[THINK\]|◁think▷|<\|(?:begin_of_thought|start_thinking)\|>"
    r"|(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary)<\|message\|>)",
    re.IGNORECASE,
)
_MARKS = (
    *(f"<{tag}>" for tag in THOUGHT_TAGS.replace("s?", "").split("|")),
    *("<thoughts>", "[think]", "◁think▷", "<|begin_of_thought|>", "<|start_thinking|>"),
    *(
        f"{start}<|channel|>{channel}<|message|>"
        for start in ("", "<|start|>assistant")
        for channel in ("analysis", "commentary", "final", "final <|constrain|>json")
    ),
)
_LONGEST_MARK = max(map(len, _MARKS))
LONE_END = re.compile(rf"</(?:{THOUGHT_TAGS})>|\[/THINK\]|◁/think▷|<\|end_(?:of_thought|thinking)\|>", re.IGNORECASE)
THOUGHTS_END = re.compile(rf"{LONE_END.pattern}|<\|end\|>", re.IGNORECASE)
_FINAL_CHANNEL = re.compile(r"(?:<\|start\|>assistant)?<\|channel\|>final(?: <\|constrain\|>json)?<\|message\|>")
NEXT_TURN = re.compile(
    r"</s>|<\|(?:im_end|eot(?:_id)?|eom(?:_id)?|end|endoftext|end_of_text|endofturn|end_response|return)\|>"
    r"|<\|(?:im_(?:start|user|system)|start_header_id|header_start|user|assistant|system|observation)\|>"
    r"|<\|(?:end_of_turn(?:_token)?|start_of_role)\|>|\[EOS\]|<｜(?:end▁of▁sentence|User|Assistant)｜>|\[\|endofturn\|\]"
    r"|<(?:end_of_(?:turn|utterance)|start_of_turn|eos|eot|end_of_plan)>|\[/?INST\]"
    r"|^(?:USER|HUMAN|ASSISTANT):|^#{2,4} ?(?:Instruction|User|Input|Response):",
    re.MULTILINE | re.IGNORECASE,
)
"""What ends the model's turn, or starts one that is not its own."""

_LABEL = re.compile(
    r"\s*(?:#{2,4} ?Response:|ASSISTANT:|\[/INST\]|<\|(?:assistant|start_response)\|>|<｜Assistant｜>"
    r"|<start_of_turn>model\b|<\|(?:im_start|start_header_id|header_start|start_of_role)\|>assistant\b"
    r"(?:<\|(?:end_header_id|header_end|end_of_role|im_sep)\|>)?)[ \t]*\n*",
    re.IGNORECASE,
)


def closes_thoughts(text: str) -> bool:
    """Whether thoughts end with the end of this text."""
    return any(found.end() == len(text) for found in THOUGHTS_END.finditer(text))


def after_thoughts(text: str) -> str:
    """What follows the thoughts that a text begins with, without the space before it; "" while they, or the mark that
    begins them, may go on. A text that begins without thoughts is given as it is.
    """
    start = thoughts_end(text)
    if start is None:
        return ""
    rest = text[start:].lstrip() if start else text
    begins = rest.lstrip()[:_LONGEST_MARK].lower()
    if len(begins) < _LONGEST_MARK and any(mark.startswith(begins) for mark in _MARKS):
        return ""
    return rest


def thoughts_end(text: str) -> int | None:
    """Where the thoughts that a text begins with end (0: there are none); None while they go on."""
    start = 0
    while thoughts := THOUGHTS_BEGIN.match(text, start):
        ended = THOUGHTS_END.search(text, thoughts.end())
        if ended is None:
            return None
        start = ended.end()
    return start


def starts_in_thoughts(text: str) -> bool:
    """Whether a text ends thoughts that it does not begin: the prompt did."""
    return not THOUGHTS_BEGIN.match(text) and LONE_END.search(text) is not None


def own_text(text: str) -> str:
    """The text without thoughts before it, and without what starts at an end token or another turn; ``""`` where all of
    it is thoughts.
    """
    start = _own_start(text)
    if start is None:
        return ""
    text = text[start:]
    if final := _FINAL_CHANNEL.search(text):
        text = text[final.end() :]
    label = _LABEL.match(text)
    start = label.end() if label else 0
    end = NEXT_TURN.search(text, start)
    return text[start : end.start()].rstrip() if end else text[start:]


_TOKEN = re.compile(r"[A-Za-z\u00c0-\u024f]{1,6}|([^\w\s])\1{0,7}|\w")
_LONGEST_PERIOD = 320
_TIMES = 3
_KEY = 40  # characters of the end that are looked for
_COUNTER = re.compile(r"(?::evidence\d+:|#E\d+)\s*=|^\d+[.)](?= )", re.MULTILINE)


def _tokens(text: str) -> int:
    """About how many tokens a text is: small models write a figure, a sign and a CJK character as one each."""
    return sum(1 for _ in _TOKEN.finditer(text))


def repeats_from(text: str) -> int | None:
    """Where a text began to say the same thing over and over, up to its end; None where it does not.

    The end counts as a loop before it is a hundred tokens long: three times the same text, whose steps or items may be
    counted up; a phrase over and over in a step's input or the answer line of a plan; steps of a plan that make calls
    made before (`Repeats`); or a line that goes on without a new word.
    """
    found = _same_text(text)
    if found is None:
        found = _same_phrase(text)
    if found is None:
        found = _same_steps(text)
    return _same_words(text) if found is None else found


def _same_text(text: str) -> int | None:
    """The same, three times and some 70 tokens long."""
    window = text[-_TIMES * _LONGEST_PERIOD * 2 :]
    return _loop(text, window, _COUNTER, "=", _TIMES, 70)


def _loop(text: str, window: str, varies: re.Pattern[str], same: str, times: int, least: int) -> int | None:
    """Where the second round of what a text ends in begins, if its end (``window``), with ``same`` for what ``varies``,
    is so many ``times`` the same, and this at ``least`` so many tokens from then on.
    """
    tail = varies.sub(same, window)
    end = tail[-_KEY:]
    found = len(tail) - len(end)
    while (found := tail.rfind(end, 0, found + len(end) - 1)) >= 0:  # what repeats has its end once a period
        period = len(tail) - len(end) - found
        length = max(len(end), times * period)
        if period > _LONGEST_PERIOD or length > len(tail):
            break
        if tail[-length + period :] != tail[-length:-period]:
            continue
        while length < len(tail) and tail[-length - 1] == tail[-length - 1 + period]:
            length += 1
        at = len(tail) - length + period
        for one in varies.finditer(window):
            if one.start() < at:
                at += len(one[0]) - len(same)
        return len(text) - len(window) + at if _tokens(window[at:]) >= least else None
    return None


_OPEN_LINE = re.compile(r"(?::evidence\d+:|#E\d+)\s*=\s*\w+\[|(Answer:)")
_FIGURES = re.compile(r"\d+")


def _same_phrase(text: str) -> int | None:
    """A phrase four times over, whatever figures it has: no call needs it, and no answer line, which names evidence."""
    start = text.rfind("\n") + 1
    line = text[start:]
    opened = _OPEN_LINE.match(line)
    if opened is None or len(line) > _MOST_TEXT or _REFERENCE.search(line, max(opened.end(), len(line) - 120)):
        return None  # each time about something else that was found
    answers = opened[1] is not None
    if answers and not _STEP.search(text, 0, start):
        return None
    worded = re.search(r"[^\W\d]{3}", line[-_KEY:])
    if not worded and not answers:
        return None  # figures that count up are a sum, perhaps
    return _loop(text, line, _FIGURES, "0", _TIMES if answers else 4, 40 if worded else 70)


_STEP = re.compile(r"^(?:Plan:.*\n)?(?::evidence(\d+):|#E(\d+))\s*=\s*(\w+)\[(.*)\][ \t]*\n", re.MULTILINE)
_MOST_TEXT = 8000  # characters of a plan, or of a line, that are looked at


def _same_steps(text: str, start: int = 0) -> int | None:
    repeats, first, count, end = Repeats(), 0, 0, 0
    for step in _STEP.finditer(text, max(start, len(text) - _MOST_TEXT)):
        if not repeats.again(f"evidence{step[1] or step[2]}", step[3], step[4]):
            count = 0
            continue
        first = first if count else step.start()
        count, end = count + 1, step.end()
    if count < _TIMES and (count < 2 or _tokens(text[first:end]) < 50):
        return None
    own = _own_start(text)  # a plan may be drafted in thoughts, more than once, and then written
    return first if own == start else None if own is None else _same_steps(text, own)


def _own_start(text: str) -> int | None:
    """Where the model's own text starts; None while it thinks."""
    start = thoughts_end(text)
    lone = None if start is None else next(reversed(list(LONE_END.finditer(text, start))), None)
    return lone.end() if lone else start


_WORD = re.compile(r"\w+")
_OLD_WORDS = 50


def _same_words(text: str) -> int | None:
    line = text[max(text.rfind("\n") + 1, len(text) - _MOST_TEXT) :]
    seen: set[str] = set()
    last, since = 0, 0
    for word in _WORD.finditer(line):
        since += 1
        if (lower := word[0].lower()) not in seen:
            seen.add(lower)
            last, since = word.end(), 0
    return len(text) - len(line) + last if since >= _OLD_WORDS else None


_REFERENCE = re.compile(r":evidence(\d+):|#E(\d+)")
_ONLY_WORDS = re.compile(r"[^\W\d_]+(?: [^\W\d_]+)*")  # their order says little; that of figures and signs does
_SMALL_WORDS = frozenset(("the", "a", "an", "of", "for", "about"))
_FEW_STEPS = 8
_MOST_BEFORE = 64  # steps that are looked at for one


class Repeats:
    """Knows which steps of a plan, given one after another, find nothing that those before them do not.

    That is a call made a few steps before: of the same words, and on the evidence of calls that are the same. And it is
    the fourth call and on in a row of calls that differ in nothing but that each is about what the one before it found;
    the second, where a call has been made again before.
    """

    def __init__(self) -> None:
        self._kinds: dict[tuple[object, ...], int] = {}
        self._last: dict[int, int] = {}  # of each kind, how many steps there were up to its last one
        self._kind: dict[str, int] = {}  # of each step: steps of one kind find the same
        self._form: dict[str, tuple[str, str]] = {}
        self._needs: dict[str, tuple[str, ...]] = {}
        self._row: dict[str, int] = {}
        self._again = False

    def again(self, id: str, tool: str, input: str) -> bool:
        """Take in the next step, with references as ``:evidence0:`` or ``#E0``; whether it finds nothing new."""
        needs = tuple(f"evidence{found[1] or found[2]}" for found in _REFERENCE.finditer(input))
        bare = " ".join(_REFERENCE.sub(" ", input).casefold().split()).rstrip(".?! ")
        plain = re.sub(r"['’]s\b", "", bare)
        words = frozenset(plain.split()) - _SMALL_WORDS if _ONLY_WORDS.fullmatch(plain) else bare
        key = (tool, words, tuple(self._kind.get(one, one) for one in needs))
        kind = self._kind[id] = self._kinds.setdefault(key, len(self._kinds))
        known = len(self._form) - self._last.get(kind, -_FEW_STEPS) < _FEW_STEPS
        self._last[kind] = len(self._form)
        self._form[id], self._needs[id] = (tool, bare), needs
        own = _WORD.search(bare) is not None  # a call that adds no words of its own passes evidence on
        self._row[id] = own + max(
            (self._row[one] for one in self._before(id) if self._form[one] == (tool, bare)), default=0
        )
        self._again = self._again or known
        return known or self._row[id] > (1 if self._again else _TIMES)

    def _before(self, id: str) -> set[str]:
        """The steps that this one is about, directly or not."""
        found: set[str] = set()
        left = list(self._needs[id])
        while left and len(found) < _MOST_BEFORE:
            one = left.pop()
            if one in self._form and one != id and one not in found:
                found.add(one)
                left += self._needs[one]
        return found
