"""Reads questions with known answers from files in the usual forms.

    questions = read_questions(Path("questions.jsonl"))

The forms: our own JSON Lines; SQuAD (also 2.0) and HotpotQA as published and as rows of the Hugging Face hub; lists and
CSV files as in the repositories of ReWOO and LLMCompiler.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

from airoagent.engine.session import asked_question
from airoagent.errors import UsageError
from airoagent.frozen import frozen
from airoagent.textfiles import read_text

_MOST_FILE: Final = 512 * 1024 * 1024  # bytes; HotpotQA's training set is as large
_MOST_TEXTS: Final = 10  # HotpotQA's number, and the limit of a question
_FORM: Final = '{"question": "...", "answers": ["..."]}'


@frozen
class Question:
    """A question and its accepted answers (none: it cannot be answered).

    ``context`` are texts to answer from ((): the agent plans and searches); ``source`` is part of the address that the
    answer should cite ("": not given).
    """

    id: str
    text: str
    answers: tuple[str, ...]
    context: tuple[tuple[str, str], ...] = ()
    source: str = ""


def read_questions(path: Path) -> tuple[Question, ...]:
    """The questions of a file; UsageError names the line or question that cannot be read.

    A row has ``question`` (or ``input``), ``answers``, ``answer`` or ``target``, and optionally ``id``, ``context`` (a
    text, or several by name, of which the first 10 are used) and ``source``. An id that is repeated gets a number.
    """
    found: list[Question] = []
    seen: Counter[str] = Counter()
    for question in _read(read_text(path, most=_MOST_FILE), str(path)):
        seen[question.id] += 1
        again = f" ({seen[question.id]})" if seen[question.id] > 1 else ""
        found.append(replace(question, id=question.id + again))  # results are compared by id
    if not found:
        raise UsageError(f"{path} contains no questions", f"a line: {_FORM}")
    return tuple(found)


def _read(text: str, name: str) -> Iterator[Question]:
    begin = text.lstrip()[:1]
    if begin == "[" or (begin == "{" and not _is_lines(text)):
        try:
            rows: Any = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UsageError(
                f"{name} is not JSON: {error}", "a file of questions is JSON, JSON Lines or CSV"
            ) from error
        if isinstance(rows, dict):
            rows = list(_squad_rows(rows["data"], name)) if "data" in rows else rows.get("examples", [rows])
        if not isinstance(rows, list):
            raise UsageError(f"{name} contains no list of questions", _FORM)
        yield from (_question(row, number, f"{name}: question {number}") for number, row in enumerate(rows, 1))
    elif begin == "{":
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield _question(_parsed(line), number, f"{name}:{number}")
    elif text.strip():
        reader = csv.DictReader(io.StringIO(text), strict=True)
        try:
            for number, row in enumerate(reader, 1):
                yield _question(row, number, f"{name}:{reader.line_num}")
        except csv.Error as error:
            raise UsageError(
                f"{name}:{reader.line_num}: not CSV: {error}", f"JSON Lines can be read, too: {_FORM}"
            ) from error


def _is_lines(text: str) -> bool:
    """Whether the first line is an object by itself and more text follows."""
    first, _, rest = text.lstrip().partition("\n")
    return bool(rest.strip()) and _parsed(first) is not None


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _squad_rows(articles: Any, name: str) -> Iterator[dict[str, Any]]:
    try:
        for article in articles:
            for paragraph in article["paragraphs"]:
                texts = [(str(article.get("title", "text")), paragraph["context"])]
                for asked in paragraph["qas"]:
                    yield {**asked, "answers": [one["text"] for one in asked["answers"]], "context": texts}
    except (LookupError, TypeError, AttributeError) as error:
        raise UsageError(f"{name} looks like SQuAD but has another structure", "use SQuAD's file unchanged") from error


def _question(row: Any, number: int, place: str) -> Question:
    try:
        asked = row["question"] if "question" in row else row["input"]
        answers = _answers(row)
        context = _texts(row.get("context") or ())
        id = str(row.get("_id") or row.get("id") or number)
        source = str(row.get("source") or "")
        "".join((id, str(asked), source, *answers, *chain(*context))).encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{place}: not valid text: it contains a lone surrogate", "write it as UTF-8") from error
    except (LookupError, TypeError, ValueError, AttributeError, SyntaxError, RecursionError, MemoryError) as error:
        raise UsageError(f"{place}: not a question", _FORM) from error
    if not isinstance(asked, str):
        raise UsageError(f"{place}: the question is not text", _FORM)
    try:
        return Question(id, asked_question(asked), answers, context, source)
    except UsageError as error:
        raise UsageError(f"{place}: {error.message}", _FORM) from error


_ONE_OF = re.compile(r"Can be one of (\[.*\])\s*", re.DOTALL)  # ReWOO's physics questions
_WORKED = re.compile(r".*\n#### *(.+)", re.DOTALL)  # GSM8K: the solution comes first


def _answers(row: Any) -> tuple[str, ...]:
    given: Any = next((row[name] for name in ("answers", "answer", "target") if row.get(name) is not None), [])
    if isinstance(given, dict):  # SQuAD on the hub
        given = given["text"]
    if isinstance(given, str) and (several := _ONE_OF.fullmatch(given)):
        given = ast.literal_eval(several[1])
    elif isinstance(given, str) and (worked := _WORKED.fullmatch(given)):
        given = worked[1]
    if isinstance(given, str | int | float):
        given = [given]
    if not all(isinstance(one, str | int | float) for one in given):
        raise TypeError("an answer is not text")
    return tuple(dict.fromkeys(map(str, given)))


def _texts(given: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(given, str):
        return (("text", given),)
    if isinstance(given, dict) and isinstance(given.get("sentences"), list):  # HotpotQA on the hub
        given = list(zip(given["title"], given["sentences"], strict=True))
    pairs = list(given.items() if isinstance(given, dict) else given)[:_MOST_TEXTS]
    return tuple((str(name), text if isinstance(text, str) else "".join(text)) for name, text in pairs)
