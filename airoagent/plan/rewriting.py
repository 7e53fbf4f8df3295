"""A plan that could not be read as it stands, written again as the reader of statements knows it.

    >>> other_lines("Plan: look\\n:evidence0: = Search{otters}\\n## Answer\\n:evidence0:", ToolNames(["Search"]))
    ... # doctest: +ELLIPSIS
    [..., Entry(at=11, line='', tool='Search', input='otters', number=0, thought=''), ...]

The usual reader comes first, and what it reads is final. Only a text that it refuses, or that has lines left over and
no answer, is read again: as a program (`programs`), as one of the `notations`, with names in place of numbers
(``page = Search[otters]``), or line by line with other brackets (``Search{otters}``, ``Search【otters】``, ``Search:
otters``), fields on one line (``1. Tool: Search / Input: otters``), tables without outer bars or with calls in their
cells, and an answer below its heading or with a label in another language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from airoagent.calls.call_forms import without_thoughts
from airoagent.errors import PlanError
from airoagent.findings import LineIndex
from airoagent.plan.draft import Draft, PlanLimits
from airoagent.plan.fields import cells_of, is_reference, kind_of
from airoagent.plan.heads import REFERENCE_HEAD
from airoagent.plan.notations import Entry, data_entries, invented_entry, xml_entries
from airoagent.plan.plans import Plan
from airoagent.plan.programs import program_entries
from airoagent.plan.repairs import NOISE, clean_input
from airoagent.plan.scanner import StatementReader
from airoagent.plan.steps import Step
from airoagent.plan.tool_names import ToolNames
from airoagent.prompts.own_text import NEXT_TURN, after_thoughts, own_text

_BRACKETS = dict(zip("{<【「『〔《〈⟨｛[(（［", "}>】」』〕》〉⟩｝])）］", strict=True))
_SPACE = " \t\r\xa0\u3000"  # no line break: each line is read by itself
_LEAD = rf"[{_SPACE}>*_`•–+-]*+(?:(?:step ?)?(?P<lead>[0-9]{{1,4}})[.):])?[{_SPACE}*_`]*+"
_SIGN = rf"[*_`]*[{_SPACE}]*+(?::?==?|＝|：?＝|[:：]|[-=]>|→|<-)[{_SPACE}]*+"
_NAME = r"(?:(?:use|call|run)(?: the)? )?[*_`]*(?P<name>[A-Za-z_][\w .-]{0,80}?)(?: tool)?[*_`]*"
_CALL = re.compile(
    rf"{_LEAD}(?:(?P<ref>{REFERENCE_HEAD}){_SIGN})?{_NAME}\s?(?P<open>[{re.escape(''.join(_BRACKETS))}])", re.IGNORECASE
)
_WORDS = re.compile(
    rf"{_LEAD}(?:(?P<ref>{REFERENCE_HEAD}){_SIGN})?{_NAME}\s*(?:[:：]|[-=]>|→|\s-(?=\s)|(?=[\"“]))\s*(?P<raw>\S.*)",
    re.IGNORECASE,
)
_LED_CALL = re.compile(
    rf"{_LEAD}(?:(?P<thought>[^\[\](){{}}=]{{1,200}}?[.:–—-])[*_`]*\s?)?[*_`]*(?P<name>[A-Za-z_][\w.-]{{0,80}})[*_`]*[\[(](?P<raw>.*?)[\])]"
    rf"[`*]*\s*(?:(?:->|→|⇒|=>|\()\s*(?:stored?s? (?:as|in) )?[*_`]*(?P<ref>{REFERENCE_HEAD})[*_`]*\)?)?[.;`*\s]*",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"{_LEAD}(?:(?:let|const|var|set) )?\$?(?P<key>[A-Za-z_]\w{{0,40}})[*_`]*\s?(?::?=|<-|←)\s?[*_`]*"
    r"(?P<name>[A-Za-z_][\w.-]{0,80})(?=[\[(])",
    re.IGNORECASE,
)
# A step's name in brackets of its own, as all of an input or answer, or as a word.
_NAME_REFERENCE = re.compile(
    r"\$?\{ ?(\w+) ?\}|\$(\w+)|<(\w+)>|(?<!\w)\[(\w+)\]|(?<=\w[\[(])(\w+)(?=[\])])"
    r"|(?<=nswer: )[*_`]*(\w+)[*_`.\s]*\Z|(?<![\w.])(?P<word>\w+)(?![\w(\[])"
)
_NO_WORD = re.compile(r"[0-9_]|\A[^aAiI]\Z")
_SHOWN = re.compile(
    r"\s*(?:(?:final[ _]?)?answer\s?=|return\b|print|console\.log)\s*\(?[*_`]*(?P<raw>[#:$\w]+)[*_`]*\)?[;.]?\s*",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(r"\(\s*[A-Za-z_]\w*\s*\)[;\s]*")  # a variable that the text does not assign
_WIDE_REFERENCE = re.compile(r"[【〔「](?:evidence|E)[ _-]?([0-9]{1,9})[】〕」]", re.IGNORECASE)
_SOME_REFERENCE = re.compile(rf"(?<![0-9A-Za-z_])(?:{REFERENCE_HEAD})", re.IGNORECASE)
_SIGNED_REFERENCE = re.compile(r"(?:[#＃] ?e|[:：] ?evidence)[ _-]?[0-9]", re.IGNORECASE)
_LONE_REFERENCE = re.compile(rf"[*_`]*(?:{REFERENCE_HEAD}|[0-9]{{1,9}}):?[*_`.\s]*", re.IGNORECASE)
_NUMBER = re.compile("[0-9]+")
_LABELS = (
    "réponse(?: finale)?|antwort|respuesta(?: final)?|resposta|risposta|antwoord|ответ|(?:最终)?答案|(?:最終)?回答|답변"
)
_HEADING = re.compile(r"\s*(?:#{1,6}\s*|[*_]{1,3})?(?P<key>#?[A-Za-z][\w ]{0,28}?)\s*[:：]?\s*[*_]{0,3}\s*")
_FOREIGN_ANSWER = re.compile(
    rf"\s*[#*_]{{0,6}}\s?(?:{_LABELS})\s?[*_]{{0,3}}\s?[:：]\s?[*_]{{0,3}}(?P<raw>.*)", re.IGNORECASE
)
_SEPARATOR = r"(?:(?<=\s)[/|–—-]\s*+|[;,|]\s++|(?:->|→|⇒|=>)\s*+)"
_KEY = re.compile(
    rf"(?:^{_LEAD}|{_SEPARATOR}[*_`]{{0,3}})(?P<key>[A-Za-z#][\w ]{{0,28}}?)[*_`]{{0,3}}\s?[:：=][*_`]{{0,3}}\s*",
    re.IGNORECASE,
)
_STEP_LABEL = re.compile(
    r"[\W_]*step\s?(?P<number>[0-9]{1,4})(?:[\W_]*|\s?[:.)–-]\s(?P<thought>[^\[\](){}]*))", re.IGNORECASE
)
_LETTER = re.compile("[A-Za-z]")
_RULE = re.compile(r"[|:\- ]+")
_MOST = 64 * 1024  # characters of a text that is read again
_FAR, _MOST_NESTED = 4_000, 50  # characters within which a bracket has to close, and brackets within it


def read_otherwise(
    text: str, names: ToolNames, limits: PlanLimits, truncated: bool, given: Iterable[Step]
) -> Plan | None:
    """The plan that a text means in another notation; None if it is none of those known.

    ``given`` are the steps that have been handed out while the text arrived: the plan must begin with them.
    """
    if len(text) > _MOST:
        return None
    index = LineIndex(text)
    given = tuple(given)
    for entries, offset in _readings(text, names):
        for first in _numberings(entries):
            lines, places = _written(entries, first, index, offset)
            again = "\n".join(lines) + "\n" * text.endswith("\n")
            draft = Draft(names, limits)
            draft.dialect = "" if _SIGNED_REFERENCE.search(again) else "E"
            reader = StatementReader(draft)
            reader.read(again)
            draft.note(0, "notation", "The plan is written in another notation.", "read as steps")
            reader.end(truncated)
            try:
                steps, answer, question, diagnostics = draft.finish(again, text, truncated)
            except PlanError:
                continue
            steps = tuple([replace(step, line=places[step.line - 1]) for step in steps])
            if answer is None and not steps[-1].input:
                continue  # the text ends before the input
            if list(map(_meaning, steps[: len(given)])) == list(map(_meaning, given)):
                found = tuple([replace(one, line=places[one.line - 1], column=1) for one in diagnostics])
                return Plan((*given, *steps[len(given) :]), answer, question, found)
    return None


def _readings(text: str, names: ToolNames) -> Iterator[tuple[list[Entry], int]]:
    """The steps and lines of the text in each notation it may be in, and the offset they are counted from."""
    masked = without_thoughts(text)
    own = own_text(masked)
    spoken = after_thoughts(text)  # in a plan of elements, thoughts are parts of it
    turn = NEXT_TURN.search(spoken)
    program = program_entries(own, names.resolve)
    if program:
        yield program, masked.find(own)
    for read, part, whole in (
        (xml_entries, spoken[: turn.start()] if turn else spoken, text),
        (data_entries, own, masked),
    ):
        found = read(part, names.resolve)
        if found and any(entry.tool or entry.is_answer for entry in found):
            found.sort(key=lambda entry: entry.is_answer)
            yield found, whole.find(part)
    if program is None and (renamed := _renamed(own, names)):
        yield renamed, masked.find(own)
    found = other_lines(own, names)
    if any(entry.tool or entry.line != line for entry, line in zip(found, own.split("\n"), strict=False)):
        yield found, masked.find(own)


def _renamed(text: str, names: ToolNames) -> list[Entry]:
    """The lines of a text whose steps have names of their own (``page = Search[otters]``), with numbers in place of
    these names; none where it has no such steps.
    """
    if _SOME_REFERENCE.search(text):
        return []
    numbers: dict[str, int] = {}
    lines: list[Entry] = []
    at, steps, used = 0, 0, False

    def number(found: re.Match[str]) -> str:
        name = found[found.lastindex or 0]
        if name not in numbers or (found["word"] and not _NO_WORD.search(name)):
            return found[0]
        return f":evidence{numbers[name]}:"

    for line in text.split("\n"):
        shown, head = _SHOWN.fullmatch(line), _NAMED.match(line)
        if shown and shown["raw"] in numbers:
            numbered, used = f"Answer: :evidence{numbers[shown['raw']]}:", True
        else:
            rest = line[head.end() :] if head else line
            numbered = _NAME_REFERENCE.sub(number, rest)
            used = used or numbered != rest
        if head and names.resolve(head["name"]):
            if _UNKNOWN.fullmatch(numbered):
                return []
            numbers[head["key"]] = steps
            numbered = f":evidence{steps}: = {head['name']}{numbered}"
            steps += 1
        elif head:
            numbered = head[0] + numbered
        lines.append(Entry(at, numbered))
        at += len(line) + 1
    return lines if used else []


def _numberings(entries: Iterable[Entry]) -> tuple[int | None, ...]:
    """From which number on steps are counted (None: as they are written), as long as references lead nowhere."""
    numbers = [entry.number for entry in entries if entry.tool]
    if numbers == list(range(1, len(numbers) + 1)):
        return None, 0  # a list counts from 1, its references may count from 0
    return (None,) if any(number is not None for number in numbers) else (None, 1)


def _written(entries: Iterable[Entry], first: int | None, index: LineIndex, offset: int) -> tuple[list[str], list[int]]:
    """The lines that the reader of statements knows, and of each the line of the text that it comes from."""
    lines: list[str] = []
    places: list[int] = []
    count = 0
    for entry in entries:
        line = entry.line
        if entry.tool:
            number = entry.number if first is None else first + count
            fields = {"id": number, "thought": entry.thought, "tool": entry.tool, "input": entry.input}
            line = json.dumps({key: one for key, one in fields.items() if one not in (None, "") or key == "input"})
            count += 1
        lines.append(line)
        places += [index.locate(offset + entry.at)[0]] * (line.count("\n") + 1)
    return lines, [*places, places[-1]]


def _meaning(step: Step) -> tuple[object, ...]:
    return step.id, step.tool, step.template


def other_lines(text: str, names: ToolNames) -> list[Entry]:
    """The text line by line, with the steps of lines that the usual reader does not know."""
    text = _WIDE_REFERENCE.sub(r":evidence\1:", text)
    refers = _SOME_REFERENCE.search(text) is not None
    found: list[Entry] = []
    columns: list[str] = []
    at = 0
    pending: dict[str, str] = {}
    pending_lines: list[Entry] = []

    def take(at: int, line: str) -> bool:
        fields = _fields(line, names)
        starts = "tool" in fields or _STEP_LABEL.fullmatch(line) is not None
        if not fields or not (starts or "tool" in pending):
            return False
        if "tool" in pending and starts:
            flush()
        for kind, value in fields.items():
            pending.setdefault(kind, value)
        pending_lines.append(Entry(at, line))
        return True

    def flush() -> None:
        found.extend(_gathered(pending, pending_lines))
        pending.clear()
        pending_lines.clear()

    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        line = text[at:end].rstrip("\n")
        if take(at, line):
            at = end
            continue
        if line.strip():
            flush()
        call = _bracketed(text, at, names, bare=refers)  # without references, a call alone is an example
        if call:
            step, end = call
            found.append(step)
        elif _heads_answer(line):
            found.append(Entry(at, "Answer:"))
        elif "|" in line and (columns := columns or _columns(cells_of(line))):
            found += _row(at, line, columns, names)
        else:
            columns = []
            found.append(_word_line(at, line, names, refers) or Entry(at, line))
        at = end
    flush()
    return found


def _bracketed(text: str, at: int, names: ToolNames, bare: bool, cell: bool = False) -> tuple[Entry, int] | None:
    """A call in brackets that stands alone on its lines, and where it ends; ``bare``: its number may be missing, also
    where the tool is spelled in another way in a ``cell`` of a table.
    """
    call = _CALL.match(text, at)
    if call is None or (call["ref"] and call["open"] in "[(（［" and not cell):
        return None
    tool = names.resolve(call["name"])
    if tool is None or not (call["ref"] or call["lead"] or (bare and (cell or call["name"] in names.names))):
        return None
    opens, closes = call["open"], _BRACKETS[call["open"]]
    depth, place, end = 1, call.end(), len(text)
    for sign in re.compile(f"[{re.escape(opens + closes)}]").finditer(text, place, place + _FAR):
        depth += 1 if sign[0] == opens else -1
        if sign.start() >= end or depth > _MOST_NESTED:
            return None
        if depth <= 0 and sign[0] == closes:
            end = text.find("\n", sign.end()) + 1 or len(text)
            if NOISE.fullmatch(text, sign.end(), end):
                raw = text[place : sign.start()]
                if opens == "{" and raw[:1] in "\"'" and ":" in raw:
                    raw = "{" + raw + "}"  # the braces are those of JSON
                return Entry(at, "", tool, clean_input(raw, 0, []), _number(call)), end
    return None


def _number(found: re.Match[str]) -> int | None:
    written = _NUMBER.search(found["ref"] or "") or (_NUMBER.search(found["lead"]) if found["lead"] else None)
    return int(written[0]) if written else None


def _word_line(at: int, line: str, names: ToolNames, refers: bool) -> Entry | None:
    """``:evidence0: = Search: otters``, ``1. Search: otters``, or an answer with a label in another language."""
    if answer := _FOREIGN_ANSWER.fullmatch(line):
        return Entry(at, f"Answer: {answer['raw'].strip()}")
    shown = _SHOWN.fullmatch(line)
    if shown and _LONE_REFERENCE.fullmatch(shown["raw"]) and not shown["raw"].isdigit():
        return Entry(at, f"Answer: {shown['raw']}")
    led = _LED_CALL.fullmatch(line)
    if led and refers and led["name"] in names.names and (led["lead"] or led["ref"]):
        thought = (led["thought"] or "").strip(" *_`:–—-")
        return Entry(at, "", led["name"], clean_input(led["raw"], 0, []), _number(led), thought)
    found = _WORDS.fullmatch(line)
    if found is None or not (found["ref"] or (found["lead"] and refers and found["name"] in names.names)):
        return None
    tool = names.resolve(found["name"])
    return Entry(at, "", tool, clean_input(found["raw"], 0, []), _number(found)) if tool else None


def _fields(line: str, names: ToolNames) -> dict[str, str]:
    """The parts of a step that a line is made of: `Tool: x`, `Tool: x / Input: y`, `Step 1: words`; else empty."""
    if label := _STEP_LABEL.fullmatch(line):
        return {"number": label["number"], "thought": (label["thought"] or "").strip(" *_")}
    keys = [one for one in _KEY.finditer(line) if kind_of(one["key"]) not in ("", "answer")]
    if not keys or _LETTER.search(line, 0, keys[0].start()):
        return {}
    kinds = [kind_of(one["key"]) for one in keys]
    if "input" in kinds:  # what follows is a part of the input, but for the step's number
        last = kinds.index("input") + 1
        number = kinds[last:] in (["number"], ["result"]) and _LONE_REFERENCE.fullmatch(line, keys[last].end())
        keys = keys[: last + bool(number)]
    fields: dict[str, str] = {}
    for one, after in zip(keys, (*keys[1:], None), strict=False):
        value = line[one.end() : after.start() if after else len(line)].strip(" \t*_`")
        kind = kind_of(one["key"])
        if kind != "result" or is_reference(value):
            fields.setdefault("number" if kind == "result" else kind, value)
    fields["tool"] = fields.get("tool", "").strip("\"'")
    if not fields["tool"]:
        del fields["tool"]
    elif names.resolve(fields["tool"]) is None:
        return {}
    elif keys[0]["lead"]:
        fields.setdefault("number", keys[0]["lead"])
    return fields


def _gathered(fields: dict[str, str], lines: list[Entry]) -> list[Entry]:
    """The step that fields make, or the lines they came from."""
    if not fields.keys() >= {"tool", "input"}:
        return lines
    number = _NUMBER.search(fields.get("number", ""))
    given = clean_input(fields["input"], 0, [])
    return [
        Entry(lines[0].at, "", fields["tool"], given, int(number[0]) if number else None, fields.get("thought", ""))
    ]


def _heads_answer(line: str) -> bool:
    """Whether what follows is the answer: its heading, or its name alone."""
    found = _HEADING.fullmatch(line) if len(line) < 60 else None
    return found is not None and kind_of(found["key"]) == "answer"


def _columns(cells: list[str]) -> list[str]:
    """What the columns of a table hold, if its head names the parts of a step."""
    kinds = list(map(kind_of, cells))
    calls = [cell.lower() in ("call", "tool call", "action", "evidence", "step", "assignment") for cell in cells]
    known = {"tool", "input"} <= set(kinds) or (
        any(calls) and not {"tool", "thought", "number", "result"}.isdisjoint(kinds)
    )
    return kinds if known else []


def _row(at: int, line: str, columns: list[str], names: ToolNames) -> list[Entry]:
    cells = cells_of(line)
    if _RULE.fullmatch(line.strip()) or (_columns(cells) and not any(_CALL.match(cell) for cell in cells)):
        return []
    if len(cells) > len(columns):  # separators within the last cell
        cells[len(columns) - 1 :] = [line[line.rfind(cells[len(columns) - 1]) :].strip(" |")]
    row = [(kind, cell) for kind, cell in zip(columns, cells, strict=False) if cell]
    label = next((cell for _, cell in row if kind_of(cell.rstrip(":")) == "answer"), None)
    if label is not None:
        return [Entry(at, f"Answer: {row[-1][1]}")]
    parts = dict(reversed(row))
    numbers = [cell for kind, cell in row if kind == "number" or (kind == "result" and is_reference(cell))]
    number = next((int(found[0]) for cell in numbers if (found := _NUMBER.search(cell))), None)
    thought = parts.get("thought", "")
    calls = [call[0] for _, cell in row if (call := _bracketed(cell, 0, names, bare=True, cell=True))]
    if calls:
        step = calls[0]._replace(at=at, thought=thought)
        step = step if step.number is not None else step._replace(number=number)
    elif "tool" in parts:
        step = Entry(at, "", parts["tool"], clean_input(parts.get("input", ""), 0, []), number, thought)
    else:
        return [Entry(at, line)]
    made_up = parts.get("result") and not is_reference(parts["result"])
    return [step, *([invented_entry(at)] if made_up else [])]
