"""What the messages of an MCP server are freed of, so that one bad tool or text costs no more than itself.

The library refuses a whole list of tools for one entry, and drops a whole message for half a character in it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def sifted(transport: Any, heard: list[Any]) -> AsyncIterator[Any]:
    """The streams of a connection; the tools that the server lists are added to ``heard`` as they are."""
    async with transport as (read, write):
        yield _Sifted(read, heard), write


class _Sifted:
    """A stream of messages in which a list of tools holds nothing that the library would refuse the whole list for."""

    def __init__(self, stream: Any, heard: list[Any]) -> None:
        self._stream = stream
        self._heard = heard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def __aenter__(self) -> _Sifted:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._stream.__aexit__(*error)

    def __aiter__(self) -> _Sifted:
        return self

    async def __anext__(self) -> Any:
        return self._sift(await self._stream.__anext__())

    async def receive(self) -> Any:
        return self._sift(await self._stream.receive())

    def _sift(self, item: Any) -> Any:
        item = _mended(item)
        result = getattr(getattr(item, "message", None), "result", None)
        if isinstance(result, dict) and isinstance(result.get("content"), list):
            result["content"] = [_readable(block) for block in result["content"]]
        if isinstance(result, dict) and isinstance(result.get("tools"), list) and "content" not in result:
            self._heard += result["tools"]
            result["tools"] = [_bare(tool) for tool in result["tools"] if is_named(tool)]
            if not isinstance(result.get("nextCursor", ""), str):
                del result["nextCursor"]
        return item


def _mended(item: Any) -> Any:
    """A message that the library refuses as JSON though Python reads it: half a character in it, or deep nesting."""
    from mcp.shared.message import SessionMessage
    from mcp_types import jsonrpc_message_adapter
    from pydantic import ValidationError

    if not isinstance(item, ValidationError) or not isinstance(line := item.errors()[0]["input"], str):
        return item
    try:
        text = json.dumps(json.loads(line), ensure_ascii=False).encode("utf-16", "surrogatepass")
        value = json.loads(text.decode("utf-16", "replace"))
        return SessionMessage(jsonrpc_message_adapter.validate_python(value, by_name=False))
    except (ValueError, RecursionError):
        return item


def _readable(block: Any) -> Any:
    """A block of a result; one of a kind that the library does not know is replaced by its name."""
    kind = block.get("type") if isinstance(block, dict) else None
    if kind in ("text", "image", "audio", "resource_link", "resource", "tool_use", "tool_result"):
        return block
    return {"type": "text", "text": f"(a block of the type {str(kind)[:40]} was left out)"}


def is_named(tool: Any) -> bool:
    """Whether what a server lists is a tool with a name."""
    return isinstance(tool, dict) and isinstance(tool.get("name"), str) and tool["name"].strip(" .") != ""


def _bare(tool: dict[str, Any]) -> dict[str, Any]:
    """What the library has to know of a tool, so as to call it."""
    schema = tool.get("inputSchema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    kept = properties.items() if isinstance(properties, dict) else ()
    shallow = {key: value for key, value in kept if isinstance(value, dict) and not _is_deep(value)}
    return {"name": tool["name"], "inputSchema": {"type": "object", "properties": shallow}}


def _is_deep(value: Any, most: int = 50) -> bool:
    """Whether a value is nested deeper than the library reads."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return most == 0 or any(_is_deep(one, most - 1) for one in inner)
