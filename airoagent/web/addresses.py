"""Which addresses may be dialled: our own table, decided on numbers and not on names.

    >>> refusal(ip_address("93.184.216.34"))
    ''
    >>> refusal(literal("0x7f.1"))
    'a loopback address'

The standard library's ``is_private`` and ``is_global`` are no policy: they let multicast, NAT64, 6to4, site-local and
cloud platform addresses through, and differ between Python versions. Here only global unicast passes: for IPv4 all
but the table below; for IPv6 2000::/3 without its special blocks, and the forms that carry an IPv4 address are
judged by it. Sources: IANA special-purpose address registries (IPv4, IPv6), RFC 4291, 5214, 6052, 6890, 7526.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from airoagent.errors import UsageError

__all__ = ["IP", "PORTS", "AllowList", "host_key", "literal", "refusal"]

IP = IPv4Address | IPv6Address

PORTS = frozenset({80, 443, 8080, 8443})
"""The ports that pages are fetched from, unless the user opened another."""

_DENIED_V4 = tuple(
    (IPv4Network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "an address of this machine"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "a carrier's shared address"),
        ("127.0.0.0/8", "a loopback address"),
        ("168.63.129.16/32", "a cloud platform address"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a protocol address"),
        ("192.0.2.0/24", "a documentation address"),
        ("192.31.196.0/24", "a special-purpose address"),
        ("192.52.193.0/24", "a special-purpose address"),
        ("192.88.99.0/24", "a 6to4 relay address"),
        ("192.168.0.0/16", "a private address"),
        ("192.175.48.0/24", "a special-purpose address"),
        ("198.18.0.0/15", "a benchmarking address"),
        ("198.51.100.0/24", "a documentation address"),
        ("203.0.113.0/24", "a documentation address"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
    )
)

_GLOBAL_V6 = IPv6Network("2000::/3")
_DENIED_V6 = tuple(
    (IPv6Network(network), reason)
    for network, reason in (
        ("2001::/32", "a Teredo address"),
        ("2001::/23", "a protocol address"),
        ("2001:db8::/32", "a documentation address"),
        ("2002::/16", "a 6to4 address"),
        ("2620:4f:8000::/48", "a special-purpose address"),
        ("3ffe::/16", "a retired address"),
        ("3fff::/20", "a documentation address"),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})


def refusal(ip: IP) -> str:
    """Why this address may not be dialled, as a noun phrase; ``""`` for a global unicast address."""
    if isinstance(ip, IPv4Address):
        return next((reason for network, reason in _DENIED_V4 if ip in network), "")
    if ip.scope_id is not None:
        return "an address of one link"
    if ip.ipv4_mapped is not None:
        return refusal(ip.ipv4_mapped)
    if ip in _NAT64:
        # The well-known prefix of RFC 6052: on an IPv6-only network every IPv4 site is reached through it.
        return refusal(IPv4Address(int(ip) & 0xFFFF_FFFF))
    if ip not in _GLOBAL_V6:
        return _outside_global(ip)
    if (int(ip) >> 32) & 0xFFFF_FFFF in _ISATAP:
        inner = refusal(IPv4Address(int(ip) & 0xFFFF_FFFF))
        return f"an ISATAP form of {inner}" if inner else ""
    return next((reason for network, reason in _DENIED_V6 if ip in network), "")


def _outside_global(ip: IPv6Address) -> str:
    if int(ip) == 1:
        return "a loopback address"
    if ip in IPv6Network("fc00::/7"):
        return "a private address"
    if ip in IPv6Network("fe80::/10"):
        return "a link-local address"
    if ip in IPv6Network("fec0::/10"):
        return "a site-local address"
    if ip in IPv6Network("ff00::/8"):
        return "a multicast address"
    return "a reserved address"


def literal(host: str) -> IP | None:
    """The address that a host text stands for, or None for a name; ValueError for a number that is not an address.

    IPv4 is read as browsers and ``inet_aton`` do: one to four parts, each decimal, octal (``0177``) or hexadecimal
    (``0x7f``), so that ``2130706433`` and ``0x7f.1`` are seen for what they are.
    """
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if ":" in host:
        return IPv6Address(host)
    parts = host.removesuffix(".").split(".")
    if not _is_number(parts[-1]):
        return None
    if len(parts) > 4:
        raise AddressValueError(f"{host!r} has more than four parts")
    values = [_number(part) for part in parts]
    *head, last = values
    if any(value > 255 for value in head) or last >= 256 ** (5 - len(values)):
        raise AddressValueError(f"{host!r} is too large for an address")
    return IPv4Address(sum(value << (8 * (3 - place)) for place, value in enumerate(head)) + last)


def _is_number(part: str) -> bool:
    if part[:2].lower() == "0x":
        return all(char in "0123456789abcdefABCDEF" for char in part[2:])
    return part != "" and all(char in "0123456789" for char in part)


def _number(part: str) -> int:
    if not _is_number(part) or len(part) > 32:
        raise AddressValueError(f"{part!r} is not a number")
    if part[:2].lower() == "0x":
        return int(part[2:] or "0", 16)
    if len(part) > 1 and part.startswith("0"):
        if any(char in "89" for char in part):
            raise AddressValueError(f"{part!r} is not an octal number")
        return int(part, 8)
    return int(part)


def host_key(host: str) -> str:
    """One spelling for a host, for comparing: an address in canonical form, a name in small letters."""
    try:
        ip = literal(host)
    except ValueError:
        ip = None
    return str(ip) if ip is not None else host.lower().removesuffix(".")


class AllowList:
    """The hosts that the user opened, each as ``HOST`` (any port) or ``HOST:PORT``; UsageError for anything else."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._open: frozenset[tuple[str, int | None]] = frozenset(_entry(text) for text in entries)

    def covers(self, host: str, port: int) -> bool:
        """Whether the user opened this host on this port; the name counts, not what it resolves to."""
        key = host_key(host)
        return (key, None) in self._open or (key, port) in self._open


def _entry(text: str) -> tuple[str, int | None]:
    host, port_text = text.strip(), ""
    if host.startswith("["):
        host, closed, rest = host[1:].partition("]")
        port_text = rest.removeprefix(":")
        broken = not closed or rest == ":" or (rest != "" and not rest.startswith(":"))
    else:
        broken = False
        if host.count(":") == 1:
            host, _, port_text = host.partition(":")
            broken = port_text == ""
    port = int(port_text) if port_text.isascii() and port_text.isdigit() and len(port_text) < 6 else None
    wrong_port = port_text != "" and (port is None or not 0 < port < 65536)
    if broken or wrong_port or not host or any(char in host for char in "/@?#*\\ "):
        raise UsageError(f"{text!r} is not a host that can be opened", "give HOST or HOST:PORT, e.g. localhost:8000")
    try:
        return str(literal(host) or host.lower().removesuffix(".")), port
    except ValueError as error:
        raise UsageError(f"{text!r} is not an address ({error})", "give HOST or HOST:PORT, e.g. [::1]:8000") from error


def parse_all(texts: Iterable[str]) -> tuple[IP, ...]:
    """What a resolver gave, as addresses; ValueError where one is none."""
    return tuple(ip_address(text) for text in texts)
