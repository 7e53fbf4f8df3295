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

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network, ip_network

from airoagent.errors import UsageError

IP = IPv4Address | IPv6Address

PORTS = frozenset({80, 443, 8080, 8443})
"""The ports that pages are fetched from, unless the user opened another."""

_DENIED = tuple(
    (ip_network(network), reason)
    for reason, networks in {
        "an address of this machine": "0.0.0.0/8",
        "a private address": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7",
        "a carrier's shared address": "100.64.0.0/10",
        "a loopback address": "127.0.0.0/8 ::1/128",
        "a cloud platform address": "168.63.129.16/32",
        "a link-local address": "169.254.0.0/16 fe80::/10",
        "a site-local address": "fec0::/10",
        "a Teredo address": "2001::/32",
        "a protocol address": "192.0.0.0/24 2001::/23",
        "a documentation address": "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20",
        "a special-purpose address": "192.31.196.0/24 192.52.193.0/24 192.175.48.0/24 2620:4f:8000::/48",
        "a 6to4 relay address": "192.88.99.0/24",
        "a 6to4 address": "2002::/16",
        "a benchmarking address": "198.18.0.0/15",
        "a multicast address": "224.0.0.0/4 ff00::/8",
        "a retired address": "3ffe::/16",
        "a reserved address": "240.0.0.0/4",
    }.items()
    for network in networks.split()
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})


def refusal(ip: IP) -> str:
    """Why this address may not be dialled, as a noun phrase; ``""`` for a global unicast address."""
    if isinstance(ip, IPv6Address):
        if ip.scope_id is not None:
            return "an address of one link"
        if ip.ipv4_mapped is not None:
            return refusal(ip.ipv4_mapped)
        if ip in _NAT64:
            # The well-known prefix of RFC 6052: on an IPv6-only network every IPv4 site is reached through it.
            return refusal(_last_four(ip))
    reason = next((reason for network, reason in _DENIED if ip in network), "")
    if reason or isinstance(ip, IPv4Address):
        return reason
    if ip not in _GLOBAL_V6:
        return "a reserved address"
    inner = refusal(_last_four(ip)) if (int(ip) >> 32) & 0xFFFF_FFFF in _ISATAP else ""
    return f"an ISATAP form of {inner}" if inner else ""


def _last_four(ip: IPv6Address) -> IPv4Address:
    return IPv4Address(int(ip) & 0xFFFF_FFFF)


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
    *head, last = values = [_number(part) for part in parts]
    if any(value > 255 for value in head) or last >= 256 ** (5 - len(values)):
        raise AddressValueError(f"{host!r} is too large for an address")
    return IPv4Address(sum(value << (8 * (3 - place)) for place, value in enumerate(head)) + last)


def _is_number(part: str) -> bool:
    return re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]*", part) is not None


def _number(part: str) -> int:
    if not _is_number(part) or len(part) > 32:
        raise AddressValueError(f"{part!r} is not a number")
    if part[:2].lower() == "0x":
        return int(part[2:] or "0", 16)
    if part.startswith("0") and part.strip("01234567"):
        raise AddressValueError(f"{part!r} is not an octal number")
    return int(part, 8 if part.startswith("0") else 10)


def _host_key(host: str) -> str:
    """One spelling for a host, for comparing: an address in canonical form, a name in small letters."""
    return str(literal(host) or host.lower().removesuffix("."))


class AllowList:
    """The hosts that the user opened, each as ``HOST`` (any port) or ``HOST:PORT``; UsageError for anything else."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._open: frozenset[tuple[str, int | None]] = frozenset(map(_entry, entries))

    def covers(self, host: str, port: int) -> bool:
        """Whether the user opened this host on this port; the name counts, not what it resolves to."""
        try:
            key = _host_key(host)
        except ValueError:  # a number that is not an address
            return False
        return (key, None) in self._open or (key, port) in self._open


_ENTRY = re.compile(
    r"(?:\[(?P<six>[^\]]+)\]|(?P<name>[^:\[]+))(?::(?P<port>[0-9]{1,5}))?|(?P<bare>[^\[]*:[^\[]*:[^\[]*)"
)


def _entry(text: str) -> tuple[str, int | None]:
    match = _ENTRY.fullmatch(text.strip())
    host = (match["six"] or match["name"] or match["bare"]) if match else ""
    port = int(match["port"]) if match and match["port"] else None
    if not host or any(char in host for char in "/@?#*\\ ") or (port is not None and not 0 < port < 65536):
        raise UsageError(f"{text!r} is not a host that can be opened", "give HOST or HOST:PORT, e.g. localhost:8000")
    try:
        return _host_key(host), port
    except ValueError as error:
        raise UsageError(f"{text!r} is not an address ({error})", "give HOST or HOST:PORT, e.g. [::1]:8000") from error
