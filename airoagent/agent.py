"""From a question to a finished run: the only place that knows the whole order.

question -> prompt -> model -> text -> plan -> steps -> evidence -> answer, every event on its way to the record, the
`Run` and whoever watches. All of it is written once, async; the sync methods run it in a thread of their own, so they
also work where an event loop is already running (a notebook).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airoagent import settings
from airoagent.documents.library import Documents
from airoagent.engine.approval import ASK_USER
from airoagent.engine.context_texts import Texts, plan_about, with_texts
from airoagent.engine.planning import write_plan
from airoagent.engine.policy import Approve, Policy, checked_policy
from airoagent.engine.recorder import Recorder
from airoagent.engine.session import Records, Session, Watch, asked_question
from airoagent.engine.sync import run_in_thread, streamed, synchronous
from airoagent.errors import PrivateText, UsageError
from airoagent.events import Event, Progress
from airoagent.models.base import Model, Sampling
from airoagent.models.catalog import open_model
from airoagent.plan.plans import Plan
from airoagent.plan.steps import Step
from airoagent.records.run_record import Run
from airoagent.records.store import Store, new_run_id
from airoagent.toolbox.loader import Broken, find_tools
from airoagent.toolbox.mcp_servers import Servers
from airoagent.toolbox.offering import offered_tools
from airoagent.toolbox.tool import Tool, Toolbox
from airoagent.web.addresses import AllowList

if TYPE_CHECKING:  # and imported where they are used: a question needs none of them
    from airoagent.calls.call_parser import Format
    from airoagent.engine.structured import AnswerSchema
    from airoagent.prompts.thoughts import Thought


class Agent:
    """Answers questions with a model, a plan and tools.

    ``model`` is what ``-m`` takes on the command line (``extractive``, a Hugging Face name or folder, an alias,
    ``scripted:FILE``) or any object with the `Model` methods. ``tools`` are the tools a plan may call: names of known
    tools, functions, or `Tool` objects (KnowledgeModel, which only asks the model, is always added). None means the
    default tools and the user's own; ``"+Calculator"`` adds one to these. ``docs`` are folders or files to search
    instead of the web; with ``web``, both are searched. ``policy`` sets the limits and what happens on a failure.
    ``store`` keeps the records (True: the user's store, a path: that file, False: none). ``approve`` is asked before a
    tool with side effects is called and before private text leaves the machine (None: both are refused).
    ``mcp_servers`` are started when a plan may call their tools, and stopped by `close`. ``free`` lets a local model
    write without a grammar.

    What runs something has an asynchronous version with the same parameters, named with an ``a`` before: `arun`.

    Raises UsageError and ModelError for arguments that cannot work; the `Run` reports later failures.
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
        checked_policy(policy := policy or Policy())
        AllowList(allow_private)  # what is malformed is reported now, not after the plan
        folders = [docs] if isinstance(docs, str | Path) else list(docs)
        watchers: list[Watch] = []
        if isinstance(model, str):
            model = open_model(model, options=options or {}, sampling=sampling, progress=_told_to(watchers))
        found = find_tools([Path(path) for path in tool_paths], config_folder=settings.config_folder())
        self._found, self._servers = found, Servers(mcp_servers)
        named = [item for item in tools or () if isinstance(item, str)]
        unknown = any(name.removeprefix("+") not in found.toolbox for name in named)
        only_named = tools is not None and not any(name.startswith("+") for name in named)

        def offer(known: Toolbox) -> tuple[Toolbox, Toolbox]:
            """What the model is offered of these tools, and what a given plan may call besides."""
            offered = offered_tools(known, tools, folders, web, model.info.backend == "extractive")
            return offered, known if tools is None else offered

        def with_servers() -> tuple[Toolbox, Toolbox]:
            return offer(found.toolbox.extended(*self._servers.start(found.toolbox)))

        # A name that nobody here has may be a server's: that there is no such tool is said now, not after the plan.
        offered, known = with_servers() if unknown else offer(found.toolbox)
        self.session = Session(
            model,
            offered,
            known,
            policy,
            approve or _refuse,
            Records(store),
            sampling,
            free,
            Documents([Path(folder) for folder in folders], settings.cache_folder()) if folders else None,
            dict(tool_settings or {}),
            tuple(allow_private),
            watchers,
            pending=with_servers if self._servers.waiting and not only_named and not unknown else None,
        )

    @property
    def model(self) -> Model:
        """The model that is asked."""
        return self.session.model

    @property
    def policy(self) -> Policy:
        """The limits, and what happens on a failure."""
        return self.session.policy

    @property
    def documents(self) -> Documents | None:
        """The documents that are searched; None if there are none."""
        return self.session.documents

    @property
    def toolbox(self) -> Toolbox:
        """The tools that the model is offered. Starts the MCP servers."""
        return self.session.toolbox

    @property
    def known_tools(self) -> Toolbox:
        """The tools a given plan may call: those offered and, if none were named, every other known tool."""
        return self.session.known_tools

    def tools_for(self, plan: str) -> Toolbox:
        """The tools that the text of a plan may call; those of MCP servers only if it names a server."""
        named = any(name.lower() in plan.lower() for name in self._servers.names)
        return (self.session if named else self.session.needing(())).known_tools

    @property
    def broken_tools(self) -> tuple[Broken, ...]:
        """The tools that could not be loaded; problems of MCP servers are known once they have been started."""
        return (*self._found.broken, *self._servers.broken)

    def on_broken_tool(self, told: Callable[[Broken], None]) -> None:
        """Call ``told`` with what could not be loaded: at once, and when MCP servers are started."""
        for broken in self.broken_tools:
            told(broken)
        self._servers.told = told

    # The three ways to ask -------------------------------------------------------------------------------------

    async def arun(
        self, question: str, *, context: Texts = (), schema: AnswerSchema = None, watch: Watch | None = None
    ) -> Run:
        """Answer a question; ``watch`` gets each event as it happens. Ctrl-C ends the run cleanly, then propagates.

        With ``context`` (a text, or several by name), the question is answered from that alone, without a plan. With
        ``schema`` (a JSON schema, its file, or a pydantic model), the answer is JSON that is valid against it; if no
        answer was found, it stays in words.
        """
        session = self.session
        if schema is not None:
            from airoagent.engine.structured import answer_schema

            session = replace(session, form=answer_schema(schema))
        if not context and not isinstance(context, str):  # an empty text is one, and nothing else is asked instead
            return await session.run(question, watch=watch)
        plan, texts = plan_about(context)
        return await with_texts(session.needing(()), texts).run(asked_question(question), plan, watch)

    run = synchronous(arun)

    async def stream(self, question: str, *, schema: AnswerSchema = None) -> AsyncIterator[Event]:
        """Yield the run's events as they happen; leaving the loop early stops the run."""
        async with aclosing(streamed(lambda watch: self.arun(question, schema=schema, watch=watch))) as events:
            async for event in events:
                yield event

    # The two halves --------------------------------------------------------------------------------------------

    async def aplan(self, question: str, *, watch: Watch | None = None) -> Plan:
        """Write and check a plan, without running or recording it; PlanError if the model's text cannot be used."""
        question = asked_question(question)
        await asyncio.to_thread(self.session.start_servers)
        recorder = Recorder(new_run_id(), None, watch)
        ask, retries = self.session.asking(recorder), self.policy.model_retries
        return await write_plan(question, self.toolbox, ask, recorder, retries=retries)

    plan = synchronous(aplan)

    async def aexecute(self, plan: Plan, *, question: str = "", watch: Watch | None = None) -> Run:
        """Run a plan; ``question`` is what it answers (default: the plan's own ``Question:`` line)."""
        return await self.session.run(question or plan.question, plan, watch)

    execute = synchronous(aexecute)

    # One function call; a chain of thought; code ---------------------------------------------------------------

    async def acall(
        self,
        input: str,
        *,
        functions: Any = None,
        format: Format = "json",
        dry_run: bool = False,
        retries: int | None = None,
        watch: Watch | None = None,
    ) -> Run:
        """Let the model choose one of the functions for an input, check the call, and make it.

        ``functions`` is what `load_functions` takes (None: the available tools); one known only by its specification
        is carried out by the tool of the same name. ``format`` is what the model is asked for. With ``dry_run`` the
        answer is the call itself. ``retries`` is how often the model is asked again if its call cannot be
        used (None: as the policy says). Failures are reported by the `Run`. Raises UsageError and ModelError for
        arguments that cannot work.
        """
        from airoagent.engine import function_call

        return await function_call.call(
            self.session, input, functions=functions, format=format, dry_run=dry_run, retries=retries, watch=watch
        )

    call = synchronous(acall)

    async def athink(self, question: str, *, watch: Watch | None = None) -> Thought:
        """Ask for several solutions, their ranking and the best answer. Raises the run's error if it fails."""
        from airoagent.engine import function_call

        return await function_call.think(self.session, question, watch=watch)

    think = synchronous(athink)

    async def acode(self, prompt: str, *, watch: Watch | None = None) -> str:
        """Ask for code; returns only the code, ending in a newline. Raises the run's error if it fails."""
        from airoagent.engine import function_call

        return await function_call.code(self.session, prompt, watch=watch)

    code = synchronous(acode)

    # Recorded runs; each is named by its id, the beginning of one, or ``@last`` -------------------------------------

    async def areplay(self, run: str | Run, *, watch: Watch | None = None) -> Run:
        """Replay a run from its record alone; the answer (or failure) is the same byte for byte. Nothing is recorded.

        StoreError if the run has not ended, or if this version would do anything different.
        """
        from airoagent.recorded import replaying

        return await replaying.areplay(self.session.load(run), watch=watch)

    replay = synchronous(areplay)

    async def aresume(self, run: str | Run, *, watch: Watch | None = None) -> Run:
        """Finish an interrupted run; finished steps are not repeated. A run that is done is returned as it is.

        A call that was in progress when the run stopped is made again if its tool allows that. If not, or if another
        process is running the run, StoreError.
        """
        from airoagent.recorded import resuming

        return await resuming.resume(self.session, run, watch=watch)

    resume = synchronous(aresume)

    async def arerun(self, run: str | Run, *, from_step: str | None = None, watch: Watch | None = None) -> Run:
        """Call the steps of a recorded plan again in a new run; with ``from_step``, only it and what depends on it.

        The plan stays the same (for a new one, ask again). If the run never had a plan, its question is asked again.
        """
        from airoagent.recorded import forking

        return await forking.rerun(self.session, run, from_step=from_step, watch=watch)

    rerun = synchronous(arerun)

    async def afork(
        self,
        run: str | Run,
        *,
        edit: Mapping[str, str] | None = None,
        set: Mapping[str, str] | None = None,
        plan: str | Plan | None = None,
        model: str | Model | None = None,
        watch: Watch | None = None,
    ) -> Run:
        """Change a recorded run and repeat what the change affects, in a new run with this one as its parent.

        ``edit`` gives steps another input, ``set`` gives them evidence instead of a call, ``plan`` is another plan,
        ``model`` another model for the steps that ask one. Only what the change affects is called; the rest is
        recalled. UsageError for a step that does not exist, PlanError for an edit that makes the plan impossible.
        """
        from airoagent.recorded import forking

        return await forking.fork(self.session, run, edit=edit, set=set, plan=plan, model=model, watch=watch)

    fork = synchronous(afork)

    def close(self) -> None:
        """Release the model's resources, stop the MCP servers, and close the store."""
        self._servers.close()
        self.session.records.close()
        run_in_thread(self.model.aclose)


def _told_to(watchers: Sequence[Watch]) -> Callable[[str, int, int], None]:
    """How a model says how far it is with loading, from a thread of its own: to every run that waits for it."""

    def progress(what: str, done: int, total: int) -> None:
        for watch in tuple(watchers):
            watch(Progress(what=what, done=done, total=total))

    return progress


async def _refuse(step: Step, tool: Tool, input: str) -> bool:
    if tool.name == ASK_USER:
        raise UsageError(
            f"it asks the user {input[:200]!r}, and nobody can be asked here",
            "run it in a terminal, say it in the question, or pass approve= to Agent",
        )
    if tool.warning:
        raise PrivateText(f"{step.id} calls {tool.name}, {tool.warning}; nobody can be asked here", PrivateText.allow)
    why = ", which has side effects and" if tool.side_effects else ", which"
    raise UsageError(
        f"{step.id} calls {tool.name}{why} needs your approval; nobody can be asked here",
        "run it in a terminal, or pass approve= to Agent",
    )
