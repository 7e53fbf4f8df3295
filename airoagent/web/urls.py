"""Which addresses of pages are fetched at all, before any name is looked up.

The address is taken apart once, by the library that will dial it, so that what is checked is what is dialled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airoagent.errors import FetchError
from airoagent.web.addresses import AllowList
from airoagent.web.dial import check_host

if TYPE_CHECKING:
    import httpx

__all__ = ["check_url", "join_url", "port_of"]

_MOST_URL = 8192


def check_url(text: str, allowed: AllowList) -> httpx.URL:
    """The address, normalised and without its fragment; FetchError where it is none that may be fetched."""
    import httpx

    shown = text[:200]
    if len(text) > _MOST_URL:
        raise FetchError(f"{shown}... is longer than {_MOST_URL} characters", "use a shorter address")
    if any(char <= " " or char in "\\\x7f" for char in text):
        raise FetchError(f"{shown!r} holds characters that no address has", "give one http or https address")
    try:
        url = httpx.URL(text)
        host, netloc = url.host, url.netloc.decode("ascii")
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError) as error:
        raise FetchError(f"{shown!r} is not an address ({error})", "give one http or https address") from error
    if url.scheme not in ("http", "https"):
        raise FetchError(f"{shown!r} is not an http or https address", "only http and https are fetched")
    if url.userinfo or "@" in netloc:
        raise FetchError(f"the address of {host} holds a user name or password", "give the address without them")
    if not host or "%" in host or host.startswith(".") or ".." in host:
        raise FetchError(f"{shown!r} names no host", "give one http or https address")
    check_host(url.raw_host.decode("ascii"), port_of(url), allowed)
    return url.copy_with(fragment=None)


def port_of(url: httpx.URL) -> int:
    """The port that is dialled for an http or https address."""
    default = 443 if url.scheme == "https" else 80
    return default if url.port is None else url.port


def join_url(url: httpx.URL, target: str) -> str:
    """Where a Location header leads, as text; FetchError where it is not an address."""
    import httpx

    try:
        return str(url.join(target.strip().replace(" ", "%20")))
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError(f"{url} redirects to {target[:200]!r}, which is not an address", "use another page") from error
