"""Texts for property tests: arbitrary ones, and ones made of the pieces plans are made of."""

from __future__ import annotations

from hypothesis import strategies as st

from airoagent.plan.plans import Plan
from airoagent.plan.steps import Ref, Step

TOOLS = ("DuckDuckGo", "TextScraper", "HyperlinkExtractor", "KnowledgeModel", "Web_Search 2")

PIECES = (
    "Plan: ",
    "Plan 1: ",
    "#Plan1: ",
    "**Plan:** ",
    "plan：",
    "Step 1: ",
    "- ",
    "* ",
    "1. ",
    "2) ",
    "> ",
    "## ",
    "**",
    "`",
    "```\n",
    "```json\n",
    "...\n",
    "---\n",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    " ",
    "\t",
    "Answer: ",
    "Final answer: ",
    "**Answer:** ",
    "Question: ",
    "Answer:",
    ":evidence0: = ",
    ":evidence1: = ",
    ":evidence2: = ",
    ":Evidence1 = ",
    ": evidence 2 : = ",
    ":evidence[1]: = ",
    "#E1 = ",
    "#E2: ",
    "#E10 = ",
    "E3 = ",
    "$1 = ",
    "=",
    ":",
    "＝",
    "：",
    "[",
    "]",
    "［",
    "］",
    "(",
    ")",
    "{",
    "}",
    '"',
    "'",
    "+",
    ",",
    ".",
    "?",
    "DuckDuckGo[",
    "KnowledgeModel[",
    "knowledge model [",
    "Google[",
    "Unknown[",
    "DuckDuckGo(",
    '1. DuckDuckGo("',
    '2. KnowledgeModel("',
    '")',
    "join()",
    "3. join($1)",
    "]\n",
    "] ",
    "])\n",
    ":evidence0:",
    ":evidence1:",
    ":evidence0",
    ":evidence1 ",
    "#E1",
    "#E2",
    "#E10",
    "$1",
    "${2}",
    "$1 million",
    "otters",
    "who won, given ",
    " the answer ",
    "北京",
    "é",
    "\u200b",
    "\u2028",
    "\x0c",
    "[:evidence1:]",
    '{"id": 1, "tool": "DuckDuckGo", "input": "a"}',
    '{"tool": "KnowledgeModel", "input": "given #E1"}',
    '[{"',
    '{"steps": [',
    '"tool": "DuckDuckGo"',
    '{"answer": ":evidence1:"}',
    "\\",
    "\\n",
    " + ",
    '"a" + :evidence0:',
    "containing the final answer.",
    "Plan: look it up\n:evidence0: = DuckDuckGo[otters]\n",
    "Plan: read\n:evidence1: = KnowledgeModel[how, given :evidence0:?]\n",
    "#E1 = DuckDuckGo[a]\n",
    "#E2 = KnowledgeModel[#E1]\n",
    "Answer: :evidence1:\n",
    "Final answer: #E2\n",
)


def plan_shaped(most: int = 24) -> st.SearchStrategy[str]:
    """Text put together from what plans, and slips in plans, are made of."""
    return st.lists(st.sampled_from(PIECES), max_size=most).map("".join)


def any_text() -> st.SearchStrategy[str]:
    """Arbitrary text, and plan-shaped text with arbitrary text in it."""
    mixed = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=12)), max_size=16)
    return st.one_of(st.text(max_size=200), mixed.map("".join))


_word = st.text("abcdefgXYZ019 ,.?!'()-:+*_\"é北", min_size=1, max_size=12)
_clean_word = st.text("abcdefgXYZ019 ,.?", min_size=1, max_size=12)


@st.composite
def nearly_clean(draw: st.DrawFn) -> str:
    """Plans as the models were taught them, now and then with something in them that is not quite so."""
    hashes = draw(st.booleans())
    word = draw(st.sampled_from((_word, _clean_word, _clean_word)))
    lines = []
    count = draw(st.integers(1, 6))
    for at in range(count):
        number = at if draw(st.integers(0, 19)) else draw(st.integers(0, 12))
        own, other = (f"#E{number}", f"#E{at - 1}") if hashes else (f":evidence{number}:", f":evidence{at - 1}:")
        if draw(st.integers(0, 9)):
            lines.append(f"Plan: {draw(word)}")
        parts = draw(st.lists(st.one_of(word, st.just(other)) if at else word, min_size=1, max_size=4))
        lines.append(f"{own} = {draw(st.sampled_from(TOOLS[:4]))}[{''.join(parts)}]")
    last = draw(st.integers(0, count - 1))
    lines.append(f"Final answer: #E{last}" if hashes else f"Answer: :evidence{last}:")
    return "\n".join(lines) + draw(st.sampled_from(("", "\n", "\n\n", " \n", "x", "\nbye\n")))


def cuts(text: str) -> st.SearchStrategy[list[str]]:
    """Ways to cut a text into chunks."""
    places = st.lists(st.integers(0, len(text)), max_size=12).map(sorted)
    return places.map(lambda at: [text[a:b] for a, b in zip([0, *at], [*at, len(text)], strict=True)])


_literal = st.one_of(st.text(max_size=20), st.lists(st.sampled_from(PIECES), max_size=5).map("".join))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans with any text in them, as a JSON list can bring them in."""
    count = draw(st.integers(1, 6))
    numbers = draw(st.lists(st.integers(0, 200), min_size=count, max_size=count, unique=True))
    steps = []
    for at, number in enumerate(numbers):
        thought = " ".join(draw(_literal).split())
        earlier = [Ref(f"evidence{one}") for one in numbers[:at]]
        parts = draw(st.lists(st.one_of(_literal, st.sampled_from(earlier)) if earlier else _literal, max_size=4))
        steps.append(Step(f"evidence{number}", thought, draw(st.sampled_from(TOOLS)), tuple(parts)))
    return Plan(tuple(steps), draw(st.none() | st.just((Ref(f"evidence{numbers[-1]}"),))))
