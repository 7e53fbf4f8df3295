"""A model that plays given outputs in order: for tests, examples and `-m scripted:FILE`.

    model = ScriptedModel(["Plan: look\\n:evidence0: = Search[otters]\\nAnswer: :evidence0:"])
    model = ScriptedModel({"plan": [plan_text], "answer": ["In kelp.", "At night."]})

What it is asked is kept in `ScriptedModel.prompts`. The text comes in pieces of a few characters, as from a real model,
and stop strings end it, so whatever reads it is tested on cuts in every place.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, get_args

from airoagent.errors import ModelError, UsageError
from airoagent.events import Usage
from airoagent.models.backend_options import Option, whole_number
from airoagent.models.base import Chunk, ModelInfo, Prompt, Purpose
from airoagent.models.stopping import StopFilter
from airoagent.textfiles import read_text

OPTIONS: Final = (Option("chunk", whole_number(0)),)


class ScriptedModel:
    """Plays ``outputs`` in order: a list for every call alike, or one list for each purpose.

    ``chunk`` is how many characters come at a time (0: all at once), ``context_length`` the window that `info` reports.
    When it has nothing left for a call it raises ModelError, which says how many outputs were played.
    """

    def __init__(
        self,
        outputs: Sequence[str] | Mapping[Purpose, Sequence[str]],
        *,
        name: str = "scripted",
        chunk: int = 5,
        context_length: int | None = None,
    ) -> None:
        if isinstance(outputs, str):
            raise UsageError("the outputs of a scripted model are a list of texts, not one text", f"[{outputs[:20]!r}]")
        lists: Mapping[Any, Sequence[str]] = outputs if isinstance(outputs, Mapping) else {"": outputs}
        unknown = set(lists) - {"", *get_args(Purpose)}
        if unknown:
            raise UsageError(
                f"{min(unknown)!r} is not something a model is asked for",
                f"the purposes are {', '.join(get_args(Purpose))}",
            )
        # "" holds the outputs that answer any call; a purpose's own come first.
        self._outputs = {purpose: deque(texts) for purpose, texts in lists.items()}
        self._chunk = chunk
        self._name = name
        self._context_length = context_length
        self._played = 0
        self.prompts: list[Prompt] = []

    @classmethod
    def from_file(cls, path: str | Path, *, chunk: int = 5) -> ScriptedModel:
        """Read a script: a plain text is the output of one plan call; JSON Lines are many outputs.

        A JSON line is ``{"purpose": "answer", "text": "..."}``; without a purpose it answers any call. Raises
        ModelError where the file cannot be read or a line is not of that form.
        """
        name = f"scripted:{path}"
        text = read_text(path, f"the script {path}", "give the path of a file", error=ModelError)
        if not text.strip():
            raise ModelError(f"the script {path} is empty", "put a plan into it, or JSON lines with one text each")
        lines = text.splitlines()
        first = next(line for line in lines if line.strip())
        if not _is_output(first):
            return cls({"plan": [text]}, name=name, chunk=chunk)
        outputs: dict[Any, list[str]] = {}
        for number, line in enumerate(lines, 1):
            if line.strip():
                purpose, output = _read_line(line, f"line {number} of {path}")
                outputs.setdefault(purpose, []).append(output)
        return cls(outputs, name=name, chunk=chunk)

    @property
    def info(self) -> ModelInfo:
        """The script's name; there is no window unless one was given."""
        return ModelInfo(self._name, "scripted", self._context_length, "none", "plays outputs written beforehand")

    def wrap(self, prompt: str) -> str:
        """The instruction itself: no model reads it."""
        return prompt

    def count_tokens(self, text: str) -> int:
        """Words, there being no tokenizer."""
        return len(text.split())

    async def stream(self, prompt: Prompt) -> AsyncIterator[Chunk]:
        """Play the next output for this purpose, cut at the prompt's stop strings."""
        self.prompts.append(prompt)
        text = self._next(prompt.purpose)
        stops = StopFilter(prompt.stop)
        size = self._chunk or max(len(text), 1)
        for start in range(0, len(text), size):
            if piece := stops.feed(text[start : start + size]):
                yield Chunk(piece)
                await asyncio.sleep(0)  # Let the others run between pieces, as a real model does.
            if stops.stopped:
                break
        usage = Usage(self.count_tokens(prompt.text), self.count_tokens(text), 1)
        yield Chunk(stops.finish(), "stop", usage)

    async def aclose(self) -> None:
        """Nothing is held."""

    def _next(self, purpose: Purpose) -> str:
        for key in (purpose, ""):
            if waiting := self._outputs.get(key):
                self._played += 1
                return waiting.popleft()
        raise ModelError(
            f"{self._name} has no output left for a call with the purpose {purpose!r}: {self._played} played",
            'add one to the script: a JSON line {"purpose": "' + purpose + '", "text": "..."}',
        )


def _is_output(line: str) -> bool:
    """Whether a script's first line makes it JSON Lines: a JSON object (a plan never begins with one)."""
    with suppress(json.JSONDecodeError):
        return isinstance(json.loads(line), dict)
    return False


def _read_line(line: str, where: str) -> tuple[str, str]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise ModelError(f"{where} is not JSON: {error.msg} (column {error.colno})") from error
    fields = record if isinstance(record, dict) else {}
    text, purpose = fields.get("text"), fields.get("purpose", "")
    if not isinstance(text, str) or not isinstance(purpose, str) or purpose not in ("", *get_args(Purpose)):
        raise ModelError(
            f"{where} is not an output",
            'a line is {"purpose": "answer", "text": "..."}; purposes: ' + ", ".join(get_args(Purpose)),
        )
    return purpose, text
