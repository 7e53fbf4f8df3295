"""The built-in model's function calls: 40 natural requests over 12 functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airoagent import CallError, load_functions, parse_calls
from airoagent.calls.call_parser import call_prompt, read_call_prompt
from airoagent.extractive.model import write
from airoagent.prompts.retries import retry_prompt

DATA = Path(__file__).parents[1] / "data"
FUNCTIONS = load_functions(DATA / "call_functions.yaml")
REQUESTS = json.loads((DATA / "call_requests.json").read_text(encoding="utf-8"))


def answer(text: str, format: str = "json") -> Any:
    return write(call_prompt(text, FUNCTIONS, format))


def test_the_right_function_is_chosen_for_natural_requests() -> None:
    assert (len(REQUESTS), len(FUNCTIONS)) == (40, 12)
    chosen = [json.loads(answer(text)) for text, _, _ in REQUESTS]
    right = [call["function"] == name for call, (_, name, _) in zip(chosen, REQUESTS, strict=True)]
    whole = [
        call == {"function": name, "params": params} for call, (_, name, params) in zip(chosen, REQUESTS, strict=True)
    ]
    assert sum(right) >= 36
    assert sum(whole) >= 36


def test_both_formats_hold_the_same_call() -> None:
    for text, _, _ in REQUESTS:
        written = json.loads(answer(text))
        try:
            (call,) = parse_calls(answer(text, "yaml"), FUNCTIONS, "yaml")
        except CallError:
            continue  # something is missing in the request, in either format
        assert {"function": call.function, "params": call.params} == written


def test_what_the_input_does_not_say_is_left_out() -> None:
    assert json.loads(answer("What's the weather like?")) == {"function": "get_weather", "params": {}}


def test_an_amount_with_cents_is_not_a_time_and_a_path_may_be_absolute() -> None:
    functions = load_functions(
        "tip:\n  description: Computes a tip.\n  params:\n    bill: {type: number}\n    percent: {type: number}\n"
        "fetch:\n  description: Downloads a file.\n  params:\n    url: The address.\n    path: Where to save it.\n"
    )
    tip = write(call_prompt("How much is a 15 percent tip on a bill of 84.50?", functions))
    assert json.loads(tip) == {"function": "tip", "params": {"bill": 84.5, "percent": 15}}
    fetch = write(call_prompt("Download https://a.example/f.zip to /tmp/f.zip", functions))
    assert json.loads(fetch)["params"] == {"url": "https://a.example/f.zip", "path": "/tmp/f.zip"}


def test_a_prompt_that_asks_again_is_read_like_the_first() -> None:
    prompt = call_prompt("roll two dice", FUNCTIONS)
    again = retry_prompt(prompt, CallError("no", text="{"))
    assert read_call_prompt(again) == read_call_prompt(prompt)
    assert read_call_prompt("Where do otters sleep?") is None


@given(st.text(max_size=200))
@settings(deadline=None, max_examples=60)
def test_any_input_gives_a_call_that_can_be_read(text: str) -> None:
    call = json.loads(answer(text))
    assert call["function"] in FUNCTIONS.names
