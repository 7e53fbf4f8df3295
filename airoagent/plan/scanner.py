"""The reader of statements: goes through the text sign by sign, and keeps what it is in the middle of.

The rules are in `parser`. At any time the reader is in one of five places, each with the signs that matter there:
outside of statements (`_in_frame`), inside an input (`_in_input`), inside a JSON object (`_in_object`), in the answer
(`_in_answer`), or after it (`_after`). Signs are handled in order, once, looking back at most `heads.REACH`
characters: so the work for a character is bounded, and no cut of the text can change what it means.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from airoagent.findings import Finding
from airoagent.plan.draft import Draft
from airoagent.plan.fields import FieldReader
from airoagent.plan.frame import AnswerReader, Frame, ends_thoughts, is_fence, is_taken_back
from airoagent.plan.heads import CLEAN_STEP, REACH, Head, Heads, may_begin_statement
from airoagent.plan.json_steps import ObjectScanner, ObjectSteps, looks_like_step
from airoagent.plan.open_input import OpenInput, TextBuffer
from airoagent.plan.repairs import NOISE, clean_input, read_arguments
from airoagent.plan.steps import Step
from airoagent.prompts.own_text import THOUGHTS_BEGIN, closes_thoughts

_IN_FRAME = re.compile(r"[\n:：\[(［（{>\]]")
_IN_THOUGHTS = re.compile(r"[\n>\]](?<![>\]]{2})")
_IN_OBJECT = re.compile(r"[\"'\\{}\[\]\n:：(（［](?<![\"'][:：])")
_NEWLINE = re.compile(r"\n")
_NUMBER = re.compile("[0-9]")
_JOIN_ENDS = "nh*`"  # of join( and finish(
_MAY_END = re.compile(rf"[0-9\n:：{{>\]]|[{_JOIN_ENDS}][(（]")
_HEAD_ENDS = ":：[(［（"
_BEFORE_OBJECT = re.compile(r"[\[,\s]*+")
_FAR = 16 * 1024  # characters of a line after which no statement begins in it any more


class StatementReader:
    """Reads text that arrives in pieces into a draft."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._heads = Heads(draft.names)
        self._frame = Frame(draft)
        self.source = TextBuffer()
        # The window that is being read: `_buffer` begins at the offset `_base`, and has been read up to `_at`.
        self._buffer, self._base, self._at = "", 0, 0
        self._line, self._line_start = 1, 0
        self._head_from = 0  # where a head of this line may begin
        self._content = 0  # from where on the frame's text of this line has not been taken
        self._input: OpenInput | None = None
        self._object: ObjectScanner | None = None
        self._most = 2 * draft.limits.input  # characters of an object with one step
        self._objects = ObjectSteps(draft, self._frame)
        self._fields = FieldReader(draft, self._frame)
        self._answer = AnswerReader(draft)
        self._signs = _IN_FRAME
        self._place: Callable[[str, int], None] = self._in_frame

    def read(self, chunk: str) -> tuple[Step, ...]:
        """Read on; the steps that have become certain by it."""
        self.source.append(chunk)
        if self._draft.full:
            return ()
        keep = max(self._line_start, self._at - REACH) - self._base
        self._buffer = self._buffer[keep:] + chunk
        self._base += keep
        buffer, base = self._buffer, self._base
        while not self._draft.full:
            if self._at == self._line_start and self._signs is _IN_FRAME and self._clean_step(self._at - base):
                continue
            found = self._signs.search(buffer, self._at - base)
            if found is None:
                self._at = base + len(buffer)
                break
            self._at = base + found.end()
            self._place(found[0][-1], self._at - 1)
        certain, self._draft.certain = self._draft.certain, []
        return tuple(certain)

    def _clean_step(self, at: int) -> bool:
        """Take the clean step that stands at the start of a line in one go; False where there is none."""
        found = CLEAN_STEP.match(self._buffer, at) if self._frame.thought_at < 0 and self._at == self._content else None
        if found is None or found["tool"] not in self._draft.names.names:
            return False
        thought, number, tool, text = found.groups("")
        self._fields.statement(None if thought else tool)
        self._frame.statement()
        self._frame.kind = "chatter"
        self._line += bool(thought)
        own, place = self._base + found.start("number") - 9, self._base + found.start("input")
        self._draft.add(int(number), thought, tool, text, line=self._line, at=own, place=place, size=len(text))
        self._at = self._base + found.end()
        self._new_line(self._at - 1)
        return True

    def _new_line(self, at: int) -> None:
        """Go on after the newline at an offset."""
        self._line += 1
        self._line_start = self._head_from = self._content = at + 1

    def _window(self, start: int, at: int) -> str:
        """What stands from ``start`` up to and with ``at``, as far as heads may reach."""
        return self._buffer[max(start, at + 1 - REACH, 0) - self._base : at + 1 - self._base]

    # -- outside of inputs

    def _to_frame(self, content: int) -> None:
        """Read on outside of statements, from ``content``."""
        self._input = None
        self._object = None
        self._signs, self._place = _IN_FRAME, self._in_frame
        self._head_from = self._content = content

    def _in_frame(self, sign: str, at: int) -> None:
        if sign == "\n":
            self._take_line(at)
            self._new_line(at)
            self._signs = _IN_FRAME
            return
        if at - self._content > _FAR:
            self._signs = _NEWLINE
            return
        if sign in ">]":
            if at - self._line_start < REACH and THOUGHTS_BEGIN.fullmatch(self._window(self._line_start, at)):
                self._draft.note(self._line_start, "thoughts", "The model is thinking here.", "left out")
                self._signs, self._place = _IN_THOUGHTS, self._in_thoughts
            return
        if sign == "{":
            near = self._content == self._head_from and at - self._content < REACH
            if near and _BEFORE_OBJECT.fullmatch(self._window(self._content, at)[:-1]):
                self._object = ObjectScanner(at, self._line)
                self._signs, self._place = _IN_OBJECT, self._in_object
            return
        if sign not in ":：" and self._without_number(at - self._base):
            return
        if at - self._head_from < REACH:
            head = self._heads.at_line(self._window(self._head_from, at))
            if head and self._begin(head, self._head_from, at):
                return
        if sign not in ":：":
            window = self._window(self._content, at)
            head = self._heads.in_text(window, bare=self._frame.thought_at >= 0)
            if head:
                self._begin(head, at + 1 - len(window), at)

    def _without_number(self, at: int) -> bool:
        """Whether a bracket ends no head, since a head holds a number, but for the join of a plan; goes on to where the
        next head may end then.
        """
        buffer, start = self._buffer, max(self._head_from - self._base, at - REACH)
        if buffer[max(at - 1, 0)] in _JOIN_ENDS or _NUMBER.search(buffer, start, at):
            return False
        ahead = _MAY_END.search(buffer, at + 1)
        self._at = self._base + (ahead.start() if ahead else len(buffer))
        return True

    def _take_line(self, end: int) -> None:
        """Take what is left of a line outside of statements."""
        self._draft.line(end)
        text, whole = self.source.slice(self._content, end), self._content == self._line_start
        if whole and self._frame.thought_at < 0 and is_taken_back(text):
            self._fields.flush()
            self._draft.begin_again(self._content)
        elif not (whole and self._fields.take(text, self._content, self._line)):
            self._frame.take(text, self._content, whole)

    def _in_thoughts(self, sign: str, at: int) -> None:
        if sign == "\n":
            self._draft.line(at)
            self._new_line(at)
            return
        window = self._window(max(self._line_start, at - 24), at)
        if ("/" in window or "|" in window) and closes_thoughts(window):
            self._to_frame(at + 1)

    def _begin(self, head: Head, origin: int, at: int) -> bool:
        """Begin the statement whose head ends at ``at``; its offsets count from ``origin``. False: it is none here."""
        draft, frame = self._draft, self._frame
        self._fields.statement(head.tool)
        start = origin + head.start
        if head.kind in ("answer", "join") and not draft.defined and not draft.failed:
            return False
        if head.kind == "question" and (draft.defined or draft.failed or draft.question or frame.thought_at >= 0):
            return False
        if start > self._content:
            before = self.source.slice(self._content, start)
            if head.kind == "assign":
                frame.take_before(before, self._content)
            else:
                frame.take(before, self._content, False)
        frame.statement()
        # A step label before `Plan:` was a head, too, and has its finding already.
        draft.findings += [
            Finding(origin + one.at, one.kind, one.message, one.repair)
            for one in head.findings
            if origin + one.at >= self._content or head.start
        ]
        self._content = at + 1
        if head.kind in ("plan", "label"):
            self._fields.listed = head.number or self._fields.listed
            frame.begin_thought(start)
        elif head.kind == "question":
            frame.kind = "question"
        elif head.kind == "answer":
            frame.drop_thought()
            self._signs, self._place = _NEWLINE, self._in_answer
        else:
            if head.kind == "join":
                frame.drop_thought()
            is_call = self._buffer[at - self._base] in "(（"
            place = origin + head.name_at
            self._input = OpenInput(head, is_call, frame.thought(), start, place, self._line, at + 1)
            self._signs, self._place = self._input.signs(first_line=True), self._in_input
        return True

    # -- inside an input

    def _in_input(self, sign: str, at: int) -> None:
        opened = self._input
        assert opened is not None
        first_line = self._line_start <= opened.start
        if sign == "\n":
            if opened.balanced >= 0:
                self._close(at)
                self._place(sign, at)
                return
            if opened.last >= self._line_start and at - opened.last <= REACH:
                opened.end_of_line(self.source.slice(opened.last + 1, at))
            self._new_line(at)
            self._signs = opened.signs(first_line=False)
            return
        if at - opened.start > self._draft.limits.input and (opened.balanced < 0 or sign in "]］)）"):
            self._draft.too_long(f"The input of :evidence{opened.head.number}:", opened.start)
            return
        if opened.balanced >= 0:
            if at - opened.last > _FAR:
                self._close(at)
                self._place(sign, at)
                return
            if sign in _HEAD_ENDS:
                window = self._window(opened.last + 1, at)
                head = self._heads.after_step(window)
                if head:
                    self._close(at + 1 - len(window) + head.start)
                    if self._place == self._in_frame:  # a closed join is the end of the plan
                        self._begin(head, at + 1 - len(window), at)
                    return
        elif not first_line and sign in _HEAD_ENDS and at - self._line_start < REACH:
            head = self._heads.at_line(self._window(self._line_start, at), closing=True)
            if head:
                self._close_before(self._line_start)
                if self._place == self._in_frame:
                    self._begin(head, self._line_start, at)
                return
        if opened.is_call and sign in "[［" and opened.balanced == opened.start and at == opened.start + 1:
            self._draft.note(opened.start, "call_brackets", "There are empty brackets before the input.", "left out")
            self._input = replace(opened, is_call=False, start=at + 1, balanced=-1, last=-1, depth=1)
            self._signs = self._input.signs(first_line)
        elif opened.balanced >= 0 and sign in "]］" and self._window(at - 1, at)[0] == "\\":
            pass  # the end of a LaTeX formula around the step, not of its input
        elif opened.bracket(sign, at):
            self._signs = opened.signs(first_line)

    def _close(self, end: int) -> None:
        """Close the balanced input; its line, or what of it comes before the next statement, goes up to ``end``."""
        opened = self._input
        assert opened is not None
        if opened.last != opened.balanced and not opened.head.wrapped:
            self._draft.note(
                opened.balanced, "unbalanced_bracket", "More brackets close than open here.", "kept in the input"
            )
        after = opened.last + 1
        self._to_frame(end)
        raw = self.source.slice(opened.start, opened.last)
        if opened.last != opened.balanced and self._heads.calls_tool(raw[opened.balanced - opened.start :]):
            self._draft.fail(opened.balanced, "syntax", "One step holds two calls.")
        self._add(opened, raw)
        if opened.head.kind != "join":
            self._frame.trailing(self.source.slice(after, end), after)

    def _close_before(self, end: int) -> None:
        """Close an input that is not balanced; ``end`` is where the next statement, or the end of the text, is."""
        opened = self._input
        assert opened is not None
        self._to_frame(end)
        if opened.line_end >= 0:
            self._draft.note(
                opened.line_end, "unbalanced_bracket", "More brackets open than close here.", "closed at the line's end"
            )
            self._add(opened, self.source.slice(opened.start, opened.line_end))
            self._frame.trailing(self.source.slice(opened.line_end + 1, end), opened.line_end + 1)
        else:
            raw = self.source.slice(opened.start, end).rstrip()
            end_of_input, repair = opened.start + len(raw), "closed before the next statement"
            self._draft.note(end_of_input, "missing_bracket", "The input is never closed.", repair)
            self._add(opened, raw)

    def _add(self, opened: OpenInput, raw: str) -> None:
        """Make a step of a closed input."""
        head, draft, place = opened.head, self._draft, opened.start
        draft.dialect = draft.dialect or head.dialect
        if head.kind == "join":
            text = read_arguments(raw, place, draft.findings)
            if text:
                draft.set_answer(text, place)
            else:
                draft.join(place)
            self._to_after()
            return
        if head.tool is None and " " in head.name and draft.defined.get(f"evidence{head.number}"):
            draft.invent(opened.at)  # #E1 = Loch Ness is 227 m deep [1]
            return
        tool = draft.tool(head.name, head.tool, opened.name_at)
        if head.escaped and raw[-1:] == "\\":
            raw = raw[:-1]
        if head.wrapped and raw[-1:] in ("]", "］"):
            raw = raw[:-1]
        text = (read_arguments if opened.is_call else clean_input)(raw, place, draft.findings)
        draft.add(
            head.number or 0, opened.thought, tool, text, line=opened.line, at=opened.at, place=place, size=len(raw)
        )

    # -- inside a JSON object

    def _in_object(self, sign: str, at: int) -> None:
        scanner = self._object
        assert scanner is not None
        if self._line_start > scanner.start and sign in _HEAD_ENDS and at - self._line_start < REACH:
            head = self._heads.at_line(self._window(self._line_start, at), closing=True)
            if head:
                self._leave_object(self._line_start)
                self._begin(head, self._line_start, at)
                return
        if at - scanner.start > self._most and not scanner.found:
            self._draft.too_long("An object", scanner.start)
            return
        between = "" if scanner.sure else self.source.slice(scanner.checked, at)
        what = scanner.sign(sign, at, between, self._window(at - 40, at) if sign == "[" else "")
        if sign == "{" and scanner.element_start == at:
            scanner.line = self._line
        if what == "element":
            self._take_object(scanner.element_start, at + 1, scanner)
        elif what == "end":
            self._to_frame(at + 1)
            self._take_object(scanner.start, at + 1, scanner)
        elif what == "broken":
            self._leave_object(max(scanner.start, self._line_start))
            self._place(sign, at)
            return
        if sign == "\n":
            self._new_line(at)

    def _leave_object(self, content: int) -> None:
        """What started like an object is not one."""
        scanner = self._object
        assert scanner is not None
        text = self.source.slice(scanner.start, content)
        self._draft.line(scanner.start)
        self._to_frame(content)
        if scanner.sure and looks_like_step(text):
            self._draft.fail(scanner.start, "syntax", "This object is not valid JSON.")
        elif content > scanner.start and not scanner.found:
            self._frame.chatter(scanner.start)

    def _take_object(self, start: int, end: int, scanner: ObjectScanner) -> None:
        whole = self.source.slice(start, end)
        self._draft.line(start)
        self._objects.take(whole, start, scanner.line, start == scanner.start and scanner.found > 0)
        if self._objects.answered:
            self._to_after()

    # -- the answer and what follows it

    def _in_answer(self, sign: str, at: int) -> None:
        self._draft.line(at)
        answer, text = self._answer, self.source.slice(self._content, at)
        taken = not (thought := ends_thoughts(text)) and answer.line(text, self._content)
        answer.line_ended = True
        if answer.done or thought:
            answer.settle()
            self._to_after()
            if not taken:
                self._after(sign, at)
                return
        self._new_line(at)

    def _to_after(self) -> None:
        self._frame.statement()
        self._signs, self._place = _NEWLINE, self._after

    def _after(self, sign: str, at: int) -> None:
        self._draft.line(at)
        text = self.source.slice(self._content, at)
        if is_taken_back(line := text.strip()):
            self._draft.begin_again(self._content)
            self._answer = AnswerReader(self._draft)
            self._to_frame(at)
        elif is_fence(line):
            self._draft.note(self._content, "code_fence", "There is a code fence here.", "left out")
        elif line and not _BEFORE_OBJECT.fullmatch(line.rstrip("]}")):
            self._frame.chatter(self._content + len(text) - len(text.lstrip()))
        self._new_line(at)

    # -- the end of the text

    def end(self, truncated: bool) -> None:
        """The text ends here."""
        draft, end = self._draft, self.source.length
        if draft.full:
            return
        opened, scanner = self._input, self._object
        if opened is not None:
            if opened.balanced >= 0:
                self._close(end)
            elif self._closes_at_end(opened, end) and not truncated:
                opened.line_end = opened.last
                self._close_before(end)
            else:
                draft.fail(opened.at, "truncated", f"The text ends inside the input of :evidence{opened.head.number}:.")
                return
        elif scanner is not None:
            if scanner.sure and looks_like_step(self.source.slice(scanner.start, end)):
                draft.fail(scanner.start, "truncated", "The text ends inside this object.")
                return
            self._leave_object(end)
        if self._place == self._in_thoughts:
            if not draft.defined:
                draft.fail(end, "truncated", "The text ends inside the model's thoughts.")
        elif self._place == self._in_answer:
            self._end_answer(truncated)
        elif self._place == self._after:
            self._after("", end)
        else:
            self._end_frame(end)

    def _closes_at_end(self, opened: OpenInput, end: int) -> bool:
        """Whether nothing but noise follows the last closing bracket of the open input."""
        rest = self.source.slice(opened.last + 1, end) if opened.last >= 0 else "?"
        return all(NOISE.fullmatch(line) or is_fence(line) for line in rest.split("\n"))

    def _end_answer(self, truncated: bool) -> None:
        answer, end = self._answer, self.source.length
        cut = truncated and self._content < end
        text = self.source.slice(self._content, end)
        if not answer.line(text, self._content) and text.strip():
            self._frame.statement()
            self._after("", end)
        answer.settle()
        if (cut and not answer.looks_whole) or (
            not answer.line_ended and self._draft.answer is None and not self._draft.invented
        ):
            self._draft.fail(end, "truncated", "The text ends inside the answer line.")

    def _end_frame(self, end: int) -> None:
        """The last line, if it has no end, and a thought that waits for its step."""
        draft, frame = self._draft, self._frame
        text = self.source.slice(self._content, end)
        line = text.strip(" \t*`_>-")
        if draft.defined and 0 < len(line) < REACH and self._content == self._line_start and may_begin_statement(line):
            draft.fail(self._content, "truncated", "The text ends in the middle of this statement.")
            return
        self._take_line(end)
        self._fields.flush()
        if frame.thought_at >= 0 and draft.defined:
            draft.fail(frame.thought_at, "truncated", "The text ends after this plan line, before its step.")
        else:
            frame.drop_thought()
