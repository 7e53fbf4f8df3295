"""Which character set a page is written in, as browsers decide it, and its text by that.

A byte order mark comes first, then the header, then what the page declares in its first bytes; without any of them a
page is UTF-8 if its bytes are, and Windows-1252 if they are not.
"""

from __future__ import annotations

import codecs
import contextlib
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LOOK = 4096  # bytes in which a page declares its set; browsers promise 1,024 and look further
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_DECLARED = re.compile(
    rb"""<meta\b[^>]*?\bcharset\s*=\s*["']?\s*([\w.:-]+)|\A\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']([\w.:-]+)""",
    re.IGNORECASE,
)
_TAG = re.compile(rb"<[^<>]*>")
# What browsers decode when a page names the older, smaller set, and labels of the web that Python does not know.
_WIDER = """ascii:cp1252 iso8859-1:cp1252 gb2312:gb18030 gbk:gb18030 shift_jis:cp932 euc_kr:cp949 big5:big5hkscs
iso8859-9:cp1254 tis-620:cp874 iso8859-11:cp874"""
_LABELS = """x-sjis:cp932 x-euc-jp:euc_jp x-gbk:gb18030 x-x-big5:big5hkscs cn-big5:big5hkscs windows-949:cp949
windows-31j:cp932 windows-874:cp874 x-cp1250:cp1250 x-cp1251:cp1251 x-cp1252:cp1252 x-mac-roman:mac_roman
x-mac-cyrillic:mac_cyrillic iso-8859-8-i:iso8859-8 unicode-1-1-utf-8:utf-8 x-user-defined:cp1252"""
_CODECS = {label: codec for label, _, codec in (entry.partition(":") for entry in f"{_WIDER} {_LABELS}".split())}
# Codecs of Python that no page is written in. Some of them have no way to replace what they cannot read.
_NO_CHARSETS = frozenset(
    {"idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)


def split_type(header: str) -> tuple[str, str]:
    """A Content-Type header as (type in small letters, charset); ``""`` for what is missing or unknown.

    Two headers that were joined by a comma count as the first that names a type.
    """
    kinds, charset = [], ""
    for part in header.split(","):
        kind, *parameters = part.split(";")
        kinds += [kind.strip().lower()] if "/" in kind else []
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset":
                charset = charset or value.strip().strip("\"'").strip().lower()
    # An unknown charset must not keep a page from being read: its own marks are tried instead.
    return (kinds[0] if kinds else header.partition(";")[0].strip().lower()), charset if _codec(charset) else ""


def decode(body: bytes, charset: str = "") -> str:
    """The text of a page whose header names ``charset`` ("" if it names none).

    Two wrong labels are seen through: bytes that are UTF-8 under another name, and many bytes that are not under that
    name. Single bytes that cannot be read become U+FFFD.
    """
    for mark, codec in _MARKS:
        if body.startswith(mark):
            return _line_ends(body[len(mark) :].decode(codec, "replace"))
    claimed = _codec(charset)
    wide = claimed.startswith(("utf-16", "utf-32"))
    if not claimed or (wide and b"\x00" not in body[:_LOOK]):
        claimed = _codec(_declared(body))
        if claimed.startswith(("utf-16", "utf-32")):
            claimed = "utf-8"  # a declaration that can be read byte by byte
    return _line_ends(_text(body, claimed))


def _text(body: bytes, claimed: str) -> str:
    if not claimed.startswith(("utf-16", "utf-32")):
        with contextlib.suppress(UnicodeDecodeError):
            # The end may be cut in mid-character; bytes of which only the last one is not ASCII say nothing.
            decoder = codecs.getincrementaldecoder("utf-8")()
            text = decoder.decode(body, final=False)
            if not text.isascii() or not decoder.getstate()[0]:
                return text
    if not claimed and _is_cyrillic(body[:100_000]):
        claimed = "cp1251"
    text = body.decode(claimed or "cp1252", "replace")
    wrong = text.count("\ufffd")
    fits = claimed not in ("utf-8", "utf-16", "utf-32") or wrong <= 1 or wrong * 500 < len(text)
    return text if fits else body.decode("cp1252", "replace")


def _is_cyrillic(body: bytes) -> bool:
    """Whether the words of a page that declares no set are almost all of Windows-1251's letters."""
    words = _TAG.sub(b" ", body)
    letters = sum(byte >= 0xC0 for byte in words)
    return letters > 20 and letters > 3 * sum(chr(byte).isalpha() for byte in words if byte < 0x80)


def _declared(body: bytes) -> str:
    match = _DECLARED.search(_COMMENT.sub(b"", body[:_LOOK]))
    return (match[1] or match[2]).decode("ascii", "replace") if match else ""


def _codec(name: str) -> str:
    """Python's name for a charset label; "" for one it does not know or that is not a text encoding."""
    name = name.strip().strip("\"'").lower()
    try:
        info = codecs.lookup(_CODECS.get(name, name))
    except (LookupError, ValueError):
        return ""
    if not getattr(info, "_is_text_encoding", True) or info.name in _NO_CHARSETS:
        return ""
    return _CODECS.get(info.name, info.name)


def _line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
