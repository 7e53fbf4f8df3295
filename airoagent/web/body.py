"""Reads an answer's body within bounds: bytes on the wire, bytes decoded, types that are read.

Compression is undone here and not by the HTTP library, which inflates each piece from the network whole: 306 kB of
gzip made it hold 67 MB at once, and a server may send encodings that were not asked for. Here `zlib` is given a ceiling
for each call, and anything but one layer of gzip or deflate is refused.
"""

from __future__ import annotations

import codecs
import io
import zlib
from collections.abc import AsyncIterator, Callable, Iterator

from airoagent.documents import pdf
from airoagent.errors import FetchError

_SNIFF = 512  # bytes of a body that are looked at before the rest is read
_PIECE = 64 * 1024
_MOST_MEMBERS = 256
_PACKED = frozenset(
    {"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "bzip2", "xz", "lzma", "dcb", "dcz", "exi"}
)
_JSON_XML = frozenset({"application/json", "application/xml", "application/xhtml+xml"})
UNKNOWN_TYPES = frozenset(
    {"", "application/octet-stream", "application/unknown", "unknown/unknown", "binary/octet-stream"}
    | {"html", "xhtml", "text/*", "*/*"}
    | {f"application/{word}" for word in ("download", "x-download", "force-download", "x-unknown")}
)

_MAGIC = {
    b"PK\x03\x04": "a ZIP archive or office document",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an office document",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x1f\x8b": "gzip data",
    b"BZh": "bzip2 data",
    b"\xfd7zXZ\x00": "xz data",
    b"\x28\xb5\x2f\xfd": "zstd data",
    b"\x7fELF": "a program",
    b"MZ\x90\x00": "a program",
    b"SQLite format 3\x00": "a database",
    **dict.fromkeys((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8"), "a picture"),
    **dict.fromkeys((b"RIFF", b"OggS", b"ID3"), "a media file"),
}
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


def check_type(kind: str, url: str) -> None:
    """FetchError for a type that is not read: HTML, XHTML, text, JSON, XML and, with extra ``pdf``, PDF are."""
    family, _, name = kind.partition("/")
    readable = family == "text" or kind in _JSON_XML or (family != "image" and name.endswith(("+json", "+xml")))
    if name.endswith("pdf") and not pdf.installed():
        raise pdf.missing(url)
    if not readable and kind not in UNKNOWN_TYPES and not name.endswith("pdf"):
        raise FetchError(f"{url} is of type {kind[:80]}, which is not read", "HTML, text, JSON and XML are read")


def check_sniff(head: bytes, charset: str, url: str) -> None:
    """FetchError where the first bytes of a body show that it cannot be read, whatever its header says."""
    if head.startswith(pdf.MAGIC):
        if pdf.installed():
            return
        raise pdf.missing(url)
    wide = charset.startswith(("utf-16", "utf-32", "utf16", "utf32", "ucs")) or head.startswith(_WIDE_MARKS)
    what = next((f"{what}, which" for magic, what in _MAGIC.items() if head.startswith(magic)), "")
    if not what and b"\x00" in head and not wide:
        what = "not text, so it"
    if what:
        raise FetchError(f"{url} is {what} is not read", "HTML, text, JSON and XML are read")


class Inflater:
    """Undoes one layer of gzip or deflate, a bounded piece at a time.

    ``encoding`` is the Content-Encoding header; FetchError for one that is not undone. ``finished`` says whether
    the compressed data came to its proper end.
    """

    def __init__(self, encoding: str, url: str) -> None:
        # Servers write what they like ("none", "utf-8") where nothing is packed.
        layers = [word for part in encoding.split(",") if (word := part.strip().lower()) not in ("", "identity")]
        layers = layers if _PACKED.intersection(layers) else []
        if len(layers) > 1 or (layers and layers[0] not in ("gzip", "x-gzip", "deflate")):
            raise FetchError(
                f"{url} is compressed as {', '.join(layers)[:80]}, which was not requested and is not supported",
                "only one layer of gzip or deflate is supported",
            )
        self._kind = layers[0].removeprefix("x-") if layers else ""
        self._held = b""
        self._stream: zlib._Decompress | None = None
        self._members = 0

    @property
    def finished(self) -> bool:
        """Whether nothing is missing at the end."""
        return not self._kind or (self._stream is not None and self._stream.eof)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decoded pieces of the next bytes, each at most 64 KiB; `zlib.error` where they are damaged."""
        if not self._kind:
            for start in range(0, len(data), _PIECE):
                yield data[start : start + _PIECE]
            return
        data = self._held + data
        self._held = b""
        while data:
            if self._stream is None or self._stream.eof:
                if len(data) < 2:
                    self._held = data
                    return
                if not self._next_member(data):
                    return
            stream = self._stream
            assert stream is not None
            while True:
                piece = stream.decompress(data, _PIECE)
                data = stream.unconsumed_tail
                if piece:
                    yield piece
                if stream.eof or (not data and len(piece) < _PIECE):
                    break
            data = stream.unused_data if stream.eof else b""

    def _next_member(self, data: bytes) -> bool:
        """Start a compressed stream at these bytes; False where what follows the last one is only filling."""
        gzip = self._kind == "gzip"
        if self._stream is not None and not (gzip and data.startswith(b"\x1f\x8b") and self._members < _MOST_MEMBERS):
            return False
        self._members += 1
        if gzip:
            self._stream = zlib.decompressobj(31)
        else:
            # "deflate" means zlib's wrapper, but many servers send the bare stream: the wrapper's checksum shows which.
            wrapped = data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._stream = zlib.decompressobj(15 if wrapped else -15)
        return True


async def read_body(
    chunks: AsyncIterator[bytes], inflater: Inflater, most_wire: int, most_body: int, check: Callable[[bytes], None]
) -> tuple[bytes, bool]:
    """The decoded body and whether it was cut: by a cap, by damaged data, or by a connection that broke off.

    ``check`` is given the first `_SNIFF` bytes (or the whole of a shorter body) as soon as they are there and raises
    for a body that is not to be read. What came before a break is kept; a break before anything came is the
    caller's error to handle.
    """
    import httpcore

    kept = io.BytesIO()
    wire, checked = 0, False
    try:
        async for chunk in chunks:
            room = most_wire - wire
            wire += len(chunk)
            for piece in inflater.feed(chunk[:room]):
                kept.write(piece[: most_body - kept.tell()])
                if not checked and kept.tell() >= _SNIFF:
                    checked = True
                    check(kept.getvalue()[:_SNIFF])
                if kept.tell() >= most_body:
                    return kept.getvalue(), True
            if wire >= most_wire:
                return kept.getvalue(), True
        cut = not inflater.finished and kept.tell() > 0
    except (zlib.error, httpcore.RemoteProtocolError, httpcore.ReadError) as error:
        if not kept.tell():
            if isinstance(error, zlib.error):
                raise FetchError(f"the body cannot be decompressed ({error})", retryable=True) from error
            raise
        cut = True
    if not checked:
        check(kept.getvalue()[:_SNIFF])
    return kept.getvalue(), cut
