"""How the servers around language models differ behind their OpenAI-compatible address.

All of them take ``prompt``, ``max_tokens``, ``temperature``, ``top_p``, ``seed``, ``stop`` and ``stream`` on
``/v1/completions``. A grammar and a repetition penalty each spell their own way, and some refuse what they do not know;
so nothing else is sent to a server that did not say what it is. It does so in ``/v1/models`` (``owned_by``), or the
user does.

Sources, besides the servers' documentation: llama.cpp tools/server, llama-cpp-python's server/types.py, vLLM's
CompletionRequest (``structured_outputs``), SGLang's openai/protocol.py (``ebnf``), text-generation-webui's
extensions/openai/typing.py, koboldcpp.py's ``transform_genparams`` and ``generate``, which hand every field of
``/v1/completions`` on, ``grammar`` among them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from airoagent.frozen import frozen
from airoagent.models.base import Sampling
from airoagent.prompts.grammar import Grammar, Json, Seq


@frozen
class Dialect:
    """A kind of server.

    ``penalty`` is the name of its penalty field, ``counts`` whether it counts tokens at a stream's end, ``grammar`` the
    field for a grammar (``""``: none), ``lark`` whether that is llguidance's Lark instead of GBNF, ``schema`` whether
    its chat takes a JSON schema where it takes no grammar; ``window`` where it reports its window: a path from its
    root, and keys into the answer; ``plainly`` the fields that switch off what it would do to the choice of tokens
    unasked; ``vague`` that it says "length" at a stop string, too; ``tokenizer`` the path of its tokenizer, as
    llama.cpp's takes and answers; ``by_words`` that xgrammar reads the grammar.
    """

    name: str
    penalty: str = ""
    counts: bool = False
    grammar: str = ""
    window: tuple[str, tuple[str, ...]] = ("", ())
    plainly: tuple[tuple[str, float], ...] = ()
    schema: bool = False
    vague: bool = False
    tokenizer: str = ""
    lark: bool = False
    by_words: bool = False

    def fields(self, sampling: Sampling) -> dict[str, Any]:
        """The fields of a request that this server alone spells so."""
        extra: dict[str, Any] = dict(self.plainly)
        if self.penalty and sampling.repetition_penalty != 1:
            extra[self.penalty] = sampling.repetition_penalty
        if self.counts:
            extra["stream_options"] = {"include_usage": True}
        return extra

    def constraint(self, grammar: Grammar | str, *, chat: bool) -> dict[str, Any]:
        """The fields that hold a completion to this grammar; none where the server cannot be asked to."""
        if self.lark and grammar:
            value: Any = _LLGUIDANCE + (grammar.lark() if isinstance(grammar, Grammar) else grammar)
        elif isinstance(grammar, Grammar):
            value = grammar.gbnf(by_words=self.by_words)
        else:
            return {}
        if self.grammar:
            for key in reversed(self.grammar.split(".")):
                value = {key: value}
            return dict(value)
        schema = _schema_of(grammar) if self.schema and chat and isinstance(grammar, Grammar) else None
        if schema is None:
            return {}
        named = {"name": "call", "strict": True, "schema": schema}
        return {"response_format": {"type": "json_schema", "json_schema": named}}

    def says(self) -> str:
        """In a few words, what it can be held to."""
        if self.grammar:
            return f"held to grammars by its field {self.grammar} ({'Lark' if self.lark else 'GBNF'})"
        if self.schema:
            return "takes no grammar, and a call's schema only in its chat: what it writes is checked"
        return "takes no grammar in any known form: what it writes is checked"


# llguidance's first line, which xgrammar refuses. vLLM then takes llguidance: it masks a plan's token in 1 ms, where
# xgrammar 0.2.8 takes 5 for the same grammar in GBNF by words, 115 in characters (a vocabulary of 49,152).
_LLGUIDANCE: Final = "%llguidance {}\n"
_PLAINLY: Final = (("top_k", 0), ("min_p", 0.0))
_PLAINLY_ALL: Final = (("top_k", -1), ("min_p", 0.0))  # where 0 is not a figure for "all tokens"

DIALECTS: Final[Mapping[str, Dialect]] = {
    dialect.name: dialect
    for dialect in (
        Dialect("plain"),
        Dialect(
            "llama.cpp",
            "repeat_penalty",
            True,
            "grammar",
            ("/props", ("default_generation_settings", "n_ctx")),
            _PLAINLY,
            tokenizer="/tokenize",
        ),
        Dialect("llama-cpp-python", "repeat_penalty", False, "grammar", plainly=_PLAINLY),
        Dialect(
            "vllm",
            "repetition_penalty",
            True,
            "structured_outputs.grammar",
            plainly=_PLAINLY_ALL,
            lark=True,
            by_words=True,
        ),
        Dialect("sglang", "repetition_penalty", True, "ebnf", plainly=_PLAINLY_ALL, by_words=True),
        Dialect("text-generation-webui", "repetition_penalty", False, "grammar_string", plainly=_PLAINLY),
        Dialect(
            "koboldcpp",
            "rep_pen",
            False,
            "grammar",
            ("/api/extra/true_max_context_length", ("value",)),
            _PLAINLY,
            vague=True,
        ),
        Dialect("lmstudio", "repeat_penalty", True, window=("/api/v0/models", ("loaded_context_length",)), schema=True),
    )
}

_OWNERS: Final = {
    "llamacpp": "llama.cpp",
    "me": "llama-cpp-python",
    "vllm": "vllm",
    "sglang": "sglang",
    "user": "text-generation-webui",
    "koboldcpp": "koboldcpp",
    "organization_owner": "lmstudio",
}


def dialect_of(entry: Mapping[str, Any]) -> Dialect:
    """The dialect of the server that lists a model like this; ``plain`` where it does not say."""
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


def _schema_of(grammar: Grammar) -> dict[str, Any] | None:
    """The JSON schema, where the grammar is one of JSON and nothing else."""
    piece = grammar.rules[0].piece
    last = piece.items[-1] if isinstance(piece, Seq) else piece
    if not isinstance(last, Json):
        return None
    schema = json.loads(last.schema)
    return {key: value for key, value in schema.items() if key != "x-guidance"} if isinstance(schema, dict) else None
