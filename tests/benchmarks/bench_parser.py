"""How near the parser is to the bare limit, and whether time grows with the text.

    python tests/benchmarks/bench_parser.py

The bare limit is one compiled regular expression that finds the steps plus one that finds the references, over the
same text in the same run. Prints ratios; what counts is that they do not grow from 6 to 10,000 steps.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from airoagent.errors import PlanError
from airoagent.plan.parser import PlanParser, parse_plan

TOOLS = ("DuckDuckGo", "TextScraper", "HyperlinkExtractor", "KnowledgeModel")
STEPS = re.compile(r"Plan: (.*)\n:evidence(\d+): = (\w+)\[(.*)\]\n")
REFERENCES = re.compile(r":evidence(\d+):")
SIX = (
    (
        "Begin by conducting a web search for the winner.",
        "DuckDuckGo",
        "Nobel Prize in Literature winner after :evidence{a}:",
    ),
    ("Use the KnowledgeModel to find the name in the results.", "KnowledgeModel", "Who won it, given :evidence{a}:?"),
    ("Search for the most famous work of the laureate.", "DuckDuckGo", "Most famous work of :evidence{a}:"),
    ("Extract the relevant links from the search results.", "HyperlinkExtractor", ":evidence{a}:"),
    ("Read the pages behind the links.", "TextScraper", ":evidence{a}:"),
    ("Find the work in what was read.", "KnowledgeModel", "What is the work of :evidence{b}:, given :evidence{a}:?"),
)


def clean_plan(steps: int) -> str:
    """A plan as the model cards show it, of so many steps, each of which is used."""
    lines = []
    for at in range(steps):
        thought, tool, text = SIX[at % 6]
        text = text.format(a=at - 1, b=max(0, at - 4)) if at else "Nobel Prize in Literature 2020 winner"
        lines.append(f"Plan: {thought}\n:evidence{at}: = {tool}[{text}]\n")
    return "".join(lines) + f"Answer: :evidence{steps - 1}:\n"


def seconds(work: Callable[[], object], rounds: int, least: float = 0.02) -> float:
    """The best time of one call, each measured over at least ``least`` seconds."""
    best, calls = float("inf"), 1
    for _ in range(rounds):
        while True:
            start = time.process_time()
            for _ in range(calls):
                work()
            took = time.process_time() - start
            if took >= least:
                break
            calls *= 2
        best = min(best, took / calls)
    return best


def bare(text: str) -> None:
    """The bare limit."""
    STEPS.findall(text)
    REFERENCES.findall(text)


def one_by_one(text: str) -> None:
    """Read a text one character at a time."""
    parser = PlanParser(TOOLS)
    for character in text:
        parser.feed(character)
    finish(parser)


def finish(parser: PlanParser) -> None:
    """End a reading, whatever comes of it."""
    with suppress(PlanError):
        parser.finish()


def read(text: str) -> None:
    """Read a text that may be refused."""
    with suppress(PlanError):
        parse_plan(text, TOOLS)


def clean_plans() -> None:
    """Clean plans against the bare limit."""
    print(f"{'steps':>6} {'bare us/step':>13} {'parser':>8} {'ratio':>6} {'1 char':>7}")
    for steps in (6, 10, 100, 1_000, 10_000):
        text = clean_plan(steps)
        limit, ours = float("inf"), float("inf")
        for _ in range(15):  # in turn, so that both meet the same machine
            limit = min(limit, seconds(partial(bare, text), 1))
            ours = min(ours, seconds(partial(parse_plan, text, TOOLS), 1))
        each = [value / steps * 1e6 for value in (limit, ours, seconds(partial(one_by_one, text), 1))]
        print(f"{steps:>6} {each[0]:>13.2f} {each[1]:>8.2f} {ours / limit:>6.1f} {each[2]:>7.1f}")


def odd_texts() -> None:
    """A plan whose inputs end in a space, against the same without; 1.7 MB of steps that lack their sign (under 0.5 s).

    Without the space each step is read in one go; with it sign by sign.
    """
    text = clean_plan(100)
    spaced = re.sub(r"\]$", " ]", text, count=1, flags=re.MULTILINE)
    plain, odd = float("inf"), float("inf")
    for _ in range(15):
        plain = min(plain, seconds(partial(parse_plan, text, TOOLS), 1))
        odd = min(odd, seconds(partial(parse_plan, spaced, TOOLS), 1))
    print(f"100 steps, a space before one bracket: {odd / plain:.2f} times as long")
    unsigned = ":evidence0: DuckDuckGo[otters] " * 55_000
    half = unsigned[: len(unsigned) // 2]
    first, second = seconds(partial(read, half), 1, 0.001), seconds(partial(read, unsigned), 1, 0.001)
    print(f"{len(unsigned) / 1e6:.1f} MB of steps without =: {second:.2f} s, {second / first:.1f} times half of it")


GARBAGE: dict[str, Callable[[int], str]] = {
    "[ repeated": lambda size: "[" * size,
    "open step, [ repeated": lambda size: ":evidence0: = DuckDuckGo[" + "[" * size,
    "] repeated after a step": lambda size: ":evidence0: = DuckDuckGo[" + "]" * size,
    ":evidence repeated": lambda size: ":evidence" * (size // 9),
    ":evidence1: repeated": lambda size: ":evidence1:" * (size // 11),
    "references in an input": lambda size: ":evidence0: = DuckDuckGo[" + ":evidence " * (size // 10) + "]",
    "one line of letters": lambda size: "a" * size,
    "one thought": lambda size: "Plan: " + "word " * (size // 5),
    "deep nesting": lambda size: ":evidence0: = DuckDuckGo[" + "[" * (size // 2) + "]" * (size // 2) + "]",
    "heads on one line": lambda size: ":evidence0: = DuckDuckGo[" * (size // 25),
    "signs": lambda size: "$1*[" * (size // 4),
    "round brackets after a step": lambda size: ":evidence0: = DuckDuckGo[x] " + "a(" * (size // 2),
    "half heads": lambda size: ":evidence0: = " * (size // 14),
    "plan lines": lambda size: "Plan: x\n" * (size // 8),
    "plan words": lambda size: "Plan:" * (size // 5),
    "empty lines": lambda size: "\n" * size,
    "carriage returns": lambda size: "\r" * size,
    "spaces": lambda size: " " * size,
    "stars": lambda size: "*" * size,
    "quotes": lambda size: ':evidence0: = DuckDuckGo["' + '"' * size + "]",
    "plus signs": lambda size: ':evidence0: = DuckDuckGo["a"' + '+"a"' * (size // 4) + "]",
    "objects": lambda size: '{"a":' * (size // 5),
    "braces": lambda size: "{" * size,
    "object lines": lambda size: '{"tool": "x"\n' * (size // 13),
    "answer lines": lambda size: ":evidence0: = DuckDuckGo[x]\nAnswer: a\n" + "b\n" * (size // 2),
    "dots": lambda size: "...\n" * (size // 4),
    "brackets on lines": lambda size: "a(\n" * (size // 3),
    "fences": lambda size: "```python\n" * (size // 10),
    "headings": lambda size: "# a\n" * (size // 4),
    "unknown tools": lambda size: "".join(f"#E{at} = Foo{at}[x]\n" for at in range(size // 20)),
    "a list in an object": lambda size: '{"a": [' + "1," * (size // 2) + "1]}",
    "commas in an object": lambda size: '{"tool": "DuckDuckGo"' + "," * size + "}",
    "signs in thoughts": lambda size: "<think>" + ">" * size,
    "references in an answer": lambda size: "#E1 = DuckDuckGo[x]\nAnswer: " + "#e1 " * (size // 4),
    "revisions": lambda size: "#E1 = DuckDuckGo[x]\nRevised plan:\n" * (size // 34),
    "brackets and lines": lambda size: ("a(" * 16 + "\n") * (size // 33),
    "numbers and brackets": lambda size: "1.a( " * (size // 5),
    "CR LF steps": lambda size: "#E1 = DuckDuckGo[x]\r\n" * (size // 21),
    "emoji lines": lambda size: "\U0001f600:\n" * (size // 3),
}


def garbage() -> None:
    """Garbage of 425 kB and 1.7 MB: the ratio of the times is at most near 4, and no text takes more than 0.5 s."""
    print(f"\n{'garbage':>28} {'425 kB s':>9} {'1.7 MB s':>9} {'growth':>7}")
    for name, make in GARBAGE.items():
        small, large = make(425_000), make(1_700_000)
        first, second = seconds(partial(read, small), 1, 0.001), seconds(partial(read, large), 1, 0.001)
        print(f"{name:>28} {first:>9.3f} {second:>9.3f} {second / first:>7.1f}{' <- over 0.5 s' * (second > 0.5)}")


if __name__ == "__main__":
    clean_plans()
    odd_texts()
    if "--garbage" in sys.argv:
        garbage()
