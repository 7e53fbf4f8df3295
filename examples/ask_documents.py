"""Answer a question from a folder of documents, and print the sources the answer is based on."""

from pathlib import Path

from airoagent import Agent

LIBRARY = Path(__file__).parent / "library"


def main() -> None:
    """Ask the library that comes with airoagent."""
    agent = Agent(docs=[LIBRARY])
    run = agent.run("Who won the Nobel Prize in Literature in 2020 and what is their most famous work?")
    print(run.answer)
    for source in run.sources:
        print(f"  {source.title}: {source.quote}")


if __name__ == "__main__":
    main()
