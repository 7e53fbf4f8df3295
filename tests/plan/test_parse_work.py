"""The parser's work grows with the text: counted, not timed.

Counted are the calls of every function and the characters that are handed to be looked at: windows, slices of the
text, and the buffer that each chunk is added to.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from airoagent.errors import PlanError
from airoagent.plan.open_input import TextBuffer
from airoagent.plan.parser import PlanParser
from airoagent.plan.scanner import StatementReader

TOOLS = ("DuckDuckGo", "KnowledgeModel")

GARBAGE: dict[str, Callable[[int], str]] = {
    "brackets": lambda size: "[" * size,
    "open step and brackets": lambda size: "#E1 = DuckDuckGo[" + "[" * size,
    "closed step and brackets": lambda size: "#E1 = DuckDuckGo[" + "]" * size,
    "half references": lambda size: ":evidence" * (size // 9),
    "references in an input": lambda size: "#E1 = DuckDuckGo[" + "#E1" * (size // 3) + "]",
    "one line": lambda size: "a" * size,
    "one thought": lambda size: "Plan: " + "a " * (size // 2),
    "nesting": lambda size: "#E1 = DuckDuckGo[" + "[" * (size // 2) + "]" * (size // 2),
    "heads on a line": lambda size: "#E1 = DuckDuckGo[" * (size // 17),
    "closed steps on a line": lambda size: "#E1 = DuckDuckGo[x] " * (size // 20),
    "half heads": lambda size: "#E1 = " * (size // 6),
    "plan lines": lambda size: "Plan: x\n" * (size // 8),
    "plan words": lambda size: "Plan:" * (size // 5),
    "newlines": lambda size: "\n" * size,
    "carriage returns": lambda size: "\r" * size,
    "CR LF": lambda size: "\r\r\n" * (size // 3),
    "an input of lines": lambda size: "#E1 = DuckDuckGo[" + "a: b]c\n" * (size // 7),
    "objects": lambda size: '{"a":' * (size // 5),
    "braces and lines": lambda size: "{\n" * (size // 2),
    "blanks in an object": lambda size: "{" + " \n" * (size // 2),
    "object lines": lambda size: '{"tool": "x"}\n' * (size // 14),
    "answer lines": lambda size: "#E1 = DuckDuckGo[x]\nAnswer: a\n" + "b\n" * (size // 2),
    "chatter after": lambda size: "#E1 = DuckDuckGo[x]\nAnswer: #E1\n" + "b\n" * (size // 2),
    "clean steps": lambda size: "".join(f"Plan: a\n:evidence{n}: = DuckDuckGo[b]\n" for n in range(size // 40)),
    "steps with a slip": lambda size: "".join(f"Plan: a\n:evidence{n} = DuckDuckGo[b]\n" for n in range(size // 40)),
    "fields": lambda size: "Tool: DuckDuckGo\nInput: x\n" * (size // 26),
    "half fields": lambda size: "a b c d e f: " * (size // 13) + "\n" + "Tool: " * (size // 6),
    "rows": lambda size: "| tool | input |\n" + "| DuckDuckGo | x |\n" * (size // 19),
    "thoughts": lambda size: "<think>\n" * (size // 8),
    "repeated steps": lambda size: "#E1 = DuckDuckGo[x]\n" * (size // 20),
    "quotes": lambda size: '#E1 = DuckDuckGo["' + '"' * size + "]",
    "plus signs": lambda size: '#E1 = DuckDuckGo["a"' + '+"a"' * (size // 4) + "]",
    "bare ids": lambda size: "E1 = DuckDuckGo[E0] " * (size // 20),
    "results": lambda size: "#E1 = DuckDuckGo[x]\n" + "#E1 = a\nResult: b\n" * (size // 18),
    "revisions": lambda size: "#E1 = DuckDuckGo[x]\nRevised plan:\n" * (size // 34),
    "signs in thoughts": lambda size: "<think>" + "> " * (size // 2),
    "dollars": lambda size: '1. DuckDuckGo("' + "$1 $2" * (size // 5) + '")',
}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Counts characters that are looked at."""
    total = [0]

    def counting(kind: type, name: str) -> None:
        plain = getattr(kind, name)

        def count(self: Any, *args: Any) -> Any:
            result = plain(self, *args)
            total[0] += len(result)
            return result

        monkeypatch.setattr(kind, name, count)

    counting(TextBuffer, "slice")
    counting(StatementReader, "_window")
    plain_read = StatementReader.read

    def read(self: StatementReader, chunk: str) -> Any:
        result = plain_read(self, chunk)
        total[0] += len(self._buffer)
        return result

    monkeypatch.setattr(StatementReader, "read", read)
    yield total


def work(chunks: list[str], seen: list[int]) -> int:
    """Calls made and characters seen in reading the chunks."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    seen[0] = 0
    parser = PlanParser(TOOLS)
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        for chunk in chunks:
            parser.feed(chunk)
        parser.finish()
    except PlanError:
        pass
    finally:
        sys.setprofile(before)
    return calls + seen[0]


@pytest.mark.parametrize("name", GARBAGE)
@pytest.mark.parametrize("cut", [1, 1_000_000], ids=["characters", "whole"])
def test_twice_the_text_is_twice_the_work(name: str, cut: int, seen: list[int]) -> None:
    size = 3_000
    small, large = GARBAGE[name](size), GARBAGE[name](4 * size)
    first = work([small[at : at + cut] for at in range(0, len(small), cut)], seen)
    second = work([large[at : at + cut] for at in range(0, len(large), cut)], seen)
    assert second <= 5 * first + 2_000  # four times the text; a square would be sixteen times the work


@pytest.mark.parametrize("name", GARBAGE)
def test_a_character_costs_no_more_than_a_bounded_look_back(name: str, seen: list[int]) -> None:
    text = GARBAGE[name](6_000)
    assert work(list(text), seen) <= 1_300 * len(text)
