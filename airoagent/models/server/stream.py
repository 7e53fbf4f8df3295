"""What an OpenAI-compatible server says: server-sent events, or one JSON object from one that does not stream."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from airoagent.errors import ModelError
from airoagent.events import Usage
from airoagent.models.base import Chunk, Finish
from airoagent.models.server.faults import broke_off, failed, said_in

if TYPE_CHECKING:
    import httpx

# A line is one token's worth of JSON; a whole answer that is not streamed is at most this, too.
_LONGEST: Final = 8 * 1024 * 1024


class PartialCompletion:
    """What a server has said to one request."""

    def __init__(self) -> None:
        self.text = ""
        self.finish: Finish | None = None
        self.read = 0
        self.counted = 0
        self.logprobs: tuple[float, ...] = ()
        self._pieces = 0

    def take(self, said: Chunk) -> None:
        self.text += said.text
        self.finish = said.finish or self.finish
        self._pieces += bool(said.text)
        self.logprobs += said.logprobs
        if said.usage is not None:
            self.read, self.counted = said.usage.prompt_tokens, said.usage.completion_tokens

    def written(self) -> int:
        """Tokens, as the server counts them; else as many as it sent pieces, estimated where they may be longer."""
        if self.counted or (self._pieces > 1 and self.finish != "length"):
            return self.counted or self._pieces
        return max(self._pieces, estimate_tokens(self.text) - 1)  # Less the token that begins a text.


async def read_said(response: httpx.Response, name: str) -> AsyncIterator[Chunk]:
    """The pieces of an answer as they come.

    Raises ModelError for an answer that is not one, that is an error, or that ends before it is complete: without
    ``[DONE]`` and without a reason to finish. httpx's own errors of the connection go through.
    """
    if "text/event-stream" not in response.headers.get("content-type", ""):
        content = b"".join([line async for line in _lines(response, name, whole=True)])
        yield _in_marks(_said(_json(content, name), name, whole=True), False)
        return
    ended, held, thinks = False, b"", False
    async for line in _lines(response, name):
        field, _, data = line.partition(b":")
        if field == b"error":  # llama.cpp's older way to say that it failed half-way.
            raise failed(name, _json(data, name))
        if field == b"data":
            # The data of an event may go on in more lines; some servers put no empty line after it.
            held = b"\n".join((held, data)).strip()
            if held == b"[DONE]":
                return
            if not held or _parsed(held) is None:
                continue
        elif line or not held:
            continue  # Comments that keep a connection alive, event names, empty lines.
        said = _said(_json(held, name), name)
        ended, held = ended or said.finish is not None, b""
        said, thinks = _in_marks(said, thinks), bool(said.thoughts) or (thinks and not said.text)
        yield said
    if held:
        _json(held, name)
    if not ended:
        raise broke_off(name)


async def _lines(response: httpx.Response, name: str, *, whole: bool = False) -> AsyncIterator[bytes]:
    """The answer's lines, or with ``whole`` all of it as one; ModelError for one that never ends.

    Lines end at a newline and nowhere else: JSON may hold U+2028 and its like as they are, and a character's bytes may
    come in two pieces.
    """
    held = bytearray()
    async for piece in response.aiter_bytes():
        held += piece
        if len(held) > _LONGEST:
            raise ModelError(
                f"{name} answered with more than {_LONGEST // 1024 // 1024} MB at once",
                "is it the address of an OpenAI-compatible server?",
            )
        if b"\n" in piece and not whole:
            *lines, rest = bytes(held).split(b"\n")
            for line in lines:
                yield line.removesuffix(b"\r")
            held = bytearray(rest)
    if held:
        yield bytes(held)


def _parsed(content: bytes) -> Any:
    """The JSON value, None where it is not JSON."""
    try:
        return json.loads(content.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _json(content: bytes, name: str) -> dict[str, Any]:
    value = _parsed(content)
    if not isinstance(value, dict):
        shown = said_in(content)[:120]
        raise ModelError(
            f"{name} answered with something that is not a completion: {shown or 'nothing'}",
            "is it the address of an OpenAI-compatible server?",
        )
    return value


def _in_marks(said: Chunk, thinks: bool) -> Chunk:
    """The piece as the model wrote it: thoughts that the server sends in a field of their own are in marks again.

    ``thinks``: such thoughts came last.
    """
    text = f"</think>\n{said.text}" if said.text and (thinks or said.thoughts) else said.text
    begins = "<think>" if said.thoughts and not thinks else ""
    return replace(said, text=begins + said.thoughts + text, thoughts="")


def _said(value: dict[str, Any], name: str, *, whole: bool = False) -> Chunk:
    choices = value.get("choices")
    if value.get("error") or (value.get("object") == "error" and not choices):
        raise failed(name, value)
    usage = _usage(value.get("usage"))
    first = choices[0] if isinstance(choices, list) and choices else None
    if first is None and not whole and ("choices" in value or usage is not None or value in ({}, {"type": "ping"})):
        return Chunk("", None, usage)  # Counts, or a sign of life.
    if not isinstance(first, dict):
        raise ModelError(
            f"{name} answered with a completion that contains no text", "is it an OpenAI-compatible server?"
        )
    inner = first.get("delta") or first.get("message")
    text = _text(inner.get("content") if isinstance(inner, dict) else first.get("text"))
    reason = first.get("finish_reason")
    thoughts = ""
    if isinstance(inner, dict):
        # DeepSeek, SGLang, llama.cpp and older vLLM call them the one, vLLM of today and Ollama the other.
        thoughts = _text(inner.get("reasoning_content") or inner.get("reasoning"))
        text = text or _text(inner.get("refusal"))
        calls = inner.get("tool_calls") or [{"function": inner.get("function_call")}]
        text += "".join(map(_call, calls)) if isinstance(calls, list) else ""
    if reason in ("tool_calls", "function_call"):
        text += "}"
    finish: Finish | None = None
    if reason not in (None, "", "null") or whole:  # KoboldCpp writes "null" as long as there is none.
        finish = "length" if reason in ("length", "max_tokens") else "stop"
    return Chunk(text, finish, usage, _logprobs(first.get("logprobs")), thoughts)


def _call(call: Any) -> str:
    """A call that the server took out of the text, or a piece of one, as the text that a model writes for it."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return ""
    given, name = function.get("arguments"), function.get("name")
    text = given if isinstance(given, str) else json.dumps(given) if given is not None else ""
    if not name:
        return text
    return ("}\n" if call.get("index") else "") + f'{{"name": {json.dumps(name)}, "arguments": {text}'


def _text(content: Any) -> str:
    """The text of a message, which may come as a list of parts; parts of another kind (thoughts, images) are left."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _logprobs(value: Any) -> tuple[float, ...]:
    """What llama.cpp says of each token."""
    tokens = value.get("content") if isinstance(value, dict) else None
    found = [token.get("logprob") for token in tokens if isinstance(token, dict)] if isinstance(tokens, list) else []
    return tuple(float(one) for one in found if isinstance(one, int | float))


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, dict):
        return None
    read, written = value.get("prompt_tokens"), value.get("completion_tokens")
    return Usage(read, written, 1) if isinstance(read, int) and isinstance(written, int) else None


_PIECE = re.compile(r"([A-Za-z]+)|([^\x00-\x7f]+)|[ \t]+|[^A-Za-z\x80-\U0010ffff \t]")


def estimate_tokens(text: str) -> int:
    """Roughly what Llama-2's tokenizer makes of it, rather too many than too few.

    It has a token for most short words, splits numbers into digits, and falls back on bytes for scripts that are rare
    in its vocabulary.
    """
    count = 1
    for match in _PIECE.finditer(text):
        if match[1]:
            count += (len(match[1]) + 4) // 5
        elif match[2]:
            count += sum(1 if character < "\u0250" else 2 for character in match[2])
        elif match[0] != " ":
            count += 1
    return count
