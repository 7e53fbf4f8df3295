"""Look at a plan before it runs, change one step, and run the changed plan."""

from dataclasses import replace
from pathlib import Path

from airoagent import Agent


def main() -> None:
    """Plan for one question, then ask the same about another lake."""
    agent = Agent(docs=[Path(__file__).parent / "library"])
    plan = agent.plan("How deep is Lake Baikal?")
    print(plan.to_text())
    steps = tuple(
        replace(
            step, template=tuple(p.replace("Baikal", "Superior") if isinstance(p, str) else p for p in step.template)
        )
        for step in plan.steps
    )
    print(agent.execute(replace(plan, steps=steps)).answer)


if __name__ == "__main__":
    main()
