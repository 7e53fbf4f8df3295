"""Follow a run as it happens: the plan as it is written, then every step."""

import asyncio
from pathlib import Path

from airoagent import Agent
from airoagent.events import AnswerText, PlanText, StepFinished


async def main() -> None:
    """Print the plan's text and one line per step."""
    agent = Agent(docs=[Path(__file__).parent / "library"])
    async for event in agent.stream("Where do otters sleep?"):
        match event:
            case PlanText():
                print(event.text, end="")
            case StepFinished():
                print(f"{event.step} {event.tool}: {len(event.evidence.text)} characters in {event.seconds:.2f} s")
            case AnswerText():  # in pieces, as the model writes it
                print(event.text, end="", flush=True)
            case _:
                continue


if __name__ == "__main__":
    asyncio.run(main())
