"""The HTTP server: uvicorn, with limits on what a client without the key can hold open."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from airoagent.errors import UsageError
from airoagent.serving import access

MOST_CONNECTIONS: Final = 600  # a process may have 1,024 files open on most systems


class Server(uvicorn.Server):
    """Serves an application until Ctrl-C: ``run`` returns then. Its address can be used before that.

    ``app.state.stop`` is awaited before open connections are. UsageError if the address cannot be listened on.
    """

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Connection,
                ws="none",
                log_level="error",  # the terminal belongs to the user
                server_header=False,
                timeout_graceful_shutdown=5,
            )
        )
        self.config.load()  # what it imports, so that Ctrl-C at the very start does not come in the middle of that
        self.config.get_loop_factory()
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self.socket = socket.create_server((host, port), family=family, backlog=2048)
        except (OSError, OverflowError) as error:
            raise UsageError(f"port {port} cannot be used: {error}", "choose another with --port") from error
        self.port: int = self.socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        self._stop: Callable[[], Awaitable[None]] | None = app.state.stop

    def serve_until_stopped(self) -> None:
        """Answer requests until the process is interrupted, or `should_exit` is set."""
        self.run(sockets=[self.socket])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the runs and the streams, and then the connections."""
        if self._stop is not None:
            await self._stop()
        await super().shutdown(sockets)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a record may be shown: a request that Ctrl-C cut short is not an error."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


class _Connection(H11Protocol):
    """A connection that is cut off if its client is too slow, or, without the key, to make room."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.since = self.loop.time()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection; if there are too many, close the oldest whose client has not sent the key.

        Other users of the machine can then not keep the user out, and the user's own pages are not cut off.
        """
        if len(self.connections) >= MOST_CONNECTIONS:
            strangers = [one for one in self.connections if isinstance(one, _Connection) and not one.known]
            (min(strangers, key=lambda one: one.since).transport if strangers else transport).abort()
        super().connection_made(transport)
        self._limit("request", self._cut_off)

    @property
    def known(self) -> bool:
        return self.scope is not None and access.KNOWN in self.scope

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in self._timers.values():
            timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._limit("request", self._cut_off)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._limit("answer", self.transport.abort)

    def resume_writing(self) -> None:
        if "answer" in self._timers:
            self._timers["answer"].cancel()
        super().resume_writing()

    def _limit(self, what: str, act: Callable[[], None]) -> None:
        if what in self._timers:
            self._timers[what].cancel()
        self._timers[what] = self.loop.call_later(access.LONGEST_REQUEST, act)

    def _cut_off(self) -> None:
        """Close the connection unless a request has come: what counts is the time of its whole head."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, without repeating any of it."""
        if self.cycle is not None:  # the rest of its answer is not sent after this
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            reply = access.error_reply(400, "this is not an HTTP request")
            headers = [*reply.raw_headers, (b"connection", b"close")]
            for part in (
                h11.Response(status_code=400, headers=headers),
                h11.Data(data=bytes(reply.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(part) or b"")
        self.transport.close()
