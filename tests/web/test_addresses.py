"""Every spelling of an address that is not a public one is refused before anything is dialled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from airoagent import FetchError, UsageError
from airoagent.web.addresses import AllowList, literal, refusal
from airoagent.web.dial import Dialler, check_url

# Hosts as they may stand in an address: none of them may be dialled.
FORBIDDEN_HOSTS = """
127.0.0.1 127.0.0.2 127.1 127.0.1 127.255.255.255 127.0.0.1. 127.1. 2130706433 017700000001 0x7f000001 0X7F000001
0x7f.1 0x7f.0.0.1 0177.1 0177.0.0.1 0177.0.0.01 00177.1 127.0x1 127.0x0.0x0.0x1 0x7f.0x0.0x0.0x1 127.0.0x1 2130706434
0000000000000177.1 0x0000007f.1 127.65535.1.1 1.2.3.4.5 256.1.1.1 4294967296 08.8.8.8 1.1.1.256 1..1.1 0x1ffffffff
99999999999999999999 0x 0 0.0.0.0 0.0.0.1 0.255.255.255 10.0.0.1 10.255.255.255 012.0.0.1 0xa.1 167772161 10.1
100.64.0.1 100.100.100.200 100.127.255.255 169.254.169.254 169.254.0.1 0xa9fea9fe 2852039166 0251.0376.0251.0376
0xa9.0xfe.0xa9.0xfe 169.254.43518 172.16.0.1 172.31.255.255 172.20.10.1 192.0.0.1 192.0.0.170 192.0.0.192 192.0.2.1
192.31.196.1 192.52.193.1 192.88.99.1 192.168.0.1 192.168.255.255 192.168.1 3232235777 0xc0a80101 192.175.48.1
198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 168.63.129.16 0xa83f8110 224.0.0.1 239.255.255.250 240.0.0.1
255.255.255.255 4294967295 0xffffffff 037777777777 [::] [::1] [0:0:0:0:0:0:0:1]
[0000:0000:0000:0000:0000:0000:0000:0001] [::127.0.0.1] [::7f00:1] [::ffff:127.0.0.1] [::ffff:7f00:1]
[0:0:0:0:0:ffff:127.0.0.1] [::ffff:10.0.0.1] [::ffff:169.254.169.254] [::FFFF:192.168.1.1] [::8.8.8.8]
[::ffff:0:127.0.0.1] [::ffff:0:8.8.8.8] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b::10.0.0.1]
[64:ff9b::169.254.169.254] [64:ff9b::a9fe:a9fe] [64:ff9b:1::127.0.0.1] [64:ff9b:1::8.8.8.8] [64:ff9b:0:0:0:1:808:808]
[2002:7f00:1::] [2002:7f00:1::1] [2002:a00:1::] [2002:a9fe:a9fe::] [2002:c0a8:101::1] [2002:808:808::1] [2001::1]
[2001:0:7f00:1::] [2001:0:4136:e378:8000:63bf:80ff:fffe] [2001:2::1] [2001:4:112::1] [2001:10::1] [2001:20::1]
[2001:30::1] [2001:db8::1] [2001:DB8:ffff::1] [3ffe::1] [3fff::1] [3fff:fff::1] [2620:4f:8000::1] [5f00::1] [100::1]
[100:0:0:1::1] [fc00::1] [fd00::1] [fd00:ec2::254] [fd20:ce::254] [fd00:c1::a9fe:a9fe] [fe80::1] [febf::1] [fec0::1]
[feff::1] [ff02::1] [ff0e::1] [4000::1] [8000::1] [e000::1] [1::1] [200::1] [400::1] [2001:4860:1::5efe:127.0.0.1]
[2001:db8::5efe:8.8.8.8] [2002::200:5efe:8.8.8.8]
[2001:4860:1::200:5efe:10.0.0.1] [2001:4860:1:0:0:5efe:a9fe:a9fe] [2a00:1450::200:5efe:192.168.1.1]
[fe80::5efe:127.0.0.1] [fe80::1%25eth0] [fe80::1%25] [::1%251] [::ffff:127.0.0.1%25lo] [127.0.0.1] [::1 ::1] [] [::g]
[1::2::3] [::ffff:256.0.0.1] 127。0。0。1 127．0．0．1 127｡0｡0｡1 １２７.0.0.1 １２７．０．０．１
①②⑦.⓪.⓪.① 0ⅹ7f.1 ⑩.0.0.1 1２7.0.0.1
𝟏𝟐𝟕.𝟎.𝟎.𝟏 %31%32%37.0.0.1 127.0.0.%31 127%2e0%2e0%2e1 %6cocalhost 127.0.0.1%00 127.0.0.1%23.a.example a%2eexample
""".split()  # noqa: SIM905 - one form a line would fill pages

# Whole addresses that are tricks in another place than the host, or no addresses at all.
FORBIDDEN_URLS = [
    "http://user@a.example/",
    "http://user:pass@a.example/",
    "http://a.example@127.0.0.1/",
    "http://a.example:80@127.0.0.1/",
    "http://:@127.0.0.1/",
    "http://:pass@a.example/",
    "http://%40@127.0.0.1/",
    "http://a.example\\@127.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "http://a.example\\.b.example/",
    "http://a.example/\\..",
    "http://127.0.0.1#@a.example/",
    "http://127.0.0.1?@a.example/",
    "http://127.0.0.1/@a.example",
    "http://127.0.0.1:80/",
    "http://127.0.0.1:8080/",
    "http://127.0.0.1:/",
    "http://[::1]:80/",
    "https://127.0.0.1/",
    "http://a.example:22/",
    "http://a.example:25/",
    "http://a.example:6379/",
    "http://a.example:0/",
    "http://a.example:99999/",
    "http://a.example:80a/",
    "http://a.example:-1/",
    "http://a.example:8000/",
    "http://a.example:８０８１/",
    "ftp://a.example/",
    "file:///etc/passwd",
    "file://a.example/x",
    "gopher://a.example/",
    "data:text/html,hello",
    "javascript:alert(1)",
    "ws://a.example/",
    "dict://a.example/",
    "ldap://a.example/",
    "jar:http://a.example!/",
    "about:blank",
    "unix:///var/run/docker.sock",
    "http+unix://%2fvar%2frun%2fdocker.sock/",
    "HTTPX://a.example/",
    "//a.example/",
    "/etc/passwd",
    "a.example",
    "http:a.example",
    "http:/a.example/",
    "http:///a.example/",
    "http://",
    "https://",
    "http://?q",
    "http://#f",
    "http://.a.example/",
    "http://a..example/",
    "http://./",
    "http://../",
    "http://a.example/ HTTP/1.1\r\nHost: b",
    "http://a.example/\r\nX: y",
    "http://a.example/\x00",
    "http://a\x00.example/",
    "http://a.example\t/",
    "http://a .example/",
    "http://a.example/" + "x" * 9000,
    "http://[::1/",
    "http://010.8.8.8/",
    "http://::1/",
    "http://[fe80::1]%25eth0/",
    "http://exa\u00admple.\u200b/",
    "http://" + "a" * 70 + "\u00fc.example/",
    "",
    " ",
]

ALLOWED_HOSTS = """
8.8.8.8 1.1.1.1 134744072 0x08080808 93.184.216.34 172.15.255.255 172.32.0.1 100.63.255.255 100.128.0.1 169.253.1.1
192.0.1.1 198.17.0.1 198.20.0.1 223.255.255.255 168.63.129.17 11.0.0.1 126.255.255.255 128.0.0.1 192.167.1.1
192.169.0.1 [2606:4700::1111] [2001:4860:4860::8888] [2a00:1450:4001::200e] [2001:200::1] [::ffff:8.8.8.8]
[64:ff9b::8.8.8.8] [2001:4860::5efe:8.8.8.8] [2620:0:861:ed1a::1] [2003::1] a.example www.a-b.example bücher.example
xn--bcher-kva.example 127.0.0.1.a.example 1.2.3.a localhost.example a_b.example 0x7f.example faß.example 例え.example
""".split()  # noqa: SIM905 - one form a line would fill pages

nobody = AllowList()


@pytest.mark.parametrize("host", FORBIDDEN_HOSTS)
def test_a_host_that_is_no_public_address_is_refused(host: str) -> None:
    with pytest.raises(FetchError) as caught:
        check_url(f"http://{host}/", nobody)
    assert not caught.value.retryable


@pytest.mark.parametrize("url", FORBIDDEN_URLS)
def test_an_address_with_a_trick_in_it_is_refused(url: str) -> None:
    with pytest.raises(FetchError):
        check_url(url, nobody)


@pytest.mark.parametrize("host", ALLOWED_HOSTS)
@pytest.mark.parametrize("port", ["", ":80", ":443", ":8080", ":8443"])
def test_a_public_host_passes(host: str, port: str) -> None:
    assert check_url(f"http://{host}{port}/path?q=1#f", nobody).path == "/path"


def test_the_table_has_over_150_forms_and_none_twice() -> None:
    assert len(FORBIDDEN_HOSTS) > 150
    assert len(set(FORBIDDEN_HOSTS)) == len(FORBIDDEN_HOSTS)


@pytest.mark.parametrize(
    "host", [host for host in FORBIDDEN_HOSTS if "[" not in host and "%" not in host and not host.isdecimal()]
)
def test_what_a_resolver_would_make_of_it_is_refused_too(host: str) -> None:
    """The dialler asks the same question again: a layer above that forgot to ask changes nothing."""

    async def resolver(name: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    with pytest.raises(FetchError):
        asyncio.run(Dialler(nobody, resolver).addresses(host, 80))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("1.2", "1.0.0.2"),
        ("1.2.3", "1.2.0.3"),
        ("1.2.65535", "1.2.255.255"),
        ("010.8.8.8", "8.8.8.8"),
        ("[::1]", "::1"),
        ("::ffff:1.2.3.4", "::ffff:102:304"),
    ],
)
def test_literals_are_read_as_browsers_read_them(host: str, address: str) -> None:
    assert literal(host) == ip_address(address)


@pytest.mark.parametrize("name", ["a.example", "1.2.3.a", "localhost", "0x7g", "1.2.3.4.example", "", "a", "٣.٣.٣.٣"])
def test_names_are_not_taken_for_addresses(name: str) -> None:
    assert literal(name) is None


def test_no_address_outside_global_unicast_passes_anywhere_in_the_range() -> None:
    """A walk through the first 16 bits of IPv6 and the first 8 of IPv4."""
    passing = {first for first in range(0x10000) if not refusal(ip_address(first << 112 | 0x1234))}
    assert passing == set(range(0x2000, 0x4000)) - {0x2001, 0x2002, 0x3FFE, 0x3FFF}
    v4 = {first for first in range(256) if not refusal(ip_address(first << 24 | 0x00200909))}
    assert v4 == set(range(1, 224)) - {10, 127}


class TestAllowList:
    @pytest.mark.parametrize(
        ("entry", "host", "port"),
        [
            ("localhost", "localhost", 9999),
            ("LocalHost.", "localhost", 80),
            ("localhost:8000", "localhost", 8000),
            ("127.0.0.1:8000", "0x7f.1", 8000),
            ("[::1]:8000", "::1", 8000),
            ("::1", "0:0:0:0:0:0:0:1", 1),
            (" intranet ", "intranet", 80),
        ],
    )
    def test_an_entry_opens_its_host(self, entry: str, host: str, port: int) -> None:
        assert AllowList([entry]).covers(host, port)

    @pytest.mark.parametrize(
        ("entry", "host", "port"),
        [
            ("localhost:8000", "localhost", 8001),
            ("localhost", "127.0.0.1", 80),
            ("a.example", "b.a.example", 80),
            ("127.0.0.1", "127.0.0.2", 80),
            ("[::1]:8000", "::1", 80),
        ],
    )
    def test_an_entry_opens_nothing_else(self, entry: str, host: str, port: int) -> None:
        assert not AllowList([entry]).covers(host, port)

    @pytest.mark.parametrize(
        "entry",
        [
            "",
            " ",
            "http://localhost",
            "a/b",
            "*",
            "*.local",
            "u@h",
            "h:",
            "h:x",
            "h:0",
            "h:70000",
            "[::1",
            "[::1]x",
            "[::1]:",
            "[::g]:80",
            "1.2.3.4.5",
            "a b",
        ],
    )
    def test_an_entry_that_is_no_host_is_a_usage_error(self, entry: str) -> None:
        with pytest.raises(UsageError) as caught:
            AllowList([entry])
        assert caught.value.hint

    def test_an_opened_host_may_use_its_port_and_credentials_stay_refused(self) -> None:
        opened = AllowList(["127.0.0.1:9000"])
        assert check_url("http://127.0.0.1:9000/x", opened).port == 9000
        with pytest.raises(FetchError):
            check_url("http://user@127.0.0.1:9000/x", opened)
        with pytest.raises(FetchError):
            check_url("http://127.0.0.1:9001/x", opened)
