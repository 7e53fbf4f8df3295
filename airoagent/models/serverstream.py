"""What an OpenAI-compatible server says: server-sent events, or one JSON object from one that does not stream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airoagent.errors import ModelError
from airoagent.events import Usage
from airoagent.models.base import Finish
from airoagent.records import record

if TYPE_CHECKING:
    import httpx

__all__ = ["Said", "read_said"]


@record
class Said:
    """One piece of an answer."""

    text: str
    finish: Finish | None = None
    usage: Usage | None = None


async def read_said(response: httpx.Response, name: str) -> AsyncIterator[Said]:
    """The pieces of an answer as they come.

    Raises ModelError for an answer that is no such thing, or that ends before it is complete: without ``[DONE]`` and
    without a reason to finish. httpx's own errors of the connection go through.
    """
    if "text/event-stream" not in response.headers.get("content-type", ""):
        content = await response.aread()
        yield _said(_json(content.decode("utf-8", "replace"), name), name, whole=True)
        return
    ended = False
    async for line in response.aiter_lines():
        field, _, data = line.partition(":")
        if field != "data":
            continue  # Comments that keep a connection alive, event names, empty lines.
        data = data.strip()
        if data == "[DONE]":
            return
        said = _said(_json(data, name), name)
        ended = ended or said.finish is not None
        yield said
    if not ended:
        raise ModelError(
            f"{name} broke off in the middle of its answer", "see what the server's own log says, and try again"
        )


def _json(text: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        shown = " ".join(text.split())[:120]
        raise ModelError(
            f"{name} answered with what is no completion: {shown or 'nothing'}",
            "is it the address of an OpenAI-compatible server?",
        )
    return value


def _said(value: dict[str, Any], name: str, *, whole: bool = False) -> Said:
    error = value.get("error")
    if error:
        reason = error.get("message") if isinstance(error, dict) else error
        raise ModelError(f"{name} failed: {' '.join(str(reason).split())[:300]}", "see what the server's own log says")
    choices = value.get("choices")
    usage = _usage(value.get("usage"))
    if not choices and usage is not None and not whole:
        return Said("", None, usage)
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, dict):
        raise ModelError(f"{name} answered with a completion that holds no text", "is it an OpenAI-compatible server?")
    inner = first.get("delta") or first.get("message")
    text = inner.get("content") if isinstance(inner, dict) else first.get("text")
    reason = first.get("finish_reason")
    finish: Finish | None = None
    if reason or whole:
        finish = "length" if reason == "length" else "stop"
    return Said(text if isinstance(text, str) else "", finish, usage)


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, dict):
        return None
    read, written = value.get("prompt_tokens"), value.get("completion_tokens")
    return Usage(read, written, 1) if isinstance(read, int) and isinstance(written, int) else None
