"""What a run came to: the answer with its sources, or one sentence that says why there is none."""

from __future__ import annotations

from airoagent.engine.policy import Policy
from airoagent.engine.scheduler import Execution
from airoagent.errors import AiroError, UserAwaited
from airoagent.events import Evidence, Source
from airoagent.plan.evidence import fill
from airoagent.plan.plans import Plan
from airoagent.plan.steps import references


def conclude(plan: Plan, execution: Execution, policy: Policy) -> tuple[str, tuple[Source, ...]]:
    """The answer and its sources; raises what the run failed of where there is none."""
    template = plan.final_template
    found = execution.found
    if execution.failed and (policy.on_error == "stop" or any(id not in found for id in references(template))):
        raise _failure(plan, execution)
    parts, text = fill(template, found)
    sources = [source for part in parts if isinstance(part, Evidence) for source in part.sources]
    return text.strip(), tuple(dict.fromkeys([Source(one.url, one.title, one.quote) for one in sources]))


def _failure(plan: Plan, execution: Execution) -> AiroError:
    """One sentence: which step failed, of what, and what was not run because of it."""
    failed = [step for step in plan.steps if step.id in execution.failed]
    # What waits for the user comes first: the others are called again when the answer is there.
    failed.sort(key=lambda step: not isinstance(execution.failed[step.id], UserAwaited))
    first = execution.failed[failed[0].id]
    waits = isinstance(first, UserAwaited)
    text = f"{failed[0].id} ({failed[0].tool}) {'waits for the user' if waits else 'failed'}: {first.message}"
    if len(failed) > 1 and not waits:
        text += f"; so did {', '.join(step.id for step in failed[1:])}"
    if execution.skipped:
        ids = [step.id for step in plan.steps if step.id in execution.skipped]
        shown = ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
        text += f"; not run because of it: {shown}"
    # A tool may raise an error of a class of its own, which may be made in another way: it is told as one of ours.
    ours = next(kind for kind in type(first).__mro__ if kind.__module__ == AiroError.__module__)
    return ours(text, first.hint, first.exit_code)  # type: ignore[no-any-return]
