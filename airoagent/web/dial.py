"""Opens sockets to checked addresses and to nothing else.

The check sits where the socket is dialled: a name is resolved, every address it has is judged (`addresses`), and
exactly a judged address is dialled. Redirects, name servers that change their answer and strange spellings of an
address all end here, whatever the layers above think.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, cast

from airoagent.background import in_thread
from airoagent.errors import FetchError
from airoagent.frozen import frozen
from airoagent.web.addresses import IP, PORTS, AllowList, literal, refusal

if TYPE_CHECKING:
    import httpcore
    import httpx

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a name, as text; raises `socket.gaierror` where there are none."""

_MOST_ADDRESSES = 4
_MOST_URL = 8192
_PROBE = "example.com"


def no_network() -> FetchError:
    """The error for a machine without a network: said at once, never tried again."""
    return FetchError(
        "there is no network: no site can be reached", "answer from your own files instead: --docs FOLDER"
    )


async def lookup(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, from the system's resolver, in the order it prefers."""
    rows = await in_thread(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    return tuple(dict.fromkeys(str(row[4][0]) for row in rows))


def _check_host(host: str, port: int, allowed: AllowList) -> IP | None:
    """Refuse a port or a literal address that may not be dialled; the address if the host is one, else None."""
    opened = allowed.covers(host, port)
    if port not in PORTS and not opened:
        ports = ", ".join(map(str, sorted(PORTS)))
        raise FetchError(
            f"port {port} of {host} is not allowed (only {ports})", f"to open it: --allow-private {_pair(host, port)}"
        )
    try:
        ip = literal(host)
    except ValueError as error:
        raise FetchError(f"{host} is not a valid address", "give the name of the site") from error
    if ip is not None and not opened and (reason := refusal(ip)):
        raise _refused(host, port, reason, ip)
    return ip


def _pair(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _refused(host: str, port: int, reason: str, ip: IP) -> FetchError:
    where = f"{host} is {reason}" if str(ip) == host else f"{host} resolves to {ip}, {reason}"
    return FetchError(
        f"{where}; only public addresses are fetched", f"to open this one host: --allow-private {_pair(host, port)}"
    )


def check_url(text: str, allowed: AllowList) -> httpx.URL:
    """The address, normalised and without its fragment; FetchError where it is none that may be fetched."""
    import httpx

    shown = text[:200]
    if len(text) > _MOST_URL:
        raise FetchError(f"{shown}... is longer than {_MOST_URL} characters", "use a shorter address")
    if any(char <= " " or char in "\\\x7f" for char in text):
        raise FetchError(f"{shown!r} contains characters not allowed in an address", "give one http or https address")
    try:
        url = httpx.URL(text)
        host, netloc = url.host, url.netloc.decode("ascii")
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError) as error:
        raise FetchError(f"{shown!r} is not an address ({error})", "give one http or https address") from error
    if url.scheme not in ("http", "https"):
        raise FetchError(f"{shown!r} is not an http or https address", "only http and https are fetched")
    if url.userinfo or "@" in netloc:
        raise FetchError(f"the address of {host} contains a user name or password", "give the address without them")
    if not host or "%" in host or host.startswith(".") or ".." in host:
        raise FetchError(f"{shown!r} has no host name", "give one http or https address")
    _check_host(url.raw_host.decode("ascii"), port_of(url), allowed)
    return url.copy_with(fragment=None)


def port_of(url: httpx.URL) -> int:
    """The port that is dialled for an http or https address."""
    default = 443 if url.scheme == "https" else 80
    return default if url.port is None else url.port


def joined(url: httpx.URL, target: str) -> str:
    """Where a Location header leads, as text; FetchError where it is not an address."""
    import httpx

    try:
        return str(url.join(target.strip().replace(" ", "%20")))
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError(f"{url} redirects to {target[:200]!r}, which is not an address", "use another page") from error


class Dialler:
    """httpcore's network backend (`httpcore.AsyncNetworkBackend`), with the check built in."""

    def __init__(self, allowed: AllowList, resolver: Resolver = lookup) -> None:
        self._allowed = allowed
        self._resolver = resolver

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A stream to one of the host's checked addresses; FetchError where one of them is forbidden."""
        import httpcore

        addresses = (await self.addresses(host, port))[:_MOST_ADDRESSES]
        backend = httpcore.AnyIOBackend()
        for place, ip in enumerate(addresses):
            # An address that swallows packets must leave time for those after it.
            share = None if timeout is None else timeout / (len(addresses) - place)
            try:
                stream = await backend.connect_tcp(str(ip), port, share, local_address, socket_options)
                return cast("httpcore.AsyncNetworkStream", _Mended(stream))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                if place + 1 < len(addresses):
                    continue
                if any(isinstance(one, OSError) and one.errno == errno.ENETUNREACH for one in causes(error)):
                    raise no_network() from error
                raise
        raise FetchError(f"{host} has no address", "check the spelling of the address")

    async def connect_unix_socket(self, path: str, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        """Refused: pages are not on local sockets."""
        raise FetchError(f"the local socket {path} is not allowed")

    async def sleep(self, seconds: float) -> None:
        """What httpcore calls between its own retries, which are switched off."""
        import asyncio

        await asyncio.sleep(seconds)

    async def addresses(self, host: str, port: int) -> tuple[IP, ...]:
        """Every address of the host, all of them checked; one forbidden address refuses the host.

        A name that has a public and a private address at once is what an attack looks like, so the public one is
        not used either.
        """
        ip = _check_host(host, port, self._allowed)
        if ip is not None:
            return (ip,)
        found = await self._resolve(host, port)
        if not self._allowed.covers(host, port):
            for address in found:
                if reason := refusal(address):
                    raise _refused(host, port, reason, address)
        return found

    async def _resolve(self, host: str, port: int) -> tuple[IP, ...]:
        try:
            return tuple(map(ip_address, await self._resolver(host, port)))
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN or not await self._names_work():
                raise no_network() from error
            raise FetchError(f"there is no host called {host}", "check the spelling of the address") from error
        except (OSError, UnicodeError, ValueError) as error:
            raise FetchError(f"{host} cannot be looked up ({error})", "check the spelling of the address") from error

    async def _names_work(self) -> bool:
        """Whether a name that surely exists is known: a wrong name is not a machine without a network."""
        try:
            return bool(await self._resolver(_PROBE, 443))
        except (OSError, UnicodeError):
            return False


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came from, innermost last; at most ten."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


_MOST_HEAD = 100 * 1024  # bytes; h11 refuses a longer one
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_HEADER = re.compile(rb"^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*:")


class _Mended:
    """A stream (`httpcore.AsyncNetworkStream`) that leaves out the header lines that no header can be read from.

    h11 refuses an answer for one line without a colon or with a space in its name; browsers pass over the line.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._in_head = False  # the next bytes are the head of an answer: one follows each request

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._stream.read(max_bytes, timeout)
        if not self._in_head:
            return data
        more = data
        while more and not _END_OF_HEAD.search(data, max(0, len(data) - len(more) - 2)) and len(data) < _MOST_HEAD:
            more = await self._stream.read(max_bytes, timeout)
            data += more
        self._in_head = False
        mended = b""
        while True:
            end = _END_OF_HEAD.search(data)
            head, rest = (data[: end.end()], data[end.end() :]) if end else (data, b"")
            mended += _without_bad_lines(head)
            if not re.match(rb"HTTP/1\.[01] 1\d\d", head) or not rest:  # after "103 Early Hints" comes another head
                return mended + rest
            data = rest

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._in_head = True
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return cast(
            "httpcore.AsyncNetworkStream", _Mended(await self._stream.start_tls(ssl_context, server_hostname, timeout))
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _without_bad_lines(head: bytes) -> bytes:
    """A head with its first line, its headers, their continuations and the empty line at its end."""
    first, *lines = head.replace(b"\x00", b" ").splitlines(keepends=True) or [b""]
    kept = [line for line in lines if line[:1] in b" \t\r\n" or _HEADER.match(line)]
    return b"".join([first, *(_HEADER.sub(rb"\1:", line) for line in kept)])


class Wire:
    """Requests over sockets of the dialler: no proxies, no cookies, no redirects followed, nothing unpacked.

    httpx's URL, headers and certificates on httpcore's pool. The client of httpx is left out: it looks at every
    redirect and raises for some it would not even follow, and its transport has no place for a network backend.
    """

    def __init__(self, dialler: Dialler, headers: Mapping[str, str], connect: float, read: float) -> None:
        import httpcore
        import httpx

        self._headers = dict(headers)
        self._timeouts = {"connect": connect, "read": read, "write": read}
        self._pool = httpcore.AsyncConnectionPool(
            # Certificates the user named in SSL_CERT_FILE are trusted; proxies from the environment are not used,
            # since a proxy resolves names itself and the check above would mean nothing.
            ssl_context=httpx.create_ssl_context(),
            max_connections=32,
            max_keepalive_connections=8,
            keepalive_expiry=10.0,
            network_backend=cast("httpcore.AsyncNetworkBackend", dialler),
        )

    @asynccontextmanager
    async def get(self, url: httpx.URL, headers: Mapping[str, str]) -> AsyncIterator[Answer]:
        """The answer to a GET, its body unread; httpcore's errors where there is none."""
        import httpcore
        import httpx

        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        own = {"Host": url.netloc.decode("ascii"), **self._headers, **headers}
        sent = httpx.Headers(own, encoding="utf-8")  # a cookie or a key may hold any letters
        async with self._pool.stream("GET", target, headers=sent.raw, extensions={"timeout": self._timeouts}) as answer:
            yield Answer(answer.status, httpx.Headers(answer.headers), answer.aiter_stream())

    async def aclose(self) -> None:
        """Close every socket."""
        await self._pool.aclose()


@frozen
class Answer:
    """An answer as it comes in: ``chunks`` are the bytes of the body as they are on the wire."""

    status: int
    headers: httpx.Headers
    chunks: AsyncIterator[bytes]
