"""The seam between the runtime and whatever writes text: the `Model` protocol and what passes through it.

A backend is one module with a class that has these members; there is nothing to inherit from. The prompt given to a
model is the bare instruction (`airoagent.prompts`); the chat wrapper its generation was trained with is the
backend's to put around it (`Model.wrap`), so that the record can show the exact text that was read.

    async for chunk in model.stream(Prompt("Where do otters sleep?", purpose="answer")):
        print(chunk.text, end="")
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

from airoagent.errors import ModelError, UsageError
from airoagent.events import Usage
from airoagent.prompts.chat import Style
from airoagent.prompts.grammar import Grammar

Purpose = Literal["plan", "answer", "call", "think", "code"]
Finish = Literal["stop", "length", "cancelled", "repetition"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are picked. ``temperature`` 0 is greedy.

    None means what suits the purpose (`for_purpose`): plans, calls and answers from given texts are picked greedily and
    without a penalty, since they repeat names and words of the prompt; thoughts and code as the model cards recommend.
    UsageError for a value that makes no sense.
    """

    temperature: float | None = None
    top_p: float = 1.0
    repetition_penalty: float | None = None
    max_tokens: int = 1024
    seed: int | None = None

    def __post_init__(self) -> None:
        for name, makes_sense, hint in (
            ("temperature", (self.temperature or 0) >= 0, "0 is greedy, 0.7 the model cards' figure"),
            ("top_p", 0 < self.top_p <= 1, "it is above 0 and at most 1"),
            ("repetition_penalty", self.repetition_penalty is None or self.repetition_penalty > 0, "1 is none"),
            ("max_tokens", self.max_tokens >= 1, "it is at least 1"),
        ):
            if not makes_sense:
                raise UsageError(f"{name} cannot be {getattr(self, name)}", hint)

    def for_purpose(self, purpose: Purpose) -> Sampling:
        """The same with a temperature and a penalty."""
        free = purpose in ("think", "code")
        temperature = (0.7 if free else 0.0) if self.temperature is None else self.temperature
        penalty = (1.1 if free else 1.0) if self.repetition_penalty is None else self.repetition_penalty
        return replace(self, temperature=temperature, repetition_penalty=penalty)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked: the instruction without its chat wrapper, what it is for, and strings that end it.

    A stop string ends the completion and is not part of it. ``grammar`` (a `Grammar`, or Lark as llguidance reads it)
    holds the completion to a language where the backend can; others ignore it, so the text is always parsed as if it
    were free. A completion that is held to a grammar ends where the grammar ends; stop strings are text in it.
    ``text`` may be a `Chat`, whose turns a chat template keeps apart.
    """

    text: str
    purpose: Purpose = "answer"
    stop: tuple[str, ...] = ()
    sampling: Sampling | None = None
    grammar: Grammar | str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a completion. The last chunk (its text may be empty) says why the model stopped and what it cost.

    It also has ``logprobs``, what the model gives each token of the whole text, where the backend was asked for that.
    ``thoughts`` come before ``text``, marks included, where the backend tells them from it.
    """

    text: str
    finish: Finish | None = None
    usage: Usage | None = None
    logprobs: tuple[float, ...] = ()
    thoughts: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """All that a model wrote for one prompt; ``doubt`` says why it may be wrong ("": no reason is known)."""

    text: str
    finish: Finish
    usage: Usage
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a model is: its name as the user would give it, backend, window in tokens (None: no limit), chat wrapper.

    ``note`` is one honest line about it, shown where models are listed; ``style`` the form of prompts it is asked in;
    ``purposes`` what it can be asked for: to ask for anything else is a ModelError; ``call_form`` the form of calls
    that it was trained on, by its name in `airoagent.prompts.chat.CALL_FORMS`. An answer whose tokens the model itself
    gives a probability under ``least_probability``, on the geometric mean, is not to be relied on.
    """

    name: str
    backend: str
    context_length: int | None
    wrapper: str
    note: str = ""
    style: Style = "airoboros"
    purposes: tuple[Purpose, ...] = ("plan", "answer", "call", "think", "code")
    call_form: str = ""
    least_probability: float = 0.0


@runtime_checkable
class Model(Protocol):
    """Anything that writes text for a prompt."""

    @property
    def info(self) -> ModelInfo:
        """What this model is."""
        ...

    def wrap(self, prompt: str) -> str:
        """The exact text the model reads for this instruction, chat wrapper included."""
        ...

    def count_tokens(self, text: str) -> int:
        """Length of the text in this model's tokens (backends without a tokenizer count words)."""
        ...

    def stream(self, prompt: Prompt) -> AsyncIterator[Chunk]:
        """Write the completion piece by piece. Closing the iterator stops the model within one token.

        Raises ModelError when the model cannot read the prompt (too long, backend gone).
        """
        ...

    async def aclose(self) -> None:
        """Give back memory, threads and connections; the model is not used after."""
        ...


_ASKED_FOR: dict[Purpose, str] = {
    "plan": "write plans",
    "answer": "answer questions",
    "call": "choose functions",
    "think": "weigh several answers",
    "code": "write code",
}


def check_purpose(info: ModelInfo, purpose: Purpose) -> None:
    """ModelError where the model cannot do what it is to be asked for."""
    if purpose not in info.purposes:
        raise ModelError(
            f"the model {info.name} cannot {_ASKED_FOR[purpose]}",
            "name one that can with -m, e.g. -m jondurbin/airoboros-l2-13b-gpt4-2.0",
        )


async def complete(model: Model, prompt: Prompt, on_text: Callable[[str], None] | None = None) -> Completion:
    """Read a completion to its end; ``on_text`` sees each piece as it comes."""
    pieces: list[str] = []
    finish: Finish = "stop"
    usage = Usage(calls=1)
    async for chunk in model.stream(prompt):
        if chunk.text:
            pieces.append(chunk.text)
            if on_text is not None:
                on_text(chunk.text)
        finish = chunk.finish or finish
        usage = chunk.usage or usage
    return Completion("".join(pieces), finish, usage)
