"""How long a run waits where the other side says when to come back."""

from __future__ import annotations

import pytest

from airoagent import Agent, Run, ScriptedModel, SearchBlocked, UsageError, tool
from airoagent.events import AttemptFailed
from tests.running import run_plan


def blocked(wait: float, **policy: float) -> tuple[Run, list[float]]:
    """A run whose search is refused the first time, and how long it waited for the second."""
    tries: list[int] = []

    @tool
    def search(query: str) -> str:
        """Searches."""
        tries.append(1)
        if len(tries) == 1:
            raise SearchBlocked("refused", retryable=True, retry_after=wait)
        return "found"

    run = run_plan(":evidence0: = search[x]\nAnswer: :evidence0:", search, **policy)
    return run, [event.retry_in for event in run.events if isinstance(event, AttemptFailed)]


def test_what_the_other_side_asks_for_is_waited() -> None:
    run, waited = blocked(0.01)
    assert (run.answer, waited) == ("found", [0.01])
    assert blocked(-5.0)[1] == [0.0]


@pytest.mark.parametrize("policy", [{"longest_wait": 59.0}, {"limit_seconds": 50.0}, {"longest_wait": 0.0}])
def test_a_wait_that_is_too_long_fails_at_once_with_the_reason(policy: dict[str, float]) -> None:
    run, waited = blocked(60.0, **policy)
    assert waited == []
    assert run.failure is not None and "refused" in run.failure.message and run.failure.exit_code == 5


@pytest.mark.parametrize("host", ["http://nas/", "nas:", "nas:99999", "", "[::1", "1.2.3.999"])
def test_a_host_that_cannot_be_opened_is_told_when_the_agent_is_made(host: str) -> None:
    with pytest.raises(UsageError):
        Agent(ScriptedModel([]), allow_private=[host], store=False)
