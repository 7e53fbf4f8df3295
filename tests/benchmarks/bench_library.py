"""How many questions over examples/library the whole chain answers rightly with the built-in model.

    python tests/benchmarks/bench_library.py [dev|held_out|all] [-v]

A reply is right when it holds an accepted answer (each part's, for a question of two parts), as whole words, and cites
the page it stands on; a question that the library does not answer is right when the reply says so.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from airoagent import Agent, Run  # noqa: E402 - the checkout comes first on the path


def holds(text: str, accepted: list[str]) -> bool:
    """Whether one of the accepted answers stands in the text, as whole words."""
    return any(re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text, re.IGNORECASE) for answer in accepted)


def right(question: dict[str, object], run: Run) -> tuple[bool, bool]:
    """Whether the answer is right, and whether the page it stands on is cited."""
    answers, source = question["answers"], str(question["source"])
    text = run.answer or ""
    if not answers:
        return not run.sources and run.status == "done", True
    assert isinstance(answers, list)
    parts = answers if isinstance(answers[0], list) else [answers]
    return all(holds(text, part) for part in parts), any(found.url.endswith(source) for found in run.sources)


def main() -> None:
    """Print a table by kind of question."""
    wanted = next((arg for arg in sys.argv[1:] if not arg.startswith("-")), "all")
    questions = [
        question
        for name in ("library_questions", "more_questions")
        for question in json.loads((ROOT / f"tests/data/{name}.json").read_text(encoding="utf-8"))
    ]
    agent = Agent(docs=ROOT / "examples" / "library", store=False)
    table: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for question in questions:
        if wanted not in ("all", question["split"]):
            continue
        run = agent.run(question["question"])
        verdict = right(question, run)
        table[f"{question['split']} {question['kind']}"].append(verdict)
        table[f"{question['split']} (all)"].append(verdict)
        if "-v" in sys.argv and not all(verdict):
            print(f"{question['kind']}: {question['question']}\n   said {run.answer!r}, wanted {question['answers']}")
            print(f"   cited {[source.url for source in run.sources]}, wanted {question['source']}")
    for kind, verdicts in sorted(table.items()):
        answered, cited = (sum(column) for column in zip(*verdicts, strict=True))
        print(f"{kind:<26} right {answered:>3} of {len(verdicts):>3}   source {cited:>3}")


if __name__ == "__main__":
    main()
