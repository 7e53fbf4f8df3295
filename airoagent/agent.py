"""From a question to a finished run: the only place that knows the whole order.

question -> prompt -> model -> text -> plan -> steps -> evidence -> answer, every event on its way to the record, the
`Run` and whoever watches. All of it is written once, async; the sync methods run it in a thread of their own, so they
also work where an event loop is already running (a notebook).
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

from airoagent import settings
from airoagent.engine import fork as forking
from airoagent.engine import function_call
from airoagent.engine import replay as replaying
from airoagent.engine import resume as resuming
from airoagent.engine.cache import ToolCache
from airoagent.engine.conclusion import conclude
from airoagent.engine.crew import Crew, first_of
from airoagent.engine.door import run_in_thread
from airoagent.engine.given import Texts, plan_about, with_texts
from airoagent.engine.history import settings_rows
from airoagent.engine.host import MakePlan
from airoagent.engine.planning import write_plan
from airoagent.engine.policy import Approve, Policy, Services, checked_policy
from airoagent.engine.record import Run
from airoagent.engine.recorder import Beginning, Recorder
from airoagent.engine.results import record_of
from airoagent.engine.reuse import Reuse
from airoagent.engine.run import Execution
from airoagent.engine.store import Store, new_run_id
from airoagent.errors import AiroError, Interrupted, LimitReached, ModelError, PlanError, ToolError, UsageError
from airoagent.events import (
    Event,
    ModelCalled,
    PlanWritten,
    Progress,
    Replanned,
    RunFinished,
    Source,
    Status,
    StepText,
    Usage,
)
from airoagent.language.grammar import Grammar
from airoagent.language.plan import Plan, Step
from airoagent.models.base import Completion, Finish, Model, Prompt, Purpose, Sampling
from airoagent.models.catalog import open_model
from airoagent.models.stopping import bounded
from airoagent.models.window import fit_to
from airoagent.toolbox.addresses import AllowList
from airoagent.toolbox.background import in_thread
from airoagent.toolbox.documents import Documents
from airoagent.toolbox.fetch import Fetcher
from airoagent.toolbox.loader import find_tools
from airoagent.toolbox.mcpservers import open_servers
from airoagent.toolbox.offering import offered_tools
from airoagent.toolbox.tool import Tool, Toolbox

__all__ = ["Agent"]

Watch = Callable[[Event], None]


class Agent:
    """Answers questions with a model, a plan and tools.

    ``model`` is what ``-m`` takes on the command line (``extractive``, a Hugging Face name or folder, an alias,
    ``scripted:FILE``) or any object with the `Model` methods. ``tools`` are the tools a plan may call: names of known
    tools, functions, or `Tool` objects (KnowledgeModel, which only asks the model, is always among them); None means
    the usual ones (those the models know) and the user's own, ``"+Calculator"`` adds one to these. ``docs`` are
    folders to search in place of the web, unless ``web`` is asked for too. ``policy`` sets limits and what a failure
    does; ``store`` keeps records (True: the user's store, a path: that file, False: none); ``approve`` is asked
    before a tool with side effects is called (None: it is refused). ``mcp_servers`` are servers whose tools are used
    too; they are ended by `close`.
    ``free`` lets a local model write without being held to a grammar.

    Raises UsageError and ModelError for arguments that cannot work; what goes wrong later is told by the `Run`.
    """

    def __init__(
        self,
        model: str | Model = "extractive",
        tools: Sequence[str | Tool | Callable[..., Any]] | None = None,
        *,
        tool_paths: Sequence[str | Path] = (),
        docs: Sequence[str | Path] | str | Path = (),
        web: bool = False,
        options: Mapping[str, str] | None = None,
        sampling: Sampling | None = None,
        policy: Policy | None = None,
        store: bool | str | Path | Store = True,
        approve: Approve | None = None,
        tool_settings: Mapping[str, str] | None = None,
        allow_private: Sequence[str] = (),
        mcp_servers: Sequence[settings.McpServer] = (),
        free: bool = False,
    ) -> None:
        self.policy = checked_policy(policy or Policy())
        self.sampling = sampling
        self.free = free
        self._approve = approve or _refuse
        self._tool_settings = dict(tool_settings or {})
        self._allow_private = tuple(allow_private)
        AllowList(self._allow_private)  # what is malformed is told now, not after the plan
        folders = [docs] if isinstance(docs, str | Path) else list(docs)
        self.documents = Documents([Path(folder) for folder in folders], settings.cache_folder()) if folders else None
        self._watching: list[Watch] = []
        self.model: Model = (
            open_model(model, options=options or {}, sampling=sampling, progress=self._progress)
            if isinstance(model, str)
            else model
        )
        self._servers = open_servers(mcp_servers)
        found = find_tools(
            [Path(path) for path in tool_paths], config_folder=settings.config_folder(), more=self._servers.tools
        )
        self.broken_tools = (*found.broken, *self._servers.broken)
        self.toolbox = offered_tools(found.toolbox, tools, bool(folders), web)
        self._all_tools = found.toolbox if tools is None else self.toolbox
        self._store = store
        self._opened: Store | None = None
        self.beside = ""  # a text to be kept beside the record of each run, on this machine alone

    # The three ways to ask -------------------------------------------------------------------------------------

    def run(self, question: str, *, context: Texts = (), watch: Watch | None = None) -> Run:
        """Answer a question; ``watch`` sees each event as it happens. Ctrl-C ends the run cleanly, then goes on up.

        With ``context``, a text or several by name, it is answered from that alone: no plan is written.
        """
        return run_in_thread(lambda: self.arun(question, context=context, watch=watch))

    async def arun(self, question: str, *, context: Texts = (), watch: Watch | None = None) -> Run:
        """The same, to be awaited."""
        if not context and not isinstance(context, str):  # an empty text is one, and nothing else is asked instead
            return await self._drive(question, None, watch)
        plan, texts = plan_about(context)
        return await with_texts(self, texts)._drive(_checked(question), plan, watch)

    async def stream(self, question: str) -> AsyncIterator[Event]:
        """The run's events as they happen; leaving the loop early stops the run."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        task = asyncio.create_task(self._drive(question, None, queue.put_nowait))
        task.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (event := await queue.get()) is not None:
                yield event
            await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])

    # The two halves --------------------------------------------------------------------------------------------

    def plan(self, question: str, *, watch: Watch | None = None) -> Plan:
        """Only the plan, checked; PlanError if what the model wrote cannot be used. Nothing is run or recorded."""
        return run_in_thread(lambda: self.aplan(question, watch=watch))

    async def aplan(self, question: str, *, watch: Watch | None = None) -> Plan:
        """The same, to be awaited."""
        recorder = Recorder(new_run_id(), None, watch)
        return await write_plan(_checked(question), self.toolbox, self._ask, recorder)

    def execute(self, plan: Plan, *, question: str = "", watch: Watch | None = None) -> Run:
        """Run a plan; ``question`` is what it is for (its own ``Question:`` line by default)."""
        return run_in_thread(lambda: self._drive(question or plan.question, plan, watch))

    async def aexecute(self, plan: Plan, *, question: str = "", watch: Watch | None = None) -> Run:
        """The same, to be awaited."""
        return await self._drive(question or plan.question, plan, watch)

    # One function call; a chain of thought; code ---------------------------------------------------------------

    call = function_call.call
    acall = function_call.acall
    think = function_call.think
    athink = function_call.athink
    code = function_call.code
    acode = function_call.acode

    # Recorded runs --------------------------------------------------------------------------------------------

    replay = replaying.replay_of
    areplay = replaying.areplay_of
    resume = resuming.resume
    aresume = resuming.aresume
    rerun = forking.rerun
    arerun = forking.arerun
    fork = forking.fork
    afork = forking.afork

    @property
    def known_tools(self) -> Toolbox:
        """The tools a given plan may call: those offered, and every other known tool where none were named."""
        others = (tool for name, tool in self._all_tools.items() if name not in self.toolbox)
        return Toolbox([*self.toolbox.values(), *others])

    def without_record(self) -> Agent:
        """The same agent, keeping no record of what it runs."""
        other = copy.copy(self)
        other._store = False
        return other

    def close(self) -> None:
        """Give back what the model holds, end the MCP servers, and close the store."""
        self._servers.close()
        if self._opened is not None:
            self._opened.close()
        run_in_thread(self.model.aclose)

    # The whole order -------------------------------------------------------------------------------------------

    async def _drive(
        self, question: str, plan: Plan | MakePlan | None, watch: Watch | None, beginning: Beginning | None = None
    ) -> Run:
        if plan is None:
            question = _checked(question)
        store = self._open_store()
        careful = {tool.name for tool in self.known_tools.values() if tool.side_effects or not tool.repeatable}
        recorder = Recorder(new_run_id(), store, watch, beginning, careful)
        began = time.perf_counter()
        driving, loop = False, asyncio.get_running_loop()

        def heard(event: Event) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed: the run has ended meanwhile
                loop.call_soon_threadsafe(recorder, event)

        def finish(
            answer: str | None, sources: tuple[Source, ...], error: AiroError | None, leaving: bool = False
        ) -> None:
            recorder(_end(recorder.run, answer, sources, error, time.perf_counter() - began))
            if leaving and store is not None:  # by an exception: nothing is awaited any more
                store.flush()

        try:
            recorder.begin(question, self.model.info.name, tuple(self.known_tools), self._settings_on_record())
            if store is not None and self.beside:
                store.put_beside(recorder.run.id, self.beside)
            driving = True
            self._watching.append(heard)
            try:
                if store is not None:
                    await in_thread(store.flush)
                answer, sources = await self._answer(question, plan, recorder, store)
            except asyncio.CancelledError:
                hint = f"finish it: airo resume {recorder.run.id}" if store is not None else ""
                finish(None, (), Interrupted("the run was stopped", hint), leaving=True)
                raise
            except AiroError as error:
                finish(None, (), error)
            except Exception as error:
                # A bug of ours or of a model object: it goes up as it is, and the record does not stay open.
                bug = AiroError(f"the run ended with an unforeseen {type(error).__name__}: {error}")
                finish(None, (), bug, leaving=True)
                raise
            else:
                finish(answer, sources, None)
        finally:
            if heard in self._watching:
                self._watching.remove(heard)
            if store is not None and driving:  # a run that is refused because another drives it is that other's
                store.let_go(recorder.run.id)
        if store is not None:
            await in_thread(store.flush)
        return recorder.finished()

    async def _answer(
        self, question: str, plan: Plan | MakePlan | None, recorder: Recorder, store: Store | None
    ) -> tuple[str, tuple[Source, ...]]:
        """Plan, run, conclude; and the same again with a new plan, as often as the policy lets the model write one."""
        limit, age = self.policy.limit_seconds, self.policy.cache_seconds
        cache = ToolCache(store, age, self._tool_settings) if store and age else None
        reuse = Reuse(self.toolbox, cache, recorder.recall, recorder.events)
        try:
            async with asyncio.timeout(limit or None) as deadline:
                for attempt in range(self.policy.replan + 1):
                    try:
                        return await self._pass(question, plan, recorder, reuse)
                    except (PlanError, ToolError) as error:
                        if plan is not None or attempt == self.policy.replan:
                            raise
                        reuse.remember(recorder.run, recorder.events)
                        recorder(Replanned(attempt=attempt + 1, failure=record_of(error)))
        except TimeoutError:
            if not deadline.expired():
                raise
            raise LimitReached(f"the run took longer than {limit:g} s", "raise it with --limit-seconds") from None
        raise AssertionError("the last attempt returns or raises")

    async def _pass(
        self, question: str, plan: Plan | MakePlan | None, recorder: Recorder, reuse: Reuse
    ) -> tuple[str, tuple[Source, ...]]:
        async with self._executing(question, recorder, reuse) as execution:
            if plan is None:
                plan = await write_plan(question, self.toolbox, self._ask, recorder, execution, reuse)
            elif not isinstance(plan, Plan):
                plan = await plan(recorder)
            else:
                text = plan.to_text()
                recorder(PlanWritten(text=text))
                recorder.parsed(plan, text)
            execution.add(*plan.steps)
        return conclude(plan, execution, self.policy)

    @contextlib.asynccontextmanager
    async def _executing(self, question: str, recorder: Recorder, reuse: Reuse) -> AsyncIterator[Execution]:
        """An execution to give steps to; leaving the block waits for all of them, an error in it stops them."""

        async def ask(step: str, prompt: str, purpose: Purpose, grammar: Grammar | str) -> Completion:
            return await self._ask(
                step, prompt, purpose, recorder, lambda text: recorder(StepText(step=step, text=text)), grammar
            )

        fetch = Fetcher(allow_private=self._allow_private, documents=self.documents)
        services = Services(
            question,
            ask,
            self._approve,
            fetch,
            self.documents,
            self._tool_settings,
            *reuse.services,
            plan_trusted=recorder.plan_trusted and not reuse.begun,
            spent=reuse.spent,
            fit=partial(fit_to, self.model, self.sampling),
        )
        try:
            async with Crew() as crew:
                yield Execution(self.known_tools, services, self.policy, recorder, crew, recorder.known)
        except BaseExceptionGroup as errors:
            raise first_of(errors) from errors
        finally:
            await fetch.aclose()

    async def _ask(
        self,
        step: str,
        text: str,
        purpose: Purpose,
        recorder: Recorder,
        heard: Callable[[str], None],
        grammar: Grammar | str = "",
    ) -> Completion:
        """Ask the model; what it wrote goes on record also when it is stopped or fails half-way."""
        spent, most = recorder.run.usage, self.policy.max_tokens
        if most and spent.prompt_tokens + spent.completion_tokens >= most:
            raise LimitReached(
                f"the run's models have read and written {most:,} tokens, the limit", "raise --max-total-tokens"
            )
        pieces: list[str] = []
        finish: Finish | str = "cancelled"
        usage = Usage(calls=1)
        began = time.perf_counter()
        prompt = Prompt(text, purpose, sampling=self.sampling, grammar="" if self.free else grammar)
        try:
            async with aclosing(bounded(self.model.stream(prompt))) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    if chunk.text:
                        pieces.append(chunk.text)
                        heard(chunk.text)
                    usage = chunk.usage or usage
                    finish = chunk.finish or finish
            finish = "stop" if finish == "cancelled" else finish
        except ModelError:
            finish = "failed"
            raise
        finally:
            recorder(
                ModelCalled(
                    step=step,
                    purpose=purpose,
                    model=self.model.info.name,
                    prompt=self.model.wrap(text),
                    text="".join(pieces),
                    finish=finish,
                    usage=usage,
                    seconds=time.perf_counter() - began,
                )
            )
        return Completion("".join(pieces), "length" if finish == "length" else "stop", usage)

    def _progress(self, what: str, done: int, total: int) -> None:
        """The model tells how far it is with loading, from a thread of its own: every run that waits for it is told."""
        for watch in tuple(self._watching):
            watch(Progress(what=what, done=done, total=total))

    def _open_store(self) -> Store | None:
        """The store of all runs of this agent; opened again where its file is another one today."""
        if isinstance(self._store, Store):
            return self._store
        if self._store is False:
            return None
        path = settings.state_folder() / "runs.sqlite3" if self._store is True else Path(self._store)
        if self._opened is None or self._opened.path != path or not self._opened.is_open():
            self._opened = Store(path)
        return self._opened

    def _settings_on_record(self) -> tuple[tuple[str, str], ...]:
        addresses = () if self.documents is None else self.documents.addresses
        return settings_rows(self.policy, self.toolbox, addresses)


def _end(
    run: Run, answer: str | None, sources: tuple[Source, ...], error: AiroError | None, seconds: float
) -> RunFinished:
    status: Status = "interrupted" if isinstance(error, Interrupted) else "failed" if error else "done"
    failure = record_of(error) if error else None
    return RunFinished(status=status, answer=answer, sources=sources, usage=run.usage, seconds=seconds, failure=failure)


def _checked(question: str) -> str:
    question = question.strip()
    if not question:
        raise UsageError("there is no question", 'ask one: airo "Who won the Nobel Prize in Literature in 2020?"')
    return question


async def _refuse(step: Step, tool: Tool, input: str) -> bool:
    why = ", which has side effects and" if tool.side_effects else ", which"
    raise UsageError(
        f"{step.id} calls {tool.name}{why} needs your approval; nobody can be asked here",
        "run it in a terminal, or pass approve= to Agent",
    )
