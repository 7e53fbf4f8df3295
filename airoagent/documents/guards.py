"""Pages that a guard against robots sends in place of the site's own: known by title, headers and marks in the HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping

_WORDS = (
    r"just a moment\.\.\.|attention required! \| cloudflare|checking (?:if the site|your browser)|ddos-guard"
    r"|one moment, please|access denied|access to this page has been denied|are you (?:a robot|human)"
    r"|verify(?:ing)? (?:that )?you(?: a|')re (?:a )?human|pardon our interrupt"
)
TITLE = re.compile(_WORDS, re.IGNORECASE)
"""What the title of such a page begins with."""

_HEADERS = {"cf-mitigated": "Cloudflare", "x-datadome": "DataDome", "x-sucuri-block": "Sucuri", "x-iinfo": "Imperva"}
_MARKS = {
    "Cloudflare": rb"/cdn-cgi/challenge-platform/|_cf_chl_|\bcf-browser-verification|\bcf-(?:captcha|chl|error)-",
    "DataDome": rb"captcha-delivery\.com|\bdatadome\b",
    "PerimeterX": rb"\bpx-captcha|_pxAppId|perimeterx",
    "Imperva": rb"_Incapsula_Resource|incapsula",
    "Akamai": rb"errors(?:\.|&#46;)edgesuite",
    "Sucuri": rb"sucuri",
    "AWS WAF": rb"\bawswaf|\baws-waf",
    "DDoS-Guard": rb"ddos-guard",
    "A captcha": rb"\b(?:g-re|h-?|re)captcha\b|\bcf-turnstile\b",
    "A check for robots": rb"<title>\s*(?:%s)" % _WORDS.encode(),
}
_SOURCE = [(name, re.compile(mark, re.IGNORECASE)) for name, mark in _MARKS.items()]


def guard_of(headers: Mapping[str, str], head: bytes) -> str:
    """Who refused a request, by the headers of an answer and the first bytes of its body; "" where no guard shows."""
    named = next((name for header, name in _HEADERS.items() if header in headers), "")
    return named or next((name for name, mark in _SOURCE if mark.search(head)), "")
