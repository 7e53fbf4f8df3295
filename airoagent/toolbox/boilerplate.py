"""Counting a page's text, and dropping what its tags, roles and names say is not content.

`measure` counts, for every node, its characters, how many of them stand in links, and its *good* characters: those of
text blocks long enough and with few enough links to be prose, code or data. `prune` marks boilerplate dead:
navigation, banners, comments, teasers; never what holds most of the page's good text.
"""

from __future__ import annotations

import re

from airoagent.toolbox.hidden import word_set
from airoagent.toolbox.markup import Node, Tree

__all__ = ["BLOCKS", "CONTENT", "heading_level", "inside", "measure", "opens_with", "prune", "text_of"]

BLOCKS = word_set(
    "#document html body address article aside blockquote center details dialog dd div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li main nav menu ol p pre search section summary "
    "table caption thead tbody tfoot tr td th ul dir listing xmp"
)
_TAGS = frozenset({"nav", "footer", "dialog", "menu", "form", "search", "fieldset"})
_PRUNABLE = _TAGS | word_set(
    "aside header div section article ul ol dl li p td table figure center details hgroup address"
)
_ROLES = word_set(
    "navigation banner contentinfo complementary search dialog alertdialog alert menu menubar tablist toolbar "
    "tooltip status doc-pagebreak"
)
# Words of class and id names; a name is cut at punctuation and at capitals, so `relatedPosts` is two words.
_BAD = word_set(
    "nav navbar navigation menu submenu breadcrumb breadcrumbs crumbs sidebar sidebars sidenav footer bottombar "
    "topbar cookie cookies consent gdpr ccpa comment comments commentlist commentlisting disqus respond replies reply "
    "related recommended recommendation recommendations recirc recirculation share sharing sharebar sharedaddy social "
    "socials subscribe subscription newsletter signup promo promos promotion promoted advert advertisement "
    "advertising ads ad adsense adslot sponsor sponsored sponsors outbrain taboola popup popover modal overlay "
    "lightbox paywall pagination pager paginate prevnext tagcloud widget widgets trending popular mostread teaser "
    "teasers toolbar skiplink skip masthead sitemap languages hatnote navbox vertical catlinks toc metadata "
    "printfooter rating ratings login linenos lineno linenodiv gutter byline dateline authorbio reflist copyright "
    "disclaimer banner navheader navfooter sphinxsidebar jumpbox infinite upsell donate donation poll captcha meta "
    "postmeta sharethis addthis permalink"
)
_STRONG = frozenset({"comment", "comments", "commentlist", "disqus", "respond", "cookie", "cookies", "consent", "gdpr"})
CONTENT = re.compile(
    r"(?:article|story|post|entry|page|main|news|text|content|blog|body)[-_]*(?:body|content|text|copy|main|article)"
    r"|^(?:article|content|story|post|entry|main|prose|body|markdown-body|mw-parser-output|documentwrapper|hentry)$",
    re.IGNORECASE,
)
_BAD_START = re.compile(r"(?:related|recommend|newsletter|breadcrumb|cookie|sidebar|comment|advert|sponsor)[a-z]")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_COOKIE = re.compile(r"\bcookies?\b", re.IGNORECASE)
_CONSENT = re.compile(r"\b(?:accept|agree|consent|preferences|reject|allow|continu|privacy|policy)", re.IGNORECASE)


def heading_level(tag: str) -> int:
    """1 to 6 for h1 to h6, else 0."""
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456" else 0


def measure(tree: Tree) -> None:
    """Count every node's characters, linked characters and good characters; dead nodes count nothing."""
    for node in tree.nodes:
        node.chars = node.linked = node.run = node.run_linked = 0
        node.good = 0.0
    for node in reversed(tree.nodes):
        if node.dead:
            continue
        own = 0
        for child in node.children:
            if type(child) is str:
                own += len(child.strip())
        node.chars += own
        node.run += own
        if node.tag == "a":
            node.linked, node.run_linked, node.good = node.chars, node.run, 0.0
        if node.tag in BLOCKS and node.run >= 25 and node.run_linked * 2 < node.run:
            node.good += (node.run - node.run_linked) * (1.0 if node.run >= 80 else 0.6)
        parent = node.parent
        if parent is not None:
            parent.chars += node.chars
            parent.linked += node.linked
            parent.good += node.good
            if node.tag not in BLOCKS:
                parent.run += node.run
                parent.run_linked += node.run_linked


def prune(tree: Tree) -> None:
    """Mark boilerplate dead, by tag, role, class and id; then count again."""
    nodes = tree.nodes
    total = nodes[0].good
    first_title = [node.index for node in nodes if node.tag == "h1"]
    for node in nodes:
        above = node.parent
        node.dead = above is not None and (above.dead or _is_boilerplate(node, total, first_title))
    measure(tree)


def _is_boilerplate(node: Node, total: float, titles: list[int]) -> bool:
    tag = node.tag
    if tag not in _PRUNABLE:
        return False
    attrs = node.attrs
    role = attrs.get("role", "")
    holds_title = any(node.index < at < node.stop for at in titles[:4])
    share = node.good / total if total else 0.0
    if tag in _TAGS or role in _ROLES:
        return share < (0.5 if tag in ("form", "fieldset") or holds_title else 0.8)
    if tag == "aside":
        return share < 0.6 and not holds_title
    if tag == "header":
        return share < 0.3 and not holds_title and not inside(node, "article", "main")
    names = " ".join(filter(None, (attrs.get("class"), attrs.get("id"))))
    if names:
        words = {word.lower() for word in _WORDS.findall(names)}
        bad = words & _BAD or {word for word in words if _BAD_START.match(word)}
        if bad:
            # `<section id="comments">` under the heading "Comments" is named after what it is about.
            heading = opens_with(node)
            bad -= {word.lower() for word in (*_WORDS.findall(heading), *re.findall(r"\w+", heading))}
        if bad and not holds_title and attrs.get("itemprop") != "articleBody":
            if bad & _STRONG and not (words & {"no", "has", "with", "article", "main"}):
                return share < 0.9
            limit = 0.1 if any(CONTENT.search(name) for name in names.split()) else 0.35
            return share < limit
    return (
        tag in ("div", "section", "p")
        and 0 < node.chars < 900
        and not holds_title
        and share < 0.5
        and not inside(node, "article", "main")
        and _is_cookie_banner(node)
    )


def opens_with(node: Node) -> str:
    """The heading a block opens with, or ""."""
    for _ in range(4):
        below = next((child for child in node.children if isinstance(child, Node)), None)
        if below is None:
            return ""
        if heading_level(below.tag):
            return text_of(below, 200)
        node = below
    return ""


def inside(node: Node, *tags: str) -> bool:
    above = node.parent
    for _ in range(60):  # deeper than any page by hand; keeps 5,000 nested elements linear
        if above is None:
            return False
        if above.tag in tags:
            return True
        above = above.parent
    return False


def text_of(node: Node, limit: int = 2_000) -> str:
    """The first characters of a node's text, for a look at what it says."""
    parts: list[str] = []
    size = 0
    stack: list[Node | str] = [node]
    while stack and size < limit:
        item = stack.pop()
        if isinstance(item, str):
            parts.append(item)
            size += len(item)
        elif not item.dead:
            stack.extend(reversed(item.children))
    return "".join(parts)


def _is_cookie_banner(node: Node) -> bool:
    # Asked of the outermost small block only: its parent is too long to be a banner.
    parent = node.parent
    if parent is not None and parent.tag in ("div", "section") and parent.chars < 900:
        return False
    text = text_of(node, 1_200)
    return _COOKIE.search(text) is not None and _CONSENT.search(text) is not None
