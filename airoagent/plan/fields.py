"""Steps written as fields, one a line, as the models of other schools write them; and the rows of a table of steps.

    Action: DuckDuckGo                       - **Tool:** DuckDuckGo             | Step | Tool | Input |
    Action Input: depth of Loch Ness         - **Input:** depth of Loch Ness    | 0 | DuckDuckGo | depth of Loch Ness |
                                             - **Evidence:** #E1

Also ``Action: DuckDuckGo[depth of Loch Ness]``, the same lines in YAML, and a call on a line of its own below its
number (``#E1:``). A step is certain when it has all three parts, or at the next line that is not one of them; without
a number it gets the next free one, and nothing is certain from there on: references may count from 1.
"""

from __future__ import annotations

import re

from airoagent.plan.draft import Draft
from airoagent.plan.frame import Frame
from airoagent.plan.repairs import clean_input, read_arguments

_KINDS = {
    key: kind
    for kind, keys in {
        "tool": "tool, tool name, tool used, action, function, api",
        "input": "input, tool input, action input, function input, query, argument, arguments, parameters, "
        "args, params, tool args",
        "number": "evidence, evidence storage, evidence id, store, variable, id, #, step, number",
        "result": "observation, result, output, response",
        "thought": "plan, thought, purpose, description, reason, goal",
        "answer": "answer, final answer, the answer, the final answer, final",
    }.items()
    for key in keys.split(", ")
}


def plain_key(name: object) -> str:
    """The name of a part of a step, however its words are joined."""
    return " ".join(str(name).replace("_", " ").replace("-", " ").lower().split()).removeprefix("external ")


def kind_of(name: object) -> str:
    """What a part of a step is: its tool, input, number, result (its reference, or what it is made up to have found),
    thought, or the plan's answer; ``""`` for any other name.
    """
    return _KINDS.get(plain_key(name), "")


_FIELD = re.compile(
    r"[\s>*\-•–+.)(0-9]{0,16}+[*_`\"']{0,3}+(?P<key>#?[A-Za-z][\w ]{0,28}?) ?(?P<number>[0-9]{1,4})?[*_`\"']{0,3}\s?"
    r"[:：=]\s?[*_`]{0,3}+(?P<value>.*)",
    re.DOTALL,
)
_CALL = re.compile(
    r"[*`]{0,3}+(?P<name>[A-Za-z_][\w.-]{0,120}+)[*`]{0,3}+(?P<open>[\[(［（])(?P<raw>.*)[\])］）]", re.DOTALL
)
_REFERENCE = re.compile(r"[:：$]?(?:evidence|#?e)?[ _-]?([0-9]{1,9})[:：]?", re.IGNORECASE)
_RULE = re.compile(r"[|:\- ]++")
_SEPARATOR = re.compile("[:：=]")
_BAR = re.compile(r"(?<!\\)\|")
_LABEL = re.compile(r"[\W_]{0,8}step\s?([0-9]{1,4})\b", re.IGNORECASE)
_LEAD = re.compile(r"[\s>*_-]*+([0-9]{1,4})[.)]")
_BLOCK_SIGNS = ("|", "|-", "|+", ">", ">-", ">+", '"""', "'''")  # `rewriting` reads the whole again
_MARKS = "*_` \t"


def is_reference(value: object) -> bool:
    """Whether a value is nothing but a reference: ``#E1``, not ``1``."""
    return _REFERENCE.fullmatch(text := str(value).strip()) is not None and not text.isdigit()


def cells_of(line: str) -> list[str]:
    """The cells of a row of a table."""
    cells = _BAR.split(line.strip().removeprefix("|").removesuffix("|"))
    return [cell.strip(_MARKS).replace("\\|", "|") for cell in cells]


class FieldReader:
    """Takes whole lines that stand outside of statements."""

    def __init__(self, draft: Draft, frame: Frame) -> None:
        self._draft, self._frame = draft, frame
        self._columns: list[str] = []
        self._last: int | None = None  # the number of the step that was gathered last
        self.listed: int | None = None  # the number that the list of steps has come to
        self._clear()

    def _clear(self) -> None:
        self._tool, self._is_call = "", False
        self._input: str | None = None
        self._number: int | None = None
        self._at = self._place = self._line = 0

    def take(self, text: str, at: int, line: int) -> bool:
        """Take a line, if it is a part of a step; ``at`` is where it begins, ``line`` its number."""
        if text.lstrip()[:1] == "|":
            return self._row(text.strip(), at, line)
        self._columns = []
        found = _FIELD.fullmatch(text.rstrip()) if _SEPARATOR.search(text) else None
        kind = kind_of(found["key"]) if found else ""
        value = found["value"].strip(_MARKS) if found else ""
        at += found.start("value") if found else len(text) - len(text.lstrip())
        if found and kind == "tool" and value:
            self.flush()
            if lead := _LEAD.match(text):
                self.listed = int(lead[1])
            value, comma, rest = value.partition(", ")
            if comma and (both := _FIELD.fullmatch(rest)) and kind_of(both["key"]) == "input":  # both on one line
                self._input, self._place = (
                    both["value"].strip(_MARKS),
                    at + len(value) + len(comma) + both.start("value"),
                )
            else:
                value += comma + rest
            return self._take_tool(value.strip("\"'"), found["number"], at, line)
        if kind == "input" and value in _BLOCK_SIGNS:
            self._draft.fail(at, "syntax", "The input is a block of several lines, which fields do not have.")
        if kind == "input" and value and self._input is None:
            if self._tool:
                self._input, self._place, taken = value, at, True
            else:
                taken = self._called(value, at, line)
        elif found and self._take_number(plain_key(found["key"]), value, found["number"]):
            taken = True
        else:
            taken = self._number is not None and not self._tool and self._called(text.strip(_MARKS), at, line)
        complete = self._tool and self._input is not None
        if complete and (self._number is not None or not taken):
            self.flush()
        invented = found and not taken and self._draft.defined and kind_of(found["key"].split()[-1]) == "result"
        if invented and value:
            self._draft.invent(at)
        if not found and (label := _LABEL.match(text)):
            self.listed = int(label[1])
        return taken

    def statement(self, tool: str | None) -> None:
        """A statement begins: the step before it has ended. ``tool`` is what the statement calls, if it is a step."""
        if self._tool and tool is not None and self._number is None and self._draft.names.resolve(self._tool) == tool:
            self._clear()  # the fields said the same as the step that follows
        self.flush()

    def _take_tool(self, value: str, number: str | None, at: int, line: int) -> bool:
        if not self._called(value, at, line):
            if self._draft.names.resolve(value) is None and len(value.split()) > 2:
                return False  # what is to be done, in words
            self._tool, self._at, self._line = value, at, line
        if number and self._number is None:
            self._number = int(number)
        return True

    def _called(self, value: str, at: int, line: int) -> bool:
        """Take ``Tool[input]``."""
        call = _CALL.match(value)
        if call is None or self._draft.names.resolve(call["name"]) is None:
            return False
        self._tool, self._input, self._is_call = call["name"], call["raw"], call["open"] in "(（"
        self._at, self._place, self._line = at, at + call.start("raw"), line
        return True

    def _take_number(self, key: str, value: str, number: str | None) -> bool:
        """Take the step's number; one that begins a step ends the one before."""
        bare = value.strip(_MARKS + ".\"'")
        if key in ("#e", "e") and number and not bare:
            bare = number
        elif not bare or not (kind_of(key) == "number" or (kind_of(key) == "result" and is_reference(bare))):
            return False
        found = _REFERENCE.fullmatch(bare)
        if found is None:
            return False
        self._spelled(bare)
        if int(found[1]) == self._last and not self._tool:
            return True  # of the step that has just ended
        if self._number is not None:
            self.flush()
            self._clear()
        self._number = int(found[1])
        return True

    def _spelled(self, reference: str) -> None:
        if reference[:1] in ("e", "E"):
            self._draft.dialect = self._draft.dialect or "E"

    def _row(self, text: str, at: int, line: int) -> bool:
        cells = cells_of(text)
        kinds = list(map(kind_of, cells))
        if not self._columns:
            if not {"tool", "input"} <= set(kinds):
                return False
            self._columns = kinds
            return True
        if _RULE.fullmatch(text):
            return True
        if len(cells) > len(self._columns):  # a bar within the last cell
            last = len(self._columns) - 1
            cells[last:] = [" | ".join(cells[last:])]
        row = list(zip(self._columns, cells, strict=False))
        parts = dict(reversed(row))
        numbers = [cell for kind, cell in row if kind in ("number", "result") and is_reference(cell)]
        found = _REFERENCE.fullmatch(numbers[0] if numbers else parts.get("number", ""))
        self._clear()
        self._tool, self._input = parts["tool"], parts.get("input", "")
        self._number = int(found[1]) if found else None
        self._spelled(found[0] if found else "")
        self._at, self._place, self._line = at, at, line
        if not self._tool:
            return False
        self.flush(parts.get("thought", ""))
        if (result := parts.get("result")) and not is_reference(result):
            self._draft.invent(at)
        return True

    def flush(self, thought: str = "") -> None:
        """End the step that is being gathered: it is one if it has a tool and an input."""
        draft, raw = self._draft, self._input
        if self._tool and raw is not None:
            draft.note(self._at, "fields", "The step is written as fields.", "read as a step")
            tool = draft.tool(self._tool, draft.names.resolve(self._tool), self._at)
            text = (read_arguments if self._is_call else clean_input)(raw, self._place, draft.findings)
            number, self.listed = self._number if self._number is not None else self.listed, None
            draft.counted = draft.counted or number is None
            number = self._last = len(draft.defined) if number is None else number
            thought = thought or self._frame.thought()
            self._frame.statement()
            draft.add(number, thought, tool, text, line=self._line, at=self._at, place=self._place, size=len(raw))
        if self._tool:
            self._clear()
