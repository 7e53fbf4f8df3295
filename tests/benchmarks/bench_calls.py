"""What reading and checking a call costs, as ratios in one run: python tests/benchmarks/bench_calls.py

- a clean JSON call compared with ``json.loads`` plus pydantic-core's compiled validator (target: 30 times, 50 us)
- the same in a code fence compared with ``json.loads`` of what is in it (target: 10 us)
- a clean YAML call compared with PyYAML's C loader, which checks nothing (target: 4 times)
- a broken call compared with json_repair, which checks nothing (target: 1; left out where it is not installed)
- hostile texts compared with the same of half the length (about 2: linear)
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from airoagent import CallError, load_functions, parse_calls

FUNCTIONS = load_functions(Path(__file__).resolve().parents[1] / "data" / "call_functions.yaml")
SMALL = {"function": "resize_image", "params": {"file": "a.png", "width": 640, "height": 480}}
NESTED = {
    "function": "sales_report",
    "params": {"region": "north", "format": "pdf", "date_range": {"start": "2023-01-01", "end": "2023-03-31"}},
}
LONG = {"function": "send_email", "params": {"to": "ann@example.org", "subject": "News", "body": "All is well. " * 300}}
BROKEN = {
    "single quotes, comma, chatter": "Sure!\n{'function': 'resize_image', 'params': {'file': 'a.png', 'width': 640,},}",
    "bare keys, comment, fence": '```json\n{function: "resize_image", // it\nparams: {file: "a.png", width: 640}}\n```',
    "cut": '{"function": "sales_report", "params": {"region": "north", "date_range": {"start": "2023", "end": "2024"',
    "long text, single quotes": (
        "{'function': 'send_email', 'params': {'to': 'a@b.c', 'body': '" + "All is well. " * 300 + "'}}"
    ),
}
ROUNDS = 40


def compare(ours: Callable[[], Any], theirs: Callable[[], Any], target: float, what: str) -> None:
    """Time both in turn, so that whatever else the machine does falls on both."""
    times: list[tuple[float, float]] = []
    count = max(1, int(0.004 / _seconds(ours, 3)))
    for _ in range(ROUNDS):
        times.append((_seconds(ours, count), _seconds(theirs, count)))
    us, them = (statistics.median(column) * 1e6 for column in zip(*times, strict=True))
    ratio = statistics.median(one / other for one, other in times)
    print(f"{what:46} {us:9.1f} us  against {them:9.1f} us   ratio {ratio:5.2f} (target {target})")


def _seconds(function: Callable[[], Any], count: int) -> float:
    start = time.process_time()
    for _ in range(count):
        function()
    return (time.process_time() - start) / count


def validators() -> dict[str, Any]:
    """pydantic-core validators for the three calls."""
    from pydantic_core import SchemaValidator
    from pydantic_core import core_schema as core

    def record(**fields: Any) -> Any:
        return core.typed_dict_schema(
            {name: core.typed_dict_field(schema, required=not name.endswith("_")) for name, schema in fields.items()},
            extra_behavior="forbid",
        )

    text, integer = core.str_schema(strict=True), core.int_schema(strict=True)
    params = {
        "resize_image": record(file=text, width=integer, height=integer),
        "sales_report": record(
            region=core.literal_schema(["north", "south", "east", "west"]),
            format=core.literal_schema(["pdf", "csv", "html"]),
            date_range=record(start=text, end=text),
        ),
        "send_email": record(to=text, subject=text, body=text),
    }
    return {
        name: SchemaValidator(record(function=core.literal_schema([name]), params=inner))
        for name, inner in params.items()
    }


def clean() -> None:
    """Clean calls in both formats."""
    import yaml

    from airoagent.calls.yaml_text import write_yaml

    compiled = validators()
    for name, call in {"small": SMALL, "nested": NESTED, "long": LONG}.items():
        text = json.dumps(call, indent=2)
        validate = compiled[str(call["function"])].validate_python
        assert parse_calls(text, FUNCTIONS)[0].diagnostics == ()
        compare(
            lambda text=text: parse_calls(text, FUNCTIONS),
            lambda text=text, validate=validate: validate(json.loads(text)),
            30.0,
            f"JSON, clean, {name} ({len(text)} characters)",
        )
        fenced = f"```json\n{text}\n```"
        compare(
            lambda fenced=fenced: parse_calls(fenced, FUNCTIONS),
            lambda text=text: json.loads(text),
            10.0,
            f"JSON in a fence, {name}",
        )
    if not yaml.__with_libyaml__:
        print("YAML: PyYAML has no C loader here, nothing to compare with")
        return
    for name, call in {"small": SMALL, "nested": NESTED, "long": LONG}.items():
        text = write_yaml(call)
        assert parse_calls(text, FUNCTIONS, "yaml")[0].diagnostics == ()
        compare(
            lambda text=text: parse_calls(text, FUNCTIONS, "yaml"),
            lambda text=text: yaml.load(text, Loader=yaml.CSafeLoader),
            4.0,
            f"YAML, clean, {name} ({len(text)} characters)",
        )


def broken() -> None:
    """Broken calls, read and checked, compared with json_repair, which only reads."""
    try:
        import json_repair
    except ImportError:
        print("broken calls: json_repair is not installed, nothing to compare with (pip install json_repair)")
        return
    for name, text in BROKEN.items():
        assert parse_calls(text, FUNCTIONS)[0].diagnostics
        compare(
            lambda text=text: parse_calls(text, FUNCTIONS),
            lambda text=text: json_repair.loads(text),
            1.0,
            f"broken: {name}",
        )


def linear() -> None:
    """How the time grows with the length of hostile texts."""
    hostile = {
        'of {"': lambda n: '{"' * n,
        "of [": lambda n: "[" * n,
        "of quotes": lambda n: '{"function": "' + "it's " * n,
        "keys": lambda n: (
            '{"function": "roll_dice", "params": {' + ", ".join(f'"k{i}": 1' for i in range(n // 4)) + "}}"
        ),
        "YAML keys": lambda n: "function: roll_dice\nparams:\n" + "".join(f"  k{i}: 1\n" for i in range(n // 4)),
    }
    for name, make in hostile.items():
        half, whole = make(20_000), make(40_000)
        compare(
            lambda whole=whole: _refused(whole),
            lambda half=half: _refused(half),
            2.0,
            f"hostile, {name}, twice the length",
        )


def _refused(text: str) -> None:
    with contextlib.suppress(CallError):
        parse_calls(text, FUNCTIONS, "yaml" if text.startswith("function:") else "json")


if __name__ == "__main__":
    clean()
    broken()
    linear()
