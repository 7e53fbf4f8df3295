"""Tools of MCP servers: each of a server's tools becomes `SERVER.tool`, next to the others.

    opened = open_servers([McpServer("files", command=("files-server", "--root", "docs"))])
    opened.tools, opened.broken
    opened.close()

A server is a program that is started and spoken to over its standard input and output, or an address (Streamable
HTTP). All of them live in one thread with an event loop of its own, since a connection must be closed by the task that
opened it. `Servers.close` closes them; so does the end of the object or of the program. A tool that cannot be used is
one `Broken` and costs nothing else. Needs the extra ``mcp``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import tempfile
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airoagent.calls.functions import Function
from airoagent.calls.scalars import Json
from airoagent.errors import AiroError, MissingExtra, ToolError, UsageError
from airoagent.events import Source
from airoagent.extras import require
from airoagent.settings import McpServer
from airoagent.toolbox.loader import Broken
from airoagent.toolbox.mcp_messages import is_named, sifted
from airoagent.toolbox.tool import Tool, ToolContext, ToolOutput, specified_tool

if TYPE_CHECKING:
    from mcp import Client

_log = logging.getLogger("airoagent")

_SECONDS = 30.0  # for a server to start and list its tools
_SECONDS_TO_END = 5.0  # for those that were ended to be gone
_MOST_TOOLS = 500
_MOST_DESCRIPTION = 1000


class Servers:
    """Servers that are started when their tools are first wanted; ``told`` is called with each that is broken.

    ``tools`` are those of the servers that answered, ``broken`` has one `Broken` for each that did not, and for each
    tool that cannot be used. ``seconds`` is how long a server may take to list its tools.
    """

    def __init__(self, servers: Sequence[McpServer], seconds: float = _SECONDS) -> None:
        self._servers = tuple(servers)
        self._seconds = seconds
        self._lock = threading.Lock()
        self._finish: Callable[[], object] = lambda: None
        self.waiting = bool(servers)
        self.names = tuple(server.name for server in servers)  # with which the names of their tools start
        self.tools: tuple[Tool, ...] = ()
        self.broken: tuple[Broken, ...] = ()
        self.told: Callable[[Broken], None] = lambda broken: None

    def start(self, known: Mapping[str, Tool]) -> tuple[Tool, ...]:
        """Their tools, but for those whose names are among the known ones. Blocks while they start, all at once."""
        with self._lock:
            if self.waiting:
                self.tools, self.broken = self._start(known)
                self.waiting = False
                for broken in self.broken:
                    self.told(broken)
            return self.tools

    def _start(self, known: Mapping[str, Tool]) -> tuple[tuple[Tool, ...], tuple[Broken, ...]]:
        try:
            require("it", "mcp", "mcp")
        except MissingExtra as error:
            reason = f"{error.message}: {error.hint}"
            return (), tuple(Broken(f"MCP server {name}", reason) for name in self.names)
        # Otherwise the library prints what a server gets wrong, with a traceback.
        logging.getLogger("mcp").addHandler(logging.NullHandler())
        house = _House()
        self._finish = weakref.finalize(self, house.close)
        tools: dict[str, Tool] = {}
        broken: list[Broken] = []
        for connection in house.open(self._servers, self._seconds):
            origin = f"MCP server {connection.server.name}"
            if connection.problem:
                broken.append(Broken(origin, connection.problem))
            if connection.left_out:
                broken.append(Broken(origin, connection.left_out, part="some"))
            for listed in connection.listed:
                try:
                    made = _made(connection, listed, origin)
                except AiroError as error:
                    broken.append(Broken(origin, error.message, part="one"))
                    continue
                if made.name in tools:
                    broken.append(Broken(origin, f"it lists another tool called {made.name}", part="one"))
                elif made.name in known:
                    reason = f"there is another tool called {made.name}: {known[made.name].origin}"
                    broken.append(Broken(origin, reason, part="one"))
                else:
                    tools[made.name] = made
        return tuple(tools.values()), tuple(broken)

    def close(self) -> None:
        """End those that were started; their tools fail from then on."""
        self._finish()


def open_servers(servers: Sequence[McpServer], seconds: float = _SECONDS) -> Servers:
    """Start the servers at once and ask each for its tools; one that fails, or takes ``seconds``, is a `Broken`."""
    opened = Servers(servers, seconds)
    opened.start({})
    return opened


@dataclass(slots=True)
class _Connection:
    """One server: its client while it is open, what it offers, or why it cannot be used.

    A server that has ended is connected again at its next call, by the task that opened (and must close) the first
    connection. ``ready`` is set unless that is under way.
    """

    server: McpServer
    loop: asyncio.AbstractEventLoop
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    client: Client | None = None
    listed: list[Any] = field(default_factory=list)  # its tools as it wrote them
    problem: str = ""
    left_out: str = ""  # why some of its tools are not among them
    ended: bool = False
    _turn: asyncio.Event = field(default_factory=asyncio.Event)  # set: the connection is to be closed, or opened again

    async def serve(self, seconds: float) -> None:
        """Open the connection and list the tools; keep it open until `end`, and open it again when it is needed."""
        await self._open(seconds)
        while self.listed and not self.ended:
            await self._turn.wait()
            if not self.ended:
                await self._open(seconds)
        self.ended = True
        self.ready.set()

    async def _open(self, seconds: float) -> None:
        """Hold a connection until it is lost or to be closed; what keeps it from being made is ``problem``."""
        self.problem = ""
        self._turn.clear()
        try:
            async with AsyncExitStack() as stack:
                log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - the stack closes it
                errors = stack.enter_context(log)
                heard: list[Any] = []
                opened = _client(self.server, errors, heard)  # imports the library, which is not the server's time
                try:
                    async with asyncio.timeout(seconds):
                        client = await stack.enter_async_context(opened)
                        all_ = await _list(client)
                        if not self.listed and len(heard) > _MOST_TOOLS:
                            count = f"{'' if all_ else 'more than '}{len(heard):,}"
                            self.left_out = f"it offers {count} tools, of which the first {_MOST_TOOLS} are used"
                        self.listed = self.listed or heard[:_MOST_TOOLS]
                except Exception as error:
                    self.problem = _reason(error, errors, seconds)
                    raise
                self.client = client
                self.ready.set()
                await self._turn.wait()
        except Exception as error:  # a server that is broken is reported, and stops no other
            self.problem = self.problem or _reason(error, None, seconds)
        finally:
            self.client = None
            if not self._turn.is_set():  # otherwise it is opened again at once, and calls wait for that
                self.ready.set()

    def end(self) -> None:
        """Close the connection for good."""
        self.ended = True
        self._turn.set()

    async def call(self, tool: str, arguments: dict[str, Json], repeatable: bool) -> Any:
        """The server's result, asked for in the connection's own loop.

        A connection that turns out to be lost is made again, once. A call that may have reached the server is made
        again only if it is ``repeatable``.
        """
        sent = False
        for last in (False, True):
            client = self.client or await self._reopened()
            try:
                if not repeatable:
                    await _probe(client)  # was the connection lost before, or by this call?
                    sent = True
                return await client.call_tool(tool, arguments)
            except Exception as error:
                if not _is_lost(error):
                    raise
                self._lose(client)
                if last or sent:
                    raise ToolError(
                        f"the MCP server {self.server.name} ended during the call of {tool}",
                        "it is started again when it is called again"
                        if not sent
                        else "whether the call was carried out is unknown",
                    ) from error
        raise AssertionError("the last try returns or raises")

    def _lose(self, client: Client) -> None:
        """The client has turned out to be cut off: close what is left of it."""
        if self.client is client:
            self.client = None
            self.ready.clear()
            self._turn.set()

    async def _reopened(self) -> Client:
        if not self.ended and self.ready.is_set():
            self.ready.clear()
            self._turn.set()
        await self.ready.wait()
        if self.client is None:
            why = "has been closed" if self.ended else f"has ended and cannot be started again: {self.problem}"
            raise ToolError(f"the MCP server {self.server.name} {why}", "see its own log")
        return self.client


async def _probe(client: Client) -> None:
    """Ask the server something without effects: raises what `_is_lost` where there is no connection any more."""
    try:
        await client.list_tools(cache_mode="bypass")
    except Exception as error:
        if _is_lost(error):
            raise
        _log.debug("an MCP server did not list its tools again", exc_info=error)


def _is_lost(error: BaseException) -> bool:
    """Whether an error says that there is no connection any more, and not that the server refuses the call."""
    from anyio import BrokenResourceError, ClosedResourceError, EndOfStream
    from mcp import MCPError
    from mcp_types import CONNECTION_CLOSED

    if isinstance(error, MCPError):
        return error.error.code == CONNECTION_CLOSED
    return isinstance(error, BrokenResourceError | ClosedResourceError | EndOfStream | OSError)


class _House:
    """The thread in which the connections live."""

    def __init__(self) -> None:
        self._processes: list[asyncio.SubprocessTransport] = []
        self._loop = self._counting(asyncio.new_event_loop())
        self._stop = asyncio.Event()
        self._connections: list[_Connection] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._thread = threading.Thread(target=self._run, daemon=True, name="airoagent MCP servers")
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main())
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _counting(self, loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
        """The loop, which notes the processes it starts: the library stops waiting for a killed one after a while."""
        start = loop.subprocess_exec

        async def subprocess_exec(*args: Any, **options: Any) -> Any:
            transport, protocol = await start(*args, **options)
            self._processes.append(transport)
            return transport, protocol

        loop.subprocess_exec = subprocess_exec  # type: ignore[method-assign]
        return loop

    async def _main(self) -> None:
        await self._stop.wait()
        for connection in self._connections:
            connection.end()
        await asyncio.gather(*self._tasks)
        for process in self._processes:
            process.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS_TO_END):
                for process in self._processes:
                    while process.get_returncode() is None:  # noqa: ASYNC110 - a transport has no event for it
                        await asyncio.sleep(0.02)

    def open(self, servers: Sequence[McpServer], seconds: float) -> list[_Connection]:
        """Connections to all of them, each ready or broken."""
        return asyncio.run_coroutine_threadsafe(self._open(servers, seconds), self._loop).result()

    async def _open(self, servers: Sequence[McpServer], seconds: float) -> list[_Connection]:
        connections = [_Connection(server, self._loop) for server in servers]
        self._connections += connections
        self._tasks += [asyncio.create_task(one.serve(seconds)) for one in connections]
        await asyncio.gather(*(one.ready.wait() for one in connections))
        return connections

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(timeout=10)


def _client(server: McpServer, errors: Any, heard: list[Any]) -> Client:
    """A client of the server; the tools it lists are added to ``heard`` as they are."""
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client
    from mcp.client.streamable_http import streamable_http_client

    if server.url:
        return Client(sifted(streamable_http_client(server.url), heard))
    program, *arguments = server.command
    environment = {name: os.path.expandvars(value) for name, value in server.env}
    parameters = StdioServerParameters(
        command=program, args=arguments, env=environment or None, encoding_error_handler="replace"
    )
    return Client(sifted(stdio_client(parameters, errlog=errors), heard))


async def _list(client: Client) -> bool:
    """Let the server list its tools, page by page; whether it came to the end."""
    cursor: str | None = None
    for _ in range(_MOST_TOOLS):
        page = await client.list_tools(cursor=cursor, cache_mode="bypass")
        cursor = page.next_cursor
        if not cursor:
            return True
    return False


def _reason(error: BaseException, errors: Any, seconds: float) -> str:
    """Why a server cannot be used, in one sentence, with the last line that it wrote to its standard error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        text = f"it did not answer within {seconds:g} s"
    elif isinstance(error, FileNotFoundError):
        text = f"there is no program {error.filename}" if error.filename else "its program is missing"
    elif errors is not None and _is_lost(error) and not getattr(error, "filename", None):
        text = "it ended, or closed the connection, before it had listed its tools"
    else:
        text = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}".removesuffix(": ")
    last = ""
    if errors is not None and not errors.closed:
        number = errors.fileno()
        written = os.pread(number, 10_000, max(os.fstat(number).st_size - 10_000, 0)).decode("utf-8", "replace")
        last = next((line.strip() for line in reversed(written.splitlines()) if line.strip()), "")
    return f"{text}; it last wrote: {last[:300]}" if last else text


# Its tools ---------------------------------------------------------------------------------------------------------


def _made(connection: _Connection, listed: Any, origin: str) -> Tool:
    """A tool as a server lists it; UsageError says what keeps it from being one."""
    from airoagent.calls.specs import param_of_schema

    server = connection.server
    if not is_named(listed):
        raise UsageError(f"it lists something that is not a tool: {json.dumps(listed, ensure_ascii=False)[:80]}")
    own = listed["name"]
    name = f"{server.name}.{re.sub(r'[^0-9A-Za-z_.-]+', '_', own).strip('_')}"
    words = (listed.get("description"), listed.get("title"))
    description = " ".join(next((text for text in words if isinstance(text, str) and text.strip()), "").split())
    description = description or f"{re.sub(r'[^0-9A-Za-z]+', ' ', own).strip().capitalize()} (a tool of {server.name})."
    schema = listed.get("inputSchema")
    if not isinstance(schema, dict):
        raise UsageError(f"the tool {own!r} cannot be used: its inputSchema is not an object")
    try:
        params = param_of_schema("input", schema).members
    except UsageError as error:
        raise UsageError(f"the tool {own!r} cannot be used: {error.message}") from error
    annotations = listed.get("annotations")
    hints = annotations if isinstance(annotations, dict) else {}
    side_effects = hints.get("readOnlyHint") is not True if server.side_effects is None else server.side_effects

    async def call(context: ToolContext, /, **given: Json) -> ToolOutput:
        asking = connection.call(own, given, not side_effects)
        try:
            future = asyncio.run_coroutine_threadsafe(asking, connection.loop)
        except RuntimeError as error:
            asking.close()
            raise ToolError(f"the MCP server {server.name} has been closed", "make a new Agent") from error
        try:
            result = await asyncio.wrap_future(future)
        except AiroError:
            raise
        except Exception as error:  # whatever the protocol or the transport raises fails this step and no other
            raise ToolError(f"{name}: {_reason(error, None, 0)}", "is the server still running?") from error
        return _output(name, result)

    return specified_tool(
        Function(name, description[:_MOST_DESCRIPTION], params),
        call,
        side_effects=side_effects,
        timeout=None,
        origin=origin,
        network=True,  # what a server does with its input is its own business
        private=hints.get("openWorldHint") is False,
    )


def _output(name: str, result: Any) -> ToolOutput:
    """The texts of a result one after another; the note names what is not text."""
    texts: list[str] = []
    sources: list[Source] = []
    left_out: list[str] = []
    for block in result.content:
        if block.type == "text":
            texts.append(block.text)
        elif block.type == "resource_link":
            texts.append(str(block.uri))
            sources.append(Source(str(block.uri), block.title or block.name or ""))
        elif block.type == "resource" and getattr(block.resource, "text", None) is not None:
            texts.append(block.resource.text)
            sources.append(Source(str(block.resource.uri)))
        else:
            left_out.append(block.type)
    if not texts and result.structured_content is not None:
        texts.append(json.dumps(result.structured_content, ensure_ascii=False, indent=2))
    text = "\n".join(texts)
    if result.is_error:
        raise ToolError(f"{name}: {' '.join(text.split())[:500] or 'it failed'}", "the server refused this call")
    note = f"left out, since it is not text: {', '.join(left_out)}" if left_out else ""
    return ToolOutput(text or (f"({note})" if note else ""), tuple(sources), note)
