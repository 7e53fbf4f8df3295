"""``airo eval``: figures on stdout, a line for each question in a file, and a comparison."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Airo


def test_the_command_prints_the_figures_writes_the_rows_and_compares(airo: Airo, tmp_path: Path) -> None:
    file, out = tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    rows = [
        {"question": "How deep is Lake Baikal?", "answers": ["1,642"], "source": "baikal"},
        {"question": "When does the lease end?", "answers": ["3 May 2027"], "context": "The lease ends on 3 May 2027."},
        {"question": "What colour is the door?", "context": "The lease ends on 3 May 2027."},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    told = airo("eval", file, "--docs", "examples/library", "--out", out)
    assert told.code == 0 and "3 questions, extractive" in told.out and "holds" in told.out
    written = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["id"] for row in written} == {"1", "2", "3"} and all(row["holds"] for row in written[:2])
    again = airo("eval", file, "--docs", "examples/library", "--against", out, "--json")
    assert again.code == 0 and json.loads(again.out)["against"]["out"]["gain_in_holds"]["mean"] == 0
    assert airo("eval", file, "--against", file).code == 2
