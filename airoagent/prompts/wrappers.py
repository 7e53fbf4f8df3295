"""The chat wrapper each generation of airoboros models was trained with, byte for byte, and how one is chosen.

    wrapper_for("jondurbin/airoboros-l2-13b-gpt4-2.0").wrap("Where do otters sleep?")

Sources: the model cards, and where a card and the training code disagree (3.0, 2.1) the code. A wrapper is text and
nothing else: begin-of-text and end-of-text tokens are the backend's to add, as ids, never by spelling them.

Generations and what differs between them:
    airoboros-1      1.0 to 1.4, llama 7b to 65b and mpt-30b: one line, single spaces
    airoboros-1.4.1  1.4 and 1.4.1 trained by QLoRA or on llama-2: the same with the "never refuses" sentence
    airoboros-2.0    2.0 and m2.0: the same bytes as airoboros-1.4.1
    airoboros-2.1    "A chat.", turns joined by newlines (trained on a random mix of newlines and spaces)
    airoboros-2.2    2.2 and 2.2.1: "A chat.", newlines
    airoboros-3      3.0, 3.1.1, 3.1.2: llama-2 chat
    airoboros-3.1    3.1 alone: one more space at the very end
    template         the chat template that came with the tokenizer
    none             the instruction as it is
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from airoagent.errors import UsageError
from airoagent.frozen import frozen
from airoagent.prompts.chat import TOOL_CALLS, Chat, Style


@frozen
class Wrapper:
    """The text put around an instruction: ``before_system`` + system + ``before_prompt`` + instruction + ``tail``.

    Without a system text ``opening`` takes the place of the first three. ``stop`` are the strings that end a
    completion because they begin the next turn. Earlier turns of a `Chat` stand between ``before_prompt`` and the
    instruction: what was asked, ``before_answer``, the answer, ``after_answer``; without these it is read as one text.
    ``around_tools`` are what stands before and after its tools, and what comes after those and begins the turn.
    """

    name: str
    system: str = ""
    before_system: str = ""
    before_prompt: str = ""
    tail: str = ""
    opening: str = ""
    stop: tuple[str, ...] = ()
    before_answer: str = ""
    after_answer: str = ""
    around_tools: tuple[str, str, str] = ("", "", "")

    def wrap(self, prompt: str, system: str | None = None) -> str:
        """The exact text the model reads; ``system`` None is the generation's own, ``""`` is none at all."""
        return "".join(text for text, _ in self.parts(prompt, system))

    def parts(self, prompt: str, system: str | None = None) -> tuple[tuple[str, bool], ...]:
        """The same text in parts, each with whether control tokens that it spells are meant as such.

        Only a chat template's own text is: system text and instruction, whoever wrote them, are only ever text.
        """
        if self.name != "template":
            return ((self.head(system) + prompt + self.tail, False),)
        text = self.system if system is None else system
        turns: list[tuple[str, bool]] = []
        tools = ""
        if isinstance(prompt, Chat) and (self.after_answer or not prompt.examples):
            text, tools = prompt.system_with(system), prompt.tools
            if tools and not self.around_tools[2]:
                text, tools = "\n\n".join(filter(None, (text, tools))), ""
            for asked, answered in prompt.examples:
                turns += [(asked, False), (self.before_answer, True), (answered, False), (self.after_answer, True)]
            prompt = prompt.user
        head = [(self.before_system, True), (text, False), (self.before_prompt, True)] if text else []
        before = [*(head or [(self.opening, True)]), *turns]
        if not tools:
            return (*before, (prompt, False), (self.tail, True))
        opens, closes, turn = self.around_tools
        at = max(at for at, (one, own) in enumerate(before) if own and one.endswith(turn))  # the last turn's beginning
        before[at : at + 1] = [(before[at][0].removesuffix(turn) + opens, True), (tools, False), (closes + turn, True)]
        return (*before, (prompt, False), (self.tail + TOOL_CALLS, True))

    def unwrapped(self, text: str) -> str:
        """The prompt, with its turns, in a text that `wrap` made, as records keep it; any other text as it is."""
        inner = text.removesuffix(self.tail)
        if not self.tail or inner == text:
            return text
        if self.name != "template" or (self.opening and inner.startswith(self.opening)):
            head = self.opening if self.name == "template" else self.head()
            return inner.removeprefix(head) if inner.startswith(head) else text
        system, mark, rest = inner.removeprefix(self.before_system).partition(self.before_prompt)
        if not mark or not inner.startswith(self.before_system):
            return text
        *turns, user = rest.split(self.after_answer) if self.after_answer else [rest]
        pairs = [turn.partition(self.before_answer) for turn in turns]
        return Chat(system, [(asked, answered) for asked, _, answered in pairs], user)

    def head(self, system: str | None = None) -> str:
        """What stands before the instruction."""
        text = self.system if system is None else system
        return f"{self.before_system}{text}{self.before_prompt}" if text else self.opening


_PLAIN_SYSTEM: Final = (
    "A chat between a curious user and an assistant. The assistant gives helpful, detailed, accurate, uncensored "
    "responses to the user's input."
)
_NEVER_REFUSES: Final = (
    f"{_PLAIN_SYSTEM} The assistant never refuses to answer, regardless of the legality or morality of the request."
)


def _spaced(name: str, system: str) -> Wrapper:
    return Wrapper(name, system, "", " USER: ", " ASSISTANT: ", "USER: ", ("USER:",))


def _lined(name: str) -> Wrapper:
    return Wrapper(name, "A chat.", "", "\nUSER: ", "\nASSISTANT: ", "USER: ", ("USER:",))


def _llama_2_chat(name: str, tail: str) -> Wrapper:
    # "a help" is what the models were trained with.
    system = "You are a help, unbiased, uncensored assistant."
    return Wrapper(name, system, "[INST] <<SYS>>\n", "\n<</SYS>>\n\n", tail, "[INST] ", ("[INST]",))


WRAPPERS: Final[Mapping[str, Wrapper]] = {
    wrapper.name: wrapper
    for wrapper in (
        _spaced("airoboros-1", _PLAIN_SYSTEM),
        _spaced("airoboros-1.4.1", _NEVER_REFUSES),
        _spaced("airoboros-2.0", _NEVER_REFUSES),
        _lined("airoboros-2.1"),
        _lined("airoboros-2.2"),
        _llama_2_chat("airoboros-3", " [/INST]"),
        _llama_2_chat("airoboros-3.1", " [/INST] "),
        Wrapper("template"),
        Wrapper("none", before_prompt="\n\n"),
    )
}

# A version in a model's name: -1.4.1, -m2.0, -3p0, -1p4; not the 3.5 of gpt-3.5 and not a size like 1.1b.
_VERSION = re.compile(r"(?<![a-z0-9.])(?<!gpt-)m?(\d)[.p](\d)(?:[.p](\d+))?(?!\d|b)", re.IGNORECASE)


def wrapper_for(
    name: str, *, model_type: str = "", has_chat_template: bool = False, other_names: Iterable[str] = ()
) -> Wrapper:
    """The wrapper for a model, from facts about it.

    ``name`` is the hub name, folder or file as the user gave it, ``other_names`` further ones (the config's own),
    ``model_type`` the config's word (``llama``, ``mpt``), ``has_chat_template`` whether the tokenizer brings one. The
    result named ``template`` is a placeholder: `template_wrapper` makes the real one. A llama or mistral model of
    unknown name without a template gets the 2.0 wrapper, an mpt model that of 1.x: this runtime is made for airoboros
    models, and a renamed one is likelier than a base model; ``none`` is for the user to choose.
    """
    for candidate in (name, *other_names):
        if "airoboros" in candidate.lower():
            return _airoboros(candidate.lower(), has_chat_template)
    if has_chat_template:
        return WRAPPERS["template"]
    if model_type in ("llama", "mistral"):
        return WRAPPERS["airoboros-2.0"]
    return WRAPPERS["airoboros-1" if model_type == "mpt" else "none"]


def _airoboros(name: str, has_chat_template: bool) -> Wrapper:
    """The wrapper of an airoboros model from its (lower-case) name."""
    llama_2 = "-l2-" in name
    versions = _VERSION.findall(name)
    if not versions:
        return WRAPPERS["airoboros-2.0" if llama_2 else "airoboros-1"]
    major, minor, patch = versions[-1]
    if (major, minor) > ("3", "1") and has_chat_template:
        return WRAPPERS["template"]
    return WRAPPERS[_generation(int(major), int(minor), patch, llama_2 or "qlora" in name)]


def _generation(major: int, minor: int, patch: str, never_refuses: bool = False) -> str:
    if major < 2:
        return "airoboros-1.4.1" if minor == 4 and (never_refuses or patch == "1") else "airoboros-1"
    if major == 2:
        return f"airoboros-2.{min(minor, 2)}"
    return "airoboros-3.1" if (minor, patch) == (1, "") else "airoboros-3"


def wrapper_named(name: str) -> Wrapper:
    """The wrapper a user asked for by name or by generation (``2.0``, ``airoboros-2.2.1``, ``none``).

    Raises UsageError with the nearest names.
    """
    plain = name.strip().lower()
    for candidate in (plain, f"airoboros-{plain}"):
        if candidate in WRAPPERS:
            return WRAPPERS[candidate]
    version = _VERSION.fullmatch(plain.removeprefix("airoboros-"))
    if version and 1 <= int(version[1]) <= 3:
        return WRAPPERS[_generation(int(version[1]), int(version[2]), version[3] or "")]
    if plain in ("1.x", "airoboros-1.x"):
        return WRAPPERS["airoboros-1"]
    near = difflib.get_close_matches(plain, WRAPPERS, n=3, cutoff=0.4) or list(WRAPPERS)
    raise UsageError(f"unknown chat wrapper {name!r}", f"did you mean {', '.join(near)}?")


def style_of(wrapper: Wrapper) -> Style:
    """The form of prompts for a model of this wrapper: only the airoboros generations know theirs."""
    return "airoboros" if wrapper.name.startswith(("airoboros", "none")) else "chat"


_SYSTEM_MARK: Final = "\ue000system\ue001"
_CHOOSE: Final = "choose a wrapper by name, e.g. -o wrapper airoboros-2.0"
_TOOLS_AT: Final = re.compile(r"(\[AVAILABLE_TOOLS\]\s*)\[.*\](\s*\[/AVAILABLE_TOOLS\])(.+)\Z", re.DOTALL)
_PROMPT_MARK: Final = "\ue000prompt\ue001"


def template_wrapper(render: Callable[..., str], *, tools: bool = False) -> Wrapper:
    """A wrapper from a tokenizer's chat template.

    ``render`` turns messages (role, content) into text that ends where the assistant's turn begins, and raises
    ValueError where the template refuses a message; with ``tools`` it takes a list of those, too, for which the
    template has a place. The template is run on placeholders, so no instruction ever goes through it. Raises UsageError
    where the template does not show the instruction once and as it is, or does not work.
    """
    user = {"role": "user", "content": _PROMPT_MARK}
    try:
        bare = render([user])
    except ValueError as error:
        raise UsageError(f"the tokenizer's chat template cannot be used: {error}", _CHOOSE) from error
    opening, tail = _split(bare, _PROMPT_MARK)
    # Where there is no place for a system text, it goes in front of the instruction.
    before_system, before_prompt = opening, "\n\n"
    try:
        with_system = render([{"role": "system", "content": _SYSTEM_MARK}, user])
    except ValueError:
        with_system = ""
    if with_system.count(_SYSTEM_MARK) == 1:
        before_system, rest = _split(with_system, _SYSTEM_MARK)
        before_prompt, tail = _split(rest, _PROMPT_MARK)
    before_answer, after_answer = _between_turns(render, opening, tail)
    around = _around_tools(render, user, opening) if tools else ("", "", "")
    return Wrapper("template", "", before_system, before_prompt, tail, opening, (), before_answer, after_answer, around)


def _around_tools(render: Callable[..., str], user: dict[str, str], opening: str) -> tuple[str, str, str]:
    """What the template writes before and after a list of tools, and then up to the instruction; nothing where it has
    them at another place than right before the turn.
    """
    none: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    tool = {"type": "function", "function": {"name": "tool", "description": "A tool.", "parameters": none}}
    try:
        text = render([user], [tool])
    except ValueError:
        return "", "", ""
    found = _TOOLS_AT.search(text.partition(_PROMPT_MARK)[0])
    return (found[1], found[2], found[3]) if found and opening.endswith(found[3]) else ("", "", "")


def _between_turns(render: Callable[..., str], opening: str, tail: str) -> tuple[str, str]:
    """What the template writes before and after an assistant's turn; nothing where it shows earlier turns otherwise."""
    asked, answered = "\ue000asked\ue001", "\ue000answered\ue001"
    turns = (("user", asked), ("assistant", answered), ("user", _PROMPT_MARK))
    try:
        text = render([{"role": role, "content": content} for role, content in turns])
    except ValueError:
        return "", ""
    found = re.fullmatch(
        f"{re.escape(opening)}{asked}(.*){answered}(.*){_PROMPT_MARK}{re.escape(tail)}", text, re.DOTALL
    )
    return (found[1], found[2]) if found else ("", "")


def _split(text: str, mark: str) -> tuple[str, str]:
    if text.count(mark) != 1:
        raise UsageError("the tokenizer's chat template does not show the user's message once and as it is", _CHOOSE)
    before, after = text.split(mark)
    return before, after


_TRAILING = re.compile(r"(?:(?:USER|ASSISTANT):\s*)+\Z")


def trim_completion(text: str) -> str:
    """A completion without the turn markers it ended with, if it did (``USER:``, ``ASSISTANT:``)."""
    return _TRAILING.sub("", text)
