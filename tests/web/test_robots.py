"""robots.txt as RFC 9309 has it: groups, the longest match, wildcards, and what cannot be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airoagent.web.politeness import ALLOW_ALL, DENY_ALL, Robots

# robots.txt, path, whether airoagent may fetch it.
CASES: list[tuple[str, str, bool]] = [
    ("", "/", True),
    ("User-agent: *\nDisallow:", "/x", True),
    ("User-agent: *\nDisallow: /", "/", False),
    ("User-agent: *\nDisallow: /", "/robots.txt", True),
    ("User-agent: *\nDisallow: /a", "/a", False),
    ("User-agent: *\nDisallow: /a", "/abc", False),
    ("User-agent: *\nDisallow: /a", "/b", True),
    ("User-agent: *\nDisallow: /A", "/a", True),
    ("user-AGENT:*\ndisALLOW:/a", "/a", False),
    ("  User-agent : *  \n\tDisallow : /a  # why", "/a", False),
    ("User-agent: *\r\nDisallow: /a\r\n", "/a", False),
    ("User-agent: *\rDisallow: /a", "/a", False),
    ("\ufeffUser-agent: *\nDisallow: /a", "/a", False),
    ("# hello\n\nUser-agent: * # all\nDisallow: /a", "/a", False),
    # the longest match, and the one that allows among two as long
    ("User-agent: *\nDisallow: /\nAllow: /open", "/open/x", True),
    ("User-agent: *\nAllow: /open\nDisallow: /", "/shut", False),
    ("User-agent: *\nAllow: /a\nDisallow: /a", "/a", True),
    ("User-agent: *\nDisallow: /a\nAllow: /a", "/a", True),
    ("User-agent: *\nAllow: /p\nDisallow: /page", "/page", False),
    ("User-agent: *\nAllow: /folder\nDisallow: /fol", "/folder/x", True),
    ("User-agent: *\nAllow: /page\nDisallow: /*.htm", "/page.htm", False),
    ("User-agent: *\nAllow: /$\nDisallow: /", "/", True),
    ("User-agent: *\nAllow: /$\nDisallow: /", "/x", False),
    # wildcards
    ("User-agent: *\nDisallow: /*.php", "/x/y.php?q=1", False),
    ("User-agent: *\nDisallow: /*.php$", "/x/y.php", False),
    ("User-agent: *\nDisallow: /*.php$", "/x/y.php?q=1", True),
    ("User-agent: *\nDisallow: /a*b*c", "/a1b2c3", False),
    ("User-agent: *\nDisallow: /a*b*c", "/a1c2b3", True),
    ("User-agent: *\nDisallow: /a*b$", "/abbb", False),
    ("User-agent: *\nDisallow: /a*a$", "/a", True),
    ("User-agent: *\nDisallow: *", "/x", False),
    ("User-agent: *\nDisallow: *.gif$", "/x.gif", False),
    ("User-agent: *\nDisallow: /*?", "/x?y", False),
    ("User-agent: *\nDisallow: /*?", "/x", True),
    ("User-agent: *\nDisallow: /fish*", "/fish", False),
    ("User-agent: *\nDisallow: /fish$", "/fishes", True),
    ("User-agent: *\nDisallow: /a$b", "/a$b", False),
    ("User-agent: *\nDisallow: private", "/private", True),  # not a path: matches nothing
    ("User-agent: *\nDisallow: /x", "//x/y", True),
    ("User-agent: *\nDisallow: //x", "//x/y", False),
    # groups
    ("User-agent: airoagent\nDisallow: /a\n\nUser-agent: *\nDisallow: /b", "/a", False),
    ("User-agent: airoagent\nDisallow: /a\n\nUser-agent: *\nDisallow: /b", "/b", True),
    ("User-agent: AiroAgent/2.0\nDisallow: /a", "/a", False),
    ("User-agent: airoagentplus\nDisallow: /a", "/a", True),
    ("User-agent: other\nDisallow: /", "/a", True),
    ("User-agent: other\nUser-agent: airoagent\nDisallow: /a", "/a", False),
    (
        "User-agent: airoagent\nDisallow: /a\nUser-agent: x\nDisallow: /b\nUser-agent: AIROAGENT\nDisallow: /c",
        "/c",
        False,
    ),
    (
        "User-agent: airoagent\nDisallow: /a\nUser-agent: x\nDisallow: /b\nUser-agent: AIROAGENT\nDisallow: /c",
        "/b",
        True,
    ),
    ("User-agent: airoagent\nDisallow:\n\nUser-agent: *\nDisallow: /", "/a", True),
    ("User-agent: *\n\nSitemap: https://a.example/s.xml\n\nDisallow: /a", "/a", False),
    ("Disallow: /a", "/a", True),
    ("User-agent: *\nCrawl-delay: 5\nDisallow: /a", "/a", False),
    # percent signs
    ("User-agent: *\nDisallow: /%7Ejoe", "/~joe", False),
    ("User-agent: *\nDisallow: /~joe", "/%7ejoe", False),
    ("User-agent: *\nDisallow: /a%2Fb", "/a/b", True),
    ("User-agent: *\nDisallow: /a%3cd", "/a%3Cd", False),
    ("User-agent: *\nDisallow: /ü", "/%C3%BC", False),
    ("User-agent: *\nDisallow: /%C3%BC", "/%c3%bc", False),
    ("User-agent: *\nDisallow: /50%", "/50%", False),
    # nonsense
    ("<html><body>Not found</body></html>", "/", True),
    ("User-agent *\nDisallow /", "/", False),  # without colons, but plainly meant
    ("User-agent: *\nDissallow: /", "/", False),
    ("User-agent:\nDisallow: /", "/", True),
    (":\n::\n", "/", True),
]


@pytest.mark.parametrize(("text", "path", "allowed"), CASES)
def test_rules(text: str, path: str, allowed: bool) -> None:
    assert Robots(text).allows("airoagent", path) is allowed
    assert Robots(text.encode()).allows("airoagent", path) is allowed


def test_the_two_answers_for_sites_without_a_file() -> None:
    assert ALLOW_ALL.allows("airoagent", "/x")
    assert not DENY_ALL.allows("airoagent", "/x")


@given(st.binary(max_size=400), st.text(max_size=50))
def test_any_bytes_can_be_asked_about(data: bytes, path: str) -> None:
    assert Robots(data).allows("airoagent", "/" + path) in (True, False)


def test_the_first_500_kib_are_read_however_many_rules_they_hold() -> None:
    many = "User-agent: other\n" + "".join(f"Disallow: /p{number}/\n" for number in range(20_000))
    assert len(many) < 500 * 1024 - 100
    assert not Robots(many + "User-agent: *\nDisallow: /\n").allows("airoagent", "/x")
    assert Robots(many.ljust(500 * 1024) + "\nUser-agent: *\nDisallow: /\n").allows("airoagent", "/x")


def test_a_pattern_of_many_stars_ends() -> None:
    """The pattern that makes backtracking matchers hang: stars between the same letter."""
    rules = Robots("User-agent: *\nDisallow: /" + "a*" * 500 + "b")
    assert rules.allows("airoagent", "/" + "a" * 80_000)
