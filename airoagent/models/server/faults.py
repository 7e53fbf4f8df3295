"""What goes wrong with a server, in one sentence each: who does not answer, who refuses, and why.

The servers word the same thing differently. Those seen in their sources: llama.cpp ``{"error": {"message", "type"}}``,
vLLM the same or ``{"object": "error", "message"}``, FastAPI (text-generation-webui, transformers) ``{"detail"}``,
KoboldCpp ``{"detail": {"error", "msg"}}``, LM Studio ``{"error": "text"}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import html
import json
import os
import re
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from airoagent.errors import ModelError
from airoagent.models.hub import reason_of

if TYPE_CHECKING:
    import httpx

KEYS: Final = ("AIRO_API_KEY", "OPENAI_API_KEY")
_BUSY: Final = (429, 502, 503, 504)
_NO_ROUTE: Final = (404, 405, 501)
_LOG: Final = "check the server's own log"
_FREE: Final = "write without a grammar: --free"
# llama.cpp: "exceeds the available context size"; vLLM, llama-cpp-python, OpenAI: "maximum context length is"; LM
# Studio: "when context the overflows", "context length of only"; text-generation-webui: "truncation length".
_TOO_LONG: Final = re.compile(
    r"exceed_context_size|context[ _]?(size|length|window)|context the overflows|n_ctx\b|truncation length|"
    r"prompt (is )?too long|too many tokens|max_model_len",
    re.IGNORECASE,
)
# vLLM: "Invalid grammar specification", "Grammar error"; llama.cpp: "failed to parse grammar".
_GRAMMAR: Final = re.compile(r"grammar|json_schema|response_format|structured.?output", re.IGNORECASE)


class NoRoute(ModelError):
    """The server has no completions route."""


class NoGrammar(ModelError):
    """The server does not take the grammar it was sent."""


class DoesNotFit(ModelError):
    """The server found the prompt, or what it was asked to write after it, longer than its window."""


class BrokeOff(ModelError):
    """The connection ended before the answer did."""


def trusted(*, https: bool) -> ssl.SSLContext:
    """The signers that a server's certificate may come from: those of SSL_CERT_FILE or SSL_CERT_DIR, else the usual.

    Reading them takes 20 ms, so none are read for a server without a certificate. Raises ModelError where the user's
    own cannot be read.
    """
    if not https:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # It trusts no signer.
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and not folder:
        import certifi

        return ssl.create_default_context(cafile=certifi.where())
    try:
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except OSError as error:
        raise ModelError(
            f"the certificates of {file or folder} cannot be read: {reason_of(error)}",
            "SSL_CERT_FILE names a file of certificates in PEM form",
        ) from error


# Programs on this machine that are named instead of addressed: how they are started, found, and given a model.
_PROGRAMS: Final = {
    "ollama": ("start it (ollama serve), or set OLLAMA_HOST to its address", "ollama pull"),
    "lmstudio": ("start it (lms server start), or set LMSTUDIO_HOST to its address", "lms get"),
}


def unreachable(name: str, url: str, error: Exception) -> ModelError:
    """No server answers at the address, or it speaks another protocol."""
    reason = _reason_of(error)
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return ModelError(
            f"the certificate of {name} is not trusted",
            "set SSL_CERT_FILE to the certificate of the authority that signed it",
        )
    if name.startswith("https://") and ("SSL" in reason or isinstance(error.__cause__, ssl.SSLError)):
        return ModelError(f"what answers at {name} does not speak https", f"try http://{name[8:]}")
    program = name.partition(":")[0]
    hint = _PROGRAMS[program][0] if program in _PROGRAMS else "start it, or check the address and its port"
    if name.startswith("https://") and type(error).__name__ == "ConnectTimeout":
        hint = f"if it speaks http, try http://{name[8:]}; else {hint}"
    where = f"{url} ({name})" if program in _PROGRAMS else name
    return ModelError(f"no server answers at {where}: {reason}", hint)


def _reason_of(error: Exception) -> str:
    """As `reason_of`, but why the connection failed where the message says no more than that it did."""
    reason = reason_of(error)
    cause: BaseException | None = error
    while cause is not None and reason == "All connection attempts failed":
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower()
        tried = cause.exceptions[0] if isinstance(cause, ExceptionGroup) else None  # one for each of its addresses
        cause = tried or cause.__cause__ or cause.__context__
    return reason


def broke_off(name: str, error: Exception | None = None) -> BrokeOff:
    """The connection ended before the answer did."""
    reason = reason_of(error) if error else "incomplete"
    cut = "incomplete" in reason  # httpx: "without sending complete message body (incomplete chunked read)"
    said = f"{name} broke off in the middle of its answer" if cut else f"{name} broke off: {reason}"
    hint = f"{_LOG}, and try again"
    if error is not None and name.startswith("http://") and "without sending a response" in said:
        hint = f"does the server expect https? Else {hint}"
    return BrokeOff(said, hint)


def failed(name: str, said: Any) -> ModelError:
    """The server answers with an error in place of text."""
    reason = _short(_reason_in(said) or "it gave no reason")
    if _TOO_LONG.search(reason):
        return _does_not_fit(name, reason)
    if _GRAMMAR.search(reason):
        return NoGrammar(f"{name} failed: {reason}", _FREE)
    return ModelError(f"{name} failed: {reason}", _LOG)


def refused(
    name: str,
    status: int,
    content: bytes,
    headers: Mapping[str, str],
    *,
    named: str = "",
    asked: str = "",
    listed: Sequence[str] = (),
) -> ModelError:
    """The server says no: NoRoute where it lacks the route, DoesNotFit where the text is too long for it.

    ``named`` is the model that the user named, ``asked`` the one that was asked for, ``listed`` those that it lists.
    """
    reason = said_in(content)
    if status in (401, 403):
        hint = "the key is not accepted" if any(map(os.environ.get, KEYS)) else f"set the key in {KEYS[0]}"
        return ModelError(f"{name} requires a key ({status})", hint)
    if 300 <= status < 400:
        target = _short(headers.get("location", "")) or "another address"
        return ModelError(
            f"{name} redirects to {target} ({status}), and a key is sent only to the address it was given for",
            "give the address where the server itself answers",
        )
    if _TOO_LONG.search(content.decode("utf-8", "replace")):
        return _does_not_fit(name, reason)
    spelled = re.escape(asked) if named else f"[\"'`]{re.escape(asked)}[\"'`]"
    if asked and status in (400, 404) and "model" in reason.lower() and re.search(spelled, reason, re.IGNORECASE):
        if not named and not listed:
            return ModelError(f"{name} has no models ({status})", "load one there, or name one: -o model NAME")
        return ModelError(f"{name} has no model {asked!r} ({status})", _models_hint(name, asked, listed))
    if status in _NO_ROUTE:
        return NoRoute(
            f"{name} refused ({status}): {reason or 'it gave no reason'}",
            "is it the address of an OpenAI-compatible server?",
        )
    if status in (400, 422) and _GRAMMAR.search(reason):
        return NoGrammar(f"{name} refused ({status}): {reason}", _FREE)
    hint = "try again later" if status in _BUSY else _LOG
    if status == 400 and len(listed) > 1 and not named:
        hint = f"{asked} was asked for, the first of {len(listed)} models: name another with -o model NAME"
    return ModelError(f"{name} refused ({status}): {reason or 'it gave no reason'}", hint)


def _does_not_fit(name: str, reason: str) -> DoesNotFit:
    return DoesNotFit(
        f"the prompt does not fit the window of {name}: {reason}",
        "set its window (-o context N), ask with fewer or shorter texts and tools, or start it with a longer one",
    )


def _models_hint(name: str, model: str, listed: Sequence[str]) -> str:
    others = [each for each in listed if each != model]
    program = name.partition(":")[0]
    if not others:
        return f"get it: {_PROGRAMS[program][1]} {model}" if program in _PROGRAMS else "name one: -o model NAME"
    near = difflib.get_close_matches(model, others, n=5, cutoff=0.5) if len(others) > 5 else []
    shown = ", ".join(near or others[:5]) + (", ..." if len(others) > 5 else "")
    if program in _PROGRAMS:
        return f"it has {shown}: -m {program}:NAME; or get it: {_PROGRAMS[program][1]} {model}"
    return f"it has {shown}: -o model NAME"


_TITLE: Final = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1>", re.IGNORECASE | re.DOTALL)


def said_in(content: bytes) -> str:
    """What an answer says, in a line: the reason that a server gives, the title of a web page, or its text."""
    text = content[:2000].decode("utf-8", "replace")
    if text.lstrip()[:1] == "<" and (title := _TITLE.search(text)):
        return f"a web page ({_short(html.unescape(title[2]))[:100]})"
    with contextlib.suppress(ValueError, RecursionError):
        text = _reason_in(json.loads(text)) or text
    return _short(text)


def _reason_in(value: Any) -> str:
    """What a server gives as the reason, wherever it puts it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, map(_reason_in, value)))
    if isinstance(value, dict):
        for key in ("error", "detail", "message", "msg"):
            if key == "error" and isinstance(value.get("msg"), str):
                continue  # KoboldCpp: the word for it in `error`, the sentence in `msg`.
            if value.get(key):
                return _reason_in(value[key])
    return ""


def _short(text: str) -> str:
    return " ".join(text.split())[:300]


_LONGEST_PAUSE: Final = 30.0
_LOADING_PAUSE: Final = 2.0
_MOST_KNOCKS: Final = 2
# Another protocol, an unknown name, and a name service that is out of reach.
_HOPELESS: Final = ("SSL", "Name or service not known", "nodename nor servname", "getaddrinfo failed", "[Errno -")


class RetrySchedule:
    """For one request: ``retries`` more tries, ``pause`` seconds apart, doubling, or as the server asks.

    Where no server answers at all there are at most two. A server that says it is loading its model is asked again for
    ``timeout`` seconds, without counting.
    """

    def __init__(self, retries: int, pause: float, timeout: float) -> None:
        self._left = retries
        self._pause = pause
        self._knocks = 0
        self._until = time.monotonic() + timeout

    async def again(self, response: httpx.Response, content: bytes) -> bool:
        """Whether to ask again after this answer, now that some time has passed."""
        # llama.cpp says it in these words: the server is up, and its model is not yet.
        loading = response.status_code == 503 and b"loading" in content[:2000].lower()
        if loading and time.monotonic() < self._until:
            await asyncio.sleep(min(self._pause * 2, _LOADING_PAUSE))
            return True
        if response.status_code not in _BUSY:
            return False
        asked = response.headers.get("retry-after", "")
        return await self._wait(float(asked) if asked.isdecimal() else None)

    async def once_more(self, error: Exception) -> bool:
        """Whether to try once more where no server answered: not where waiting cannot help, and not for long."""
        import httpx

        hopeless = isinstance(error, httpx.ConnectTimeout) or any(word in str(error) for word in _HOPELESS)
        self._left = min(self._left, _MOST_KNOCKS - self._knocks)
        self._knocks += 1
        return not hopeless and await self._wait(None)

    async def _wait(self, asked: float | None) -> bool:
        if self._left < 1:
            return False
        self._left -= 1
        await asyncio.sleep(min(self._pause if asked is None else asked, _LONGEST_PAUSE))
        self._pause *= 2
        return True
