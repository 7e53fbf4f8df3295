"""How many questions over examples/library, and over manuals, the whole chain answers rightly with the built-in model.

    python tests/benchmarks/bench_library.py [dev|held_out|all] [library|manuals] [-v]

A reply is right when it holds an accepted answer (each part's, for a question of two parts), as whole words, in 90
words a part at most; a question that the pages do not answer is right when the reply says so. A source is right when
the page that the answer is based on is cited. What it prints is a development figure: both splits of the questions
were looked at while the model was tuned. The manuals are those of Debian's packages python3.11-doc,
postgresql-doc-15 and sqlite3-doc (2,465 pages that nobody here wrote); where they are not installed their questions are
left out.
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

LIBRARY = (ROOT / "examples" / "library",)
MANUALS = tuple(Path("/usr/share/doc") / name for name in ("python3.11/html", "postgresql-doc-15/html", "sqlite3"))
SETS = {
    "library": (LIBRARY, ("library_questions", "more_questions", "fresh_questions")),
    "manuals": (MANUALS, ("technical_questions",)),
}
_MOST = 90  # words a part of a reply that is not a page read out


def holds(text: str, accepted: list[str]) -> bool:
    """Whether one of the accepted answers is in the text, as whole words."""
    return any(re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text, re.IGNORECASE) for answer in accepted)


def right(question: dict[str, object], run: Run) -> tuple[bool, bool]:
    """Whether the answer is right, and whether the page it is based on (one of several, () for any) is cited."""
    answers, source = question["answers"], question["source"]
    text = run.answer or ""
    if not answers:
        return not run.sources and run.status == "done", True
    assert isinstance(answers, list)
    parts = answers if isinstance(answers[0], list) else [answers]
    pages = tuple(source) if isinstance(source, list) else (str(source),)
    cited = any(found.url.endswith(pages or "") for found in run.sources)
    return len(text.split()) <= _MOST * len(parts) and all(holds(text, part) for part in parts), cited


def main() -> None:
    """Print a table by kind of question for each set of pages."""
    chosen = [arg for arg in sys.argv[1:] if arg in SETS] or list(SETS)
    wanted = next((arg for arg in sys.argv[1:] if not arg.startswith("-") and arg not in SETS), "all")
    for name in chosen:
        folders, files = SETS[name]
        if all(folder.is_dir() for folder in folders):
            measure(name, folders, files, wanted)
        else:
            print(f"{name}: left out, {', '.join(map(str, folders))} are not all here")


def measure(name: str, folders: tuple[Path, ...], files: tuple[str, ...], wanted: str) -> None:
    """Print the table of one set of pages."""
    questions = [
        question
        for file in files
        for question in json.loads((ROOT / f"tests/data/{file}.json").read_text(encoding="utf-8"))
    ]
    agent = Agent(docs=folders, store=False)
    table: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for question in questions:
        if wanted not in ("all", question["split"]):
            continue
        run = agent.run(question["question"])
        verdict = right(question, run)
        table[f"{name} {question['split']} {question['kind']}"].append(verdict)
        table[f"{name} {question['split']} (all)"].append(verdict)
        if "-v" in sys.argv and not all(verdict):
            print(f"{question['kind']}: {question['question']}\n   said {run.answer!r}, wanted {question['answers']}")
            print(f"   cited {[source.url for source in run.sources]}, wanted {question['source']}")
    for kind, verdicts in sorted(table.items()):
        answered, cited = (sum(column) for column in zip(*verdicts, strict=True))
        print(f"{kind:<34} right {answered:>3} of {len(verdicts):>3}   source {cited:>3}")


if __name__ == "__main__":
    main()
