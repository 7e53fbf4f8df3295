"""Bodies are unpacked in bounded pieces: what a bomb costs is measured in a process of its own."""

from __future__ import annotations

import gzip
import subprocess
import sys
import tracemalloc
import zlib
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airoagent import FetchError
from airoagent.documents.charset import split_type
from airoagent.web.body import Inflater
from tests.loopback import Loopback, answer

ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024

# Fetches a small page, then the one under test, and prints how much more memory that took at its worst, in bytes.
# VmHWM is the kernel's own high-water mark of this process; writing 5 to clear_refs sets it back to what is in use.
MEASURE = """
import asyncio, re, sys
from pathlib import Path
from airoagent import AiroError, Fetcher

def high_water():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

async def main(host, path):
    async with Fetcher(allow_private=[host], robots=False) as fetch:
        await fetch.fetch(f"http://{host}/small")
        Path("/proc/self/clear_refs").write_text("5")
        before = high_water()
        try:
            got = len((await fetch.fetch(f"http://{host}{path}")).body)
        except AiroError as error:
            got = type(error).__name__
        print(high_water() - before, got)

asyncio.run(main(*sys.argv[1:]))
"""


@cache
def zeros(mebibytes: int) -> bytes:
    """A gzip stream of that many mebibytes of the letter a."""
    packer = zlib.compressobj(9, wbits=31)
    block = b"a" * MIB
    return b"".join(packer.compress(block) for _ in range(mebibytes)) + packer.flush()


def measured(server: Loopback, path: str) -> tuple[int, str]:
    """The growth of a fetching process in bytes, and what it got."""
    command = [sys.executable, "-c", MEASURE, server.host, path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    growth, got = done.stdout.split()
    return int(growth), got


@pytest.mark.skipif(sys.platform != "linux", reason="reads the high-water mark from /proc")
class TestBombs:
    @pytest.fixture(autouse=True)
    def routes(self, server: Loopback) -> None:
        bomb = zeros(300)
        double = gzip.compress(bomb, 9)
        assert len(bomb) < 320_000 and len(double) < 1500
        server.routes.update(
            {
                "/small": answer(200, b"hello"),
                "/gzip": answer(200, bomb, Content_Encoding="gzip"),
                "/deflate": answer(200, zlib.compress(b"a" * 50 * MIB, 9), Content_Encoding="deflate"),
                "/double": answer(200, double, Content_Encoding="gzip, gzip"),
                "/double-said-once": answer(200, double, Content_Encoding="gzip"),
                "/brotli": answer(200, b"\x8b" * 500, Content_Encoding="br"),
                "/long": answer(200, b"a" * 20 * MIB),
            }
        )

    @pytest.mark.parametrize(
        ("path", "got"),
        [
            ("/gzip", str(8 * MIB)),
            ("/deflate", str(8 * MIB)),
            ("/double", "FetchError"),
            ("/double-said-once", "FetchError"),
            ("/brotli", "FetchError"),
            ("/long", str(4 * MIB)),
        ],
    )
    def test_a_bomb_costs_under_20_megabytes(self, server: Loopback, path: str, got: str) -> None:
        growth, result = measured(server, path)
        assert result == got
        assert growth < 20_000_000
        if got == str(8 * MIB):
            assert growth > 4_000_000, "the measure does not see what was kept"


def test_inflating_holds_no_more_than_a_piece() -> None:
    bomb = zeros(64)
    inflater = Inflater("gzip", "x")
    tracemalloc.start()
    try:
        largest = sum(
            max((len(piece) for piece in inflater.feed(bomb[at : at + 65536])), default=0)
            for at in range(0, len(bomb), 65536)
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert largest <= 65536 * 2
    assert peak < MIB
    assert inflater.finished


@given(
    st.binary(max_size=5000), st.integers(1, 700), st.sampled_from(["gzip", "deflate", "raw", ""]), st.integers(1, 3)
)
def test_any_cut_of_the_wire_gives_the_same_bytes(data: bytes, cut: int, how: str, members: int) -> None:
    packed = {
        "gzip": gzip.compress(data) * members,
        "deflate": zlib.compress(data),
        "raw": zlib.compress(data, wbits=-15),
        "": data,
    }[how]
    inflater = Inflater("deflate" if how == "raw" else how, "x")
    out = b"".join(piece for at in range(0, len(packed), cut) for piece in inflater.feed(packed[at : at + cut]))
    assert out == data * (members if how == "gzip" else 1)
    assert inflater.finished


@given(st.binary(max_size=300))
def test_bytes_that_are_not_packed_raise_only_what_zlib_raises(data: bytes) -> None:
    for encoding in ("gzip", "deflate"):
        try:
            list(Inflater(encoding, "x").feed(data))
        except zlib.error:
            continue


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("text/html", ("text/html", "")),
        ("Text/HTML; charset=UTF-8", ("text/html", "utf-8")),
        ('text/html; a=b; charset="latin1"; charset=utf-8', ("text/html", "latin1")),
        ("text/html; charset='gbk'", ("text/html", "gbk")),
        ("text/html;charset=", ("text/html", "")),
        ("text/html; charset=no-such", ("text/html", "")),
        ("text/html; charset=utf\x008", ("text/html", "")),
        ("", ("", "")),
        (";;;", ("", "")),
    ],
)
def test_a_type_header_is_taken_apart(header: str, expected: tuple[str, str]) -> None:
    assert split_type(header) == expected


def test_an_encoding_that_is_not_undone_is_named() -> None:
    with pytest.raises(FetchError, match="br"):
        Inflater("br", "https://a.example/")
