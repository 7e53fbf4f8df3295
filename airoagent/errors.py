"""Every error a user can meet: one sentence of what happened, one hint, one stable exit code.

    AiroError                    1
    ├── UsageError               2   the command, a setting or an argument is wrong
    ├── ModelError               3   the model cannot be loaded, reached or fitted
    │   └── MissingExtra         3   an optional dependency is not installed
    ├── PlanError                4   the plan text cannot be turned into a plan     (.diagnostics, .kind)
    ├── CallError                4   the function call cannot be read or is wrong   (.diagnostics, .kind)
    ├── ToolError                5   a tool failed
    │   ├── ToolTimeout          5   ... by not answering in time
    │   ├── PrivateText          5   ... because it would have sent private text off the machine
    │   ├── FetchError           5   ... because a page could not be fetched
    │   └── SearchError          5   ... because the search could not be made
    │       └── SearchBlocked    5   ... because the search engine refused to answer
    ├── StoreError               6   a record cannot be read, written or replayed
    ├── LimitReached             7   a limit set by the user was reached
    └── Interrupted            130   the user stopped the run

A run that is done but whose answer only says that the question cannot be answered is no error; the command line ends
with 8 (`NOT_ANSWERED`).

Library code raises these and nothing else on purpose; the command line prints ``message`` and ``hint`` and ends
with ``exit_code``.
"""

from __future__ import annotations

from typing import ClassVar

from airoagent.frozen import frozen

NOT_ANSWERED = 8
"""The exit code where the answer only says that the question cannot be answered."""


@frozen
class Diagnostic:
    """A located finding in text that a model wrote.

    ``kind`` is a stable word (``unknown_tool``, ``missing_bracket``, ...); ``line`` and ``column`` count from 1 in
    the text as the model wrote it. ``repair`` says what was done about it; it is empty where nothing could be done,
    and then the finding is an error.
    """

    kind: str
    message: str
    line: int
    column: int
    repair: str = ""


class AiroError(Exception):
    """Something went wrong that the user can understand and act on."""

    default_exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "", exit_code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = self.default_exit_code if exit_code is None else exit_code

    @property
    def kind(self) -> str:
        """The stable word for this error in records and JSON: the class name."""
        return type(self).__name__

    def __str__(self) -> str:
        return self.message


class UsageError(AiroError):
    """The command, a setting or an argument is wrong."""

    default_exit_code = 2


class ModelError(AiroError):
    """The model cannot be loaded, reached, or made to fit."""

    default_exit_code = 3


class MissingExtra(ModelError):
    """An optional dependency is not installed; the hint is the command that installs it."""


class _LocatedError(AiroError):
    """An error about a text, with the findings that led to it."""

    default_exit_code = 4

    def __init__(
        self,
        message: str,
        hint: str = "",
        exit_code: int | None = None,
        *,
        kind: str = "syntax",
        diagnostics: tuple[Diagnostic, ...] = (),
        text: str = "",
    ) -> None:
        super().__init__(message, hint, exit_code)
        self._kind = kind
        self.diagnostics = diagnostics
        self.text = text
        self.file = ""  # where the text was read from, where it was a file

    @property
    def kind(self) -> str:
        """The kind of the finding that made the text unusable, e.g. ``unknown_tool``."""
        return self._kind


class PlanError(_LocatedError):
    """The text cannot be turned into a plan; ``diagnostics`` say where and why, ``text`` is what was read."""


class CallError(_LocatedError):
    """The text is not a function call that can be made; ``diagnostics`` say where and why."""


class ToolError(AiroError):
    """A tool failed. ``retryable`` says whether trying again later may help."""

    default_exit_code = 5

    def __init__(
        self,
        message: str,
        hint: str = "",
        exit_code: int | None = None,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint, exit_code)
        self.retryable = retryable
        self.retry_after = retry_after


class ToolTimeout(ToolError):
    """A tool did not answer in time."""


class UserAwaited(ToolError):
    """The plan asks the user this question, who can answer it later: the run is interrupted until then."""


class PrivateText(ToolError):
    """A call was held back: it would have sent the user's own text off the machine. ``allow`` says how to permit it."""

    allow: ClassVar[str] = "allow it with --share-private (Policy(share_private=True)), or be asked in a terminal"


class FetchError(ToolError):
    """A page could not be fetched: refused by the rules, unreachable, too large, or of a type that cannot be read."""


class SearchError(ToolError):
    """The search could not be made."""


class SearchBlocked(SearchError):
    """The search engine refused to answer: this is not the same as finding nothing."""


class StoreError(AiroError):
    """A record cannot be read, written or replayed."""

    default_exit_code = 6


class LimitReached(AiroError):
    """A limit set by the user (seconds, tokens, calls, bytes) was reached."""

    default_exit_code = 7


class Interrupted(AiroError):
    """The user stopped the run; what had finished is on record."""

    default_exit_code = 130
