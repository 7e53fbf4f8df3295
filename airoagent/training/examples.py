"""Training examples: what a model is asked and what it is to answer, as JSON Lines.

    {"instruction": "Where do otters sleep?", "response": "In the kelp.", "kind": "read"}

``kind`` only sorts the reported losses. ``system`` is the system text, and ``examples`` are earlier turns as pairs of
what was asked and answered; both are for models with a chat template.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

from airoagent.errors import UsageError
from airoagent.frozen import frozen
from airoagent.prompts.chat import Chat, as_chat, is_compact
from airoagent.prompts.wrappers import Wrapper
from airoagent.recorded.export import instruct_lines
from airoagent.records.run_record import Run

_FORM = 'each line is an object: {"instruction": "...", "response": "..."}'


@frozen
class Example:
    """A prompt (a `Chat` where it has turns), the answer to it, and a word for what it teaches."""

    prompt: str
    response: str
    kind: str = ""
    system: str | None = None


def line_of(example: Example) -> str:
    """The example as one line of JSON."""
    record: dict[str, object] = {"kind": example.kind} if example.kind else {}
    prompt, system = example.prompt, example.system
    if isinstance(prompt, Chat):
        system = prompt.system if system is None else system
        record |= {"examples": [list(pair) for pair in prompt.examples]} if prompt.examples else {}
        prompt = prompt.user
    if system is not None:
        record["system"] = system
    record |= {"instruction": prompt, "response": example.response}
    return json.dumps(record, ensure_ascii=False) + "\n"


def read_examples(text: str, name: str) -> tuple[Example, ...]:
    """The examples of a JSON Lines text; UsageError with the line where it is not one."""
    found = tuple(
        _example(line, f"{name}, line {number}") for number, line in enumerate(text.split("\n"), 1) if line.strip()
    )
    if not found:
        raise UsageError(f"{name} has no examples", _FORM)
    return found


def _example(line: str, place: str) -> Example:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{place} is not JSON", _FORM) from error
    if not isinstance(record, dict):
        raise UsageError(f"{place} is not an object", _FORM)
    for key in ("instruction", "response"):
        if not isinstance(record.get(key), str) or not record[key].strip():
            raise UsageError(f"{place} has no {key}", _FORM)
    for key in ("kind", "system"):
        if not isinstance(record.get(key, ""), str | None):
            raise UsageError(f"{place}: {key} is not text", _FORM)
    turns = record.get("examples") or []
    pairs = isinstance(turns, list) and all(isinstance(turn, list) and len(turn) == 2 for turn in turns)
    if not pairs or not all(isinstance(text, str) for turn in turns for text in turn):
        raise UsageError(f"{place}: examples is not a list of pairs of texts", _FORM)
    prompt, system = record["instruction"], record.get("system")
    if turns:
        prompt = Chat(system or "", [(asked, answered) for asked, answered in turns], prompt)
    return Example(prompt, record["response"], record.get("kind") or "", system)


def in_style(examples: Iterable[Example], wrapper: Wrapper, style: str) -> tuple[Example, ...]:
    """The examples without the wrapper that recorded prompts have, and of them those in a style ("": in any).

    An adapter that is asked in the style compact learns nothing from prompts in another.
    """
    bare = [replace(one, prompt=wrapper.unwrapped(one.prompt)) for one in examples]
    return tuple(one for one in bare if style != "compact" or is_compact(one.system or one.prompt))


def examples_of_runs(runs: Iterable[Run]) -> Iterator[Example]:
    """What the models of good runs were asked and wrote; the same prompt and answer only once."""
    seen: set[str] = set()
    for run in runs:
        for line in instruct_lines(run):
            if line not in seen:
                seen.add(line)
                record = json.loads(line)
                yield Example(as_chat(record["instruction"]), record["response"], "own")
