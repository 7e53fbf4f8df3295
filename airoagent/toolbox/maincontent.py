"""Which part of a page is what the page is about.

What the page marks as its content, else the smallest element with most of the good text; then the blocks beside it
that belong to it; and away with lists of links at its edges and sections under headings like "Related articles".
`boilerplate.measure` and `boilerplate.prune` come first. Every pass is one loop over the nodes.
"""

from __future__ import annotations

import re

from airoagent.toolbox.boilerplate import BLOCKS, CONTENT, heading_level, inside, opens_with, text_of
from airoagent.toolbox.markup import Node, Tree

__all__ = ["main_nodes"]

_BAD_HEADING = re.compile(
    r"(?:\d+ )?(?:related|recommended|trending|popular|comments?|share|tags?|topics|newsletter|advertisement)"
    r"(?: \(?\d+\)?)?"
    r"|(?:related|recommended|popular|latest|more|most|recent|top|other|similar|further)\b.{0,20}"
    r"\b(?:articles?|posts?|stories|news|content|pages?|links?|coverage|topics?|reading|read|shared|viewed|popular)"
    r"|(?:read|see|discover|explore) (?:more|next)\b.{0,25}|(?:more|news) (?:from|on|in|about|like)\b.{0,25}"
    r"|you (?:may|might|could) (?:also )?(?:like|enjoy).{0,20}|what to read next|up next|don.t miss.{0,20}"
    r"|(?:leave|post|add|write) (?:a|your) (?:comment|reply).{0,10}"
    r"|(?:\d+|no) (?:comments?|responses|replies|thoughts)\b.{0,40}"
    r"|join the (?:conversation|discussion)|share (?:this|on)\b.{0,20}|follow us.{0,20}|sign up\b.{0,30}"
    r"|subscribe\b.{0,30}|about the author|site (?:map|navigation)|navigation(?: menu)?|quick search|search|menu"
    r"|mehr zum thema|kommentare?|das könnte.{0,30}|ähnliche.{0,20}|articles? liés"
    r"|(?:à )?lire aussi|commentaires?"
    r"|artículos relacionados|comentarios?|te puede interesar.{0,10}|this page|table of contents|on this page",
    re.IGNORECASE,
)


def main_nodes(tree: Tree) -> list[Node]:
    """The nodes that hold the content, in document order; [] when nothing on the page reads like content.

    `measure` and `prune` have run. Lists of links at the edges of what is chosen are marked dead.
    """
    root = tree.nodes[0]
    if root.good <= 0:
        return []
    marked = _marked(tree)
    top = _descend(marked or root)
    chosen = _with_neighbours(tree, top)
    for node in chosen:
        _trim(tree, node, is_index=marked is not None and node.linked > node.good)
    return chosen


def _marked(tree: Tree) -> Node | None:
    """The element the page itself calls its content, if it holds enough of it."""
    total = tree.nodes[0].good
    best: Node | None = None
    articles: list[Node] = []
    for node in tree.nodes:
        if node.dead or not node.good:
            continue
        if node.attrs.get("itemprop") == "articleBody" and node.good >= 0.4 * total:
            return node
        if (node.tag == "main" or node.attrs.get("role") == "main") and node.good >= 0.3 * total:
            best = best or node
        elif node.tag == "article" and not inside(node, "article"):
            articles.append(node)
    if best is None and len(articles) == 1 and articles[0].good >= 0.3 * total:
        return articles[0]
    within = best or tree.nodes[0]
    for article in articles:
        if within.index < article.index < within.stop and article.good >= 0.6 * within.good:
            return article
    return best


def _descend(node: Node) -> Node:
    """The smallest element below ``node`` that still holds nearly all of its good text."""
    while True:
        children = [child for child in node.children if isinstance(child, Node) and not child.dead]
        if not children:
            return node
        best = max(children, key=lambda child: child.good)
        marked = node.tag in ("article", "main") or node.attrs.get("itemprop") == "articleBody"
        hinted = any(CONTENT.search(name) for name in best.attrs.get("class", "").split()) or bool(
            CONTENT.search(best.attrs.get("id", ""))
        )
        needed = 0.6 if hinted and not marked else 0.9 if marked else 0.7
        if (
            best.tag
            not in (
                "div",
                "section",
                "article",
                "main",
                "body",
                "html",
                "center",
                "form",
                "td",
                "table",
                "tbody",
                "tr",
                "span",
                "font",
            )
            or best.good < needed * node.good
        ):
            return node
        if best.tag in ("table", "tbody", "tr") and not _is_layout(best):
            return node
        node = best


def _is_layout(node: Node) -> bool:
    """Whether a table part only arranges the page: one of its cells holds most of it."""
    cells = 0
    stack = [node]
    while stack and cells < 12:
        item = stack.pop()
        for child in item.children:
            if isinstance(child, Node):
                if child.tag in ("td", "th"):
                    cells += 1
                elif child.tag in ("tr", "tbody", "thead"):
                    stack.append(child)
    return cells < 12


def _with_neighbours(tree: Tree, top: Node) -> list[Node]:
    """``top``, with the heading and lead before it and the blocks beside it that belong to it."""
    before: list[Node] = []
    after: list[Node] = []
    node = top
    for _ in range(4):
        parent = node.parent
        if parent is None or node.tag in ("article", "main", "body"):
            break
        siblings = [child for child in parent.children if isinstance(child, Node) and not child.dead]
        at = siblings.index(node)
        before = [child for child in siblings[:at] if _belongs(child, top) or _is_part(child, node)] + before
        if node is top:
            after = [child for child in siblings[at + 1 :] if _follows(child, top)]
        else:
            after += [child for child in siblings[at + 1 :] if _is_part(child, node)]
        node = parent
    return [*before, top, *after]


def _follows(node: Node, top: Node) -> bool:
    """Whether a block after the content goes on with it: a paragraph or table, or one more part of the same make."""
    if node.tag in ("div", "section"):
        return _like(node, top)
    if node.tag in ("dl", "table", "ul", "ol", "pre"):
        return node.chars >= 20 and node.linked * 3 < node.chars
    return _belongs(node, top)


def _like(node: Node, other: Node) -> bool:
    """Whether a block with text of its own is of the same make as another."""
    return node.good > 80 and node.tag == other.tag and node.attrs.get("class") == other.attrs.get("class")


def _is_part(node: Node, other: Node) -> bool:
    """Whether both are sections of one text, as those of a manual page are: of one make, each under a heading."""
    named = node.tag == "section" or bool(node.attrs.get("class"))
    return named and _like(node, other) and node.linked * 3 < node.chars and all(map(opens_with, (node, other)))


def _belongs(node: Node, top: Node) -> bool:
    if heading_level(node.tag) == 1:
        return True
    if any(isinstance(child, Node) and heading_level(child.tag) == 1 for child in node.children):
        return node.linked * 2 <= node.chars
    return 60 <= node.good < 0.6 * top.good + 200 and node.linked * 3 < node.chars and node.chars < 4_000


def _trim(tree: Tree, top: Node, *, is_index: bool) -> None:
    """Mark dead, below ``top``: sections under headings like "Related articles", and lists of links at the edges.

    ``is_index``: the page's own content is mostly links (a table of contents, a hub), so these stay.
    """
    nodes = tree.nodes[top.index : top.stop]
    prose = [n.index for n in nodes if not n.dead and n.tag in BLOCKS and n.run >= 60 and n.run_linked * 2 < n.run]
    first, last = (prose[0], prose[-1]) if prose else (-1, -1)
    places: dict[int, dict[int, int]] = {}  # parent's index -> child's index -> position: made once, so this is linear
    before: dict[int, Node] = {}  # parent's index -> the element last seen below it
    for node in nodes:
        parent = node.parent
        if parent is None or node is top:
            continue
        node.dead = node.dead or parent.dead
        if node.dead:
            continue
        if heading_level(node.tag) or node.tag in ("strong", "b", "summary"):
            _drop_section(node, top, places)
        elif prose and not is_index and node.tag in ("ul", "ol", "div", "section", "p", "table", "dl"):
            links_only = node.chars and node.linked > 0.75 * node.chars and not node.good
            if links_only and (node.stop <= first or node.index > last):
                # Directly under a real heading a list is a section of the page.
                above = before.get(parent.index)
                node.dead = above is None or heading_level(above.tag) < 2 or above.dead
        before[parent.index] = node


def _drop_section(heading: Node, top: Node, places: dict[int, dict[int, int]]) -> None:
    """If a heading announces boilerplate, drop it and what follows it up to the next heading of its rank.

    Not if prose follows it directly: then the page is about related work, comments or the like.
    """
    if heading.chars > 60 or not _BAD_HEADING.fullmatch(" ".join(text_of(heading, 100).split()).rstrip(":")):
        return
    level = heading_level(heading.tag)
    if not level and heading.parent is not None and heading.parent.chars > heading.chars + 2:
        return  # bold words inside a sentence
    start = heading
    for _ in range(6):
        if start.parent is None or start.parent is top or start.parent.chars > start.chars + 2:
            break
        start = start.parent
    parent = start.parent
    if parent is None or start is top:
        return
    if parent.index not in places:
        places[parent.index] = {c.index: i for i, c in enumerate(parent.children) if isinstance(c, Node)}
    start_at = places[parent.index][start.index] + 1
    if start_at and _prose_follows(parent, start_at):
        return
    start.dead = True
    for at in range(start_at, len(parent.children)):
        item = parent.children[at]
        if isinstance(item, Node):
            rank = heading_level(item.tag)
            if (rank and (not level or rank <= level)) or (not level and item.good > 200):
                return
            item.dead = True


def _prose_follows(parent: Node, start_at: int) -> bool:
    """Whether the next element is a paragraph, a code block or a table with text of its own."""
    for at in range(start_at, min(start_at + 4, len(parent.children))):
        item = parent.children[at]
        if isinstance(item, Node):
            return item.tag in ("p", "pre", "table", "dl") and item.good >= 60
    return False
