"""The one door to the network: pages for tools, under rules that no tool and no page can change.

    async with Fetcher() as fetch:
        page = await fetch.page("https://a.example/otters")

Only http and https, only to public addresses (checked where the socket is dialled: `dial`), on the usual ports, with
no credentials in the address; redirects are followed by hand and each is checked again; a total deadline; caps on
bytes received and bytes unpacked; text only; few requests at once and apart from each other; robots.txt obeyed; an
honest User-Agent. ``docs://`` addresses are read from the user's documents. Every failure is a `FetchError`.
"""

from __future__ import annotations

import asyncio
import copy
import html
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from airoagent.background import backoff, in_thread
from airoagent.documents.charset import decode, split_type
from airoagent.documents.guards import guard_of
from airoagent.documents.html_tree import parse_html
from airoagent.errors import FetchError
from airoagent.frozen import frozen
from airoagent.web.addresses import AllowList
from airoagent.web.body import UNKNOWN_TYPES, Inflater, check_sniff, check_type, read_body
from airoagent.web.dial import Answer, Dialler, Resolver, Wire, causes, check_url, joined, lookup, port_of
from airoagent.web.politeness import ALLOW_ALL, DENY_ALL, Clock, Robots, SystemClock, Turns, retry_after

if TYPE_CHECKING:
    import httpx

    from airoagent.documents.library import Documents
    from airoagent.documents.read_page import Page

AGENT = "airoagent"
"""The name that robots.txt files know this program by."""

_ACCEPT = "text/html,application/xhtml+xml,text/plain;q=0.9,application/json;q=0.8,application/xml;q=0.8,*/*;q=0.1"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRY_AGAIN = frozenset({429, 502, 503, 504})
_ROBOTS_KEPT = 3600.0
_HEAD = 20_000  # bytes of a page in which it may send its reader on, or a guard shows itself
_MOST_COOKIES, _MOST_COOKIE = 20, 4096
_GUARDED = frozenset({401, 403, 405, 429, 503})
_ROBOTS_DENIED_KEPT = 60.0


@frozen
class Limits:
    """Bounds of a fetch: seconds, bytes, counts. ``interval`` is between starts at one public host."""

    connect: float = 10.0
    wire: int = 4 * 1024 * 1024
    body: int = 8 * 1024 * 1024
    redirects: int = 5
    tries: int = 3
    longest_wait: float = 30.0
    per_host: int = 2
    overall: int = 8
    interval: float = 1.0


@frozen
class Response:
    """An answer. ``charset`` is the header's ("" if it names none); ``truncated`` says that the body was cut."""

    url: str
    final_url: str
    status: int
    content_type: str
    charset: str
    body: bytes
    truncated: bool = False
    retry_after: float | None = None


@dataclass(slots=True)
class _Session:
    """What belongs to one event loop: the sockets and the queues."""

    wire: Wire
    turns: Turns
    overall: asyncio.Semaphore
    robots: dict[str, tuple[Robots, float]] = field(default_factory=dict)
    robots_locks: dict[str, asyncio.Lock] = field(default_factory=dict)


class Fetcher:
    """Fetches pages; may be used from several event loops, and is closed in each with `aclose`.

    ``allow_private`` opens hosts (``HOST`` or ``HOST:PORT``) that are not public or not on the usual ports;
    ``documents`` answers ``docs://`` addresses; ``timeout`` is the total for one fetch in seconds, waiting for a turn
    not counted; ``robots`` False fetches without asking robots.txt.
    """

    def __init__(
        self,
        *,
        allow_private: Iterable[str] = (),
        documents: Documents | None = None,
        timeout: float = 20.0,
        robots: bool = True,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        resolver: Resolver = lookup,
        clock: Clock | None = None,
    ) -> None:
        self._allowed = AllowList(allow_private)
        self._documents = documents
        self._timeout = timeout
        self._robots = robots
        self._limits = limits
        self._resolver = resolver
        self._clock = clock or SystemClock()
        self._sessions: dict[asyncio.AbstractEventLoop, _Session] = {}
        self._check: Callable[[str], None] | None = None

    async def __aenter__(self) -> Fetcher:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the sockets that the running event loop opened; fetching again opens new ones."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.wire.aclose()

    def narrowed(self, documents: Documents | None, check: Callable[[str], None] | None) -> Fetcher:
        """The same fetcher with these documents, where ``check`` raises for an address that may not be asked."""
        made = copy.copy(self)
        made._documents, made._check = documents, check
        return made

    async def page(self, url: str) -> Page:
        """The page at the address, read: its title, text, links and language."""
        return await self.read(await self.fetch(url))

    async def read(self, answer: Response) -> Page:
        """The page that an answer holds; where its header does not name a type, its bytes decide."""
        from airoagent.documents.read_page import read_page

        kind = "" if answer.content_type in UNKNOWN_TYPES else answer.content_type
        if kind and answer.charset:
            kind += f"; charset={answer.charset}"
        return await in_thread(read_page, answer.body, kind, answer.final_url)

    async def fetch(self, url: str, *, headers: Mapping[str, str] | None = None, api: bool = False) -> Response:
        """The answer at the address; FetchError where it cannot or may not be had, or its status is an error.

        ``headers`` are sent to the address's own host and to no other. ``api`` is for asking a service the user
        named: robots.txt is not asked, and an answer with an error status is returned and not tried again.
        """
        url = url.strip()
        if url[:7].lower() == "docs://":
            return await self._document(url)
        if self._check is not None:
            self._check(url)
        session = await self._session()
        async with session.overall:
            try:
                async with asyncio.timeout(self._timeout) as deadline:
                    return await _Fetch(self, session, url, dict(headers or {}), api, deadline).follow()
            except TimeoutError as error:
                message = f"{url[:200]} did not arrive within {self._timeout:g} s"
                raise FetchError(message, "try again later", retryable=True) from error

    async def _document(self, url: str) -> Response:
        if self._documents is None:
            message = f"{url[:200]} is a file of your documents, and no documents were given"
            raise FetchError(message, "name their folder: --docs FOLDER")
        body, header = await in_thread(self._documents.read, url)
        kind, charset = split_type(header)
        most = self._limits.body
        return Response(url, url, 200, kind, charset, body[:most], len(body) > most)

    async def _session(self) -> _Session:
        loop = asyncio.get_running_loop()
        if loop not in self._sessions:
            limits = self._limits
            dialler = Dialler(self._allowed, self._resolver)
            # In a thread: importing httpx and reading the certificates takes a quarter of a second.
            try:
                wire = await in_thread(Wire, dialler, _headers(), limits.connect, self._timeout)
            except OSError as error:
                message = f"the certificates cannot be read: {error.strerror or type(error).__name__}"
                raise FetchError(message, "check SSL_CERT_FILE and SSL_CERT_DIR") from error
            turns = Turns(limits.per_host, limits.interval, self._clock)
            # Another fetch may have been quicker; a wire that was not used has no sockets to close.
            self._sessions.setdefault(loop, _Session(wire, turns, asyncio.Semaphore(limits.overall)))
        return self._sessions[loop]


def _headers() -> dict[str, str]:
    from airoagent import __version__

    return {
        "User-Agent": f"{AGENT}/{__version__} (reads pages a person asked about; obeys robots.txt)",
        "Accept": _ACCEPT,
        "Accept-Encoding": "gzip, deflate",
        "Accept-Language": "en,*;q=0.5",
    }


@dataclass(slots=True)
class _Fetch:
    """One fetch on its way: address after address until there is an answer."""

    owner: Fetcher
    session: _Session
    asked: str
    headers: dict[str, str]
    api: bool
    deadline: asyncio.Timeout
    # By origin: some sites redirect until they are sent.
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    async def follow(self) -> Response:
        """The answer at the end of the redirects, each of which is checked like the first address."""
        url = check_url(self.asked, self.owner._allowed)
        seen = {(str(url), self._cookies(url))}
        for _ in range(self.owner._limits.redirects + 1):
            if self.owner._robots and not self.api:
                await self._ask_robots(url)
            answer = await self._tries(url)
            if not isinstance(answer, str):
                return answer
            following = check_url(answer, self.owner._allowed)
            place = (str(following), self._cookies(following))
            if place in seen:
                raise FetchError(f"{self.asked[:200]} redirects in a circle", "the site is broken: use another page")
            seen.add(place)
            if _origin(following) != _origin(url):
                # What was meant for one host (an API key) is not sent to another.
                self.headers = {}
            url = following
        message = f"{self.asked[:200]} redirects more than {self.owner._limits.redirects} times"
        raise FetchError(message, "the site is broken: use another page")

    def _cookies(self, url: httpx.URL) -> str:
        """The Cookie header for an address: what its own site has set in this fetch."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.get(_origin(url), {}).items())

    async def _tries(self, url: httpx.URL) -> Response | str:
        """The answer, or the address it redirects to; failures that may pass are tried again within the deadline."""
        limits = self.owner._limits
        for attempt in range(1, limits.tries + 1):
            try:
                return await self._once(url)
            except FetchError as error:
                wait = backoff(attempt) if error.retry_after is None else error.retry_after
                again = isinstance(error, _PassingError) and attempt < limits.tries and not self.api
                if not again or wait > min(limits.longest_wait, self._seconds_left()):
                    raise
            await self.owner._clock.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _seconds_left(self) -> float:
        when = self.deadline.when()
        return 0.0 if when is None else when - asyncio.get_running_loop().time()

    async def _once(self, url: httpx.URL) -> Response | str:
        import httpcore

        try:
            cookies = self._cookies(url)
            headers = {**self.headers, "Cookie": cookies} if cookies else self.headers
            async with self._turn(url), self.session.wire.get(url, headers) as answer:
                return await self._read(url, answer)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise _connect_error(url, error) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            message = f"{url} broke off its answer ({_words(error)})"
            raise FetchError(message, "try again later", retryable=True) from error

    @asynccontextmanager
    async def _turn(self, url: httpx.URL, spaced: bool = True) -> AsyncIterator[None]:
        """A turn at the host of the address; the deadline stands still while waiting for it."""
        public = not self.owner._allowed.covers(url.host, port_of(url))
        left = self._seconds_left()
        self.deadline.reschedule(None)
        async with self.session.turns.turn(url.host, spaced and public):
            self.deadline.reschedule(asyncio.get_running_loop().time() + left)
            yield

    async def _read(self, url: httpx.URL, answer: Answer) -> Response | str:
        status = answer.status
        if status in _REDIRECTS:
            for line in answer.headers.get_list("Set-Cookie")[:_MOST_COOKIES]:
                name, sign, value = line.partition(";")[0].strip().partition("=")
                if sign and name and len(line) < _MOST_COOKIE:
                    self.cookies.setdefault(_origin(url), {})[name] = value
            target = answer.headers.get("Location", "")
            if target:
                return joined(url, target)
            raise FetchError(f"{url} answers {status} and does not say where to go", "use another page")
        kind, charset = split_type(answer.headers.get("Content-Type", ""))
        wait = retry_after(answer.headers.get("Retry-After", ""))
        if status >= 400 and not self.api:
            raise _status_error(url, status, wait, await _guard(answer, str(url)) if status in _GUARDED else "")
        check_type(kind, str(url))
        limits = self.owner._limits
        inflater = Inflater(answer.headers.get("Content-Encoding", ""), str(url))
        body, cut = await read_body(
            answer.chunks, inflater, limits.wire, limits.body, lambda head: check_sniff(head, charset, str(url))
        )
        onward = "" if self.api or "html" not in kind else _refresh_of(answer.headers.get("Refresh", ""), body, charset)
        target = joined(url, onward) if onward else ""
        if target and target.partition("#")[0] != str(url):
            return target
        return Response(self.asked, str(url), status, kind, charset, body, cut, wait)

    async def _ask_robots(self, url: httpx.URL) -> None:
        """FetchError where the site's robots.txt asks not to be read there."""
        origin = _origin(url)
        async with self.session.robots_locks.setdefault(origin, asyncio.Lock()):
            rules, until = self.session.robots.get(origin, (ALLOW_ALL, float("-inf")))
            if until <= self.owner._clock.now():
                rules = await self._robots_of(url.join("/robots.txt"))
                kept = _ROBOTS_DENIED_KEPT if rules is DENY_ALL else _ROBOTS_KEPT
                self.session.robots[origin] = rules, self.owner._clock.now() + kept
        if not rules.allows(AGENT, url.raw_path.decode("ascii")):
            why = "could not say what it allows" if rules is DENY_ALL else "asks robots not to read this page"
            raise FetchError(
                f"{url} is not read: {url.host} {why} (robots.txt)", "use another page", retryable=rules is DENY_ALL
            )

    async def _robots_of(self, url: httpx.URL) -> Robots:
        """The rules; none where the file is missing (4xx), all denied where the site fails (5xx, 429), as RFC 9309."""
        import httpcore

        for _ in range(self.owner._limits.redirects + 1):
            try:
                async with self._turn(url, spaced=False), self.session.wire.get(url, {}) as answer:
                    status = answer.status
                    if status in _REDIRECTS and answer.headers.get("Location"):
                        url = check_url(joined(url, answer.headers["Location"]), self.owner._allowed)
                        continue
                    if status >= 500 or status == 429:
                        return DENY_ALL
                    if status != 200:
                        return ALLOW_ALL
                    inflater = Inflater(answer.headers.get("Content-Encoding", ""), str(url))
                    limits = self.owner._limits
                    body, _ = await read_body(answer.chunks, inflater, limits.wire, 512 * 1024, lambda head: None)
                    return Robots(body)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                raise _connect_error(url, error) from error
            except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
                return DENY_ALL
        return ALLOW_ALL


class _PassingError(FetchError):
    """A failure that a second try a moment later may not meet."""

    @property
    def kind(self) -> str:
        return "FetchError"


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _connect_error(url: httpx.URL, error: BaseException) -> FetchError:
    for cause in causes(error):
        if isinstance(cause, ssl.SSLError):
            what = "valid certificate" if isinstance(cause, ssl.SSLCertVerificationError) else "secure connection"
            return FetchError(f"{url.host} has no {what} ({_words(cause)[:120]})", "use another page")
    return _PassingError(f"{url.host} cannot be connected to ({_words(error)})", "try again later", retryable=True)


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _refresh_of(header: str, body: bytes, charset: str) -> str:
    """Where a page sends its reader at once, by a header or a <meta http-equiv=refresh>; "" if it does not."""
    head = body[:_HEAD]
    if header:
        return parse_html(f'<meta http-equiv="refresh" content="{html.escape(header)}">').refresh
    return parse_html(decode(head, charset)).refresh if b"refresh" in head.lower() else ""


async def _guard(answer: Answer, url: str) -> str:
    """The guard that sent an answer; "" if none did."""
    import httpcore

    head = b""
    with suppress(FetchError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
        inflater = Inflater(answer.headers.get("Content-Encoding", ""), url)
        head, _ = await read_body(answer.chunks, inflater, _HEAD, _HEAD, lambda head: None)
    return guard_of(answer.headers, head)


def _status_error(url: httpx.URL, status: int, wait: float | None, guard: str) -> FetchError:
    phrase = next((f" {known.phrase}" for known in HTTPStatus if known == status), "")
    message = f"{url} answers {status}{phrase}"
    if guard:
        return FetchError(f"{message}: {guard} keeps robots from this site", "use another page")
    if status in _TRY_AGAIN:
        return _PassingError(message, "try again later", retryable=True, retry_after=wait)
    return FetchError(message, "check the address, or use another page")
