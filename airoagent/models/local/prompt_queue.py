"""The queue of prompts for one model: a thread that writes completions side by side, and lets callers come and go.

A prompt that comes while others are being written joins them at their next token; a completion whose caller has left
is stopped within one token.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from airoagent.errors import AiroError, ModelError
from airoagent.models.base import Chunk, Prompt
from airoagent.models.hub import LoadStopped
from airoagent.models.local.row_batch import BatchGroup, BatchRow

if TYPE_CHECKING:
    from airoagent.models.local.transformers import TransformersModel


class QueuedPrompt:
    """A prompt, and what its caller reads: ``items`` are chunks or the error, ``over`` says that no more come."""

    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self.items: asyncio.Queue[Chunk | AiroError] = asyncio.Queue()
        self.over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.cancelled = self.done = False
        self.ids: list[int] = []
        self.most = 0
        self.row: BatchRow | None = None

    def tell(self, item: Chunk | AiroError) -> None:
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
        except RuntimeError:  # The loop is closed: its caller is gone.
            self.cancelled = True


class PromptQueue:
    """See the module. ``name`` is the model's, for the error after it is closed.

    The model's `encode`, `open_batch`, `begin` and `failure` are called in the queue's thread.
    """

    def __init__(self, name: str, model: TransformersModel) -> None:
        self._name = name
        self._model = model
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="airo-model")
        self._lock = threading.Lock()
        self._waiting: list[QueuedPrompt] = []
        self._writing: list[QueuedPrompt] = []
        self._serving = False
        self._closed = threading.Event()
        self._batch: BatchGroup | None = None
        self._most_rows = self._most_tokens = 0

    async def write(self, prompt: Prompt) -> AsyncIterator[Chunk]:
        """The completion, piece by piece as it is written; a caller that reads no more is called off."""
        job = QueuedPrompt(prompt)
        with self._lock:
            if self._closed.is_set():
                raise self._closing()
            self._waiting.append(job)
            if not self._serving:
                self._serving = True
                self._thread.submit(self._serve)
        try:
            while True:
                item = await job.items.get()
                if isinstance(item, AiroError):
                    raise item
                yield item
                if item.finish is not None:
                    return
        finally:
            with self._lock:
                job.cancelled = True
                waiting = job in self._waiting
                if waiting:
                    self._waiting.remove(job)
            if not waiting:
                await job.over.wait()  # Nothing is written for it any more.

    def close(self) -> None:
        """End what is being written, fail what waits, and end the thread."""
        with self._lock:
            self._closed.set()
        self._thread.shutdown()
        self._batch = None

    def _closing(self) -> ModelError:
        return ModelError(f"{self._name} was closed", "open the model again")

    # What follows runs in the queue's thread.

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
        """Let in the prompts there is room for; they are read together."""
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
        """Load the model, as long as a prompt waits for it."""
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
        """Take the prompts, in order, that fit next to those being written; one alone always does."""
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
        """One more token for each completion; those that are done leave."""
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
                job.end(job.row.last_chunk())
        self._writing = [job for job in self._writing if not job.done]

    def _refuse(self, jobs: list[QueuedPrompt], error: Exception) -> None:
        told = self._model.failure(error)
        with self._lock:
            self._waiting = [job for job in self._waiting if job not in jobs]
        for job in jobs:
            job.end(told)
