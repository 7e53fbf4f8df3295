"""The line of prompts before one model: a thread that writes completions side by side, and lets callers come and go.

A prompt that comes while others are being written joins them at their next token; one that comes alone is begun at
once. Callers live in event loops of their own and are told through queues; what is theirs to stop is stopped within
one token.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from airoagent.errors import AiroError, ModelError
from airoagent.models.base import Chunk, Prompt, Sampling
from airoagent.models.hub import LoadStopped
from airoagent.models.local.decoding import check_sampling

__all__ = ["BatchModel", "PromptQueue", "QueuedPrompt", "Rows"]


class Rows(Protocol):
    """Completions in the making. A row is whatever `Writing.begin` makes; ``row.ended`` says that it is complete."""

    @property
    def rows(self) -> Sequence[Any]: ...

    def join(self, rows: Sequence[Any]) -> None:
        """Read the prompts of these; each then has its first token. An error leaves the others as they were."""
        ...

    def step(self) -> None:
        """One more token for each."""
        ...

    def leave(self, out: Callable[[Any], bool]) -> None:
        """Let go of the rows that ``out`` names."""
        ...


class BatchModel(Protocol):
    """What a model does for its line, always in the line's thread."""

    def encode(self, prompt: Prompt) -> tuple[list[int], int]:
        """The prompt's ids, and how many tokens may be written for it. Needs no weights."""
        ...

    def open_batch(self, stopped: Callable[[], bool]) -> tuple[Rows, int, int]:
        """Load the model: an empty batch, the most rows it may have, and the most tokens, padding included."""
        ...

    def begin(self, prompt: Prompt, ids: list[int], most: int, tell: Callable[[Chunk], None]) -> Any:
        """The row that writes this completion; ``tell`` takes its text."""
        ...

    def last_chunk(self, row: Any) -> Chunk:
        """The end of a completion that has ended."""
        ...

    def failure(self, error: Exception) -> AiroError:
        """What to tell of an error."""
        ...


class QueuedPrompt:
    """A prompt in line, and how its caller is told: ``items`` are chunks or the error, ``over`` that no more come."""

    __slots__ = ("_loop", "cancelled", "done", "ids", "items", "most", "over", "prompt", "row")

    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self.items: asyncio.Queue[Chunk | AiroError] = asyncio.Queue()
        self.over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.cancelled = self.done = False
        self.ids: list[int] = []
        self.most = 0
        self.row: Any = None

    async def chunks(self) -> AsyncIterator[Chunk]:
        """What is told, up to the last chunk; raises the error if it is one."""
        while True:
            item = await self.items.get()
            if isinstance(item, AiroError):
                raise item
            yield item
            if item.finish is not None:
                return

    def tell(self, item: Chunk | AiroError) -> None:
        """Pass something on to whoever reads."""
        self._call(lambda: self.items.put_nowait(item))

    def end(self, item: Chunk | AiroError | None = None) -> None:
        """Pass on the last thing."""
        self.done = True
        if item is not None:
            self.tell(item)
        self._call(self.over.set)

    def _call(self, act: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(act)
        except RuntimeError:  # The loop is closed: nobody reads any more.
            self.cancelled = True


class PromptQueue:
    """See the module. ``name`` is the model's, for what is said when it is closed."""

    def __init__(self, name: str, model: BatchModel) -> None:
        self._name = name
        self._model = model
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="airo-model")
        self._lock = threading.Lock()
        self._waiting: list[QueuedPrompt] = []
        self._writing: list[QueuedPrompt] = []
        self._serving = False
        self._closed = threading.Event()
        self._batch: Rows | None = None
        self._most_rows = self._most_tokens = 0

    async def write(self, prompt: Prompt, sampling: Sampling) -> AsyncIterator[Chunk]:
        """The completion, piece by piece as it is written; a caller that reads no more is called off.

        Raises ModelError as the model does, UsageError for sampling figures that make no sense.
        """
        check_sampling(sampling)
        job = self.put(prompt)
        try:
            async for chunk in job.chunks():
                yield chunk
        finally:
            await self.call_off(job)

    def put(self, prompt: Prompt) -> QueuedPrompt:
        """Stand in line; ModelError if the line is closed."""
        job = QueuedPrompt(prompt)
        with self._lock:
            if self._closed.is_set():
                raise self._closing()
            self._waiting.append(job)
            if not self._serving:
                self._serving = True
                self._thread.submit(self._serve)
        return job

    async def call_off(self, job: QueuedPrompt) -> None:
        """Its caller reads no more; returns when nothing is written for it any more."""
        with self._lock:
            if job in self._waiting:
                self._waiting.remove(job)
                return
            job.cancelled = True
        await job.over.wait()

    def close(self) -> None:
        """End what is being written, tell all who wait, and end the thread."""
        with self._lock:
            self._closed.set()
        self._thread.shutdown()
        self._batch = None

    def _closing(self) -> ModelError:
        return ModelError(f"{self._name} was closed", "open the model anew")

    # What follows runs in the line's thread.

    def _serve(self) -> None:
        while True:
            with self._lock:
                if not self._waiting and not self._writing:
                    self._serving = False
                    return
                if self._closed.is_set():
                    for job in self._waiting + self._writing:
                        job.end(self._closing())
                    self._waiting, self._writing = [], []
                    continue
            self._admit()
            self._step()

    def _admit(self) -> None:
        """Let in whom there is room for: their prompts are read, together."""
        with self._lock:
            unread = [job for job in self._waiting if not job.ids]
        for job in unread:
            try:
                job.ids, job.most = self._model.encode(job.prompt)
            except Exception as error:
                self._refuse([job], error)
        with self._lock:
            if not self._waiting:
                return
        if self._batch is None and not self._open():
            return
        assert self._batch is not None
        entering = []
        for job in self._enter():
            try:
                job.row = self._model.begin(job.prompt, job.ids, job.most, job.tell)
            except Exception as error:
                self._refuse([job], error)
            else:
                entering.append(job)
        if not entering:
            return
        try:
            self._batch.join([job.row for job in entering if job.row is not None])
        except Exception as error:  # Those who are being written are as they were.
            self._refuse(entering, error)
        else:
            self._writing += entering

    def _open(self) -> bool:
        """Load the model, for as long as anybody waits for it."""
        try:
            self._batch, self._most_rows, self._most_tokens = self._model.open_batch(
                lambda: self._closed.is_set() or not self._waiting
            )
        except LoadStopped:
            return False
        except Exception as error:
            with self._lock:
                waiting = list(self._waiting)
            self._refuse(waiting, error)
            return False
        return True

    def _enter(self) -> list[QueuedPrompt]:
        """Take those out of the line, in order, who fit beside those being written; one alone always does."""
        entering: list[QueuedPrompt] = []
        with self._lock:
            inside = [job for job in self._writing if not job.cancelled]
            while self._waiting and self._waiting[0].ids:
                inside.append(self._waiting[0])
                longest = max(len(job.ids) + job.most for job in inside)
                if len(inside) > 1 and (len(inside) > self._most_rows or len(inside) * longest > self._most_tokens):
                    break
                entering.append(self._waiting.pop(0))
        return entering

    def _step(self) -> None:
        """One more token for everybody who is being written; those who are done leave."""
        batch = self._batch
        if batch is None or not self._writing:
            return
        gone = {id(job.row) for job in self._writing if job.cancelled}
        try:
            if gone:
                batch.leave(lambda row: id(row) in gone)
            if batch.rows:
                batch.step()
        except Exception as error:
            self._batch = None
            self._refuse(self._writing, error)
        for job in self._writing:
            if job.done:
                continue
            if id(job.row) in gone:  # One called off during this step has yet to leave, at the next.
                job.end()
            elif job.row is not None and job.row.ended:
                job.end(self._model.last_chunk(job.row))
        self._writing = [job for job in self._writing if not job.done]

    def _refuse(self, jobs: list[QueuedPrompt], error: Exception) -> None:
        told = self._model.failure(error)
        with self._lock:
            self._waiting = [job for job in self._waiting if job not in jobs]
        for job in jobs:
            job.end(told)
