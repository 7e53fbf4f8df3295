"""The corpus of slips in `tests/malformed`, and what the parser makes of each.

`NAME.txt` is a text as a model writes it; beside it, `NAME.json` says what it means: question, steps, answer and
findings, or the kind of error. A text whose name begins with ``cut_`` was cut off at the token limit. After a wanted
change, write the snapshots anew and read every difference:

    python -m tests.plan.malformed --write
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from airoagent.errors import Diagnostic, PlanError
from airoagent.plan.parser import PlanParser

FOLDER = Path(__file__).resolve().parents[1] / "malformed"
TOOLS = ("DuckDuckGo", "TextScraper", "HyperlinkExtractor", "KnowledgeModel")


def texts() -> list[Path]:
    """The texts of the corpus."""
    return sorted(FOLDER.glob("*.txt"))


def read(path: Path) -> str:
    """A text, its line ends as they are."""
    return path.read_bytes().decode("utf-8")


def snapshot(name: str, text: str) -> str:
    """What a text means, as the JSON that stands beside it."""
    parser = PlanParser(TOOLS)
    parser.feed(text)
    found: dict[str, object]
    try:
        plan = parser.finish(truncated=name.startswith("cut_"))
    except PlanError as error:
        found = {"error": error.kind, "message": error.message, "findings": list(map(_line, error.diagnostics))}
    else:
        steps = [
            {
                "id": step.id,
                "thought": step.thought,
                "tool": step.tool,
                "input": step.input,
                "depends_on": list(step.depends_on),
                "line": step.line,
            }
            for step in plan.steps
        ]
        found = {
            "question": plan.question,
            "steps": steps,
            "answer": plan.answer,
            "findings": list(map(_line, plan.diagnostics)),
        }
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def _line(finding: Diagnostic) -> str:
    return f"{finding.line}:{finding.column} {finding.kind}: {finding.message} [{finding.repair}]"


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        raise SystemExit(__doc__)
    for path in texts():
        path.with_suffix(".json").write_text(snapshot(path.stem, read(path)), encoding="utf-8")
    print(f"{len(texts())} snapshots written; read the differences before you keep them")
