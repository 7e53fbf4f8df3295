"""What planning ahead saves: the same questions with a plan and in a think-act-observe loop, same model and tools.

    python tests/benchmarks/bench_react.py MODEL [QUESTIONS] [KEY=VALUE ...]       # smollm2 10 adapter=none threads=1

Questions of one part over examples/library. The second line is computed, not run: what a loop would take that made the
very calls of the plan, one a turn, without a mistake. A model that strays from the form takes more.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from airoagent import Agent, Run  # noqa: E402 - the checkout comes first on the path
from airoagent.evaluation.question_files import Question  # noqa: E402 - as above
from airoagent.evaluation.scores import Result, evaluate, summary  # noqa: E402 - as above
from airoagent.events import StepStarted  # noqa: E402 - as above
from airoagent.prompts.react_prompts import react_prompt  # noqa: E402 - as above


def questions(most: int) -> list[Question]:
    """Every second of the questions that have one part and an answer."""
    rows = json.loads((ROOT / "tests/data/library_questions.json").read_text(encoding="utf-8"))
    plain = [row for row in rows if row["answers"] and isinstance(row["answers"][0], str)]
    return [Question(str(n), row["question"], tuple(row["answers"])) for n, row in enumerate(plain[::2][:most], 1)]


def without_a_mistake(agent: Agent, run: Run) -> int:
    """The tokens that the loop would have taken for the calls of this run, and for the model calls of its tools."""
    tools = [(tool.name, tool.description) for tool in agent.toolbox.values()]
    inputs = {event.step: event.input for event in run.events if isinstance(event, StepStarted)}
    turns: list[tuple[str, str]] = []
    reader = run.account.get("reader")
    tokens = reader.prompt_tokens + reader.completion_tokens if reader else 0
    steps = [
        (
            step.thought,
            f"Action: {step.tool}\nAction Input: {inputs.get(step.id, '')[:200]}",
            run.evidence[step.id].text,
        )
        for step in (run.plan.steps if run.plan else ())
        if step.id in run.evidence
    ]
    for thought, act, found in [*steps, ("I know the answer.", f"Final Answer: {run.answer}"[:200], "")]:
        wrote = f"Thought: {thought}\n{act}"
        prompt = agent.model.wrap(react_prompt(run.question, tools, turns))
        tokens += agent.model.count_tokens(prompt) + agent.model.count_tokens(wrote)
        turns.append((wrote, found))
    return tokens


def row(name: str, results: Sequence[Result]) -> str:
    """A line of the table."""
    mean = {name: figure.mean for name, figure in summary(results).items()}
    parts = f"planner {mean['planner']:,.0f}, reader {mean['reader']:,.0f}, turns {mean['call']:,.0f}"
    right = sum(result.holds for result in results)
    return f"{name:<22} {mean['tokens']:>7,.0f} tokens a question ({parts})   right {right:.0f} of {len(results)}"


def main() -> None:
    """Print the table."""
    model, *rest = sys.argv[1:]
    most = int(rest.pop(0)) if rest and rest[0].isdigit() else 10
    options = dict(pair.split("=", 1) for pair in rest)
    with tempfile.TemporaryDirectory() as folder:
        agent = Agent(model, docs=[ROOT / "examples" / "library"], options=options, store=Path(folder) / "runs.sqlite3")
        asked = questions(most)
        planned = asyncio.run(evaluate(agent, asked, at_once=1))
        print(row("with a plan", planned), flush=True)
        bound = [without_a_mistake(agent, agent.session.load(one.run)) for one in planned if one.valid]
        print(f"{'loop without a mistake':<22} {sum(bound) / max(1, len(bound)):>7,.0f} tokens a question (computed)")
        if model != "extractive":  # which cannot follow the form
            print(row("think-act-observe loop", asyncio.run(evaluate(agent, asked, at_once=1, baseline=True))))


if __name__ == "__main__":
    main()
