"""A model behind an OpenAI-compatible address: llama.cpp, vLLM, text-generation-webui, KoboldCpp, LM Studio and others.

    model = ServerModel("http://127.0.0.1:8080")
    async for chunk in model.stream(Prompt("Where do otters sleep?")):
        print(chunk.text, end="")

An airoboros model is asked for raw completions with our own wrapper, since that is what it was trained on; any other
through the chat route, whose server knows its template. A server that lacks the one is asked by the other. The address
is the user's own and may well be on this machine, so it does not go through the fetcher of the tools, which keeps pages
from reaching such places. Redirects are not followed: the key goes to the address it was meant for and nowhere else.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from airoagent.errors import ModelError, UsageError
from airoagent.events import Usage
from airoagent.models.backend_options import PROMPT_OPTIONS, Option, choice, number
from airoagent.models.base import Chunk, Finish, ModelInfo, Prompt, Sampling
from airoagent.models.local.constraint import grammars_available, nearest_end
from airoagent.models.server.dialects import DIALECTS, Dialect, dialect_of, window_in
from airoagent.models.server.faults import (
    KEYS,
    BrokeOff,
    DoesNotFit,
    NoGrammar,
    NoRoute,
    RetrySchedule,
    broke_off,
    refused,
    trusted,
    unreachable,
)
from airoagent.models.server.stream import PartialCompletion, estimate_tokens, read_said
from airoagent.models.stopping import StopFilter, ThoughtFilter
from airoagent.models.window import room_for
from airoagent.prompts.chat import Chat, Style, call_form_of
from airoagent.prompts.grammar import Grammar
from airoagent.prompts.wrappers import WRAPPERS, Wrapper, style_of, wrapper_for, wrapper_named

if TYPE_CHECKING:
    import httpx

Route = Literal["auto", "completions", "chat"]

OPTIONS: Final = (
    *PROMPT_OPTIONS,
    Option("dialect", choice(tuple(DIALECTS))),
    Option("model"),
    Option("route", choice(("auto", "completions", "chat"))),
    Option("timeout", number),
)

# How often a completion that the server cut off early is gone on with.
_MOST_PARTS: Final = 8
_UNNAMED: Final = "default"  # The model asked of a server that lists none.
_LOCAL: Final = ("127.0.0.1", "localhost", "::1")


class ServerModel:
    """A model that somebody else runs, behind the `Model` protocol.

    ``url`` is the server's address, with or without ``/v1``; ``name`` what the model is called (default: the address);
    ``key`` in place of the one in the environment; ``model`` which of the server's models (default: its first);
    ``wrapper`` and ``system`` as for a model that is run here; ``context_length`` the window in tokens in place of what
    the server reports; ``dialect`` one of `DIALECTS` (None: what the server says it is); ``route`` which of its routes;
    ``timeout`` seconds without a sign of life; ``retries`` how often a server that is busy or not up yet is asked
    again, ``pause`` seconds apart, doubling; one that is loading its model is waited for as long as ``timeout``.
    ``probabilities`` asks llama.cpp for those of answers.

    Nothing is asked before the first use. Tokens are estimated where the server does not count them. A completion that
    a server cuts off before it has the tokens it was asked for is gone on with, which the completions route allows; one
    that is held to a grammar and reaches its own limit is led to the nearest end, as those that are written here are.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "",
        key: str = "",
        model: str = "",
        sampling: Sampling | None = None,
        wrapper: str | Wrapper | None = None,
        system: str | None = None,
        style: Style | None = None,
        context_length: int | None = None,
        dialect: str | Dialect | None = None,
        route: Route = "auto",
        timeout: float = 300.0,
        retries: int = 4,
        pause: float = 0.5,
        probabilities: bool = False,
    ) -> None:
        self._root, self._base = _addresses(url)
        self._name = name or url
        self._key = key
        self._sampling = sampling or Sampling()
        self._asked_wrapper = wrapper_named(wrapper) if isinstance(wrapper, str) else wrapper
        if self._asked_wrapper is WRAPPERS["template"]:
            raise UsageError("a server's own template is used through its chat route", "-o route chat")
        self._system = system
        self._style = style
        self._window = context_length
        if isinstance(dialect, str) and dialect not in DIALECTS:
            raise UsageError(f"{dialect!r:.80} is not a kind of server", f"known: {', '.join(DIALECTS)}")
        self._dialect = DIALECTS[dialect] if isinstance(dialect, str) else dialect
        self._route = route
        self._timeout = timeout
        self._retries = retries
        self._pause = pause
        self._probabilities = probabilities
        self._model = model
        self._known_as = model
        self._listed: tuple[str, ...] = ()
        self._call_form = ""
        self._ready = False

    @property
    def info(self) -> ModelInfo:
        """What is known without asking the server; more once it has been asked."""
        note = f"{self._known_as or 'the first model'} at {self._root}"
        note += f", {self._dialect.name}, {self._dialect.says()}" if self._dialect else ""
        wrapper = self._wrapper()
        style = self._style or style_of(wrapper)
        return ModelInfo(self._name, "server", self._window, wrapper.name, note, style, call_form=self._call_form)

    def wrap(self, prompt: str) -> str:
        """The exact text the model reads; on the chat route, what the server wraps."""
        if self._first_route() == "chat":
            if isinstance(prompt, Chat):
                turns = (turn["content"] for turn in prompt.messages(self._system))
                return "\n\n".join(filter(None, (prompt.tools, *turns)))
            return f"{self._system}\n\n{prompt}" if self._system else prompt
        return self._wrapper().wrap(prompt, self._system)

    def count_tokens(self, text: str) -> int:
        """As the server counts, where it can be asked; else an estimate, rather too high than too low."""
        ids = self.tokenize(text)
        return estimate_tokens(text) if ids is None else len(ids)

    def tokenize(self, text: str, *, control: bool = False, begin: bool = False) -> list[int] | None:
        """The text's tokens; None where the server cannot be asked for them.

        ``control``: what spells a control token becomes one; ``begin``: with the token that begins a text.
        """
        dialect = self._dialect
        if dialect is None or not dialect.tokenizer or self._first_route() == "chat":
            return None
        import httpx

        body = {"content": text, "parse_special": control, "add_special": begin}
        try:
            answer = httpx.post(self._root + dialect.tokenizer, json=body, **self._connection())
            tokens = answer.json()["tokens"] if answer.status_code == 200 else None
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            tokens = None
        if not isinstance(tokens, list):
            self._dialect = replace(dialect, tokenizer="")  # It has none: it is not asked again.
            return None
        return tokens

    def _ids(self, prompt: str) -> list[int] | None:
        """The prompt as tokens, of which only the wrapper's own may be control tokens; None as for `tokenize`."""
        ids: list[int] = []
        for at, (text, control) in enumerate(self._wrapper().parts(prompt, self._system)):
            part = self.tokenize(text, control=control, begin=at == 0)
            if part is None:
                return None
            ids += part
        return ids

    def check(self) -> None:
        """Raise ModelError if no server answers here and now. Not to be called within a running event loop."""
        asyncio.run(self.ready())

    async def ready(self) -> None:
        """Ask the server, once, what it is and how long its window is. What it does not say stays open.

        Raises ModelError where no server answers.
        """
        if self._ready:
            return
        async with self._client() as client:
            answer = await self._get(client, f"{self._base}/models", retry=True)
            listed = [entry for entry in _entries(answer) if entry.get("id")]
            self._listed = tuple(str(entry["id"]) for entry in listed)
            first = listed[0] if listed else {}
            entry = next((entry for entry in listed if entry["id"] == self._model), {} if self._model else first)
            self._dialect = self._dialect or dialect_of(first)
            self._known_as = str(self._model or entry.get("id") or "")
            if self._window is None:
                self._window = window_in(entry, ("max_model_len",), ("meta", "n_ctx"), ("meta", "n_ctx_train"))
                path, keys = self._dialect.window
                if path:
                    props = await self._get(client, self._root + path)
                    each = _entries(props)  # One for each model.
                    own = next((one for one in each if one.get("id") == self._known_as), {}) if each else props
                    self._window = window_in(own, keys) or self._window
                    self._call_form = call_form_of(str(own.get("chat_template", "")) if isinstance(own, dict) else "")
        self._ready = True

    async def stream(self, prompt: Prompt) -> AsyncIterator[Chunk]:
        """Write the completion piece by piece. What was written before a server died has been passed on.

        Raises ModelError where the prompt does not fit the window, no server answers, it refuses, or dies.
        """
        sampling = (prompt.sampling or self._sampling).for_purpose(prompt.purpose)
        await self.ready()
        route, begun = self._first_route(), False
        while True:
            try:
                async with aclosing(self._written(prompt, sampling, route)) as chunks:
                    async for chunk in chunks:
                        begun = True
                        yield chunk
                self._route = route
                return
            except NoRoute:  # Only while the route is still open: `_refused`.
                self._route = route = "completions" if route == "chat" else "chat"
            except NoGrammar:
                if begun:
                    raise
                if self._dialect is not None and self._dialect.lark:
                    self._dialect = replace(self._dialect, lark=False)  # vLLM that is set to xgrammar alone.
                elif prompt.grammar:
                    prompt = replace(prompt, grammar="")  # What it writes is checked as always.
                else:
                    raise

    async def aclose(self) -> None:
        """Nothing is held between completions."""

    # One completion.

    async def _written(self, prompt: Prompt, sampling: Sampling, route: Route) -> AsyncGenerator[Chunk]:
        wrapped = self.wrap(prompt.text)
        ids = None if route == "chat" else await asyncio.to_thread(self._ids, prompt.text)
        length = estimate_tokens(wrapped) if ids is None else len(ids)
        left = sampling.max_tokens
        if self._window is not None:
            left = min(left, room_for(self._name, prompt.purpose, length, self._window))
        # What a server is asked to hold to a grammar ends by itself.
        held = self._dialect.constraint(prompt.grammar, chat=route == "chat") if self._dialect else {}
        sure = {"logprobs": 1} if self._probabilities and prompt.purpose == "answer" else {}
        stop = prompt.stop + (self._wrapper().stop if route == "completions" else ())
        filter, thoughts = StopFilter(stop, drop_space=True, watch=not held), ThoughtFilter()
        text, own, read, written, parts = "", "", 0, 0, 0
        finish: Finish | None = None
        logprobs: tuple[float, ...] = ()
        async with self._client() as client:
            while finish is None:
                parts += 1
                asked: str | list[int] = wrapped + text
                if ids is not None:
                    more = await asyncio.to_thread(self.tokenize, text) if text else []
                    asked = asked if more is None else ids + more
                body = self._body(prompt.text, asked, sampling, route, stop, left) | sure | (held if parts == 1 else {})
                part = PartialCompletion()
                try:
                    async with aclosing(self._said(client, self._base + _path(route), body)) as said:
                        async for one in said:
                            part.take(one)
                            thought, piece = thoughts.feed(one.text)
                            own += piece
                            if (shown := filter.feed(piece)) or thought:
                                yield Chunk(shown, thoughts=thought)
                            if filter.stopped:
                                break
                except DoesNotFit:
                    if parts == 1:
                        raise
                    finish = "length"  # There is no more room to go on in.
                    break
                tokens = part.written()
                logprobs += part.logprobs
                text, read, written, left = text + part.text, read or part.read, written + tokens, left - tokens
                finish = self._end(filter, part, route, left, parts)
        rest = thoughts.finish()
        own += rest
        if own and held and finish == "length" and isinstance(prompt.grammar, Grammar) and grammars_available():
            rest += await asyncio.to_thread(nearest_end, prompt.grammar, own)
        usage = Usage(read or length, written, parts)
        yield Chunk(filter.feed(rest) + filter.finish(), finish, usage, logprobs)

    def _end(self, filter: StopFilter, part: PartialCompletion, route: Route, left: int, parts: int) -> Finish | None:
        """Why the completion has ended; None if the server stopped before it was to, and can be asked to go on."""
        if filter.stopped or part.finish != "length":
            return "stop"
        if not part.text:
            return "stop" if parts > 1 else "length"  # It had come to its end: some say "length" then, too.
        if left < 1 or parts == _MOST_PARTS:
            return "length"
        if route != "chat":
            return None
        if part.counted and not (self._dialect and self._dialect.vague):
            raise ModelError(
                f"{self._name} cut its answer off after {part.written()} tokens, {left} before the limit it was given",
                "raise the limit in its own settings; a chat cannot be asked to go on (-o route completions)",
            )
        return "length"

    def _body(
        self, prompt: str, asked: str | list[int], sampling: Sampling, route: Route, stop: tuple[str, ...], most: int
    ) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._known_as or _UNNAMED,
            "max_tokens": most,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "stream": True,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
            if self._dialect is not None and self._dialect.tokenizer:
                body["cache_prompt"] = False  # The same passes each time: rounding cannot make two runs differ.
        if stop:
            body["stop"] = list(stop[:4])  # What the API allows; all of them are watched for here as well.
        if route == "chat":
            chat = prompt if isinstance(prompt, Chat) else Chat("", (), prompt)
            body["messages"] = chat.messages(self._system)
            if chat.tools:  # Where its template has them; with any other choice llama.cpp takes no grammar.
                body |= {"tools": json.loads(chat.tools), "tool_choice": "none"}
        else:
            body["prompt"] = asked
        return body | (self._dialect.fields(sampling) if self._dialect else {})

    async def _said(self, client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> AsyncGenerator[Chunk]:
        """What the server says to this request; asked again while it is busy, and once where it breaks off.

        Whoever reads this has seen the first answer's text by then, so the second has to begin with the same.
        """
        seen = written = ""
        broken: BrokeOff | None = None
        while True:
            try:
                async with aclosing(self._asked(client, url, body)) as asked:
                    async for said in asked:
                        written += said.text
                        fresh = written[max(len(seen), len(written) - len(said.text)) :]
                        if broken and not seen.startswith(written[: len(seen)]):
                            raise broken
                        yield replace(said, text=fresh)
                if broken and len(written) < len(seen):
                    raise broken
                return
            except ModelError as error:
                if broken is not None:
                    raise broken from None
                if not isinstance(error, BrokeOff):
                    raise
                broken, seen, written = error, written, ""

    async def _asked(self, client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> AsyncGenerator[Chunk]:
        import httpx

        retries = RetrySchedule(self._retries, self._pause, self._timeout)
        while True:
            try:
                async with client.stream("POST", url, json=body) as response:
                    if response.status_code == 200:
                        async with aclosing(read_said(response, self._name)) as pieces:
                            async for said in pieces:
                                yield said
                        return
                    content = (await response.aread())[:2000]
                if not await retries.again(response, content):
                    raise self._refused(response, content, url)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if not await retries.once_more(error):
                    raise unreachable(self._name, self._root, error) from error
            except httpx.TimeoutException as error:
                raise ModelError(
                    f"{self._name} has sent nothing for {self._timeout:g} s",
                    "give it longer (-o timeout SECONDS), or a shorter prompt",
                ) from error
            except httpx.HTTPError as error:
                raise broke_off(self._name, error) from error

    async def _get(self, client: httpx.AsyncClient, url: str, *, retry: bool = False) -> Any:
        """The JSON at an address; None if there is none. With ``retry`` ModelError if no server answers at all."""
        import httpx

        retries = RetrySchedule(self._retries, self._pause, self._timeout)
        while True:
            try:
                response = await client.get(url, timeout=min(self._timeout, 30.0))
                if retry and (response.status_code in (401, 403) or response.is_redirect):
                    raise self._refused(response, response.content[:2000], url)
                if response.status_code == 200:
                    return response.json()
                if not retry or not await retries.again(response, response.content):
                    return None
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if not retry:
                    return None
                if not await retries.once_more(error):
                    raise unreachable(self._name, self._root, error) from error
            except (httpx.HTTPError, ValueError, RecursionError):
                return None  # It does not list its models, or not in JSON: many do not. The completion will show.

    # What is known of the server.

    def _client(self) -> httpx.AsyncClient:
        import httpx

        return httpx.AsyncClient(**self._connection())

    def _connection(self) -> dict[str, Any]:
        """How the server is connected to, as httpx's clients take it."""
        import httpx

        name, key = next(((name, os.environ[name].strip()) for name in KEYS if os.environ.get(name)), ("", ""))
        key = self._key or key
        if not (key.isascii() and key.isprintable()):
            raise ModelError(
                f"the key{f' in {name}' if key != self._key else ''} contains characters that no key has",
                "copy it again, without quotes around it",
            )
        return {
            "headers": {"authorization": f"Bearer {key}"} if key else {},
            "timeout": httpx.Timeout(self._timeout, connect=min(10.0, self._timeout)),
            "follow_redirects": False,
            "trust_env": (urlsplit(self._root).hostname or "") not in _LOCAL,
            "verify": trusted(https=self._root.startswith("https:")),
        }

    def _first_route(self) -> Route:
        """The route that is tried first: an unknown model has a chat template of its own, at its server."""
        if self._route != "auto":
            return self._route
        known = not self._known_as or "airoboros" in self._known_as.lower()
        return "completions" if known or self._asked_wrapper is not None or self._style == "airoboros" else "chat"

    def _wrapper(self) -> Wrapper:
        if self._first_route() == "chat":
            return Wrapper("the server's own")
        if self._asked_wrapper is not None:
            return self._asked_wrapper
        chosen = wrapper_for(self._known_as or "unknown", model_type="llama")
        return WRAPPERS["airoboros-2.0"] if chosen.name == "template" else chosen

    def _refused(self, response: httpx.Response, content: bytes, url: str) -> ModelError:
        error = refused(
            self._name,
            response.status_code,
            content,
            response.headers,
            named=self._model,
            asked=self._known_as or _UNNAMED,
            listed=self._listed,
        )
        if isinstance(error, NoRoute) and not (self._route == "auto" and url.endswith(_path(self._first_route()))):
            return ModelError(error.message, error.hint)
        return error


def _entries(answer: Any) -> list[dict[str, Any]]:
    """The objects that a server lists as ``data``."""
    data = answer.get("data") if isinstance(answer, dict) else None
    return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []


def _path(route: Route) -> str:
    return "/chat/completions" if route == "chat" else "/completions"


def _addresses(url: str) -> tuple[str, str]:
    """The server's root, and what the routes stand under. UsageError for anything else."""
    try:
        parts = urlsplit(url.strip())
        usable = url.isprintable() and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # Brackets that are not closed; a port that is not a number, or too high.
        usable = False
    if not usable:
        raise UsageError(f"{url} is not a server's address", "it looks like http://127.0.0.1:8080")
    if parts.username or parts.password:
        raise UsageError("the address contains a password, which would be recorded", f"set the key in {KEYS[0]}")
    path = parts.path.rstrip("/").removesuffix("/completions").removesuffix("/chat").rstrip("/")
    root = f"{parts.scheme}://{parts.netloc}{path.removesuffix('/v1')}"
    return root, f"{root}/v1"
