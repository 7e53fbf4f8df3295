"""Traces of any wrong shape: refused with the line that is wrong, or read and then used without a surprise."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import pytest

from airoagent import AiroError, Run, StoreError
from airoagent.recorded.export import instruct_lines, saved_plan
from airoagent.recorded.replaying import replay
from airoagent.records import run_record as record
from airoagent.records.run_record import read_trace, trace_lines
from airoagent.view.page import render_page

ROOT = Path(__file__).parents[2]
TRACES = sorted([*(ROOT / "plans").glob("*.jsonl"), *(ROOT / "tests" / "data" / "traces").glob("*.jsonl")])
ODD: list[Any] = [None, True, 0, -1, 1e308, 10**400, "", "x", "\ud800", "\x00", "evidence0", [], [[]], {}, ["a"], [1]]
CUTS = ["", ":", "[", "]", "\n", "=", "#E1", ":evidence9:", "\ud83d"]


def read(lines: list[bytes]) -> Run:
    return Run.from_events(read_trace(trace_lines(io.BytesIO(b"\n".join(lines)))))


def changed(value: Any, chance: random.Random) -> Any:
    """The JSON value with one thing in it changed."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        kind = chance.random()
        if kind < 0.15:
            return {name: item for name, item in value.items() if name != key}
        return {**value, key: chance.choice(list(value.values())) if kind < 0.3 else changed(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.7:
        at = chance.randrange(len(value))
        return [*value[:at], changed(value[at], chance), *value[at + 1 :]]
    if isinstance(value, str) and value and chance.random() < 0.4:
        at = chance.randrange(len(value))
        return value[:at] + chance.choice(CUTS) + value[at + chance.randint(0, 3) :]
    return chance.choice(ODD)


def damaged(lines: list[bytes], chance: random.Random) -> list[bytes]:
    """The trace with one or two things wrong with it."""
    lines = list(lines)
    for _ in range(chance.randint(1, 2)):
        at, kind = chance.randrange(len(lines)), chance.random()
        if kind < 0.1 and len(lines) > 1:
            del lines[at]
        elif kind < 0.2:
            other = chance.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        elif kind < 0.25:
            lines.insert(chance.randrange(len(lines)), lines[at])
        elif kind < 0.3:
            lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]
        elif kind < 0.35 and lines[at]:
            byte = chance.randrange(len(lines[at]))
            lines[at] = lines[at][:byte] + bytes([chance.randrange(256)]) + lines[at][byte + 1 :]
        elif kind < 0.38:
            lines[at] = b'{"type":' * 5000
        elif kind < 0.4:
            lines[at] = b'{"type": "run_resumed", "run": ' + b"[" * 900 + b"]" * 900 + b"}"
        elif kind < 0.43:
            lines = lines[: at + 1]
        else:
            try:
                lines[at] = json.dumps(changed(json.loads(lines[at]), chance)).encode()
            except (ValueError, RecursionError):  # damaged already
                continue
    return lines


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("file", TRACES, ids=lambda file: file.stem)
def test_a_trace_with_anything_wrong_in_it_is_refused_or_used_without_a_surprise(
    file: Path, ordered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every verb for a run meets errors of ours only; ``ordered=False`` is how the store reads its own runs."""
    if not ordered:
        monkeypatch.setattr(record.Reading, "_misplaced", lambda self, event: "")
    whole = file.read_bytes().splitlines()
    assert read(whole).events
    refused = 0
    for seed in range(120):
        try:
            run = read(damaged(whole, random.Random(seed)))
        except StoreError as error:
            assert error.exit_code == 6
            assert "line " in error.message or "trace" in error.message
            refused += 1
            continue
        assert json.dumps(run.to_json()) and render_page(run) and list(instruct_lines(run)) is not None
        for use in (replay, saved_plan):
            try:
                use(run)
            except AiroError as error:
                assert error.exit_code in (4, 6)
    assert 20 < refused < 120


@pytest.mark.parametrize("type", ["step_started", "step_finished", "plan_parsed", "plan_written", "model_called"])
@pytest.mark.parametrize("file", TRACES[:3], ids=lambda file: file.stem)
def test_a_trace_that_lacks_a_line_is_no_success(file: Path, type: str) -> None:
    lines = file.read_bytes().splitlines()
    at = next((at for at, line in enumerate(lines) if f'"type": "{type}"'.encode() in line), None)
    if at is None or type == "model_called":
        at = 0  # the header
    with pytest.raises(StoreError) as caught:
        replay(read([*lines[:at], *lines[at + 1 :]]))
    assert caught.value.exit_code == 6


def test_the_line_is_named_that_is_too_long_not_utf8_nested_too_deep_or_no_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    header, start, *rest = TRACES[0].read_bytes().splitlines()
    monkeypatch.setattr(record, "_LONGEST_LINE", 200_000)
    for line, told in (
        (b"\xff\xfe", "line 3 of the trace is not UTF-8"),
        (b'"' + b"x" * 300_000 + b'"', "line 3 of the trace is longer than"),
        (b"[" * 100_000, "line 3 of the trace is not JSON"),
        (b'{"type": "plan_text", "text": "x", "at": NaN}', "line 3 of the trace is not JSON"),
        (b'{"type": "plan_text", "text": "x", "at": 1e999}', "line 3 of the trace holds float where at is float"),
        (b'{"type": "plan_text", "text": "x", "at": 1e15}', "line 3 of the trace has a time outside the years 1 to"),
        (b'{"type": "unheard_of"}', "line 3 of the trace is not an event"),
        (start, "line 3 of the trace is not where it belongs"),
        (b'{"type": "plan_parsed", "text": "no plan", "at": 1}', "line 3 of the trace cannot be read"),
    ):
        with pytest.raises(StoreError, match=told):
            read([header, start, line, *rest])
