"""What a model writes around its text: thoughts before it, end tokens and turns of others after it; and loops in it.

    >>> own_text("<think>Kelp, surely.</think>\\nIn the kelp.<|im_end|>\\n<|im_start|>user\\nAnd why?")
    'In the kelp.'

Seen in: Qwen and DeepSeek (``<think>``, often without its beginning, which the template writes), Mistral
(``[THINK]``), gpt-oss (harmony's channels), and the end tokens of the chat templates in use, which a server that takes
them for text passes on.
"""

from __future__ import annotations

import re

__all__ = ["NEXT_TURN", "THOUGHTS_BEGIN", "THOUGHT_TAGS", "closes_thoughts", "own_text", "repeats_from"]

THOUGHT_TAGS = "think|thinking|thoughts?|reasoning|reflection|scratchpad"
THOUGHTS_BEGIN = re.compile(
    rf"\s*+(?:<(?:{THOUGHT_TAGS})>|\[THINK\]"
    r"|(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary)<\|message\|>)",
    re.IGNORECASE,
)
_THOUGHTS_END = re.compile(rf"</(?:{THOUGHT_TAGS})>|\[/THINK\]|<\|end\|>", re.IGNORECASE)
_LONE_END = re.compile(rf"</(?:{THOUGHT_TAGS})>|\[/THINK\]", re.IGNORECASE)
_FINAL_CHANNEL = re.compile(r"(?:<\|start\|>assistant)?<\|channel\|>final<\|message\|>")
NEXT_TURN = re.compile(
    r"</s>|<\|(?:im_end|eot_id|eom_id|end|endoftext|end_of_text|return|im_start|start_header_id|user|assistant)\|>"
    r"|<(?:end_of_turn|start_of_turn|eos|eot|end_of_plan)>|\[/?INST\]"
    r"|^(?:USER|HUMAN|ASSISTANT):|^#{2,4} ?(?:Instruction|User|Input|Response):",
    re.MULTILINE | re.IGNORECASE,
)
"""What ends the model's turn, or starts one that is not its own."""

_LABEL = re.compile(r"\s*(?:#{2,4} ?Response:|ASSISTANT:)[ \t]*\n?")


def closes_thoughts(text: str) -> bool:
    """Whether thoughts end with the end of this text."""
    return any(found.end() == len(text) for found in _THOUGHTS_END.finditer(text))


def own_text(text: str) -> str:
    """The text without thoughts before it, and without what starts at an end token or another turn; ``""`` where all of
    it is thoughts.
    """
    while thoughts := THOUGHTS_BEGIN.match(text):
        ended = _THOUGHTS_END.search(text, thoughts.end())
        if ended is None:
            return ""
        text = text[ended.end() :]
    if ended := next(reversed(list(_LONE_END.finditer(text))), None):
        text = text[ended.end() :]
    if final := _FINAL_CHANNEL.search(text):
        text = text[final.end() :]
    label = _LABEL.match(text)
    start = label.end() if label else 0
    end = NEXT_TURN.search(text, start)
    return text[start : end.start()].rstrip() if end else text[start:]


_SHORTEST_LOOP = 360  # characters, about a hundred tokens
_LONGEST_PERIOD = 320
_TIMES = 3
_STEP_NUMBER = re.compile(r"(?::evidence\d+:|#E\d+)\s*=")


def repeats_from(text: str) -> int | None:
    """Where a text began to say the same thing over and over, up to its end; None where it does not.

    The end counts as a loop from 360 characters on, and three times the same. The numbers that a plan counts its steps
    by may differ: the same call under another number is nothing new.
    """
    window = text[-_TIMES * _LONGEST_PERIOD * 2 :]
    tail = _STEP_NUMBER.sub("=", window)
    for period in range(1, _LONGEST_PERIOD + 1):
        length = max(_SHORTEST_LOOP, _TIMES * period)
        if length > len(tail):
            break
        if tail[-length + period :] != tail[-length:-period]:
            continue
        while length < len(tail) and tail[-length - 1] == tail[-length - 1 + period]:
            length += 1
        if len(tail) != len(window):  # there is less of it there than here: one round of it is kept, roughly
            length = length * len(window) // len(tail)
        return max(0, len(text) - length + period)
    return None
