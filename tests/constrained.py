"""What a model with random weights writes when it is held to a grammar, and what is wrong with it (nothing)."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from airoagent.calls.call_grammar import call_grammar
from airoagent.calls.call_parser import parse_calls
from airoagent.calls.function_loader import load_functions
from airoagent.calls.functions import call_schema
from airoagent.models.base import Completion, Prompt, Purpose, Sampling, complete
from airoagent.models.local.transformers import TransformersModel
from airoagent.plan.parser import parse_plan
from airoagent.plan.plan_grammar import plan_grammar
from airoagent.prompts.context_prompts import ContextBlock, answer_grammar, read_cited_answer
from airoagent.prompts.grammar import Grammar
from airoagent.prompts.harmless import harmless
from tests.schemas import problems

__all__ = ["answer_faults", "call_faults", "plan_faults"]

_NAMES = ("DuckDuckGo", "TextScraper", "HyperlinkExtractor", "KnowledgeModel", "word_count", "to-upper", "v2.search")
_FUNCTIONS = (
    "get_weather:\n  description: Weather.\n  params:\n    city: Where.\n"
    "    days: {type: integer, description: How many., required: false}\n",
    "book:\n  description: Books.\n  params:\n"
    "    guest: {type: object, params: {name: Who., age: {type: integer, description: How old.}}}\n"
    "    notes: {type: array, description: Wishes., items: {type: string}}\n"
    "cancel:\n  description: Cancels.\n  params:\n    price: {type: number, description: What it cost.}\n",
)
_SCHEMA = {
    "type": "object",
    "properties": {
        "function": {"enum": ["set_alarm", "on"]},
        "params": {
            "type": "object",
            "properties": {
                "hour": {"type": "integer", "minimum": 0, "maximum": 23},
                "share": {"type": "number", "minimum": 0, "maximum": 1},
                "label": {"anyOf": [{"type": "string", "maxLength": 30}, {"type": "null"}]},
                "days": {"type": "array", "items": {"enum": ["mon", "tue"]}, "minItems": 1, "maxItems": 3},
                "loud": {"type": "boolean"},
            },
            "required": ["hour", "days"],
            "additionalProperties": False,
        },
    },
    "required": ["function", "params"],
    "additionalProperties": False,
}
_LIBRARY = Path(__file__).parents[1] / "examples" / "library"


def _write(model: TransformersModel, purpose: Purpose, grammar: Grammar, seed: int, tokens: int) -> Completion:
    sampling = Sampling(temperature=1.0, repetition_penalty=1.0, max_tokens=tokens, seed=seed)
    return asyncio.run(complete(model, Prompt(f"Question {seed}?", purpose, grammar=grammar, sampling=sampling)))


def plan_faults(model: TransformersModel, count: int, tokens: int = 160) -> Iterator[tuple[Completion, list[str]]]:
    """``count`` plans over varying tools, each with what is wrong with it: an error, a repair, another reading."""
    for seed in range(count):
        tools = random.Random(seed).sample(_NAMES, 1 + seed % len(_NAMES))
        # Random weights go on until a text's bound: with short ones they come to several steps and to an answer's text.
        short = {"steps": 5, "thought": 12, "input": 12, "answer": 6} if seed % 2 else {}
        written = _write(model, "plan", plan_grammar(tools, **short), seed, tokens)
        plan = parse_plan(written.text, tools)
        # That nothing uses a step's evidence is true of the plan, and no repair of its text.
        faults = [str(one) for one in plan.diagnostics if one.kind not in ("unused_evidence", "no_evidence")]
        if plan.to_text() != written.text.rstrip("\n") + "\n":
            faults.append(f"reads as {plan.to_text()!r}")
        if written.finish != "stop":
            faults.append(f"finish is {written.finish}")
        yield written, faults


def call_faults(model: TransformersModel, count: int, tokens: int = 160) -> Iterator[tuple[Completion, list[str]]]:
    """``count`` calls, in JSON and in YAML by turns, each with what is wrong with it against its schema."""
    known = [load_functions(text) for text in _FUNCTIONS]
    for seed in range(count):
        functions = known[seed // 2 % 3] if seed // 2 % 3 < 2 else None
        schema: Any = _SCHEMA if functions is None else call_schema(functions)
        form = "json" if seed % 2 else "yaml"
        written = _write(model, "call", call_grammar(schema, form), seed, tokens)  # type: ignore[arg-type]
        value = json.loads(written.text) if seed % 2 else yaml.safe_load(written.text)
        faults = problems(value, schema)
        if functions is not None:
            (call,) = parse_calls(written.text, functions, form)  # type: ignore[arg-type]
            faults += [f"reads as {call}"] if call.function != value["function"] else []
        if written.finish != "stop":
            faults.append(f"finish is {written.finish}")
        yield written, faults


def answer_faults(model: TransformersModel, count: int, tokens: int = 120) -> Iterator[tuple[Completion, list[str]]]:
    """``count`` answers from pages of the example library; what is wrong: words or a source that are not there."""
    pages = [path.read_text(encoding="utf-8") for path in sorted(_LIBRARY.rglob("*.*")) if path.is_file()]
    for seed in range(count):
        chosen = random.Random(seed).sample(pages, min(3, len(pages)))
        blocks = [
            ContextBlock(text[:3000], (("url", f"https://a.example/{at}"), ("title", f"Page {at}")))
            for at, text in enumerate(chosen)
        ]
        written = _write(model, "answer", answer_grammar(blocks, decline=""), seed, tokens)
        answer = read_cited_answer(written.text)
        holding = {block.metadata for block in blocks if answer.text in harmless(block.text)}
        faults = [] if answer.text and holding else ["the answer stands in no block"]
        if not (len(answer.sources) == 1 and answer.sources[0] in holding):
            faults.append(f"cites {answer.sources}")
        if written.finish != "stop":
            faults.append(f"finish is {written.finish}")
        yield written, faults
