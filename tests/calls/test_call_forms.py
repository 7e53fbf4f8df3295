"""Calls in the forms of other model families, slips in values, and what of a completion is the model's own answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airoagent.calls.call_parser import parse_calls
from airoagent.calls.function_loader import load_functions
from airoagent.errors import CallError


def find_flights(
    origin: str, destination: str, passengers: int = 1, note: str = "", via: list[str] | None = None
) -> str:
    """Find flights."""
    return f"{origin}{destination}{passengers}{note}{via}"


def write_file(path: str, content: str) -> str:
    """Write a file."""
    return path + content


def mean(numbers: list[float], unit: str = "") -> str:
    """Compute a mean."""
    return f"{numbers}{unit}"


FUNCTIONS = load_functions([find_flights, write_file, mean])
FLIGHT = {"origin": "OSL", "destination": "LIS"}
WRITTEN = json.dumps(FLIGHT)
CALL = json.dumps({"function": "find_flights", "params": FLIGHT})


def calls(text: str, format: str = "json") -> list[tuple[str, dict[str, Any]]]:
    return [(call.function, call.params) for call in parse_calls(text, FUNCTIONS, format)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        f"<function=find_flights>{WRITTEN}</function>",
        f"[TOOL_CALLS]find_flights{WRITTEN}",
        f"find_flights\n{WRITTEN}",
        f"Thought: flights.\nAction: find_flights\nAction Input: {WRITTEN}",
        f'Action:\n```\n{{"action": "find_flights", "action_input": {WRITTEN}}}\n```',
        f"functions.find_flights:0 <|tool_call_argument_begin|>{WRITTEN}",
        "find_flights(origin='OSL', destination=\"LIS\")",
        "[find_flights('OSL', 'LIS')]",
        "<|python_tag|>find_flights.call(origin='OSL', destination='LIS')",
        "```python\nfind_flights(\n    origin='OSL',\n    destination='LIS',\n)\n```",
        "<tool_call>\n<function=find_flights>\n<parameter=origin>\nOSL\n</parameter>\n<parameter=destination>\nLIS\n"
        "</parameter>\n</function>\n</tool_call>",
        f"[TOOL_CALLS]find_flights[ARGS]{WRITTEN}",
        f"[TOOL_CALLS]find_flights[CALL_ID]a1b2c3[ARGS]{WRITTEN}",
        f"<|start|>assistant to=functions.find_flights<|channel|>commentary json<|message|>{WRITTEN}<|call|>",
        f"✿FUNCTION✿: find_flights\n✿ARGS✿: {WRITTEN}",
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="find_flights">\n'
        '<｜DSML｜parameter name="origin" string="true">OSL</｜DSML｜parameter>\n'
        '<｜DSML｜parameter name="destination" string="true">LIS</｜DSML｜parameter>\n'
        "</｜DSML｜invoke>\n</｜DSML｜function_calls>",
        '<steptml:invoke name="find_flights"><steptml:parameter name="origin">OSL</steptml:parameter>'
        '<steptml:parameter name="destination">LIS</steptml:parameter></steptml:invoke>',
        "call:find_flights{origin:<escape>OSL<escape>,destination:<escape>LIS<escape>}<end_function_call>",
        "<find_flights>\n<origin>OSL</origin>\n<destination>LIS</destination>\n</find_flights>",
        f"<tool_use>\n<name>find_flights</name>\n<arguments>{WRITTEN}</arguments>\n</tool_use>",
        f'{{"toolUse": {{"toolUseId": "t1", "name": "find_flights", "input": {WRITTEN}}}}}',
        f'{{"function": "mcp__travel__find_flights", "params": {WRITTEN}}}',
        f'{{" function ": "find_flights", "params ": {WRITTEN}}}',
        f'{{"function"："find_flights"，"params"：{WRITTEN}}}',
        json.dumps(CALL)[1:-1],
        "find_flights(origin: 'OSL', destination: 'LIS')",
        f"{CALL}\n\nQuestion: And back?\nAnswer: {CALL}",
        f"Format: {CALL.replace('OSL', 'FROM')}\nMy call:\n{CALL}",
        f"Instead of {CALL.replace('OSL', 'BGO')} use:\n{CALL}",
        "function: find_flights\r\nparams:\r\n  origin: OSL\r\n  destination: LIS\r\n",
        f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>find_flights<｜tool▁sep｜>{WRITTEN}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        f"<|channel|>commentary to=functions.find_flights <|constrain|>json<|message|>{WRITTEN}<|call|>",
        "<tool_call>find_flights\n<arg_key>origin</arg_key>\n<arg_value>OSL</arg_value>\n<arg_key>destination</arg_key>\n"
        "<arg_value>LIS</arg_value>\n</tool_call>",
        '<function_calls>\n<invoke name="find_flights">\n<parameter name="origin">OSL</parameter>\n'
        '<parameter name="destination">LIS</parameter>\n</invoke>\n</function_calls>',
        "<invoke><tool_name>find_flights</tool_name><parameters><origin>OSL</origin><destination>LIS</destination>"
        "</parameters></invoke>",
        f'{{"functionCall": {{"name": "find_flights", "args": {WRITTEN}}}}}',
        "Call: find_flights(origin='OSL', destination='LIS')<bot_end>",
        "flights = await find_flights('OSL', 'LIS')",
        f'{{"function": "find_flights", "params" {WRITTEN}}}',
        CALL.replace('"', "&quot;"),
        json.dumps({"function": "find_flights", "params": ["OSL", "LIS"]}),
        json.dumps({"name": "find_flights", "args": [{"name": key, "value": one} for key, one in FLIGHT.items()]}),
        f"{CALL}\n<tool_response>\n{{}}\n</tool_response>\n{CALL}",
        f"{CALL}\nObservation: 3 flights\n{CALL}",
        json.dumps(CALL),
        json.dumps({"function": "find_flights", "params": WRITTEN}),
        json.dumps({"function": "functions.find_flights", "params": FLIGHT}),
        json.dumps({"name": "find\\_flights", "arguments": FLIGHT}),
        json.dumps({"function": "find_flights", "params": [{"origin": "OSL"}, {"destination": "LIS"}]}),
        f"```json\n{CALL[:-1]}\n```",
        f"<tool_call>\n{CALL[:-2]}\n</tool_call>",
        f"<think>\nI could call {CALL.replace('OSL', 'BGO')} but no.\n</think>\n{CALL}",
        f"That would be {CALL.replace('OSL', 'BGO')}. No.\n</think>\n{CALL}",
        f"{CALL}<|im_end|>\n<|im_start|>user\nMore.<|im_end|>\n{CALL}",
        f"{CALL}\nUSER: More.\nASSISTANT: {CALL}",
        f"{CALL}\n\n### Instruction:\nMore.\n\n### Response:\n{CALL}",
        "find_flights('OSL', 'LIS')\nUSER: More.\nASSISTANT: find_flights('LIS', 'OSL')",
    ],
)
def test_a_call_in_another_form_is_the_same_call(text: str) -> None:
    assert calls(text) == [("find_flights", FLIGHT)]
    assert all(found.repair for call in parse_calls(text, FUNCTIONS) for found in call.diagnostics)


def test_a_value_without_a_name_is_the_one_that_is_needed() -> None:
    assert calls('{"function": "mean", "params": [[1, 2], "m"]}') == [("mean", {"numbers": [1, 2], "unit": "m"})]
    functions = load_functions("wake: {params: {time: {type: string}, label: {type: string, required: false}}}")
    assert parse_calls('{"function": "wake", "params": "06:15"}', functions)[0].params == {"time": "06:15"}
    for wrong in ('"OSL"', '["OSL", "LIS", 1, "n", [], 9]'):
        with pytest.raises(CallError):
            calls(f'{{"function": "find_flights", "params": {wrong}}}')


def test_python_calls_give_numbers_lists_and_several_calls() -> None:
    text = "[find_flights(origin='a', destination='b', passengers=2, via=['c', 'd']), mean([1, -2.5], unit=\"m\")]"
    assert calls(text) == [
        ("find_flights", {"origin": "a", "destination": "b", "passengers": 2, "via": ["c", "d"]}),
        ("mean", {"numbers": [1, -2.5], "unit": "m"}),
    ]
    tagged = "<function=mean><parameter=numbers>[1, 2]</parameter><parameter=unit>a\nb</parameter></function>"
    assert calls(tagged) == [("mean", {"numbers": [1, 2], "unit": "a\nb"})]


@pytest.mark.parametrize(
    "text",
    [
        "You could use find_flights(origin='OSL', destination='LIS') for this.",
        "find_flights(origin=open('x').read(), destination='LIS')",
        "find_flights(*places)",
        "find_flights(origin=here, destination='LIS')",
        "find_flights(origin='OSL', destination='LIS'",
        "fly(origin='OSL', destination='LIS')",
        f"<think>\n{CALL}",
    ],
)
def test_what_is_only_talked_about_or_needs_running_is_no_call(text: str) -> None:
    with pytest.raises(CallError):
        calls(text)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (r"\beta + \sum", r"\beta + \sum"),
        (r"\frac{1}{4} \boldsymbol{x} \nabla", r"\frac{1}{4} \boldsymbol{x} \nabla"),
        (r"C:\Users\bob\new.txt", r"C:\Users\bob\new.txt"),
        (r"C:\\temp\\new", r"C:\temp\new"),
        ("C:\\temp\\", "C:\\temp\\"),
        (r"C:\users\u", r"C:\users\u"),
        (r"C:\temp\new.txt", r"C:\temp\new.txt"),
        (r"\\server\share", r"\\server\share"),
        (r"\\server\\share", r"\server\share"),
        (r"Plan C:\nnext", "Plan C:\nnext"),
        (r"one\ntwo\tthree", "one\ntwo\tthree"),
        ('first, "second" and "third". The end', 'first, "second" and "third". The end'),
        ('say "a", then "b"', 'say "a", then "b"'),
    ],
)
def test_values_keep_their_backslashes_and_their_quotes(written: str, value: str) -> None:
    text = f'{{"function": "write_file", "params": {{"path": "x", "content": "{written}"}}}}'
    assert calls(text) == [("write_file", {"path": "x", "content": value})]


@pytest.mark.parametrize("value", [r"C:\temp\new.txt", r"\frac{1}{4} \times x", r"\d+\s", r"a\\b"])
def test_values_in_the_quotes_of_yaml_keep_their_backslashes(value: str) -> None:
    text = f'function: write_file\nparams:\n  path: x\n  content: "{value}"'
    assert calls(text, "yaml") == [("write_file", {"path": "x", "content": value.replace(r"\\", "\\")})]


@pytest.mark.parametrize(
    ("params", "read"),
    [
        ('{"numbers": [\n 1.5\n 2\n -4\n]}', {"numbers": [1.5, 2, -4]}),
        ('{"numbers": [1], "unit": square metre}', {"numbers": [1], "unit": "square metre"}),
        ('{"unit": "square metre, "numbers": [1]}', {"unit": "square metre", "numbers": [1]}),
        ('{"unit": "m" "numbers": [1]}', {"unit": "m", "numbers": [1]}),
        (
            '{"unit": https://a.example/m?x=1#si, "numbers": [1]}',
            {"unit": "https://a.example/m?x=1#si", "numbers": [1]},
        ),
        ('{"numbers": [1, 2#two\n]}', {"numbers": [1, 2]}),
    ],
)
def test_left_off_commas_and_quotes_are_put_in(params: str, read: dict[str, Any]) -> None:
    assert calls(f'{{"function": "mean", "params": {params}}}') == [("mean", read)]


def test_an_object_of_a_list_that_is_not_closed_ends_before_the_next() -> None:
    assert calls(f"[{CALL[:-1]}, {CALL}]") == [("find_flights", FLIGHT)] * 2


@pytest.mark.parametrize(
    ("written", "value"),
    [("| grep x", "| grep x"), ("> 5 metres", "> 5 metres"), ("'it's fine'", "it's fine"), ("|\n    a", "a")],
)
def test_a_yaml_value_keeps_its_first_sign(written: str, value: str) -> None:
    text = f"function: write_file\nparams:\n  path: x\n  content: {written}"
    assert calls(text, "yaml") == [("write_file", {"path": "x", "content": value})]


def test_a_number_at_the_end_counts_where_the_model_stopped_by_itself() -> None:
    text = CALL[:-2] + ', "passengers": 3'
    assert calls(text) == [("find_flights", {**FLIGHT, "passengers": 3})]
    with pytest.raises(CallError):
        parse_calls(text, FUNCTIONS, truncated=True)


def test_a_hash_in_a_yaml_text_is_a_part_of_it() -> None:
    text = (
        "function: find_flights # this one\nparams:\n  origin: OSL\n  destination: LIS\n  passengers: 2 # both\n"
        "  note: seat #5 in row #12\n  via:\n    - gate #3\n"
    )
    params = {**FLIGHT, "passengers": 2, "note": "seat #5 in row #12", "via": ["gate #3"]}
    assert calls(text, "yaml") == [("find_flights", params)]
    block = "function: write_file\nparams:\n  path: x\n  content: |\n    a: b # c\n    d\n"
    assert calls(block, "yaml") == [("write_file", {"path": "x", "content": "a: b # c\nd\n"})]
    choice = load_functions("f:\n  params:\n    unit: {enum: [metre, mile]}\n")
    assert parse_calls("function: f\nparams:\n  unit: mile # not metre\n", choice, "yaml")[0].params == {"unit": "mile"}


@pytest.mark.parametrize("piece", ["\n", " ", " \n", "[\n", "<f>", "<write_file>", "<parameter=a>", "{a:1} "])
def test_a_long_run_of_anything_is_read_in_linear_time(piece: str) -> None:
    text = "<function=write_file>" + piece * (200_000 // len(piece))
    with pytest.raises(CallError):
        calls(text)


def test_the_same_unknown_function_over_and_over_is_given_suggestions_a_few_times() -> None:
    with pytest.raises(CallError) as caught:
        calls("[" + ", ".join([CALL.replace("find_flights", "find_flihgts")] * 900) + "]")
    suggested = ["did you mean" in found.message for found in caught.value.diagnostics]
    assert suggested == [True] * 5 + [False] * 895


def test_lines_that_lost_their_indentation_are_not_dropped_in_silence() -> None:
    with pytest.raises(CallError):
        calls("function: write_file\nparams:\n  path: x\n  content: first\nsecond line of the text", "yaml")


def test_calls_after_words_on_their_format_are_all_made() -> None:
    other = CALL.replace("OSL", "BGO")
    for lead in ("The calls in JSON format:", "Instead of one search, two:"):
        assert [params["origin"] for _, params in calls(f"{lead}\n{CALL}\n{other}")] == ["OSL", "BGO"]
