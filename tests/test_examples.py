"""Every script in examples/ runs, is short, and prints what it promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
PROMISES = {
    "ask_documents.py": ["Louise Glück", "The Wild Iris"],
    "edit_plan.py": ["Lake Baikal", "406"],
    "own_tool.py": ["MMXX"],
    "watch_events.py": ["DocumentSearch", "Answer:"],
}


def test_every_script_is_promised_something() -> None:
    assert {file.name for file in EXAMPLES.glob("*.py")} == set(PROMISES)


@pytest.mark.parametrize("name", PROMISES)
def test_the_script_runs_and_is_short(name: str) -> None:
    file = EXAMPLES / name
    assert len(file.read_text(encoding="utf-8").splitlines()) < 40
    environ = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}  # a script's own folder is all that Python adds
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, timeout=60, env=environ)
    assert done.returncode == 0, done.stderr
    assert all(promise in done.stdout for promise in PROMISES[name])
