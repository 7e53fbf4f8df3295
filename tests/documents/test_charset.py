"""A page's declared character set is believed, and what is not declared is UTF-8 or else Windows-1252."""

from __future__ import annotations

import pytest

from airoagent.documents.charset import decode

ACCENT = "One café in a long text of plain letters. " + "Plain letters follow here. " * 200


@pytest.mark.parametrize(
    ("head", "charset", "codec"),
    [
        ("", "iso-8859-1", "latin-1"),
        ("", "windows-1252", "cp1252"),
        ("", "", "cp1252"),  # not UTF-8, and nothing is declared
        ("<meta charset=windows-1252>", "", "cp1252"),
        ("<META HTTP-EQUIV=content-type CONTENT='text/html; charset=ISO-8859-1'>", "", "latin-1"),
        ("<?xml version='1.0' encoding='iso-8859-1'?>", "", "latin-1"),
        ("<!-- <meta charset=koi8-r> --><meta charset=latin1>", "", "latin-1"),
        ("<meta charset=koi8-r>", "iso-8859-1", "latin-1"),  # the header comes before the page
        ("<meta charset=utf-16>", "", "utf-8"),
        ("<meta charset=x-user-defined>", "", "cp1252"),
        ("<meta charset=no-such-set>", "", "cp1252"),
        ("<meta charset=utf-8>", "", "utf-8"),
    ],
)
def test_one_accent_in_a_long_page_is_kept(head: str, charset: str, codec: str) -> None:
    assert decode((head + ACCENT).encode(codec), charset) == head + ACCENT


@pytest.mark.parametrize(("label", "codec"), [("x-sjis", "shift_jis"), ("windows-949", "cp949"), ("x-gbk", "gbk")])
def test_labels_of_the_web_are_known(label: str, codec: str) -> None:
    text = {"x-sjis": "日本語", "windows-949": "한국어", "x-gbk": "中文"}[label]
    assert decode(text.encode(codec), label) == text


def test_a_mark_at_the_start_comes_before_every_label() -> None:
    assert decode(b"\xef\xbb\xbf" + ACCENT.encode(), "iso-8859-1") == ACCENT
    assert decode(b"\xff\xfe" + ACCENT.encode("utf-16-le"), "utf-8") == ACCENT


def test_a_page_cut_in_mid_character_is_still_utf_8() -> None:
    assert decode("naïve café".encode()[:-1]) == "naïve caf"
