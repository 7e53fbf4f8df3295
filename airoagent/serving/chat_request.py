"""What a chat request asks: the last message of the user, what was said before it, and the schema of the answer.

    asked = read_request({"messages": [{"role": "user", "content": "How deep is Lake Baikal?"}]})
    asked.said, asked.before      # "How deep is Lake Baikal?", ()

Clients send fields that nothing here uses (``temperature``, ``tools``, open-webui's ``chat_id`` and the like): they are
ignored, as are the messages of the system. `Refused` says in one sentence what is wrong with a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from airoagent.engine.structured import AnswerForm, answer_schema
from airoagent.errors import AiroError
from airoagent.frozen import frozen
from airoagent.serving.access import Refused

_LONGEST_QUESTION: Final = 32_000  # characters

Talk = tuple[tuple[str, str], ...]
"""Questions as they were said, each with the answer it got, oldest first."""


@frozen
class Asked:
    """The last message, what was said before it, the form of its answer (None: in words), and who is to answer."""

    said: str
    before: Talk
    form: AnswerForm | None
    model: str = ""


def read_request(body: Mapping[str, Any]) -> Asked:
    """What the body of a request asks."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise Refused(400, "messages must be a list of objects")
    last = max((number for number, one in enumerate(messages) if one.get("role") == "user"), default=-1)
    before: list[tuple[str, str]] = []
    said = ""
    for message in messages[: last + 1]:
        text = _text(message.get("content"))
        if message.get("role") == "user":
            said = text
        elif message.get("role") == "assistant" and said:
            before.append((said, text))
            said = ""
    if not said:
        raise Refused(400, "there is no user message with text")
    if len(said) > _LONGEST_QUESTION:
        raise Refused(400, f"the question has {len(said):,} characters; the limit is {_LONGEST_QUESTION:,}")
    model = body.get("model")
    return Asked(said, tuple(before), _form(body), model if isinstance(model, str) else "")


def _text(content: Any) -> str:
    """The content of a message, its parts of text put together."""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        content = "\n".join(text for text in texts if isinstance(text, str))
    return content.strip() if isinstance(content, str) else ""


def _form(body: Mapping[str, Any]) -> AnswerForm | None:
    wanted = body.get("response_format") or {"type": "text"}
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    given = wanted.get("json_schema") if kind == "json_schema" else None
    if kind == "text":
        return None
    if not isinstance(given, dict) or not isinstance(given.get("schema"), dict):
        raise Refused(400, "response_format must be text, or json_schema with a schema")
    try:
        return answer_schema(given["schema"])
    except AiroError as error:
        raise Refused(400, error.message) from error
