"""The plan writer: from the question and the tools on offer to a reWOO plan in the ``:evidence0:`` dialect.

    >>> print(write_plan(PlanRequest("How tall is the Eiffel Tower?", (Offered("KnowledgeModel", "Answers."),))))
    Plan: Answer the question: How tall is the Eiffel Tower?
    :evidence0: = KnowledgeModel[How tall is the Eiffel Tower?]
    Answer: :evidence0:

Tools get their role from their name and description. A question with two parts becomes two branches: one after the
other where the second part speaks of what the first finds ("their most famous work"), side by side otherwise. Whatever
the question, the plan is well formed and calls nothing that was not offered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from airoagent.models.english.analysis import analyse
from airoagent.models.english.comparing import Comparison, comparison
from airoagent.models.english.parts import TwoParts, clean, two_parts
from airoagent.models.english.queries import search_query, search_thought
from airoagent.models.english.steps import days_between, figures, nested, versus
from airoagent.models.english.words import AUXILIARIES, STOPWORDS, fold, stem, words

__all__ = ["Offered", "PlanRequest", "read_plan_prompt", "write_plan"]


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool as the prompt offers it."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A plan prompt taken apart: the question, and the tools on offer in their order."""

    question: str
    tools: tuple[Offered, ...]


_TOOL_LINE = re.compile(
    r"^[ \t]*(?:[-*][ \t]+)?([A-Za-z_][\w.-]*)\[input\][ \t]*:[ \t]*(.*)$", re.MULTILINE | re.IGNORECASE
)


def read_plan_prompt(prompt: str) -> PlanRequest | None:
    """The tools and the question of a plan prompt; None for a prompt that asks for no plan.

    What the user wrote stands behind the first ``Question:`` line, so nothing in it is taken for a tool.
    """
    mark = re.search(r"^[ \t]*Question:[ \t]*", prompt, re.MULTILINE)
    head = prompt[: mark.start()] if mark else prompt
    tools = tuple(Offered(m[1], m[2].strip()) for m in _TOOL_LINE.finditer(head))
    asks = bool(tools) or ":evidence0:" in head or "tools available to be called" in head
    return PlanRequest(prompt[mark.end() :].strip(), tools) if mark and asks else None


@dataclass(frozen=True, slots=True)
class Roles:
    """Which of the offered tools does what; "" where none does."""

    searches: tuple[str, ...] = ()
    links: str = ""
    reader: str = ""
    answerer: str = ""
    others: tuple[Offered, ...] = ()


_SEARCHES = re.compile(
    r"search|duck ?duck ?go|google|\bbing\b|\bbrave\b|searx|tavily|\bserp|wikipedia|arxiv|pubmed|look ?up",
    re.IGNORECASE,
)
_SEARCH = re.compile(
    r"\bsearch(?:es|ing)?\b|\blooks? (?:things? )?up\b"
    r"|\b(?:finds?|lists?|returns?|gives?|gets?|locat\w+)\b[^.]{0,40}\b(?:web ?sites?|sites|web ?pages?|pages|articles"
    r"|documents|papers|search results|results)\b",
    re.IGNORECASE,
)
_LINKS = re.compile(
    r"\b(?:extracts?|finds?|gets?|lists?|collects?)\b.{0,40}\b(?:hyper)?(?:links|urls)\b", re.IGNORECASE
)
_LOADS = re.compile(
    r"\b(?:loads?|scrapes?|fetch(?:es)?|downloads?|opens?|reads?|visits?|retrieves?)\b.{0,60}\b(?:web ?sites?"
    r"|web ?pages?|pages?|links?|urls?|sites?|addresses)\b",
    re.IGNORECASE,
)
# "It does not directly answer the question", "sites that may contain the answer to the query": not what it does.
_NOT_ANSWERS = re.compile(
    r"\b(?:not|never|cannot|n't|might|may|could|can)\b[^.;]{0,40}\banswers?\b[^.;]*", re.IGNORECASE
)
_ANSWERS = re.compile(
    r"\bquestion[- ]answering\b|\blanguage model\b|\banswers?\b.{0,40}\bquestions?\b"
    r"|\bquestions?\b.{0,60}\b(?:given|passage|context|evidence)\b",
    re.IGNORECASE,
)


def _spaced(name: str) -> str:
    """The words of a tool's name: "HyperlinkExtractor" and "word_count" give "Hyperlink Extractor", "word count"."""
    return " ".join(
        re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").replace("-", " ").replace(".", " ").split()
    )


def roles_of(tools: tuple[Offered, ...]) -> Roles:
    """Give each tool at most one role, by its name first and its description second.

    Of searching, loading and answering, a tool does what its description tells of first.
    """
    searches: list[str] = []
    links = reader = answerer = ""
    others: list[Offered] = []
    for tool in tools:
        name, says = _spaced(tool.name).lower(), tool.description
        if not links and re.search(r"link(?!ed ?in)", name):
            links = tool.name
        elif not reader and re.search(r"scrap|page (?:load|read)|web ?(?:load|read|page)|fetch|browser?|url", name):
            reader = tool.name
        elif _SEARCHES.search(name):
            searches.append(tool.name)
        elif not answerer and re.search(r"knowledge|answer|\bllm\b|\bqa\b|language model", name):
            answerer = tool.name
        elif not links and _LINKS.search(says):
            links = tool.name
        elif not answerer and _is_first(_ANSWERS.search(_NOT_ANSWERS.sub(" ", says)), _SEARCH.search(says)):
            answerer = tool.name
        elif not reader and _is_first(_LOADS.search(says), _SEARCH.search(says)):
            reader = tool.name
        elif _SEARCH.search(says) and not re.search(r"\b(?:count|convert|calculat|replac)", says, re.IGNORECASE):
            searches.append(tool.name)
        else:
            others.append(tool)
    return Roles(tuple(searches), links, reader, answerer, tuple(others))


def _is_first(found: re.Match[str] | None, other: re.Match[str] | None) -> bool:
    """Whether a description tells of the one, and not of the other before it."""
    return found is not None and (other is None or found.start() <= other.start())


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


def plain(text: str, most: int = 1500) -> str:
    """Text of the user's made fit for a plan line: one line, no brackets, nothing that reads as a reference."""
    text = _REFERENCE.sub(lambda m: f"evidence {m[1] or m[2] or ''}".strip() if m[0] != "$" else "USD ", text)
    text = "".join(c if c.isprintable() or c.isspace() else " " for c in text)
    text = text.translate({ord("["): "(", ord("]"): ")", ord("`"): "'", ord("［"): "(", ord("］"): ")"})
    text = " ".join(text.split())
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0][:most] + " ..."


_URL = re.compile(
    r"(?:https?://|docs://|file://)[^\s<>\"'`\[\]{}|\\^]+|\bwww\.[\w-]+(?:\.[\w-]+)+(?:/[^\s<>\"'`\[\]{}|\\^]*)?",
    re.IGNORECASE,
)


def write_plan(request: PlanRequest) -> str:
    """The plan as text; without any tool on offer, an answer line that says so."""
    question = plain(clean(request.question)) or "What is asked?"
    if not request.tools:
        return "Answer: No tool is on offer, so nothing can be looked up."
    roles = roles_of(request.tools)
    draft = _Draft()
    answer = (
        _custom(draft, roles, question)
        or _addresses(draft, roles, question)
        or _branches(draft, roles, question)
        or _anything(draft, request.tools, question)
    )
    return "\n".join([*draft.lines, f"Answer: {answer}"])


def _look_up(draft: _Draft, roles: Roles, question: str) -> str:
    """Search, take the links, load the pages; the reference that holds what was found, "" without a search tool."""
    if not roles.searches:
        return ""
    thought, query = search_thought(question), search_query(question)
    found = [draft.add(thought, tool, query) for tool in roles.searches]
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


def _ask(draft: _Draft, roles: Roles, question: str, found: str) -> str:
    """Put the question to the answerer with what was found; without an answerer, what was found is the answer."""
    if not roles.answerer:
        return found
    if not found:
        return draft.add(f"Answer the question: {_quoted(question)}", roles.answerer, question)
    return draft.add("Read the answer from what was found.", roles.answerer, _given(question, found))


def _quoted(question: str) -> str:
    return question if len(question) < 200 else "the user's question."


def _branches(draft: _Draft, roles: Roles, question: str) -> str:
    if not roles.searches and not roles.answerer:
        return ""
    if not roles.searches or not roles.answerer:
        return _found(draft, roles, question)
    two = two_parts(question)
    if two is not None:
        return _two_parts(draft, roles, two)
    compared = comparison(analyse(question))
    if compared is not None:
        return _comparison(draft, roles, compared)
    apart = versus(question)
    if apart is not None:
        found = [_found(draft, roles, f"What is {thing}?") for thing in apart]
        return "; ".join(f"{thing}: {answer}" for thing, answer in zip(apart, found, strict=True))
    inner = nested(question)
    if inner is not None:
        pages = _look_up(draft, roles, inner.first)
        name = _ask(draft, roles, inner.first, pages)
        more = _look_up(draft, roles, inner.about(name))
        return draft.add("Read the answer.", roles.answerer, _given(inner.with_name(name), pages, more))
    return _reckoning(draft, roles, question) or _found(draft, roles, question)


def _two_parts(draft: _Draft, roles: Roles, two: TwoParts) -> str:
    """Two branches that meet in the answer line; the second waits for the first's answer where it speaks of it."""
    first = _ask(draft, roles, two.first, _look_up(draft, roles, two.first))
    second = two.second(first)
    return f"{first}; {_ask(draft, roles, second, _look_up(draft, roles, second))}"


def _found(draft: _Draft, roles: Roles, question: str) -> str:
    """Look one question up and read its answer."""
    return _ask(draft, roles, question, _look_up(draft, roles, question))


def _reckoning(draft: _Draft, roles: Roles, question: str) -> str:
    """Look up two figures or two dates and reckon with them; "" where the question asks for nothing of the kind."""
    added = figures(question)
    calculator = next((tool.name for tool in roles.others if _reckons(tool)), "")
    if added is not None and calculator:
        answers = [_found(draft, roles, part) for part in added.questions]
        what = "Add them up." if added.sign == "+" else "Take the one from the other."
        return draft.add(what, calculator, f" {added.sign} ".join(answers))
    span = days_between(question)
    if span is None:
        return ""
    pages = [_look_up(draft, roles, part) if part else "" for part in span.questions]
    dates = [
        _ask(draft, roles, part, page) if part else event
        for part, page, event in zip(span.questions, pages, span.events, strict=True)
    ]
    if not any(pages):
        return ""
    thought = f"Count the {span.unit} from the one date to the other."
    return draft.add(thought, roles.answerer, _given(span.with_dates(*dates), *filter(None, pages)))


def _reckons(tool: Offered) -> bool:
    """Whether a tool is a calculator."""
    says = f"{_spaced(tool.name)} {tool.description}"
    return bool(re.search(r"calculat|arithmetic|\bmath|evaluat\w* (?:an? )?expression", says, re.IGNORECASE))


def _comparison(draft: _Draft, roles: Roles, compared: Comparison) -> str:
    """Two branches, one for each of the things compared, and a last step over both figures."""
    answers, pages = [], []
    for part in compared.questions:
        pages.append(_look_up(draft, roles, part))
        answers.append(_ask(draft, roles, part, pages[-1]))
    return draft.add("Compare the two.", roles.answerer, _given(compared.with_figures(*answers), *pages))


def _addresses(draft: _Draft, roles: Roles, question: str) -> str:
    """A question that names pages goes straight to them."""
    found = list(dict.fromkeys(u.rstrip(".,;:!?)'") for u in _URL.findall(question)))
    if not found or not roles.reader:
        return ""
    rest = " ".join(_URL.sub(" ", question).split())
    asked = re.sub(r"\b(?:on|at|in|from|of|by|about|see|page|website|the)\s*(?=[?.!,]|$)", "", rest).strip(" ,:;")
    loaded = draft.add("Load the page that the question names.", roles.reader, " ".join(found[:8]))
    if not roles.answerer:
        return loaded
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


def _expression(question: str) -> str:
    """The sum that a question asks for, in figures and signs; "" where it asks for none."""
    text = question
    for pattern, sign in _SPOKEN:
        text = re.sub(pattern, sign, text, flags=re.IGNORECASE)
    found = _SUM.search(text)
    return found[0].strip() if found else ""


def _custom(draft: _Draft, roles: Roles, question: str) -> str:
    """A tool of the user's own, where its name or description matches the question."""
    best, fit = None, 0.0
    for tool in roles.others:
        if _reckons(tool):
            sum_ = _expression(question)
            if sum_:
                return draft.add("Work out the sum.", tool.name, sum_)
            continue
        match = _matches(tool, question)
        if match > fit:
            best, fit = tool, match
    if best is None or fit < 0.5:
        return ""
    pages = [u.rstrip(".,;:!?)'") for u in _URL.findall(question)]
    if pages and roles.reader:
        loaded = draft.add("Load the page that the question names.", roles.reader, " ".join(pages[:8]))
        return draft.add(f"Use {best.name} on it.", best.name, loaded)
    return draft.add(f"Use {best.name} for this.", best.name, _payload(question))


def _matches(tool: Offered, question: str) -> float:
    """How well a tool's name and description fit a question, 0 to 1: all words of the name count as a fit."""
    asked = {stem(w) for w in words(question) if w.lower() not in STOPWORDS or w.lower() in ("many",)}
    if "many" in fold(question):
        asked.add("count")
    name = [stem(w) for w in _spaced(tool.name).split() if w.lower() not in STOPWORDS]
    says = [stem(w) for w in words(tool.description) if w.lower() not in STOPWORDS and w.lower() not in AUXILIARIES][
        :12
    ]
    by_name = sum(w in asked for w in name) / len(name) if name else 0.0
    by_words = sum(w in asked for w in says[:4]) / max(len(says[:4]), 1)
    return max(by_name if len(name) > 1 or by_words > 0 else by_name * 0.45, by_words * 0.9 if len(says) > 1 else 0.0)


def _payload(question: str) -> str:
    """What a tool is to work on: the quoted words, what stands behind a colon or "of", or the question itself."""
    inside = re.search(r"[\"“«]([^\"”»]+)[\"”»]|(?<!\w)'([^']+)'(?!\w)", question)
    if inside:
        return (inside[1] or inside[2]).strip() or question
    behind = re.search(r":\s+(\S.*)$", question) or re.search(
        r"\b(?:of|in|for|to|from)\s+(?:the (?:text|words?|sentence|phrase|string)\s+)?(\S.*)$", question
    )
    return (behind[1].strip(" ?") or question) if behind else question


def _anything(draft: _Draft, tools: tuple[Offered, ...], question: str) -> str:
    """No tool fits: the one whose words come nearest gets the question as it is."""
    best = max(tools, key=lambda tool: _matches(tool, question))
    return draft.add(f"Use {best.name}, the nearest of the tools on offer.", best.name, question)
