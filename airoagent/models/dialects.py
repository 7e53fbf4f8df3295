"""How the servers around language models differ behind their OpenAI-compatible address.

All of them take ``prompt``, ``max_tokens``, ``temperature``, ``top_p``, ``seed``, ``stop`` and ``stream`` on
``/v1/completions``. A grammar and a repetition penalty each spell their own way, and some refuse what they do not know;
so nothing else is sent to a server that did not say what it is. Which one it is, it tells in ``/v1/models``
(``owned_by``), or the user does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from airoagent.language.grammar import Grammar
from airoagent.models.base import Sampling
from airoagent.records import record

__all__ = ["DIALECTS", "Dialect", "dialect_of", "window_in"]


@record
class Dialect:
    """A kind of server.

    ``penalty`` is the name of its penalty field, ``counts`` whether it counts tokens at a stream's end, ``grammar`` the
    field for a grammar (``""``: none), ``window`` where it tells its window: a path from its root, and keys into the
    answer.
    """

    name: str
    penalty: str = ""
    counts: bool = False
    grammar: str = ""
    window: tuple[str, tuple[str, ...]] = ("", ())

    def fields(self, sampling: Sampling, grammar: Grammar | str) -> dict[str, Any]:
        """The fields of a request that this server alone spells so. A grammar that is given as Lark is not sent."""
        extra: dict[str, Any] = {}
        if self.penalty and sampling.repetition_penalty != 1:
            extra[self.penalty] = sampling.repetition_penalty
        if self.counts:
            extra["stream_options"] = {"include_usage": True}
        if self.grammar and isinstance(grammar, Grammar):
            value: Any = grammar.gbnf()
            for key in reversed(self.grammar.split(".")):
                value = {key: value}
            extra.update(value)
        return extra


DIALECTS: Final[Mapping[str, Dialect]] = {
    dialect.name: dialect
    for dialect in (
        Dialect("plain"),
        Dialect("llama.cpp", "repeat_penalty", True, "grammar", ("/props", ("default_generation_settings", "n_ctx"))),
        Dialect("llama-cpp-python", "repeat_penalty", False, "grammar"),
        Dialect("vllm", "repetition_penalty", True, "structured_outputs.grammar"),
        Dialect("text-generation-webui", "repetition_penalty", False, "grammar_string"),
        Dialect("koboldcpp", "rep_pen", False, "", ("/api/v1/config/max_context_length", ("value",))),
        Dialect("lmstudio", "repeat_penalty", False, ""),
    )
}

_OWNERS: Final = {
    "llamacpp": "llama.cpp",
    "me": "llama-cpp-python",
    "vllm": "vllm",
    "user": "text-generation-webui",
    "koboldcpp": "koboldcpp",
    "organization_owner": "lmstudio",
}


def dialect_of(entry: Mapping[str, Any]) -> Dialect:
    """The dialect of the server that lists a model like this; ``plain`` where it does not tell."""
    return DIALECTS[_OWNERS.get(str(entry.get("owned_by", "")).lower(), "plain")]


def window_in(answer: Any, *ways: tuple[str, ...]) -> int | None:
    """The first whole number that one of these ways of keys leads to."""
    for keys in ways:
        value = answer
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None
