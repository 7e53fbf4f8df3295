"""Replacing references with evidence, against one pass of `re.sub` with a look-up in a dictionary.

    python tests/benchmarks/bench_substitution.py

Both start from what they keep: ours from the template of the parsed step, the other from the input's text. Prints
ratios; the aim is at most 1.3 for 6 evidences of 1 MB and 1.5 for 1,000 of 1 kB.
"""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_parser import seconds

from airoagent.events import Evidence
from airoagent.plan.evidence import fill_text
from airoagent.plan.repairs import read_template
from airoagent.plan.steps import template_text

REFERENCE = re.compile(r":evidence\d+:")


def by_expression(text: str, values: dict[str, str]) -> str:
    """The baseline."""
    return REFERENCE.sub(lambda found: values[found[0]], text)


def compare(count: int, size: int, aim: float) -> None:
    """One line of the table."""
    input = "".join(f"What does :evidence{at}: say about it? " for at in range(count))
    template = read_template(input, {}, [], 0)
    assert template_text(template) == input
    evidence = {f"evidence{at}": Evidence(f"evidence{at}", "Search", f"{at:x}" + "y" * size) for at in range(count)}
    values = {f":{id}:": one.text for id, one in evidence.items()}
    assert by_expression(input, values) == fill_text(template, evidence)
    base, ours = float("inf"), float("inf")
    for _ in range(15):  # in turn, so that both meet the same machine
        base = min(base, seconds(partial(by_expression, input, values), 1))
        ours = min(ours, seconds(partial(fill_text, template, evidence), 1))
    print(f"{count:>9} {size:>9} {base * 1e6:>10.1f} {ours * 1e6:>8.1f} {ours / base:>6.2f} {aim:>5}")


if __name__ == "__main__":
    print(f"{'evidences':>9} {'bytes':>9} {'re.sub us':>10} {'ours us':>8} {'ratio':>6} {'aim':>5}")
    compare(6, 1_000_000, 1.3)
    compare(1_000, 1_000, 1.5)
