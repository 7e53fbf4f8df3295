"""What goes wrong with a server, in one sentence each: who does not answer, who refuses, and why.

The servers word the same thing differently. Those seen in their sources: llama.cpp ``{"error": {"message", "type"}}``,
vLLM the same or ``{"object": "error", "message"}``, FastAPI (text-generation-webui, transformers) ``{"detail"}``,
KoboldCpp ``{"detail": {"error", "msg"}}``, LM Studio ``{"error": "text"}``.
"""

from __future__ import annotations

import asyncio
import difflib
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

__all__ = [
    "KEYS",
    "BrokeOff",
    "DoesNotFit",
    "NoGrammar",
    "NoRoute",
    "RetrySchedule",
    "broke_off",
    "failed",
    "refused",
    "trusted",
    "unreachable",
]

KEYS: Final = ("AIRO_API_KEY", "OPENAI_API_KEY")
_BUSY: Final = (429, 502, 503, 504)
_NO_ROUTE: Final = (404, 405, 501)
_LOG: Final = "check the server's own log"
# llama.cpp: "exceeds the available context size"; vLLM, llama-cpp-python, OpenAI: "maximum context length is"; LM
# Studio: "when context the overflows", "context length of only"; text-generation-webui: "truncation length".
_TOO_LONG: Final = re.compile(
    r"exceed_context_size|context[ _]?(size|length|window)|context the overflows|n_ctx\b|truncation length|"
    r"prompt (is )?too long|too many tokens|max_model_len",
    re.IGNORECASE,
)
# vLLM: "Invalid grammar specification", "Grammar error"; llama.cpp: "failed to parse grammar"; LM Studio: "json_schema".
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


def unreachable(name: str, error: Exception) -> ModelError:
    """No server answers at the address, or it speaks another protocol."""
    reason = reason_of(error)
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return ModelError(
            f"the certificate of {name} is not trusted",
            "set SSL_CERT_FILE to the certificate of the authority that signed it",
        )
    if name.startswith("https://") and ("SSL" in reason or isinstance(error.__cause__, ssl.SSLError)):
        return ModelError(f"what answers at {name} does not speak https", f"try http://{name[8:]}")
    hint = "start it, or check the address and its port"
    if name.startswith("https://") and type(error).__name__ == "ConnectTimeout":
        hint = f"if it speaks http, try http://{name[8:]}; else {hint}"
    return ModelError(f"no server answers at {name}: {reason}", hint)


def broke_off(name: str, error: Exception | None = None) -> BrokeOff:
    """The connection ended before the answer did."""
    said = f"{name} broke off: {reason_of(error)}" if error else f"{name} broke off in the middle of its answer"
    hint = f"{_LOG}, and try again"
    if error is not None and name.startswith("http://") and "without sending a response" in said:
        hint = f"does the server expect https? Else {hint}"
    return BrokeOff(said, hint)


def failed(name: str, said: Any) -> ModelError:
    """The server answers with an error in place of text."""
    reason = _short(_reason_in(said) or "it gave no reason")
    if _TOO_LONG.search(reason):
        return _does_not_fit(name, reason)
    return ModelError(f"{name} failed: {reason}", _LOG)


def refused(
    name: str, status: int, content: bytes, headers: Mapping[str, str], *, model: str = "", listed: Sequence[str] = ()
) -> ModelError:
    """The server says no: NoRoute where it lacks the route, DoesNotFit where the text is too long for it."""
    reason = _short(_said_in(content))
    if status in (401, 403):
        hint = "the key is not accepted" if any(map(os.environ.get, KEYS)) else f"set the key in {KEYS[0]}"
        return ModelError(f"{name} requires a key ({status})", hint)
    if 300 <= status < 400:
        target = _short(headers.get("location", "")) or "another address"
        return ModelError(
            f"{name} redirects to {target} ({status}), and a key is sent only to the address it was given for",
            "give the address where the server itself answers",
        )
    if model and status in (400, 404) and "model" in reason.lower() and model.lower() in reason.lower():
        return ModelError(f"{name} has no model {model!r} ({status})", _models_hint(model, listed))
    if status in _NO_ROUTE:
        return NoRoute(
            f"{name} refused ({status}): {reason or 'it gave no reason'}",
            "is it the address of an OpenAI-compatible server?",
        )
    if _TOO_LONG.search(content.decode("utf-8", "replace")):
        return _does_not_fit(name, reason)
    if status in (400, 422) and _GRAMMAR.search(reason):
        return NoGrammar(f"{name} refused ({status}): {reason}", "write without a grammar: --free")
    hint = "try again later" if status in _BUSY else _LOG
    return ModelError(f"{name} refused ({status}): {reason or 'it gave no reason'}", hint)


def _does_not_fit(name: str, reason: str) -> DoesNotFit:
    return DoesNotFit(
        f"the prompt does not fit the window of {name}: {reason}",
        "set its window (-o context N), ask with fewer or shorter texts and tools, or start it with a longer one",
    )


def _models_hint(model: str, listed: Sequence[str]) -> str:
    others = [each for each in listed if each != model]
    if not others:
        return "name one that it has: -o model NAME"
    near = difflib.get_close_matches(model, others, n=5, cutoff=0.5) if len(others) > 5 else []
    shown = ", ".join(near or others[:5]) + (", ..." if len(others) > 5 else "")
    return f"it has {shown}: -o model NAME"


def _said_in(content: bytes) -> str:
    text = content.decode("utf-8", "replace")
    try:
        return _reason_in(json.loads(text)) or text
    except (ValueError, RecursionError):
        return text


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
