"""How often the built-in reader quotes the answer when it is given the right page and three wrong neighbours.

    python tests/benchmarks/bench_reader.py [-v]

Searching is left out (bench_library.py measures the whole chain): each question of tests/data/library_questions.json is
read over its own page and the three others of examples/library that share most words with it. An answer is right when
the one to three sentences quoted hold an accepted answer. Both splits were looked at when the weights were chosen.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from airoagent.documents.read_page import read_page  # noqa: E402 - as above
from airoagent.extractive.quotes import find_quotes  # noqa: E402 - the checkout comes first on the path
from airoagent.prompts.context_prompts import ContextBlock  # noqa: E402 - as above

LIBRARY = ROOT / "examples" / "library"
QUESTIONS = ROOT / "tests" / "data" / "library_questions.json"
ASK = " Source? Don't make up answers if you don't know."


def pages() -> dict[str, ContextBlock]:
    """The library's pages as blocks, by their path in it; the page of contents left out."""
    found = {}
    for path in sorted(LIBRARY.rglob("*.html")):
        name = path.relative_to(LIBRARY).as_posix()
        if name != "index.html":
            page = read_page(path.read_bytes(), "text/html", f"docs://library/{name}")
            found[name] = ContextBlock(page.text, (("url", page.url), ("title", page.title)))
    return found


def given(question: dict[str, Any], library: dict[str, ContextBlock]) -> list[ContextBlock]:
    """The question's page and the three others with most of its words, in an order that tells nothing."""
    source = question["source"]
    asked = set(re.findall(r"\w{4,}", question["question"].lower()))

    def shared(name: str) -> int:
        return len(asked & set(re.findall(r"\w{4,}", library[name].text.lower())))

    others = sorted((name for name in library if name != source), key=lambda name: (-shared(name), name))
    picked = ([source] if source in library else []) + others[:3]
    random.Random(question["question"]).shuffle(picked)
    return [library[name] for name in picked]


def holds(text: str, answers: list[Any]) -> bool:
    """Whether a text holds an accepted answer, of each part where there are two."""
    parts = answers if isinstance(answers[0], list) else [answers]
    return all(any(answer.lower() in text.lower() for answer in part) for part in parts)


def measure(split: str, verbose: bool = False) -> dict[str, int]:
    """Counts for one split: asked, held and declined answers, unanswerable questions and recognised ones."""
    library = pages()
    counts = dict.fromkeys(("asked", "held", "declined", "unanswerable", "recognised"), 0)
    for question in json.loads(QUESTIONS.read_text()):
        if question["split"] != split:
            continue
        text = " ".join(quote.text for quote in find_quotes(given(question, library), question["question"] + ASK))
        answers = question["answers"]
        if not answers:
            counts["unanswerable"] += 1
            counts["recognised"] += not text
            continue
        counts["asked"] += 1
        counts["declined"] += not text
        right = bool(text) and holds(text, answers)
        counts["held"] += right
        if verbose and not right and split == "dev":
            print(f"  {question['question']}\n    {text or 'declined'}  (wanted: {answers})")
    return counts


def main() -> None:
    """Print the table."""
    print("split      held               declined   unanswerable recognised   seconds")
    for split in ("dev", "held_out"):
        start = time.perf_counter()
        c = measure(split, "-v" in sys.argv)
        took = time.perf_counter() - start
        print(
            f"{split:9}  {c['held']:3} of {c['asked']:3} ({c['held'] / c['asked']:4.0%})  {c['declined']:3}"
            f"        {c['recognised']:3} of {c['unanswerable']:3}                 {took:6.1f}"
        )


if __name__ == "__main__":
    main()
