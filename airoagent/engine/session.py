"""What it takes to run questions and plans: a model, tools, limits, a store. Everything that runs goes through here.

    session = Session(model, toolbox, known, policy)
    run = await session.run("How deep is Lake Baikal?")              # the model writes the plan
    run = await session.run("How deep is Lake Baikal?", plan)        # the plan is given

`Agent` makes one; resume, fork, rerun, why and the debugger take it, or one derived from it (`with_tools`,
`with_model`, `without_record`). A run is: plan, run the steps, conclude; every event goes on record before anything
that depends on it happens, then into the `Run`, then to whoever watches.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from airoagent import settings
from airoagent.background import in_thread
from airoagent.documents.library import Documents
from airoagent.engine.answer_watch import AnswerWatch
from airoagent.engine.conclusion import conclude
from airoagent.engine.limits import Budget
from airoagent.engine.model_calls import ModelCalls
from airoagent.engine.planning import prose_in, write_plan
from airoagent.engine.policy import Approve, Ask, Policy, Services
from airoagent.engine.provenance import plan_is_private
from airoagent.engine.recorder import Recorder, StartingPoint
from airoagent.engine.results import record_of
from airoagent.engine.reuse import Reuse
from airoagent.engine.scheduler import Execution
from airoagent.engine.tasks import Tasks
from airoagent.engine.tool_cache import ToolCache
from airoagent.errors import AiroError, Interrupted, LimitReached, PlanError, ToolError, UsageError, UserAwaited
from airoagent.events import Event, PlanWritten, Replanned, RunFinished, Source, Status
from airoagent.extractive.quotes import best_lines
from airoagent.frozen import frozen
from airoagent.models.base import Model, Sampling
from airoagent.models.window import fit_to
from airoagent.plan.plans import Plan
from airoagent.prompts.context_prompts import ContextBlock
from airoagent.prompts.context_window import Fitted
from airoagent.records.run_record import Run
from airoagent.records.store import Store
from airoagent.toolbox.tool import Tool, Toolbox
from airoagent.web.fetch import Fetcher

if TYPE_CHECKING:
    from airoagent.engine.structured import AnswerForm
    from airoagent.engine.tool_calls import BoundTool

Watch = Callable[[Event], None]
MakePlan = Callable[[Recorder, Ask, Execution], Awaitable[Plan]]
"""Makes the plan of a run once the run is on record, asking the model where it has to; it may run steps meanwhile."""

Outcome = tuple[str, tuple[Source, ...]]


class Records:
    """Where the runs of a session are recorded: True is the user's own store, a path that file, False nowhere."""

    def __init__(self, place: bool | str | Path | Store) -> None:
        self._place = place
        self._opened: Store | None = None

    def open(self) -> Store | None:
        """The store, one for all runs; opened again where its file is another one today."""
        if isinstance(self._place, Store):
            return self._place
        if self._place is False:
            return None
        path = settings.store_file() if self._place is True else Path(self._place)
        if self._opened is None or self._opened.path != path or not self._opened.is_open():
            self._opened = Store(path)
        return self._opened

    def close(self) -> None:
        """Close what `open` opened."""
        if self._opened is not None:
            self._opened.close()


@frozen
class _Kept:
    """What the runs of a session have in common: worked out once, ``of`` these."""

    of: tuple[object, ...]
    tools: Toolbox
    names: tuple[str, ...]
    careful: frozenset[str]
    settings: tuple[tuple[str, str], ...]
    bound: dict[str, BoundTool] = field(default_factory=dict)


def _both(first: Watch, second: Watch | None) -> Watch:
    def watch(event: Event) -> None:
        first(event)
        if second is not None:
            second(event)

    return watch


@dataclass(slots=True)
class Session:
    """A model with its tools, limits and store.

    ``offered`` is what the model is offered, ``all_tools`` what a given plan may call besides; ``pending`` brings the
    tools of MCP servers, which are started when a plan may call them, as new ones of both. ``watchers`` get the
    progress of long work that belongs to no single run (loading a model). ``started_with`` is kept next to the record
    of each run, on this machine alone. ``form`` is what the answer is put into, in place of words. ``check_plan`` may
    refuse a plan before its steps are run, by an error. ``observe`` makes one more watcher for each run.
    """

    model: Model
    offered: Toolbox
    all_tools: Toolbox
    policy: Policy
    approve: Approve
    records: Records
    sampling: Sampling | None = None
    free: bool = False
    documents: Documents | None = None
    tool_settings: Mapping[str, str] = field(default_factory=dict)
    allow_private: tuple[str, ...] = ()
    watchers: list[Watch] = field(default_factory=list)
    started_with: str = ""
    form: AnswerForm | None = None
    pending: Callable[[], tuple[Toolbox, Toolbox]] | None = None
    check_plan: Callable[[Plan], Awaitable[None]] | None = None
    observe: Callable[[], Watch] | None = None
    _kept: _Kept | None = field(default=None, init=False, repr=False, compare=False)

    # Tools and model ---------------------------------------------------------------------------------------------

    @property
    def toolbox(self) -> Toolbox:
        """The tools offered to the model."""
        self.start_servers()
        return self.offered

    @property
    def known_tools(self) -> Toolbox:
        """The tools a given plan may call: those offered, and every other known tool."""
        return self._for_all_runs().tools

    def _for_all_runs(self) -> _Kept:
        self.start_servers()
        of, kept = (self.offered, self.all_tools, self.policy, self.documents, self.form), self._kept
        if kept is None or kept.of != of:
            known = self.offered.extended(*self.all_tools.values())
            careful = {tool.name for tool in known.values() if tool.side_effects or not tool.repeatable}
            self._kept = kept = _Kept(of, known, tuple(known), frozenset(careful), self._settings())
        return kept

    def start_servers(self) -> None:
        """Take in the tools of MCP servers that have not been started yet; blocks until each has started or failed."""
        if self.pending is not None:
            self.offered, self.all_tools = self.pending()
            self.pending = None

    def needing(self, names: Iterable[str]) -> Session:
        """The same for a plan that calls these tools: MCP servers are started for it only if one may be theirs."""
        if self.pending is None or any(name not in self.all_tools for name in names):
            return self
        return replace(self, pending=None)

    def with_tools(self, *tools: Tool, offered: bool = False) -> Session:
        """The same with more tools, which replace those of their names; ``offered``: the model is told of them."""
        self.start_servers()
        known = Toolbox(tools).extended(*self.all_tools.values())
        more = Toolbox(tools).extended(*self.offered.values()) if offered else self.offered
        return replace(self, all_tools=known, offered=more)

    def with_model(self, model: Model) -> Session:
        """The same with another model."""
        return replace(self, model=model)

    def without_record(self) -> Session:
        """The same, keeping no record of what it runs."""
        return replace(self, records=Records(False))

    def check_tools(self, names: Iterable[str]) -> None:
        """Raise UsageError for the first tool that is not there."""
        known = self.known_tools
        for name in names:
            if name not in known:
                raise UsageError(
                    f"the plan calls {name}, which is not among the tools",
                    "name its file with --tools PATH (tool_paths=)",
                )

    def load(self, run: str | Run) -> Run:
        """The recorded run that an id, a prefix of one, or ``@last`` means; a `Run` is itself."""
        if isinstance(run, Run):
            return run
        store = self.records.open()
        if store is None:
            raise UsageError(
                "this agent keeps no records, so it cannot look up a run by its id", "make it with store=True"
            )
        return Run.from_events(store.events(store.find(run)))

    # Running -----------------------------------------------------------------------------------------------------

    async def run(
        self,
        question: str,
        plan: Plan | MakePlan | None = None,
        watch: Watch | None = None,
        start: StartingPoint | None = None,
        id: str = "",
    ) -> Run:
        """Run a question to its end, on record; what goes wrong is in the `Run`, and only a stop or a bug is raised.

        Without a ``plan`` the model writes one. ``start`` is what the run takes over from an earlier one; ``id`` is
        its id (`new_run_id`), where that has been promised.
        """
        if plan is None:
            question = asked_question(question)
        if self.pending is not None:
            self = self.needing(step.tool for step in plan.steps) if isinstance(plan, Plan) else self
            await asyncio.to_thread(self.start_servers)
        store, kept = self.records.open(), self._for_all_runs()
        recorder = Recorder(id, store, None, start, kept.careful)
        if self.observe is not None:
            watch = _both(self.observe(), watch)
        if watch is not None:
            # Words that are yet to be put into a form are not the answer: no tool's are shown early.
            recorder.watch = AnswerWatch(recorder.run, {} if self.form else kept.tools, watch)
        recorder.begin(question, self.model.info.name, kept.names, kept.settings)
        self.watchers.append(recorder.heard)
        try:
            if store is not None and self.started_with:
                store.put_beside(recorder.run.id, self.started_with)
            await self._run_to_the_end(question, plan, recorder, store)
        finally:
            self.watchers.remove(recorder.heard)
            if store is not None:  # not before `begin`: a run that another process drives is that one's
                store.let_go(recorder.run.id)
        if store is not None:
            await in_thread(store.flush)
        return recorder.finished()

    def _settings(self) -> tuple[tuple[str, str], ...]:
        """What goes on record of how a run is started (`Run.setting` reads it)."""
        rows = {name: str(getattr(self.policy, name)) for name in self.policy.__dataclass_fields__}
        rows["offered"] = ", ".join(self.offered)  # the names that the plan's text is read with
        if self.documents is not None and self.documents.addresses:
            rows["docs"] = ", ".join(self.documents.addresses)
        if self.form is not None:
            rows["schema"] = self.form.text
        return tuple(rows.items())

    async def _run_to_the_end(
        self, question: str, plan: Plan | MakePlan | None, recorder: Recorder, store: Store | None
    ) -> None:
        """Answer the question, and put the end of the run on record whatever becomes of it."""
        began = time.perf_counter()

        def finish(error: AiroError | None, outcome: Outcome | None = None, *, leaving: bool = False) -> None:
            answer, sources = outcome or (None, ())
            status: Status = "done" if error is None else "failed"
            if isinstance(error, (Interrupted, UserAwaited)):
                status = "interrupted"
            seconds, failure = time.perf_counter() - began, record_of(error) if error else None
            recorder(RunFinished(status, answer, sources, recorder.run.usage, seconds, failure))
            if leaving and store is not None:  # by an exception: nothing is awaited any more
                store.flush()

        try:
            if store is not None:  # the run is accepted: a power cut does not take that back
                await in_thread(store.flush)
            answering = self._answer(question, plan, recorder, store)
            limit = self.policy.limit_seconds
            outcome = await (_in_time(answering, limit) if limit else answering)
        except asyncio.CancelledError:
            hint = f"finish it: airo resume {recorder.run.id}" if store is not None else ""
            finish(Interrupted("the run was stopped", hint), leaving=True)
            raise
        except AiroError as error:
            finish(error)
        except Exception as error:
            # A bug of ours or of a model object: it goes up as it is, and the record does not stay open.
            finish(AiroError(f"the run ended with an unforeseen {type(error).__name__}: {error}"), leaving=True)
            raise
        else:
            finish(None, outcome)

    async def _answer(
        self, question: str, plan: Plan | MakePlan | None, recorder: Recorder, store: Store | None
    ) -> Outcome:
        """Plan, run, conclude; and the same again with a new plan, as often as the policy lets the model write one."""
        age = self.policy.cache_seconds
        cache = ToolCache(store, age, self.tool_settings) if store and age else None
        reuse = Reuse(self.toolbox, cache, recorder.recall, recorder.past)
        budget = Budget(self.policy)
        for attempt in range(self.policy.replan + 1):
            try:
                # A refused plan that may be replaced, with all that is known by now, is not asked for again.
                retries = self.policy.model_retries if attempt == self.policy.replan else 0
                return await self._answer_once(question, plan, recorder, reuse, budget, retries)
            except (PlanError, ToolError) as error:
                if plan is not None or attempt == self.policy.replan or isinstance(error, UserAwaited):
                    if isinstance(error, PlanError) and (prose := prose_in(error)):
                        return await self._formed(question, (prose, ()), recorder)
                    raise
                reuse.remember(recorder.run, recorder.events)
                recorder(Replanned(attempt=attempt + 1, failure=record_of(error)))
        raise AssertionError("the last attempt returns or raises")

    async def _answer_once(
        self,
        question: str,
        plan: Plan | MakePlan | None,
        recorder: Recorder,
        reuse: Reuse,
        budget: Budget,
        retries: int,
    ) -> Outcome:
        ask = self.asking(recorder)
        async with Tasks() as tasks:
            execution = self.execution(question, recorder, reuse, ask, tasks, budget)
            if plan is None:
                plan = await write_plan(question, self.toolbox, ask, recorder, execution, reuse, retries)
                if execution.given_up:  # what was started for the plan before is not called for again
                    execution = execution.following(reuse.knowing_calls(recorder.events))
            elif not isinstance(plan, Plan):
                plan = await plan(recorder, ask, execution)
            else:
                text = plan.to_text()
                recorder(PlanWritten(text))
                recorder.parsed(plan, text)
            if self.check_plan is not None and recorder.known is None:
                await self.check_plan(plan)
            execution.add(*plan.steps)
        outcome = conclude(plan, execution, self.policy)
        return outcome if self.form is None else await self._formed(question, outcome, recorder)

    async def _formed(self, question: str, outcome: Outcome, recorder: Recorder) -> Outcome:
        """The answer in the form that is asked for; words that only say that there is none stay as they are."""
        answer, sources = outcome
        if self.form is None or not recorder.run.answers(answer):
            return outcome
        return await self.form.filled(question, answer, self.asking(recorder)), sources

    def asking(self, recorder: Recorder) -> Ask:
        """A way to ask the model that puts each call on record."""
        return ModelCalls(self.model, self.sampling, self.free, self.policy.max_tokens, recorder)

    def execution(
        self, question: str, recorder: Recorder, reuse: Reuse, ask: Ask, tasks: Tasks, budget: Budget | None = None
    ) -> Execution:
        """An execution to give steps to, which run among these tasks."""
        fetchers: list[Fetcher] = []

        def fetcher() -> Fetcher:
            if not fetchers:
                fetchers.append(Fetcher(allow_private=self.allow_private, documents=self.documents))
                tasks.at_end.append(fetchers[0].aclose)
            return fetchers[0]

        recall, keep = reuse.services
        kept = self._for_all_runs()
        services = Services(
            question,
            kept.tools,
            self.policy,
            recorder,
            ask,
            self.approve,
            fetcher,
            self.documents,
            self.tool_settings,
            recall,
            keep,
            plan_trusted=recorder.plan_trusted and not reuse.begun,
            plan_private=recorder.plan_private or plan_is_private(recorder.events, kept.tools),
            budget=budget,
            fit=partial(_fit, self.model, self.sampling, fetcher),
            bound=kept.bound,
        )
        return Execution(services, tasks, recorder.known)


async def _in_time(work: Awaitable[Outcome], limit: float) -> Outcome:
    try:
        async with asyncio.timeout(limit) as deadline:
            return await work
    except TimeoutError:
        if not deadline.expired():
            raise
        raise LimitReached(f"the run took longer than {limit:g} s", "raise it with --limit-seconds") from None


_SNIPPET, _MOST_READ = 2_000, 100_000  # characters: what a search shows of a document, and what is read of it


async def _fit(
    model: Model,
    sampling: Sampling | None,
    fetcher: Callable[[], Fetcher],
    blocks: Sequence[ContextBlock],
    instruction: str,
) -> Fitted:
    """The blocks cut to the model's window; a small model, which the style ``compact`` is for, reads the best lines."""
    if model.info.style == "compact":
        blocks = best_lines([await _whole(block, fetcher) for block in blocks], instruction)
    return await fit_to(model, sampling, blocks, instruction)


async def _whole(block: ContextBlock, fetcher: Callable[[], Fetcher]) -> ContextBlock:
    """The user's document in place of what a search showed of it: the line that answers may be another one."""
    url = dict(block.metadata).get("url", "")
    if not url.startswith("docs://") or len(block.text) > _SNIPPET:
        return block
    with contextlib.suppress(AiroError):  # it is gone, or cannot be read any more: what was shown of it remains
        page = await fetcher().page(url)
        return ContextBlock(page.text[:_MOST_READ], block.metadata) if page.text.strip() else block
    return block


def asked_question(question: str) -> str:
    """The question without the space around it; UsageError where no word, number or sign for one is left."""
    question = question.strip()
    if not any(unicodedata.category(character)[0] in "LNS" for character in question):
        raise UsageError("there is no question", 'ask one: airo "Who won the Nobel Prize in Literature in 2020?"')
    return question
