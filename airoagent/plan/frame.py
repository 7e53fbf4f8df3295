"""What stands between statements: thoughts, the question, the answer's lines, and noise (chatter, fences, ``...``)."""

from __future__ import annotations

import re

from airoagent.plan.draft import Draft
from airoagent.plan.heads import ASSIGNMENT_LINE, REACH, STATEMENT_LINE
from airoagent.plan.repairs import NOISE, clean_answer, read_template
from airoagent.plan.steps import Ref
from airoagent.prompts.own_text import LONE_END

_FENCE = re.compile(r"(?:`{3,}+|~{3,}+)\s*+[\w.+-]*+\s*+`*+")
_DOTS = re.compile(r"[\[(]?(?:\.{2,}+|…++)[\])]?")
_RULE = re.compile(r"[-=*_#~ ]{3,}+")
_LIST_SIGNS = re.compile(r"[\[\]{},\s]++")
_TEMPLATE = re.compile(r"[\[［](?!.*[\[［]).*[\]］]?\.?", re.DOTALL)  # `[function to call with input parameter]`
_NUMBER = re.compile("[0-9]+")
_OF_STEP = re.compile(r"[^\w#:]{0,4}[#:]?(?:evidence|e)[ _-]?([0-9]{1,9})[^\w]{1,8}\w", re.IGNORECASE)
_INLINE_PLAN = re.compile(r"(?:^|\s)(?:plan|thought)\s?[0-9]{0,6}(?:\*\*)?[:：]\s", re.IGNORECASE)


_AGAIN = r"(?:revis|correct|improv|updat|refin|amend|adjust|rewrit|redo|redone|fix)\w*"
_TAKEN_BACK = re.compile(
    rf"(?:.*\b)?(?:{_AGAIN}|better|final|new|actual|real|second|full|complete)(?: version of)?(?: the| my)? plan\b"
    rf"|.*\b(?:let me|let's|i(?: will|'ll| should| must| have to| need to)) (?:(?:think|try|start) (?:again|over)"
    rf"|{_AGAIN}(?: (?:it|this|that|(?:the|my) (?:plan|steps)))?)[\W_]*\Z"
    rf"|[\W_]*(?:{_AGAIN}|second|final)(?: (?:version|attempt|try|draft))?[*_]{{0,3}}[:：]"
    rf"|.*(?:{LONE_END.pattern})\s*\Z",  # thoughts that the prompt began
    re.IGNORECASE,
)


_MAY_TAKE_BACK = re.compile(r"plan\b|\blet|\bi[ ']|[:：>\]▷]", re.IGNORECASE)  # every way to say so has one of these


def is_taken_back(line: str) -> bool:
    """Whether a line says that the plan before it is written again below, or was only thought about."""
    return len(line) < REACH and _MAY_TAKE_BACK.search(line) is not None and _TAKEN_BACK.match(line) is not None


def ends_thoughts(line: str) -> bool:
    """Whether a line ends thoughts that the prompt began."""
    return any(not line[found.end() :].strip() for found in LONE_END.finditer(line))


def is_fence(line: str) -> bool:
    """Whether a line opens or closes a code block."""
    return _FENCE.fullmatch(line.strip()) is not None


class Frame:
    """Takes the text outside of inputs, line by line, and keeps the thought for the next step."""

    __slots__ = ("_chattering", "_draft", "_thoughts", "kind", "thought_at")

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._thoughts: list[str] = []
        self._chattering = False
        self.thought_at = -1  # where the pending `Plan:` stands; -1: none is pending
        self.kind = "chatter"  # or "question": what the rest of this line is, where no thought is pending

    def begin_thought(self, at: int) -> None:
        """A ``Plan:`` begins; what follows belongs to the thought."""
        if self.thought_at < 0:
            self.thought_at = at
        self.statement()

    def statement(self) -> None:
        """A statement begins: chatter after it is a finding of its own."""
        self._chattering = False
        self.kind = "chatter"

    def drop_thought(self) -> None:
        """Leave out a pending thought that no step follows."""
        if self.thought_at >= 0:
            self._draft.note(self.thought_at, "plan_without_step", "No step follows this plan line.", "left out")
        self._thoughts.clear()
        self.thought_at = -1

    def thought(self) -> str:
        """The pending thought, which now has its step; ``""`` if there is none."""
        thought = " ".join(" ".join(self._thoughts).split()) if self._thoughts else ""
        self._thoughts.clear()
        at, self.thought_at = self.thought_at, -1
        if not thought or not (thought[0] in "*_`" or thought[-1] in "*_`"):
            return thought
        kept = thought  # without half a pair of bold or code marks
        for mark in ("**", "__", "`"):
            if kept.count(mark) % 2:
                if kept.startswith(mark):
                    kept = kept[len(mark) :].lstrip()
                elif kept.endswith(mark):
                    kept = kept[: -len(mark)].rstrip()
        if kept != thought:
            self._draft.note(max(at, 0), "bold", "The plan line is marked as bold or code.", "left out")
        return kept

    def chatter(self, at: int) -> None:
        """Text that belongs to nothing stands here; one finding until the next statement."""
        if not self._chattering:
            self._draft.note(at, "chatter", "This text is not part of a statement.", "left out")
            self._chattering = True

    def trailing(self, text: str, at: int) -> None:
        """Text after a closed step, up to the end of the line or the next statement."""
        kept = text.lstrip()
        if not kept:
            return
        at += len(text) - len(kept)
        if NOISE.fullmatch(kept):
            self._draft.note(at, "trailing_noise", "Signs follow the closed step.", "left out")
        else:
            self.chatter(at)

    def take(self, text: str, at: int, whole_line: bool) -> None:
        """Take what stands at ``at`` up to the end of its line; ``whole_line``: from the start of its line, too."""
        line = text.strip()
        kind, self.kind = self.kind, "chatter"
        if not line:
            return
        at += len(text) - len(text.lstrip())
        if kind == "question":
            self._draft.question = " ".join(line.split())
        elif not (whole_line and self._noise_line(line, at)):
            if self.thought_at >= 0:
                self._thoughts.append(line)
            elif _LIST_SIGNS.fullmatch(line):
                pass  # the brackets and commas of a list of objects
            elif NOISE.fullmatch(line):
                self._draft.note(at, "trailing_noise", "There are stray signs between the statements.", "left out")
            else:
                found = _OF_STEP.match(line)
                if found and self._draft.defined.get(f"evidence{int(found[1])}"):
                    self._draft.invent(at)
                self.chatter(at)

    def take_before(self, text: str, at: int) -> None:
        """Take what stands before an assignment on its line."""
        found = None
        if self.thought_at < 0 and len(text) < REACH * 16:
            found = max(_INLINE_PLAN.finditer(text), key=re.Match.start, default=None)
        if found:
            self.take(text[: found.start()], at, False)
            self.begin_thought(at + found.start())
            text, at = text[found.end() :], at + found.end()
        self.take(text, at, False)

    def _noise_line(self, line: str, at: int) -> bool:
        """Whether a line is noise, with the finding for it."""
        if _FENCE.fullmatch(line):
            self._draft.note(at, "code_fence", "There is a code fence here.", "left out")
        elif _DOTS.fullmatch(line):
            self._draft.note(at, "ellipsis", "There is a line of dots here.", "left out")
        elif _RULE.fullmatch(line):
            self._draft.note(at, "rule", "There is a line of signs here.", "left out")
        else:
            return self._assignment_line(line, at)
        return True

    def _assignment_line(self, line: str, at: int) -> bool:
        """A line that assigns but calls no tool: the prompt's own template, or an error."""
        found = ASSIGNMENT_LINE.fullmatch(line)
        if not found:
            return False
        if len(found["rest"]) < REACH and _TEMPLATE.fullmatch(found["rest"]):
            self._draft.note(at, "template", "This line is the format's example, not a step.", "left out")
        else:
            own = f"evidence{int(_NUMBER.search(found['ref'])[0])}"  # type: ignore[index]
            if self._draft.defined.get(own):
                self._draft.invent(at)
            else:
                self._draft.fail(at, "syntax", f"This line assigns {found['ref'].strip()} but calls no tool.")
                self._draft.defined[own] = None  # what refers to it is not wrong for that
        self._thoughts.clear()
        self.thought_at = -1
        return True


class AnswerReader:
    """Takes the lines of an answer."""

    __slots__ = ("_at", "_draft", "_lines", "done", "line_ended")

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._lines: list[str] = []
        self._at = -1
        self.done = False
        self.line_ended = False

    def line(self, text: str, at: int) -> bool:
        """Take a line, if it belongs to the answer; ``done`` says when no further one does."""
        if not self._lines:
            if not text.strip():
                return True
            if self.line_ended and (STATEMENT_LINE.match(text[:REACH]) or is_fence(text)):
                self.done = True
                return False
            self._at = at + len(text) - len(text.lstrip())
            text = text.removeprefix("=")  # answer := E2
            self._lines.append(text.lstrip())
            self.done = self._is_reference(text)
            return True
        if not text.strip() or is_fence(text) or STATEMENT_LINE.match(text[:REACH]):
            self.done = True
            return not text.strip()
        self._lines.append(text)
        return True

    def _is_reference(self, text: str) -> bool:
        draft = self._draft
        if len(text) > REACH:
            return False
        template = read_template(clean_answer(text, 0, []), {}, [], 0, draft.dialect, draft.defined)
        return len(template) == 1 and isinstance(template[0], Ref)

    def settle(self) -> None:
        """Hand the answer to the draft."""
        if self._lines:
            text = "\n".join(self._lines)
            if len(text) > self._draft.limits.input:
                self._draft.too_long("The answer", self._at)
                return
            self._draft.set_answer(clean_answer(text, self._at, self._draft.findings), self._at)

    @property
    def looks_whole(self) -> bool:
        """Whether an answer without a line end may be taken as it is although the text was cut off there."""
        text = self._lines[-1].rstrip() if self._lines else ""
        return self.done and text[-1:] in (":", "：", "]")
