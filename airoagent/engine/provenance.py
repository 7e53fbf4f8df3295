"""What is known about where evidence comes from, which addresses it may lead to, and what may leave the machine.

Three marks go with every evidence:

    untrusted   somebody outside had a say in its words: a tool brought it from outside, or it was made of such evidence
    written     a model wrote it, or it was made of what a model wrote
    private     it is from the user's documents, or from a text given with the question, or was made of such evidence

Private text goes into no request unless the user allows it. A plan that was written after private text had been read
(``replan``) is private, too, but for words of the question.

What is both untrusted and written was composed by a model that had read text of strangers. An address in it may have
been made up to carry words out, so it is opened only if it also stands, letter for letter, in the question, in the
plan, or in evidence that is not composed. (A plan written after tools had answered, under ``replan``, counts as
composed, too.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from airoagent.events import Event, Evidence, Replanned, RunStarted, Source, StepFailed, StepFinished
from airoagent.plan.evidence import Filled
from airoagent.records.run_record import Run
from airoagent.toolbox.tool import Tool
from airoagent.web.links import extract_links, links_of

_UNTRUSTED_PLAN = ("untrusted_plan", "True")
_PRIVATE_PLAN = ("private_plan", "True")


class Provenance:
    """Of one run. ``plan_trusted`` says that the plan was written before any tool had answered, ``plan_private`` that
    it was written after private text had been read.

    ``seen`` says whether any evidence of the run is composed, ``marked`` whether any is untrusted or written, ``read``
    whether any is private. Until then there is nothing to look for in the parts.
    """

    __slots__ = ("_composed_into", "_plan_private", "_plan_trusted", "_question", "marked", "read", "seen")

    def __init__(
        self, question: str, plan_trusted: bool, known: Iterable[Evidence] = (), plan_private: bool = False
    ) -> None:
        self._question = question
        self._plan_trusted = plan_trusted
        self._plan_private = plan_private
        self.seen = self.marked = False
        self.read = plan_private
        self._composed_into: dict[str, tuple[Evidence, ...]] = {}
        for evidence in known:
            self.note(evidence)

    def note(self, evidence: Evidence) -> None:
        """The run has this evidence."""
        if evidence.untrusted or evidence.written:
            self.marked = True
            self.seen = self.seen or _composed(evidence)
        if evidence.private:
            self.read = True

    def marks(self, step: str, tool: Tool, parts: Filled, asked: bool) -> tuple[bool, bool]:
        """Whether what the tool made of the parts is untrusted, and whether it is written; ``asked``: it asked a model.

        A tool that brings text from outside was not written by the model that wrote its input.
        """
        untrusted, written, into = False, asked, self._composed_into
        composed: tuple[Evidence, ...] = ()
        for part in parts:
            if isinstance(part, Evidence):
                untrusted = untrusted or part.untrusted
                written = written or part.written
                if part.untrusted and part.written:
                    composed += (part,)
                if into:
                    composed += into.get(part.id, ())
        if not tool.outside:
            return untrusted, written
        if composed:
            into[step] = composed
        return True, asked

    def private_in(self, parts: Filled) -> str:
        """What private text is in these parts, in words for the user; "" where there is none."""
        if not self.read:
            return ""
        part = next((part for part in parts if self._is_private(part)), None)
        if not isinstance(part, Evidence):
            return "" if part is None else "the plan, which was written after your own texts had been read"
        names = list(dict.fromkeys(source.url for source in part.sources if source.url))
        more = f" and {len(names) - 2} more" if len(names) > 2 else ""
        return f"{part.id} ({', '.join(names[:2])}{more})" if names else part.id

    def _is_private(self, part: str | Evidence) -> bool:
        if isinstance(part, Evidence):
            return part.private
        return self._plan_private and _plain(part) not in _plain(self._question)

    def public_addresses(self, parts: Filled, found: Mapping[str, Evidence]) -> frozenset[str]:
        """The addresses that stand in the question, in the parts that are not private, or in such evidence."""
        free = [part for part in parts if not self._is_private(part)]
        return frozenset(self._known(free, (one for one in found.values() if not one.private)))

    def may_open(self, parts: Filled, found: Mapping[str, Evidence]) -> Callable[[str], bool]:
        """Whether an address that a tool reads off these parts may be opened."""
        free = [part for part in parts if self._is_free(part)]
        if len(free) == len(parts):
            return lambda url: True
        known: list[frozenset[str]] = []

        def may_open(url: str) -> bool:
            if not known:
                known.append(frozenset(self._known(free, (one for one in found.values() if not _composed(one)))))
            return url in known[0]

        return may_open

    def _is_free(self, part: str | Evidence) -> bool:
        if isinstance(part, str):
            return self._plan_trusted
        return not _composed(part) and part.id not in self._composed_into

    def _known(self, free: Iterable[str | Evidence], found: Iterable[Evidence]) -> Iterable[str]:
        """The addresses that stand in the question, in the free parts, and in this evidence."""
        yield from extract_links(self._question)
        yield from links_of(tuple(free), clean_lines=True)
        for evidence in found:
            # A tool may repeat its input ("no results for ..."): that does not make an address found.
            echoed = frozenset(links_of(self._composed_into.get(evidence.id, ()), clean_lines=True))
            links = (*links_of((evidence,), clean_lines=True), *extract_links(evidence.text))
            yield from (link for link in links if link not in echoed)
            yield from (source.url for source in evidence.sources if source.url not in echoed)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _composed(part: Evidence) -> bool:
    return part.untrusted and part.written


def from_documents(sources: Iterable[Source]) -> bool:
    """Whether any of the sources is one of the user's documents."""
    return any(source.url.startswith("docs://") for source in sources)


def plan_settings(trusted: bool, private: bool) -> tuple[tuple[str, str], ...]:
    """What a run has on record, among its settings, of a plan that it took over from another run."""
    return (() if trusted else (_UNTRUSTED_PLAN,)) + ((_PRIVATE_PLAN,) if private else ())


def plan_is_trusted(run: Run) -> bool:
    """Whether the run's plan was written before any tool had answered, in this run or the one it is made from."""
    return not any(
        isinstance(event, Replanned) or (isinstance(event, RunStarted) and _UNTRUSTED_PLAN in event.settings)
        for event in run.events
    )


def plan_is_private(events: Iterable[Event], tools: Mapping[str, Tool]) -> bool:
    """Whether the plan was written after private text had been read, in this run or the one it is made from."""
    read = False
    for event in events:
        if isinstance(event, RunStarted):
            if _PRIVATE_PLAN in event.settings:
                return True
        elif isinstance(event, StepFinished | StepFailed):
            sources = event.evidence.sources if isinstance(event, StepFinished) else ()
            private = isinstance(event, StepFinished) and event.evidence.private
            local = event.tool in tools and tools[event.tool].private
            read = read or private or local or from_documents(sources)
        elif isinstance(event, Replanned) and read:
            return True
    return False
