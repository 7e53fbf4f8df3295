"""Prompts in turns, for models that are asked through a chat template: a system text, worked examples, the question.

    chat = plan_chat("How deep is Lake Baikal?", [("Search", "Searches the web.")])
    chat.system, chat.examples, chat.user

The airoboros models are asked in the words they were trained on (`airoagent.prompts.plan_prompts`); any other model is
shown what is wanted: the same task in few words, and solved once or twice over the tools there are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from airoagent.frozen import frozen

Style = Literal["airoboros", "chat", "compact"]
"""The form of prompts that a model is asked in; ``compact`` is for those that ``airo train`` taught what to do."""


TOOL_CALLS: Final = "[TOOL_CALLS]"
ARGS: Final = "[ARGS]"
"""Control tokens of Mistral's models: what begins a call, and what stands between a function's name and its JSON."""
_TOOLS: Final = ("[AVAILABLE_TOOLS] ", "[/AVAILABLE_TOOLS]")


class Chat(str):
    """A prompt in turns: ``system``, ``examples`` as pairs of what is asked and answered, and ``user``.

    ``tools`` are functions as a JSON list, for models that were trained to read them in a part of their own; such a
    prompt has no system text. As a string it is all of it in one text, for a model that knows no turns.
    """

    system: str
    examples: tuple[tuple[str, str], ...]
    user: str
    tools: str

    def __new__(cls, system: str, examples: Iterable[tuple[str, str]], user: str, tools: str = "") -> Chat:
        """The turns as one prompt."""
        pairs = tuple(examples)
        first = f"{_TOOLS[0]}{tools}{_TOOLS[1]}" if tools else system
        chat = super().__new__(cls, "\n\n".join([first, *(part for pair in pairs for part in pair), user]))
        chat.system, chat.examples, chat.user, chat.tools = system, pairs, user, tools
        return chat

    def system_with(self, system: str | None) -> str:
        """The system text after the user's own: without what it says of tools and form no plan could be written."""
        return "\n\n".join(filter(None, (system, self.system)))

    def messages(self, system: str | None = None) -> list[dict[str, str]]:
        """The turns as messages of a chat API; ``system`` is a text of the user's to begin with."""
        said = self.system_with(system)
        turns = [{"role": "system", "content": said}] if said else []
        for asked, answered in self.examples:
            turns += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
        return [*turns, {"role": "user", "content": self.user}]


_PLAN: Final = """\
You write plans for a program that has tools. Write only the plan, nothing else. Each step has two lines: "Plan:" with \
what it is for, then ":evidence0: = Tool[input]", counted up from 0. Use only the tools listed; write each input in \
words of the question. A later input may name what an earlier step found, as :evidence0:. The last line is "Answer:" \
with the evidence that answers the question.

Tools:
"""

_ANSWER: Final = (
    "You answer questions from the texts you are given, and from nothing else, in few words of the text. Where the "
    "texts do not tell it, say: The text does not say."
)
# The one that cannot be answered comes first: small models do as the last example does.
_ANSWER_EXAMPLES: Final = (
    ("Text:\nThe museum is closed on Mondays.\n\nQuestion: What does a ticket cost?", "The text does not say."),
    (
        "Text:\nThe ferry to Amrum leaves at 9:40. Dogs travel free of charge.\n\nQuestion: When does the ferry leave?",
        "At 9:40.",
    ),
    ("Text:\nAda Lovelace wrote the first program in 1843.\n\nQuestion: Who wrote the first program?", "Ada Lovelace."),
)
_COMPACT_PLAN: Final = "Write a plan with these tools:\n"
_COMPACT_ANSWER: Final = "Answer in few words of the text. If it does not tell, say: The text does not say."
_COMPACT_CALL: Final = "Call one of these functions. Answer in "
_CALL: Final = "You choose the one function that does what the user asks, and its parameters. Answer with "
_CODE: Final = "You write code. Answer with the code only: no explanation before or after it, and no code fences."


def plan_chat(question: str, tools: Iterable[tuple[str, str]], known: str = "", style: Style = "chat") -> Chat:
    """The chat that asks for a plan; ``tools`` and ``known`` as for `airoagent.prompts.plan_prompts.plan_prompt`."""
    offered = [(name, _first_sentence(description)) for name, description in tools]
    asked = f"{known}\n\nQuestion: {question.strip()}" if known else f"Question: {question.strip()}"
    if style == "compact":
        return Chat(_COMPACT_PLAN + "\n".join(f"{name}: {description}" for name, description in offered), (), asked)
    lines = "\n".join(f"{name}[input] - {description}" for name, description in offered)
    return Chat(_PLAN + lines, _plan_examples(offered), asked)


def searches(name: str, description: str) -> bool:
    """Whether a tool finds texts, which are then to be read."""
    return re.search(r"search", f"{name} {description}", re.IGNORECASE) is not None


def _plan_examples(tools: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Two questions with their plans, over the tools there are. The one of one part comes last, as most questions are:
    small models do as the last example does.
    """
    names = [name for name, _ in tools]
    search = next((name for name, description in tools if searches(name, description)), None)
    read = "KnowledgeModel" if "KnowledgeModel" in names else None
    two, one = "Question: Who painted Guernica, and where was he born?", "Question: How tall is the Eiffel Tower?"
    if search and read:
        return (
            (
                two,
                f"Plan: Search for the painter.\n:evidence0: = {search}[painter of Guernica]\n"
                f"Plan: Read who it was.\n:evidence1: = {read}[Who painted Guernica, given :evidence0:?]\n"
                f"Plan: Search for the painter's place of birth.\n:evidence2: = {search}[:evidence1: place of birth]\n"
                f"Plan: Read the place.\n:evidence3: = {read}[Where was :evidence1: born, given :evidence2:?]\n"
                "Answer: :evidence1:, :evidence3:",
            ),
            (
                one,
                f"Plan: Search for the height of the tower.\n:evidence0: = {search}[height of the Eiffel Tower]\n"
                f"Plan: Read the height.\n:evidence1: = {read}[How tall is the Eiffel Tower, given :evidence0:?]\n"
                "Answer: :evidence1:",
            ),
        )
    tool = search or read or next(iter(names), "")
    if not tool:
        return ()
    return (
        (
            two,
            f"Plan: Find the painter.\n:evidence0: = {tool}[Who painted Guernica?]\n"
            f"Plan: Find where the painter was born.\n:evidence1: = {tool}[Where was :evidence0: born?]\n"
            "Answer: :evidence0:, :evidence1:",
        ),
        (one, f"Plan: Find the height.\n:evidence0: = {tool}[How tall is the Eiffel Tower?]\nAnswer: :evidence0:"),
    )


def _first_sentence(description: str) -> str:
    text = " ".join(description.split())
    found = re.match(r"(.{20,160}?(?<!\be\.g)(?<!\bi\.e)[.!?])(?:\s|$)", text)
    return found[1] if found else text[:160]


def answer_chat(texts: Sequence[tuple[str, str]], instruction: str, style: Style = "chat") -> Chat:
    """The chat that asks a question about texts; ``texts`` are pairs of where each is from ("": not known) and it."""
    if style == "compact":
        parts = [text.strip() for _, text in texts]
        return Chat(_COMPACT_ANSWER, (), "\n\n".join([*parts, f"Question: {instruction.strip()}"]))
    parts = [f"Text ({source}):\n{text.strip()}" if source else f"Text:\n{text.strip()}" for source, text in texts]
    return Chat(_ANSWER, _ANSWER_EXAMPLES, "\n\n".join([*parts, f"Question: {instruction.strip()}"]))


def call_chat(input: str, functions: str, format: str, example: str, style: Style = "chat") -> Chat:
    """The chat that asks for one function call; ``functions`` as YAML, ``example`` what a call looks like."""
    if style == "compact":
        return Chat(f"{_COMPACT_CALL}{format.upper()}.\n\n{functions.rstrip()}", (), input.strip())
    system = (
        f"{_CALL}{format.upper()} only, in this form:\n{example.strip()}\n\nAvailable functions:\n{functions.rstrip()}"
    )
    return Chat(system, (), input.strip())


@frozen
class CallForm:
    """A form of calls that models were trained on: what stands before and after the functions, what is around a call,
    and what it calls the function and its parameters. A chat template that has all of ``marks`` is of such a model.

    ``written`` says how a call is written: as one JSON object, as the function's name and JSON after it, or as tags.
    The functions stand in the system text, unless they have a ``place`` of their own in the chat template.
    """

    marks: tuple[str, ...]
    before: str
    after: str
    around: tuple[str, str]
    keys: tuple[str, str]
    written: Literal["json", "named", "tags"] = "json"
    place: bool = False

    def chat(self, offered: str, input: str) -> Chat:
        """The chat that asks for a call; ``offered`` are the functions as the form writes them."""
        if self.place:
            return Chat("", (), input, offered)
        return Chat(f"{self.before}{offered}{self.after}", (), input)


_MISTRAL: Final = ("[AVAILABLE_TOOLS]", TOOL_CALLS)

CALL_FORMS: Final[Mapping[str, CallForm]] = {
    # Qwen2.5 and Qwen3, Hermes 2 and 3, and those that followed them; word for word as their templates ask.
    "hermes": CallForm(
        ("<tool_call>", "<args-json-object>"),
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n",
        "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
        "<tool_call></tool_call> XML tags:\n<tool_call>\n"
        '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>',
        ("<tool_call>\n", "\n</tool_call>"),
        ("name", "arguments"),
    ),
    # Llama 3.1, 3.2 and 3.3.
    "llama": CallForm(
        ("Respond in the format", "dictionary of argument name and its value"),
        "Given the following functions, please respond with a JSON for a function call with its proper arguments that "
        'best answers the given prompt.\n\nRespond in the format {"name": function name, "parameters": dictionary of '
        "argument name and its value}. Do not use variables.\n\n",
        "",
        ("", ""),
        ("name", "parameters"),
    ),
    # Qwen3-Coder, and those that followed it.
    "qwen-coder": CallForm(
        ("<function=", "<parameter="),
        "# Tools\n\nYou have access to the following functions:\n\n<tools>\n",
        "\n</tools>\n\nIf you choose to call a function ONLY reply in the following format with NO suffix:\n\n"
        "<tool_call>\n<function=example_function_name>\n<parameter=example_parameter_1>\nvalue_1\n</parameter>\n"
        "</function>\n</tool_call>",
        ("<tool_call>\n", "\n</tool_call>"),
        ("function", "parameter"),
        "tags",
    ),
    # Mistral's later ones (tokenizer 11 and on), then those before them: a list of objects.
    "mistral": CallForm((*_MISTRAL, ARGS), *_TOOLS, ("", ""), ("name", "arguments"), "named", place=True),
    "mistral-list": CallForm(_MISTRAL, *_TOOLS, ("[", "]"), ("name", "arguments"), place=True),
}


def call_form_of(template: str) -> str:
    """The name in `CALL_FORMS` of the form that a model with this chat template was trained on; "" for none of them."""
    return next((name for name, form in CALL_FORMS.items() if all(mark in template for mark in form.marks)), "")


def has_place(name: str) -> bool:
    """Whether chat templates have a place of their own for the functions of this form of calls."""
    return name in CALL_FORMS and CALL_FORMS[name].place


def native_call_chat(input: str, functions: Iterable[Mapping[str, Any]], form: CallForm) -> Chat:
    """The chat that asks for a function call in a form that the model was trained on; ``functions`` as in OpenAI's
    API.
    """
    if form.written == "tags":
        return form.chat("\n".join(map(_function_tags, functions)), input.strip())
    offered = [json.dumps({"type": "function", "function": one}, ensure_ascii=False) for one in functions]
    return form.chat(f"[{', '.join(offered)}]" if form.place else "\n".join(offered), input.strip())


def _function_tags(function: Mapping[str, Any]) -> str:
    """A function as Qwen3-Coder's template writes it."""
    schema = function["parameters"]
    lines = [
        f"<name>{function['name']}</name>",
        f"<description>{function['description']}</description>",
        "<parameters>",
    ]
    for name, one in schema["properties"].items():
        said = {key: one[key] for key in ("type", "description", *one) if key in one}
        texts = {key: one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for key, one in said.items()}
        lines += ["<parameter>", f"<name>{name}</name>", *(f"<{key}>{text}</{key}>" for key, text in texts.items())]
        lines.append("</parameter>")
    lines += [f"<required>{json.dumps(schema['required'], ensure_ascii=False)}</required>", "</parameters>"]
    return "\n".join(["<function>", *lines, "</function>"])


def code_chat(text: str) -> Chat:
    """The chat that asks for code and nothing else."""
    return Chat(_CODE, (), text.strip())


def is_compact(text: str) -> bool:
    """Whether a prompt or its system text is in the style ``compact``."""
    return text.startswith((_COMPACT_PLAN, _COMPACT_ANSWER, _COMPACT_CALL))


def as_chat(text: str) -> str:
    """A prompt of this module that was kept as one text (in a record) in its turns again; any other as it is."""
    for system, examples in ((_ANSWER, _ANSWER_EXAMPLES), (_COMPACT_ANSWER, ()), (_CODE, ())):
        if text.startswith(head := f"{Chat(system, examples, '')}"):
            return Chat(system, examples, text.removeprefix(head))
    for form in CALL_FORMS.values():
        offered, mark, asked = text.removeprefix(form.before).partition(f"{form.after}\n\n")
        if text.startswith(form.before) and mark:
            return form.chat(offered, asked)
    if text.startswith((_CALL, _COMPACT_CALL)):
        system, _, asked = text.rpartition("\n\n")
        return Chat(system, (), asked)
    if text.startswith(_COMPACT_PLAN):
        system, _, asked = text.partition("\n\n")
        return Chat(system, (), asked)
    if not text.startswith(_PLAN):
        return text
    tools, _, rest = text.removeprefix(_PLAN).partition("\n\n")
    pairs = [line.partition("[input] - ") for line in tools.split("\n")]
    turns = _plan_examples([(name, description) for name, _, description in pairs])
    shown = "".join(f"{asked}\n\n{answered}\n\n" for asked, answered in turns)
    return Chat(_PLAN + tools, turns, rest.removeprefix(shown)) if rest.startswith(shown) else text
