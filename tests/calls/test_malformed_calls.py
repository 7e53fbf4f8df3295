"""What becomes of malformed calls: one file each in tests/malformed/calls, the outcome in snapshots.json beside them.

``python -m tests.calls.test_malformed_calls`` writes the snapshots anew; read the difference before you commit it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airoagent import CallError, load_functions, parse_calls
from tests.calls.test_functions import CARD

FOLDER = Path(__file__).parents[1] / "malformed" / "calls"
SNAPSHOTS = FOLDER / "snapshots.json"
FUNCTIONS = load_functions(f"""{CARD}
resize:
  description: Changes the size of a picture.
  params:
    width: {{type: integer}}
    height: {{type: integer, required: false}}
    scale: {{type: number, required: false}}
    unit: {{enum: [px, cm], required: false}}
    crop: {{type: boolean, default: false}}
    label: {{type: string, required: false}}
    tags: {{type: array, items: {{type: string}}, required: false}}
report:
  parameters:
    region: Where
  date_range:
    start: The first day
    end: The last day
""")
FILES = sorted(FOLDER.glob("*.txt"))


def outcome(file: Path) -> dict[str, Any]:
    """The calls with their repairs, or the error with its findings."""
    format: Any = file.name.split(".")[1]
    text = file.read_text(encoding="utf-8")
    try:
        calls = parse_calls(text, FUNCTIONS, format)
    except CallError as error:
        return {"error": error.kind, "message": str(error), "findings": [_line(found) for found in error.diagnostics]}
    return {
        "calls": [{"function": call.function, "params": call.params} for call in calls],
        "repairs": [_line(found) for call in calls for found in call.diagnostics],
    }


def _line(found: Any) -> str:
    return f"{found.line}:{found.column} {found.kind}: {found.message}" + (
        f" -> {found.repair}" if found.repair else ""
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".txt"))
def test_a_malformed_call_is_read_or_refused_as_recorded(file: Path) -> None:
    snapshots = json.loads(SNAPSHOTS.read_text(encoding="utf-8"))
    assert outcome(file) == snapshots[file.name.removesuffix(".txt")]


def test_there_are_enough_of_them_and_no_snapshot_is_left_over() -> None:
    assert len(FILES) >= 60
    assert set(json.loads(SNAPSHOTS.read_text(encoding="utf-8"))) == {file.name.removesuffix(".txt") for file in FILES}


if __name__ == "__main__":
    made = {file.name.removesuffix(".txt"): outcome(file) for file in FILES}
    SNAPSHOTS.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
