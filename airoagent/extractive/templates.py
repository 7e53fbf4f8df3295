"""The plan writer: from the question and the tools on offer to a reWOO plan in the ``:evidence0:`` dialect.

    >>> print(write_plan("How tall is the Eiffel Tower?", [("KnowledgeModel", "Answers a question.")]))
    Plan: Answer the question: How tall is the Eiffel Tower?
    :evidence0: = KnowledgeModel[How tall is the Eiffel Tower?]
    Answer: :evidence0:

Tools get their role from their name and description. The plan is one of a few: a page that the question names is read,
a sum calculated, the date given, a tool of the user's own called; everything else is searched for, read and answered,
once or for each of two parts. Evidence that a later step asks on with may be a whole sentence, so it stands in brackets
after the question. Whatever the question, the plan is well formed and calls nothing that was not offered.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from airoagent.extractive.questions import clean, compared, nested, search_query, two_parts
from airoagent.frozen import frozen
from airoagent.text.words import STOP_WORDS, spaced, stem, word_set, words


@frozen
class _Tool:
    """A tool as the prompt offers it."""

    name: str
    description: str


@frozen
class _Roles:
    """Which of the offered tools does what; "" where none does."""

    searches: tuple[str, ...] = ()
    links: str = ""
    reader: str = ""
    answerer: str = ""
    others: tuple[_Tool, ...] = ()


_SEARCH = re.compile(
    r"\bsearch(?:es|ing)?\b|\blooks? (?:things? )?up\b"
    r"|\b(?:finds?|lists?|returns?|gives?|gets?|locat\w+)\b[^.]{0,40}\b(?:web ?sites?|sites|web ?pages?|pages|articles"
    r"|documents|papers|search results|results)\b",
    re.IGNORECASE,
)
# The roles by what tools are called, in the order in which they are tried, and by what their description says first:
# one that searches may say next that it does not answer.
_NAMES = {
    "links": r"link(?!ed ?in)",
    "reader": r"scrap|page (?:load|read)|web ?(?:load|read|page)|fetch|browser?|url",
    "search": r"search|duck ?duck ?go|google|\bbing\b|\bbrave\b|searx|tavily|\bserp|wikipedia|arxiv|pubmed|look ?up",
    "answerer": r"knowledge|answer|\bllm\b|\bqa\b|language model",
}
_SAYS = {
    "links": re.compile(r"\b(?:extract|find|get|list|collect)s?\b.{0,40}\b(?:hyper)?(?:links|urls)\b", re.IGNORECASE),
    "answerer": re.compile(
        r"\bquestion[- ]answering\b|\blanguage model\b|\banswers?\b.{0,40}\bquestions?\b"
        r"|\bquestions?\b.{0,60}\b(?:given|passage|context|evidence)\b",
        re.IGNORECASE,
    ),
    "reader": re.compile(
        r"\b(?:loads?|scrapes?|fetch(?:es)?|downloads?|opens?|reads?|visits?|retrieves?)\b.{0,60}\b(?:web ?sites?"
        r"|web ?pages?|pages?|links?|urls?|sites?|addresses)\b",
        re.IGNORECASE,
    ),
    "search": _SEARCH,
}


# What a tool that searches for anything says it finds.
_ANYTHING = re.compile(
    r"\b(?:web|internet|online|pages?|sites?|articles?|documents|papers|news|information|results?|questions?|topics?"
    r"|duck ?duck ?go|google|bing|brave|searx\w*|tavily|serp|wiki\w*|arxiv|pubmed)\b",
    re.IGNORECASE,
)


def _roles_of(tools: tuple[_Tool, ...]) -> _Roles:
    """Give each tool at most one role, by its name first and its description second."""
    found: dict[str, list[str]] = {role: [] for role in _NAMES}
    others: list[_Tool] = []
    narrow: list[_Tool] = []
    for tool in tools:
        name = spaced(tool.name).lower()
        roles = [role for role, pattern in _NAMES.items() if re.search(pattern, name)]
        said = [(match.start(), role) for role, says in _SAYS.items() if (match := says.search(tool.description))]
        roles += [role for _, role in sorted(said, key=lambda one: one[0])]
        role = next((role for role in roles if role == "search" or not found[role]), None)
        if role == "search" and not _ANYTHING.search(f"{name} {tool.description}"):
            narrow.append(tool)
        elif role:
            found[role].append(tool.name)
        else:
            others.append(tool)
    if found["search"]:  # one that finds things of one kind is used for questions about these
        others += narrow
    else:
        found["search"] = [tool.name for tool in narrow]
    links, reader, answerer = ("".join(found[role]) for role in ("links", "reader", "answerer"))
    return _Roles(tuple(found["search"]), links, reader, answerer, tuple(others))


@dataclass(slots=True)
class _Draft:
    """The plan being written; `add` gives the reference of the step it wrote."""

    lines: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, thought: str, tool: str, input: str) -> str:
        reference = f":evidence{self.count}:"
        self.lines += [f"Plan: {thought}", f"{reference} = {tool}[{input}]"]
        self.count += 1
        return reference


_REFERENCE = re.compile(r":\s*evidence\s*(\d+)\s*:?|#\s*E(\d+)|\$(?=\d)", re.IGNORECASE)


def _plain(text: str, most: int = 1500) -> str:
    """Text of the user's made fit for a plan line: one line, no brackets, nothing that reads as a reference."""
    text = _REFERENCE.sub(lambda m: f"evidence {m[1] or m[2] or ''}".strip() if m[0] != "$" else "USD ", text)
    text = "".join(c if c.isprintable() or c.isspace() else " " for c in text)
    text = text.translate({ord("["): "(", ord("]"): ")", ord("`"): "'", ord("［"): "(", ord("］"): ")"})
    text = " ".join(text.split())
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0][:most] + " ..."


_URL = re.compile(
    r"(?:https?://|docs://|file://)[^\s<>\"'`\[\]{}|\\^]+|\bwww\.[\w-]+(?:\.[\w-]+)+(?:/[^\s<>\"'`\[\]{}|\\^]*)?"
    r"|(?<![\w@./-])(?:[a-z0-9-]+\.)+[a-z]{2,}/[^\s<>\"'`\[\]{}|\\^]*",  # example.org/page
    re.IGNORECASE,
)
# "List the links on", "which pages does it link to", "all hyperlinks in": not "the link between".
_ASKS_LINKS = re.compile(r"\b(?:hyper)?links?\b(?! between)|\burls\b", re.IGNORECASE)


def _pages_of(question: str) -> str:
    """The addresses that a question names, as the page reader takes them; "" for none."""
    found = dict.fromkeys(u.rstrip(".,;:!?)'") for u in _URL.findall(question))
    whole = (u if re.match(r"\w+://|www\.", u, re.IGNORECASE) else f"https://{u}" for u in found)
    return " ".join(list(whole)[:8])


def write_plan(question: str, tools: Sequence[tuple[str, str]]) -> str:
    """The plan as text, over tools as (name, description); without any tool, an answer line that says so."""
    question = _plain(clean(question)) or "What is asked?"
    offered = tuple(_Tool(name, description) for name, description in tools)
    if not offered:
        return "Answer: No tool is on offer, so nothing can be looked up."
    roles = _roles_of(offered)
    draft = _Draft()
    answer = (
        _custom(draft, roles, question)
        or _mentions(draft, roles, question)
        or _addresses(draft, roles, question)
        or _looked_up(draft, roles, question)
    )
    if not answer:  # no tool fits: the one whose words come nearest gets the question as it is
        best = max(offered, key=lambda tool: _matches(tool, question))
        answer = draft.add(f"Use {best.name}, the nearest of the tools on offer.", best.name, question)
    return "\n".join([*draft.lines, f"Answer: {answer}"])


def _look_up(draft: _Draft, roles: _Roles, query: str) -> str:
    """Search, take the links, load the pages; the reference that holds what was found, "" without a search tool."""
    if not roles.searches:
        return ""
    found = [draft.add(f"Search for: {query}", tool, query) for tool in roles.searches]
    last = " ".join(found)
    if roles.reader:
        if roles.links:
            last = draft.add("Take the links from the search results.", roles.links, last)
        last = draft.add("Load the pages behind the links.", roles.reader, last)
    elif roles.links and not roles.answerer:
        last = draft.add("Take the links from the search results.", roles.links, last)
    return last


def _given(question: str, *references: str) -> str:
    return f"{question.rstrip('?!. ')}, given {' and '.join(references)}?"


def _ask(draft: _Draft, roles: _Roles, question: str, found: str) -> str:
    """Put the question to the answerer with what was found; without an answerer, what was found is the answer."""
    if not roles.answerer:
        return found
    if not found:
        asked = question if len(question) < 200 else "the user's question."
        return draft.add(f"Answer the question: {asked}", roles.answerer, question)
    return draft.add("Read the answer from what was found.", roles.answerer, _given(question, found))


def _looked_up(draft: _Draft, roles: _Roles, question: str) -> str:
    """Search and read, for each part of the question; "" with neither a search nor an answerer."""
    if not roles.searches and not roles.answerer:
        return ""
    if not roles.searches or not roles.answerer:
        return _found(draft, roles, question)
    two = two_parts(question)
    if two is not None and two.chained:
        return " ".join(_chained(draft, roles, two.first, two.second))
    inner = nested(question)
    if two is None and inner:
        return _chained(draft, roles, inner, question)[1]
    both = (two.first, two.second) if two is not None else compared(question)
    return " ".join(_found(draft, roles, part) for part in both or (question,))


def _chained(draft: _Draft, roles: _Roles, first: str, second: str) -> tuple[str, str]:
    """Two questions, the second about what answers the first: both are searched for, and both pages read for it."""
    pages = _look_up(draft, roles, search_query(first))
    known = _ask(draft, roles, first, pages)
    more = _look_up(draft, roles, f"{search_query(second)} {known}")
    return known, _ask(draft, roles, f"{second.rstrip('?!. ')} ({known})?", f"{pages} and {more}")


def _found(draft: _Draft, roles: _Roles, question: str) -> str:
    """Look one question up and read its answer."""
    return _ask(draft, roles, question, _look_up(draft, roles, search_query(question)))


_CALCULATES = re.compile(r"calculat|arithmetic|\bmath|evaluat\w* (?:an? )?expression", re.IGNORECASE)
_TELLS_TIME = re.compile(r"\b(?:current|today'?s) (?:date|time)\b", re.IGNORECASE)
_TEXTS = r"(?:files?|documents?|notes?|pages?|texts?)"
_MENTIONS = re.compile(
    rf"^(?:which|what|list|find|show(?: me)?)(?: of| all| the| my)* {_TEXTS}(?: that)? "
    r"(?:mentions?|contains?|names?|discuss(?:es)?|refers? to|talks? about|(?:is|are) about) (?P<what>.+)"
    rf"|^in (?:which|what) {_TEXTS} (?:is|are) (?P<said>.+?) (?:mentioned|named|discussed)$",
    re.IGNORECASE,
)


def _mentions(draft: _Draft, roles: _Roles, question: str) -> str:
    """A question for the files that mention something is answered with the addresses that a search finds."""
    found = _MENTIONS.match(question.rstrip(" ?!."))
    if not found or not roles.searches or not roles.links:
        return ""
    what = found["what"] or found["said"]
    pages = " ".join(draft.add(f"Search for: {what}", tool, what) for tool in roles.searches)
    return draft.add("Take the addresses from the search results.", roles.links, pages)


_TABLE_FILE = re.compile(
    r",?\s*(?:\b(?:in|of|from|does|do) )?(?:the (?:file|table) )?"
    r"(?<!\S)(?P<file>[\w./-]+\.(?:csv|tsv|xlsx|xlsm|ods))\b,?\s*",
    re.IGNORECASE,
)
_ROWS = r"(?P<rows>(?: by [^\s,]+)?(?: where .+)?)"
_COUNT_ROWS = re.compile(rf"how many (?:rows|records|entries|lines)(?: are(?: there)?| have)?{_ROWS}", re.IGNORECASE)
_OF_COLUMN = re.compile(
    r"(?:(?:what|which) (?:is|are|was|were)|give|show|calculate|compute|find)?(?: me)?(?: the)? ?"
    r"(?P<figure>sum|total|average|mean|maximum|max|highest|largest|minimum|min|lowest|smallest)(?: of)?(?: the)?"
    rf"(?: column)? (?P<column>[^\s,]+(?: [^\s,]+){{0,2}}?){_ROWS}",
    re.IGNORECASE,
)


def _of_table(question: str) -> str:
    """What Table is asked, where a question names a table's file and wants a figure of a column; else ""."""
    file = _TABLE_FILE.search(question)
    text = _TABLE_FILE.sub(" ", question).strip(" ?!.")
    if file and (asked := _COUNT_ROWS.fullmatch(text)):
        return f"{file['file']}: count{asked['rows']}"
    asked = _OF_COLUMN.fullmatch(text) if file else None
    return f"{file['file']}: {asked['figure'].lower()} {asked['column']}{asked['rows']}" if file and asked else ""


_NOW = re.compile(
    r"\btoday'?s? date\b|\bcurrent (?:date|time)\b|\bwhat (?:day|date|time|year|month) is (?:it|today)\b"
    r"|\bwhat(?:'s| is) (?:the )?(?:today'?s )?(?:date|day|time|weekday)(?: today| now| is it)?\W*$",
    re.IGNORECASE,
)


def _is_table(tool: _Tool) -> bool:
    return tool.name == "Table"  # its query language is known; another tool for tables has its own


_PAGE_TWICE = re.compile(r"\b(?:the|this) (?:web ?)?(?:page|site|website|article) the page\b", re.IGNORECASE)
_PAGE_AT_AN_END = re.compile(
    r",?\s*\b(?:(?:according to|on|at|in|from|of|by|see) )?the page(?=\s*[?.!,:;]|$)", re.IGNORECASE
)


def _addresses(draft: _Draft, roles: _Roles, question: str) -> str:
    """A question that names pages goes straight to them."""
    pages = _pages_of(question)
    if not pages or not roles.reader:
        return ""
    rest = " ".join(_URL.sub(" ", question).split())
    loaded = draft.add("Load the page that the question names.", roles.reader, pages)
    if roles.links and _ASKS_LINKS.search(rest):
        return draft.add("Take the links from the page.", roles.links, loaded)
    if not roles.answerer:
        return loaded
    asked = " ".join(_URL.sub(lambda u: " the page" + u[0][len(u[0].rstrip(".,;:!?)'")) :], question).split())
    asked = _PAGE_TWICE.sub("the page", asked)
    asked = _PAGE_AT_AN_END.sub("", asked).strip(" ,:;")
    return draft.add(
        "Read the answer from the page.",
        roles.answerer,
        _given(asked if len(words(asked)) > 1 else "Summarise the text", loaded),
    )


_SUM = re.compile(r"(?<![\w.])[-(]*\d[\d.,]*\)*(?:\s*(?:[-+*/^%×÷]|\*\*)\s*[-(]*\d[\d.,]*\)*)+")
_SPOKEN = (
    (r"\bplus\b", "+"),
    (r"\bminus\b", "-"),
    (r"\b(?:times|multiplied by)\b", "*"),
    (r"\b(?:divided by|over)\b", "/"),
    (r"\bto the power of\b", "**"),
    (r"\bsquare root of\s+(\d[\d.]*)", r"\1 ** 0.5"),
    (r"\b(\d[\d.]*)\s*(?:per ?cent|%) of\s+(\d[\d.,]*)", r"\1 / 100 * \2"),
    (r"(?<=\d),(?=\d{3})", ""),
    (r"(\d)\s*[x×]\s*(\d)", r"\1 * \2"),
    (r"÷", "/"),
    (r"\^", "**"),
    (r"\bsquared\b", "** 2"),
    (r"\bcubed\b", "** 3"),
)


_N = r"(-?\d[\d.,]*(?<![.,]))"
_LISTED = (  # what is done to the numbers of a list
    (rf"\b(?:sum|total) of ({_N}(?:(?:,? and |, ?){_N})+)", " + ", ""),
    (rf"\badd(?:ing)? (?:up )?({_N}(?:(?:,? (?:and|to) |, ?){_N})+)", " + ", ""),
    (rf"\b(?:product of|multiply(?:ing)?) ({_N}(?:(?:,? (?:and|by|with) |, ?){_N})+)", " * ", ""),
    (rf"\b(?:average|mean) of ({_N}(?:(?:,? and |, ?){_N})+)", " + ", "/"),
    (rf"\b(?:difference (?:between|of)|quotient of|divid(?:e|ing)) ({_N} (?:and|by) {_N})", None, ""),
)
_AROUND_A_SUM = word_set(
    "calculate compute evaluate work solve result value answer sum total equal equals much many make makes come comes "
    "add added number get tell say exactly result's what's worth"
)


_LIKE_A_DATE = re.compile(r"\d{3,4}-\d{2,4}|\d+([-/])\d+\1\d+|9/11|7/7|24/7|50/50")


def _listed(found: re.Match[str], sign: str | None, then: str) -> str:
    numbers = [number.replace(",", "") for number in re.findall(_N, found[1])]
    sign = sign or (" - " if "difference" in found[0].lower() else " / ")
    whole = sign.join(numbers)
    return f"({whole}) / {len(numbers)}" if then else whole


def _expression(question: str) -> str:
    """The sum that a question asks for, in figures and signs; "" where it asks for none, or for more than a sum."""
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", question)
    for pattern, sign, then in _LISTED:
        text = re.sub(pattern, partial(_listed, sign=sign, then=then), text, flags=re.IGNORECASE)
    text = re.sub(rf"\bsubtract(?:ing)? {_N} from {_N}", r"\2 - \1", text, flags=re.IGNORECASE)
    for pattern, sign in _SPOKEN:
        text = re.sub(pattern, sign, text, flags=re.IGNORECASE)
    found = _SUM.search(text)
    if found is None:
        return ""
    around = {word.lower() for word in words(text[: found.start()] + " " + text[found.end() :])}
    if not around <= STOP_WORDS | _AROUND_A_SUM:  # "the 4 x 100 m record", "what happened on 9/11"
        return ""
    like_a_date = _LIKE_A_DATE.fullmatch(found[0].strip())
    return "" if like_a_date and not around & _AROUND_A_SUM else found[0].strip()


def _custom(draft: _Draft, roles: _Roles, question: str) -> str:
    """A tool of the user's own, where its name or description matches the question."""
    best, fit = None, 0.0
    for tool in roles.others:
        if _CALCULATES.search(f"{spaced(tool.name)} {tool.description}"):
            if sum_ := _expression(question):
                return draft.add("Work out the sum.", tool.name, sum_)
        elif _TELLS_TIME.search(tool.description):
            if _NOW.search(question):
                return draft.add("Tell the date.", tool.name, "now")
        elif _is_table(tool):
            if wanted := _of_table(question):
                return draft.add("Ask the table.", tool.name, wanted)
        elif (match := _matches(tool, question)) > fit:
            best, fit = tool, match
    if best is None or fit <= 0.5:
        return ""
    pages = _pages_of(question)
    if pages and roles.reader:
        loaded = draft.add("Load the page that the question names.", roles.reader, pages)
        return draft.add(f"Use {best.name} on it.", best.name, loaded)
    return draft.add(f"Use {best.name} for this.", best.name, _payload(question, best))


_FOCUS = re.compile(r"\b(?:what|which|how many)(?:'s| is| are| was| were)?(?: the| a| an)? (\w+)|^(\w+)", re.IGNORECASE)


def _is_stop(word: str) -> bool:
    return word.lower().partition("'")[0] in STOP_WORDS


def _words_of(tool: _Tool) -> tuple[set[str], set[str]]:
    """The stems of a tool's name, and those of its name and description."""
    name = {stem(word) for word in words(spaced(tool.name))}
    return name, name | {stem(word) for word in words(tool.description) if word.lower() not in STOP_WORDS}


def _matches(tool: _Tool, question: str) -> float:
    """How much of what a question says, besides names, figures and quotes, a tool's name and description say.

    0 where they do not share what is asked for (or to be done), all of the name, or two words.
    """
    name, says = _words_of(tool)
    plain = re.sub(r"^who \w+", " ", _QUOTED.sub(" ", question), flags=re.IGNORECASE)  # "who translated": of the past
    said = [word for word in words(plain[:1].lower() + plain[1:]) if not _is_stop(word)]
    asked = {stem(word) for word in said if word.islower() or stem(word) in says}
    asked |= {"count"} if "many" in question.lower() else set()
    shared = asked & says
    named = sum(len(one) > 2 and any(word.startswith(one) for word in asked) for one in name)
    focus = _FOCUS.search(plain)
    if not (named == len(name) or len(shared) > 1 or (focus and stem(focus[1] or focus[2]) in says)):
        return 0.0
    order = [stem(word) for word in words(tool.description)]  # what a description says first counts for a little more
    first = min((order.index(word) for word in shared if word in order), default=99)
    return (len(shared) + 2 * named) / (len(asked) + 2 * named or 1) - first / 1000


_QUOTED = re.compile(r"[\"“«]([^\"”»]+)[\"”»]|(?<!\w)'([^']+)'(?!\w)")


def _payload(question: str, tool: _Tool) -> str:
    """What a tool is to work on: the quoted words, or those of the question that are not the tool's own."""
    if inside := _QUOTED.search(question):
        return (inside[1] or inside[2]).strip() or question
    own = _words_of(tool)[1]
    found = list(re.finditer(r"[^\W_](?:\S*\w)?", question))
    left = [match for match in found if not _is_stop(match[0]) and stem(match[0]) not in own]
    return question[left[0].start() : left[-1].end()].removesuffix("'s") if left else question
