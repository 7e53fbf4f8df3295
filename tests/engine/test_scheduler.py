"""The engine: order, parallelism, failures, limits. Every wait here is for an event, never for the clock."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from airoagent import (
    Agent,
    Chunk,
    ModelInfo,
    Plan,
    PlanError,
    Policy,
    Prompt,
    Ref,
    Run,
    Step,
    Tool,
    ToolError,
    ToolOutput,
    UsageError,
    tool,
)
from airoagent.errors import LimitReached
from airoagent.events import AttemptFailed, StepCancelled, StepFinished, StepSkipped, StepStarted
from tests.running import make_agent, run_plan

CHAIN = "Plan: a\n:evidence0: = echo[one]\nPlan: b\n:evidence1: = echo[<:evidence0:>]\nAnswer: got :evidence1:\n"
FORK = (
    ":evidence0: = left[a]\n:evidence1: = right[b]\n:evidence2: = echo[:evidence0:+:evidence1:]\nAnswer: :evidence2:\n"
)


@tool
def echo(text: str) -> str:
    """Says what it is told."""
    return text


@tool
def fails(text: str) -> str:
    """Never works."""
    raise ValueError(f"no {text}")


def test_evidence_goes_where_it_is_referred_to() -> None:
    run = run_plan(CHAIN, echo)
    assert (run.status, run.answer) == ("done", "got <one>")
    assert run.evidence["evidence1"].text == "<one>"


def test_evidence_is_never_read_again_as_a_reference() -> None:
    plan = (
        ":evidence0: = echo[x]\n:evidence1: = trap[y]\n:evidence2: = echo[:evidence1: :evidence0:]\nAnswer: :evidence2:"
    )

    @tool
    def trap(text: str) -> str:
        """Writes a reference."""
        return ":evidence0: {evidence0} %s [bold]"

    assert run_plan(plan, echo, trap).answer == ":evidence0: {evidence0} %s [bold] x"


def test_steps_that_need_nothing_of_each_other_run_together() -> None:
    both_started = threading.Barrier(2, timeout=10)

    @tool
    def left(text: str) -> str:
        """Waits for the right."""
        both_started.wait()
        return text

    @tool
    async def right(text: str) -> str:
        """Waits for the left."""
        await asyncio.to_thread(both_started.wait)
        return text

    assert run_plan(FORK, left, right, echo).answer == "a+b"


def test_a_step_does_not_wait_for_steps_it_does_not_need() -> None:
    reached = threading.Event()

    @tool
    def slow(text: str) -> str:
        """Ends only when the second step of the other branch has run."""
        assert reached.wait(10)
        return "slow"

    @tool
    def mark(text: str) -> str:
        """Lets the slow one end."""
        reached.set()
        return text

    plan = (
        ":evidence0: = slow[a]\n:evidence1: = echo[b]\n:evidence2: = mark[:evidence1:]\nAnswer: :evidence0: :evidence2:"
    )
    assert run_plan(plan, slow, mark, echo).answer == "slow b"


def test_a_forward_reference_is_a_reference() -> None:
    plan = ":evidence0: = echo[<:evidence1:>]\n:evidence1: = echo[x]\nAnswer: :evidence0:"
    assert run_plan(plan, echo).answer == "<x>"


def test_a_failed_step_is_no_evidence_and_what_needs_it_is_not_run() -> None:
    plan = ":evidence0: = fails[luck]\n:evidence1: = echo[:evidence0:]\n:evidence2: = echo[:evidence1:]\n"
    run = run_plan(plan, fails, echo)
    assert run.status == "failed" and run.answer is None and run.evidence == {}
    assert run.failure is not None and run.failure.exit_code == 5
    assert "evidence0 (fails) failed: fails raised ValueError: no luck" in run.failure.message
    assert "not run because of it: evidence1, evidence2" in run.failure.message
    assert [event.step for event in run.events if isinstance(event, StepSkipped)] == ["evidence1", "evidence2"]
    assert isinstance(run.error, ToolError)


def test_a_sibling_of_a_failed_step_keeps_its_result() -> None:
    failed = threading.Event()

    @tool
    def right(text: str) -> str:
        """Ends after the other has failed."""
        assert failed.wait(10)
        return text

    @tool
    def left(text: str) -> str:
        """Fails."""
        raise ToolError("no")

    run_agent = make_agent(FORK, left, right, echo, eager=False)
    run = run_agent.run("q", watch=lambda event: failed.set() if event.type == "step_failed" else None)
    assert run.status == "failed" and run.evidence["evidence1"].text == "b"


def test_on_error_skip_answers_where_the_answer_does_not_need_what_failed() -> None:
    plan = ":evidence0: = fails[a]\n:evidence1: = echo[b]\n:evidence2: = echo[:evidence1:]\nAnswer: :evidence2:"
    assert run_plan(plan, fails, echo, on_error="skip").answer == "b"
    assert run_plan(plan, fails, echo, on_error="stop").status == "failed"
    broken = plan.replace("Answer: :evidence2:", "Answer: :evidence0:")
    assert run_plan(broken, fails, echo, on_error="skip").status == "failed"


def test_on_error_tell_lets_the_next_step_know() -> None:
    plan = ":evidence0: = fails[luck]\n:evidence1: = echo[:evidence0:]\nAnswer: :evidence1:"
    run = run_plan(plan, fails, echo, on_error="tell")
    assert run.status == "done" and run.answer == "(fails failed: fails raised ValueError: no luck)"
    assert "evidence0" in run.failed


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_tool_that_hangs_is_given_up(kind: str) -> None:
    release = threading.Event()

    async def hang_async(text: str) -> str:
        """Hangs."""
        await asyncio.Event().wait()
        return text

    def hang_sync(text: str) -> str:
        """Hangs."""
        release.wait(30)
        return text

    hang = tool("hang", timeout=0.05)(hang_async if kind == "async" else hang_sync)
    run = run_plan(":evidence0: = hang[x]\nAnswer: :evidence0:", hang)
    release.set()
    assert run.failure is not None and run.failure.kind == "ToolTimeout" and run.failure.exit_code == 5
    assert "did not answer within 0.05 s" in run.failure.message


def test_ten_megabytes_of_evidence_are_kept() -> None:
    @tool
    def big(text: str) -> str:
        """Returns a lot."""
        return "x" * 10_000_000

    run = run_plan(":evidence0: = big[x]\n:evidence1: = echo[:evidence0:!]\nAnswer: done", big, echo)
    assert run.status == "done" and len(run.evidence["evidence1"].text) == 10_000_001


def test_more_evidence_than_the_limit_fails_the_step() -> None:
    run = run_plan(CHAIN, echo, max_evidence=2)
    assert run.failure is not None and run.failure.exit_code == LimitReached.default_exit_code


def _raise(error: BaseException) -> str:
    raise error


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (lambda: b"a", "returned bytes; a tool returns text"),
        (lambda: ToolOutput(3), "whose text is int"),
        (lambda: _raise(StopIteration("x")), "raised StopIteration: x"),
        (lambda: _raise(SystemExit(3)), "raised SystemExit: 3"),
        (lambda: _raise(KeyboardInterrupt()), "raised KeyboardInterrupt"),
        (lambda: _raise(RecursionError("deep")), "RecursionError: deep"),
    ],
)
def test_whatever_a_sync_tool_does_wrong_is_one_clear_failure(result, told: str) -> None:  # type: ignore[no-untyped-def]
    @tool
    def odd(text: str) -> str:
        """Does something wrong."""
        return result()  # type: ignore[no-any-return]

    run = run_plan(":evidence0: = odd[x]\nAnswer: :evidence0:", odd)
    assert run.status == "failed" and run.failure is not None and told in run.failure.message


def test_an_async_tool_can_neither_cancel_the_run_nor_end_the_program() -> None:
    @tool
    async def cancels(text: str) -> str:
        """Cancels itself."""
        raise asyncio.CancelledError

    @tool
    async def exits(text: str) -> str:
        """Ends the program."""
        raise SystemExit(3)

    for odd, told in ((cancels, "cancelled itself"), (exits, "tried to exit the program")):
        run = run_plan(f":evidence0: = {odd.name}[x]\nAnswer: :evidence0:", odd)
        assert run.status == "failed" and run.failure is not None and told in run.failure.message


def test_a_number_is_text() -> None:
    @tool
    def count(text: str) -> int:
        """Counts."""
        return 42

    assert run_plan(":evidence0: = count[x]\nAnswer: :evidence0:", count).answer == "42"


def test_a_failure_that_may_pass_is_tried_again_and_each_try_is_on_record() -> None:
    tries: list[int] = []

    @tool
    def flaky(text: str) -> str:
        """Works the third time."""
        tries.append(1)
        if len(tries) < 3:
            raise ToolError("busy", retryable=True, retry_after=0.0)
        return text

    run = run_plan(":evidence0: = flaky[x]\nAnswer: :evidence0:", flaky)
    assert run.answer == "x" and len(tries) == 3
    assert [e.attempt for e in run.events if isinstance(e, AttemptFailed)] == [1, 2]
    assert [e.attempt for e in run.events if isinstance(e, StepStarted)] == [1, 2, 3]
    tries.clear()
    assert run_plan(":evidence0: = flaky[x]\nAnswer: :evidence0:", flaky, retries=1).status == "failed"


def test_a_failure_that_will_not_pass_is_not_tried_again() -> None:
    run = run_plan(":evidence0: = fails[x]\nAnswer: :evidence0:", fails, retries=5)
    assert not any(isinstance(event, AttemptFailed) for event in run.events)


def test_the_run_ends_at_its_limit_of_seconds_with_its_record_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    timeout, limits = asyncio.timeout, []

    def seen(delay: float | None) -> asyncio.Timeout:
        limits.append((delay, timeout(delay)))
        return limits[-1][1]

    @tool
    async def hang(text: str) -> str:
        """Hangs until the run's time is up, which comes at once."""
        (limit,) = [one for delay, one in limits if delay == 3600]
        limit.reschedule(asyncio.get_running_loop().time())
        await asyncio.Event().wait()
        return text

    monkeypatch.setattr(asyncio, "timeout", seen)
    plan = ":evidence0: = echo[a]\n:evidence1: = hang[:evidence0:]\nAnswer: :evidence1:"
    run = run_plan(plan, echo, hang, limit_seconds=3600)
    assert run.status == "failed" and isinstance(run.error, LimitReached) and run.evidence["evidence0"].text == "a"


def test_a_cancelled_run_is_interrupted_on_record_and_leaves_nothing_running() -> None:
    started = asyncio.Event()
    cleaned: list[str] = []

    @tool
    async def hang(text: str) -> str:
        """Hangs until it is cancelled."""
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(text)
        return text

    events = []

    async def main() -> None:
        agent = make_agent(":evidence0: = hang[x]\nAnswer: :evidence0:", hang)
        before = asyncio.all_tasks()
        task = asyncio.create_task(agent.arun("q", watch=events.append))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() <= before | {task}

    asyncio.run(main())
    assert cleaned == ["x"]
    assert events[-1].type == "run_finished" and events[-1].status == "interrupted"
    assert events[-1].failure.exit_code == 130


def test_a_tool_with_side_effects_is_not_called_unless_approved() -> None:
    sent: list[str] = []

    @tool(side_effects=True)
    def send(text: str) -> str:
        """Sends something."""
        sent.append(text)
        return "sent"

    plan = ":evidence0: = send[mail]\nAnswer: :evidence0:"
    refused = run_plan(plan, send)
    assert isinstance(refused.error, UsageError) and sent == []

    async def yes(step, tool, input) -> bool:  # type: ignore[no-untyped-def]
        return input == "mail"

    async def no(step, tool, input) -> bool:  # type: ignore[no-untyped-def]
        return False

    assert run_plan(plan, send, approve=no).status == "failed" and sent == []
    assert run_plan(plan, send, approve=yes).answer == "sent" and sent == ["mail"]


def test_a_yes_that_comes_after_the_run_was_stopped_calls_nothing() -> None:
    sent: list[str] = []

    @tool(side_effects=True)
    async def send(text: str) -> str:
        """Sends something."""
        sent.append(text)
        return "sent"

    async def main() -> None:
        asked = asyncio.Event()

        async def late(step, tool, input) -> bool:  # type: ignore[no-untyped-def]
            asked.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return True

        agent = make_agent("", send, approve=late)
        task = asyncio.create_task(agent.aexecute(Plan((Step("evidence0", "", "send", ("mail",)),))))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert sent == []


def test_a_session_whose_limits_are_changed_runs_with_these_and_records_them() -> None:
    agent, plan = make_agent("", echo), Plan((Step("evidence0", "", "echo", ("x",)),))
    assert agent.execute(plan).setting("max_calls") == "0"
    agent.session.policy = Policy(max_calls=1)
    two = Plan((*plan.steps, Step("evidence1", "", "echo", ("y",))))
    run = agent.execute(two)
    assert run.setting("max_calls") == "1" and isinstance(run.error, LimitReached)


def test_no_more_tools_are_called_at_once_than_the_limit() -> None:
    running = 0
    most = 0

    @tool
    async def count(text: str) -> str:
        """Counts how many run beside it."""
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(5):
            await asyncio.sleep(0)
        running -= 1
        return text

    plan = "".join(f":evidence{i}: = count[{i}]\n" for i in range(20)) + "Answer: :evidence19:"
    assert run_plan(plan, count, concurrency=3, eager=False).status == "done"
    assert most == 3


def test_two_hundred_steps_in_a_chain_and_in_a_fan_give_what_they_should() -> None:
    chain = ":evidence0: = echo[x]\n" + "".join(f":evidence{i}: = echo[:evidence{i - 1}:.]\n" for i in range(1, 200))
    assert run_plan(chain + "Answer: :evidence199:", echo).answer == "x" + "." * 199
    fan = "".join(f":evidence{i}: = echo[{i}]\n" for i in range(200))
    join = ":evidence200: = echo[" + "".join(f":evidence{i}:" for i in range(200)) + "]\nAnswer: :evidence200:"
    assert run_plan(fan + join, echo).answer == "".join(map(str, range(200)))


def test_events_tell_the_story_in_order() -> None:
    run = run_plan(CHAIN, echo, eager=False)
    assert [event.type for event in run.events] == [
        "run_started",
        "model_called",
        "plan_written",
        "plan_parsed",
        "step_started",
        "step_finished",
        "step_started",
        "step_finished",
        "run_finished",
    ]
    assert all(e.seconds >= 0 for e in run.events if isinstance(e, StepFinished))


def test_a_policy_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Policy().retries = 3  # type: ignore[misc]


class Dictated:
    """A model that writes a plan piece by piece, each when it is told to."""

    info = ModelInfo("dictated", "test", None, "none")

    def __init__(self) -> None:
        self.pieces: asyncio.Queue[str | None] = asyncio.Queue()

    def wrap(self, prompt: str) -> str:
        return prompt

    def count_tokens(self, text: str) -> int:
        return len(text)

    async def stream(self, prompt: Prompt) -> AsyncIterator[Chunk]:
        while (piece := await self.pieces.get()) is not None:
            yield Chunk(piece)
        yield Chunk("", "stop")

    async def aclose(self) -> None:
        return


def dictate(*tools: Tool, eager: bool = True, model_retries: int = 1) -> tuple[Dictated, Agent]:
    model = Dictated()
    return model, Agent(model, tools, store=False, policy=Policy(eager=eager, model_retries=model_retries))


def test_a_step_starts_while_the_rest_of_the_plan_is_still_being_written() -> None:
    async def main() -> list[str]:
        started = asyncio.Event()

        @tool
        async def begin(text: str) -> str:
            """Tells that it has begun."""
            started.set()
            return text

        model, agent = dictate(begin, echo)
        task = asyncio.create_task(agent.arun("q"))
        model.pieces.put_nowait("Plan: a\n:evidence0: = begin[one]\n")
        await asyncio.wait_for(started.wait(), 10)
        model.pieces.put_nowait(":evidence1: = echo[:evidence0: two]\nAnswer: :evidence1:")
        model.pieces.put_nowait(None)
        run = await task
        assert run.answer == "one two"
        return [event.type for event in run.events]

    types = asyncio.run(main())
    assert types.index("plan_part") < types.index("step_started") < types.index("plan_written")


def test_a_step_with_side_effects_waits_for_the_whole_plan() -> None:
    async def main() -> list[str]:
        @tool(side_effects=True)
        def send(text: str) -> str:
            """Sends something."""
            return text

        async def yes(step: Step, tool: Tool, input: str) -> bool:
            return True

        model = Dictated()
        agent = Agent(model, [send, echo], store=False, approve=yes)
        seen: list[str] = []
        task = asyncio.create_task(agent.arun("q", watch=lambda event: seen.append(event.type)))
        model.pieces.put_nowait(":evidence0: = send[x]\n:evidence1: = echo[y]\nAnswer: :evidence0:")
        while "step_finished" not in seen:
            await asyncio.sleep(0)
        assert seen.count("step_started") == 1
        model.pieces.put_nowait(None)
        assert (await task).answer == "x"
        return seen

    assert asyncio.run(main()).count("step_started") == 2


def test_what_has_started_is_cancelled_on_record_when_the_plan_turns_out_unusable() -> None:
    async def main() -> Run:
        started = asyncio.Event()

        @tool
        async def hang(text: str) -> str:
            """Hangs."""
            started.set()
            await asyncio.Event().wait()
            return text

        model, agent = dictate(hang, echo, model_retries=0)
        task = asyncio.create_task(agent.arun("q"))
        model.pieces.put_nowait(":evidence0: = echo[kept]\n:evidence1: = hang[:evidence0:]\nPlan: and\n")
        await asyncio.wait_for(started.wait(), 10)
        model.pieces.put_nowait(":evidence1: = echo[again]\nAnswer: :evidence1:")
        model.pieces.put_nowait(None)
        return await task

    run = asyncio.run(main())
    assert isinstance(run.error, PlanError) and run.error.kind == "duplicate_id"
    assert run.evidence["evidence0"].text == "kept"
    assert [event.step for event in run.events if isinstance(event, StepCancelled)] == ["evidence1"]
    assert run.events[-1].type == "run_finished"


def test_what_was_started_of_a_plan_that_is_then_revised_is_no_evidence_of_the_new_one() -> None:
    async def main() -> Run:
        begun = asyncio.Event()

        @tool
        async def begin(text: str) -> str:
            """Starts."""
            begun.set()
            return text

        model, agent = dictate(begin, echo)
        task = asyncio.create_task(agent.arun("q"))
        model.pieces.put_nowait(":evidence0: = begin[old]\nAnswer: :evidence0:\n\n")
        await asyncio.wait_for(begun.wait(), 10)
        model.pieces.put_nowait("Here is the revised plan:\n:evidence0: = echo[new]\nAnswer: :evidence0:")
        model.pieces.put_nowait(None)
        return await task

    run = asyncio.run(main())
    assert (run.status, run.answer) == ("done", "new")


def test_the_same_call_is_made_once_and_both_steps_have_it_on_record() -> None:
    calls: list[str] = []
    together = threading.Event()

    @tool
    def count(text: str) -> str:
        """Counts its calls."""
        calls.append(text)
        together.wait(0.05)  # lets the second step arrive while this call goes on; it need not
        return f"{text}{len(calls)}"

    plan = ":evidence0: = count[x]\n:evidence1: = count[x]\n:evidence2: = count[y]\n:evidence3: = echo[x]\n"
    run = run_plan(plan + ":evidence4: = count[:evidence3:]\nAnswer: :evidence0: :evidence1: :evidence4:", count, echo)
    assert sorted(calls) == ["x", "y"] and run.answer == " ".join([run.evidence["evidence0"].text] * 3)
    origins = {event.step: event.origin for event in run.events if isinstance(event, StepFinished)}
    assert sorted(origins.values()) == ["call", "call", "call", "shared", "shared"]


def test_steps_that_share_a_failed_call_fail_alike_and_side_effects_are_never_shared() -> None:
    run = run_plan(":evidence0: = fails[x]\n:evidence1: = fails[x]\nAnswer: :evidence1:", fails, eager=False)
    assert set(run.failed) == {"evidence0", "evidence1"}
    sent: list[str] = []

    @tool(side_effects=True)
    def send(text: str) -> str:
        """Sends."""
        sent.append(text)
        return "sent"

    async def yes(step: Step, tool: Tool, input: str) -> bool:
        return True

    assert run_plan(":evidence0: = send[x]\n:evidence1: = send[x]\nAnswer: :evidence1:", send, approve=yes).answer
    assert sent == ["x", "x"]


def test_nothing_is_left_running_after_a_run_of_every_kind_of_failure() -> None:
    release = threading.Event()

    @tool(timeout=0.05)
    def blocks(text: str) -> str:
        """Blocks its thread."""
        release.wait(30)
        return text

    @tool(timeout=0.05)
    async def waits(text: str) -> str:
        """Waits for ever."""
        await asyncio.Event().wait()
        return text

    async def main() -> tuple[int, int]:
        plan = (
            ":evidence0: = blocks[a]\n:evidence1: = waits[b]\n:evidence2: = fails[c]\n:evidence3: = echo[d]\n"
            ":evidence4: = echo[:evidence0: :evidence1: :evidence2: :evidence3:]\nAnswer: :evidence4:"
        )
        run = await make_agent(plan, blocks, waits, fails, echo, on_error="skip").arun("q")
        assert run.status == "failed" and set(run.failed) == {"evidence0", "evidence1", "evidence2"}
        assert run.evidence["evidence3"].text == "d"
        return len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir()))

    asyncio.run(main())  # imports, caches and the like
    threads = threading.active_count()
    tasks, files = asyncio.run(main())
    assert asyncio.run(main())[1] <= files
    release.set()
    for thread in threading.enumerate():
        if thread.name.startswith("airoagent "):
            thread.join(10)
    assert tasks == 1, "only the test's own"
    assert threading.active_count() <= threads


def test_a_thousand_runs_at_once_in_one_process() -> None:
    async def main() -> list[Run]:
        agent = make_agent("", echo)
        plan = Plan((Step("evidence0", "", "echo", ("a",)), Step("evidence1", "", "echo", (Ref("evidence0"), "b"))))
        return await asyncio.gather(*(agent.aexecute(plan) for _ in range(1000)))

    assert {run.answer for run in asyncio.run(main())} == {"ab"}
