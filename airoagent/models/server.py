"""A model behind an OpenAI-compatible address: llama.cpp, vLLM, text-generation-webui, KoboldCpp, LM Studio and others.

    model = ServerModel("http://127.0.0.1:8080")
    async for chunk in model.stream(Prompt("Where do otters sleep?")):
        print(chunk.text, end="")

Raw completions with our own wrapper are asked for, since that is what an airoboros model was trained on; a server that
has only the chat route is asked there, and wraps the prompt itself. The address is the user's own and may well be on
this machine, so it does not go through the tools' door to the network, which keeps pages from reaching such places.
Redirects are not followed: the key goes to the address it was meant for and nowhere else.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from airoagent.errors import ModelError, UsageError
from airoagent.events import Usage
from airoagent.language.grammar import Grammar
from airoagent.language.wrappers import WRAPPERS, Wrapper, wrapper_for, wrapper_named
from airoagent.models.base import Chunk, Finish, ModelInfo, Prompt, Sampling
from airoagent.models.decoding import check_sampling
from airoagent.models.dialects import DIALECTS, dialect_of, window_in
from airoagent.models.estimate import estimate_tokens
from airoagent.models.serverstream import Said, read_said
from airoagent.models.stopping import StopFilter
from airoagent.models.window import room_for

if TYPE_CHECKING:
    import httpx

__all__ = ["Route", "ServerModel"]

Route = Literal["auto", "completions", "chat"]

_KEYS: Final = ("AIRO_API_KEY", "OPENAI_API_KEY")
_BUSY: Final = (429, 502, 503, 504)
_NO_ROUTE: Final = (404, 405, 501)
_LONGEST_PAUSE: Final = 30.0
_LOCAL: Final = ("127.0.0.1", "localhost", "::1")


class ServerModel:
    """A model that somebody else runs, behind the `Model` protocol.

    ``url`` is the server's address, with or without ``/v1``; ``model`` which of its models (default: its first);
    ``wrapper`` and ``system`` as for a model that is run here; ``context_length`` the window in tokens in place of what
    the server tells; ``dialect`` one of `DIALECTS` (None: what the server says it is); ``route`` which of its doors;
    ``timeout`` seconds without a sign of life; ``retries`` how often a server that is busy or not up yet is asked
    again, ``pause`` seconds apart, doubling.

    Nothing is asked before the first use. Tokens are estimated where the server does not count them.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str = "",
        sampling: Sampling | None = None,
        wrapper: str | None = None,
        system: str | None = None,
        context_length: int | None = None,
        dialect: str | None = None,
        route: Route = "auto",
        timeout: float = 300.0,
        retries: int = 4,
        pause: float = 0.5,
    ) -> None:
        self._root, self._base = _addresses(url)
        self._name = url
        self._sampling = sampling or Sampling()
        check_sampling(self._sampling)
        self._asked_wrapper = None if wrapper is None else wrapper_named(wrapper)
        if self._asked_wrapper is not None and self._asked_wrapper.name == "template":
            raise UsageError("a server's own template is used through its chat route", "-o route chat")
        self._system = system
        self._window = context_length
        self._dialect = None if dialect is None else DIALECTS[dialect]
        self._route = route
        self._timeout = timeout
        self._retries = retries
        self._pause = pause
        self._model = model
        self._known_as = model
        self._ready = False

    @property
    def info(self) -> ModelInfo:
        """What is known without asking the server; more once it has been asked."""
        note = f"{self._known_as or 'the first model'} at {self._root}"
        note += f", {self._dialect.name}" if self._dialect else ""
        return ModelInfo(self._name, "server", self._window, self._wrapper().name, note)

    def wrap(self, prompt: str) -> str:
        """The exact text the model reads; behind the chat route, what the server wraps."""
        if self._route == "chat":
            return f"{self._system}\n\n{prompt}" if self._system else prompt
        return self._wrapper().wrap(prompt, self._system)

    def count_tokens(self, text: str) -> int:
        """An estimate, rather too high than too low: servers have no common way to be asked."""
        return estimate_tokens(text)

    def check(self) -> None:
        """Raise ModelError if no server answers here and now. Not to be called within a running event loop."""
        asyncio.run(self.ready())

    async def ready(self) -> None:
        """Ask the server, once, what it is and how long its window is. What it does not tell stays open.

        Raises ModelError where no server answers.
        """
        if self._ready:
            return
        async with self._client() as client:
            answer = await self._get(client, f"{self._base}/models", retry=True)
            entries = answer.get("data") if isinstance(answer, dict) else None
            listed = [entry for entry in entries or () if isinstance(entry, dict) and entry.get("id")]
            entry = next((entry for entry in listed if entry["id"] == self._model), listed[0] if listed else {})
            self._dialect = self._dialect or dialect_of(entry)
            self._known_as = str(self._model or entry.get("id") or "")
            if self._window is None:
                self._window = window_in(entry, ("max_model_len",), ("meta", "n_ctx"), ("meta", "n_ctx_train"))
                path, keys = self._dialect.window
                if path:
                    told = await self._get(client, self._root + path)
                    self._window = window_in(told, keys) or self._window
        self._ready = True

    async def stream(self, prompt: Prompt) -> AsyncIterator[Chunk]:
        """Write the completion piece by piece. What was written before a server died has been passed on.

        Raises ModelError where the prompt does not fit the window, no server answers, it refuses, or dies.
        """
        sampling = prompt.sampling or self._sampling
        check_sampling(sampling)
        await self.ready()
        if self._route == "auto":
            try:
                async with aclosing(self._written(prompt, sampling, "completions")) as chunks:
                    async for chunk in chunks:
                        yield chunk
                self._route = "completions"
                return
            except _NoRoute:
                self._route = "chat"
        async with aclosing(self._written(prompt, sampling, self._route)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def aclose(self) -> None:
        """Nothing is held between completions."""

    # One completion.

    async def _written(self, prompt: Prompt, sampling: Sampling, route: Route) -> AsyncGenerator[Chunk]:
        wrapped = self.wrap(prompt.text)
        length = self.count_tokens(wrapped)
        stop = prompt.stop + (self._wrapper().stop if route == "completions" else ())
        body = self._body(prompt, wrapped, sampling, route, stop, length)
        filter = StopFilter(stop, drop_space=True, watch=not self._held(prompt, route))
        finish: Finish | None = None
        pieces, usage = 0, None
        path = "/chat/completions" if route == "chat" else "/completions"
        async with self._client() as client, aclosing(self._said(client, self._base + path, body)) as said:
            async for one in said:
                usage = one.usage or usage
                finish = one.finish or finish
                pieces += bool(one.text)
                if text := filter.feed(one.text):
                    yield Chunk(text)
                if filter.stopped:
                    finish = "stop"
                    break
        rest = filter.finish()
        yield Chunk(rest, finish or "stop", usage or Usage(length, pieces, 1))

    def _held(self, prompt: Prompt, route: Route) -> bool:
        """Whether the server is asked to hold the completion to its grammar: it then ends by itself."""
        takes = self._dialect is not None and bool(self._dialect.grammar)
        return takes and isinstance(prompt.grammar, Grammar) and route != "chat"

    def _body(
        self, prompt: Prompt, wrapped: str, sampling: Sampling, route: Route, stop: tuple[str, ...], length: int
    ) -> dict[str, Any]:
        most = sampling.max_tokens
        if self._window is not None:
            most = min(most, room_for(self._name, prompt.purpose, length, self._window))
        body: dict[str, Any] = {
            "model": self._known_as or "default",
            "max_tokens": most,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "stream": True,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if stop:
            body["stop"] = list(stop[:4])  # What the API allows; all of them are watched for here as well.
        if route == "chat":
            system = [{"role": "system", "content": self._system}] if self._system else []
            body["messages"] = [*system, {"role": "user", "content": prompt.text}]
        else:
            body["prompt"] = wrapped
        if self._dialect is not None:
            body |= self._dialect.fields(sampling, prompt.grammar if self._held(prompt, route) else "")
        return body

    async def _said(self, client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> AsyncGenerator[Said]:
        """What the server says to this request; asked again while it is busy, and never once it has begun to answer."""
        import httpx

        for attempt in range(self._retries + 1):
            try:
                async with client.stream("POST", url, json=body) as response:
                    if response.status_code in _BUSY and attempt < self._retries:
                        await self._wait(attempt, response)
                        continue
                    if response.status_code != 200:
                        raise self._refused(response.status_code, (await response.aread())[:2000], url)
                    async for said in read_said(response, self._name):
                        yield said
                    return
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if attempt == self._retries:
                    raise self._unreachable(error) from error
                await self._wait(attempt)
            except httpx.TimeoutException as error:
                raise ModelError(
                    f"{self._name} has not said anything for {self._timeout:g} s",
                    "give it longer (-o timeout SECONDS), or a shorter prompt",
                ) from error
            except httpx.HTTPError as error:
                raise ModelError(
                    f"{self._name} broke off: {_reason(error)}", "see what the server's own log says, and try again"
                ) from error

    async def _get(self, client: httpx.AsyncClient, url: str, *, retry: bool = False) -> Any:
        """The JSON at an address; None where there is none. With ``retry`` ModelError if nobody answers at all."""
        import httpx

        for attempt in range(self._retries + 1):
            try:
                response = await client.get(url, timeout=min(self._timeout, 30.0))
                if response.status_code in (401, 403) and retry:
                    raise self._refused(response.status_code, response.content[:2000], url)
                if response.status_code not in _BUSY or not retry or attempt == self._retries:
                    return response.json() if response.status_code == 200 else None
                await self._wait(attempt, response)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if not retry:
                    return None
                if attempt == self._retries:
                    raise self._unreachable(error) from error
                await self._wait(attempt)
            except (httpx.HTTPError, ValueError):
                return None  # It does not list its models, or not in JSON: many do not. The completion will tell.
        return None

    async def _wait(self, attempt: int, response: httpx.Response | None = None) -> None:
        asked = response.headers.get("retry-after", "") if response is not None else ""
        pause = float(asked) if asked.isdecimal() else self._pause * 2.0**attempt
        await asyncio.sleep(min(pause, _LONGEST_PAUSE))

    # What is known of the server.

    def _client(self) -> httpx.AsyncClient:
        import httpx

        key = next((os.environ[name] for name in _KEYS if os.environ.get(name)), "")
        headers = {"authorization": f"Bearer {key}"} if key else {}
        local = (urlsplit(self._root).hostname or "") in _LOCAL
        limits = httpx.Timeout(self._timeout, connect=min(10.0, self._timeout))
        return httpx.AsyncClient(headers=headers, timeout=limits, follow_redirects=False, trust_env=not local)

    def _wrapper(self) -> Wrapper:
        if self._route == "chat":
            return Wrapper("the server's own")
        if self._asked_wrapper is not None:
            return self._asked_wrapper
        chosen = wrapper_for(self._known_as or "unknown", model_type="llama")
        return WRAPPERS["airoboros-2.0"] if chosen.name == "template" else chosen

    def _unreachable(self, error: Exception) -> ModelError:
        return ModelError(f"no server answers at {self._name}: {_reason(error)}", "start it, or check the address")

    def _refused(self, status: int, content: bytes, url: str) -> ModelError:
        if status in _NO_ROUTE and self._route == "auto" and url.endswith("/v1/completions"):
            return _NoRoute(f"{self._name} has no completions")
        said = " ".join(content.decode("utf-8", "replace").split())[:300]
        if status in (401, 403):
            hint = f"set the key in {_KEYS[0]}" if not any(map(os.environ.get, _KEYS)) else "the key is not accepted"
            return ModelError(f"{self._name} wants a key ({status})", hint)
        hint = "try again later" if status in _BUSY else "see what the server's own log says"
        return ModelError(f"{self._name} refused ({status}): {said or 'it gave no reason'}", hint)


class _NoRoute(ModelError):
    """The server has no completions route."""


def _addresses(url: str) -> tuple[str, str]:
    """The server's root, and what the routes stand under. UsageError for what is no such address."""
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url} is not a server's address", "it looks like http://127.0.0.1:8080")
    if parts.username or parts.password:
        raise UsageError("the address holds a password, which would be on record", f"set the key in {_KEYS[0]}")
    path = parts.path.rstrip("/").removesuffix("/completions").removesuffix("/chat").rstrip("/")
    root = f"{parts.scheme}://{parts.netloc}{path.removesuffix('/v1')}"
    return root, f"{root}/v1"


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def settings_of(options: Mapping[str, str]) -> dict[str, Any]:
    """The keyword arguments that a user's options mean (the names are checked already)."""
    from airoagent.models.options import choice, number, whole_number

    settings: dict[str, Any] = {key: options[key] for key in ("model", "wrapper", "system") if key in options}
    if "dialect" in options:
        settings["dialect"] = choice("dialect", options["dialect"], tuple(DIALECTS))
    if "route" in options:
        settings["route"] = choice("route", options["route"], ("auto", "completions", "chat"))
    settings["context_length"] = whole_number(options, "context", least=16)
    settings["timeout"] = number(options, "timeout") or 300.0
    return settings
