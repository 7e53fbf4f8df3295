"""Any causal language model as a folder or by its hub name, run here in 4 bits: transformers and bitsandbytes.

    model = TransformersModel("jondurbin/airoboros-l2-13b-gpt4-2.0")
    async for chunk in model.stream(Prompt("Where do otters sleep?")):
        print(chunk.text, end="")

Each model has one thread, which loads it at the first use and then writes completions side by side, as a batch that
prompts join and leave at any token (`prompt_queue`, `row_batch`). On a CPU shared with other work set
``OMP_NUM_THREADS=1`` (or ``OMP_WAIT_POLICY=passive``) before Python starts: OpenMP's threads spin while they wait and
then take each other's time. The number is left to you.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from airoagent.errors import AiroError, ModelError
from airoagent.extras import require
from airoagent.models import hub
from airoagent.models.backend_options import PROMPT_OPTIONS, Option, choice, whole_number
from airoagent.models.base import Chunk, ModelInfo, Prompt, Sampling
from airoagent.models.local.architecture import is_out_of_memory
from airoagent.models.local.checkpoint import Checkpoint, read_checkpoint, with_weights_of
from airoagent.models.local.constraint import GrammarMask, grammar_tokenizer, grammars_available
from airoagent.models.local.decoding import CompletionWriter, TokenPicker, TokenText, encode_plain, encode_prompt
from airoagent.models.local.loading import Loaded, chat_text, check, check_room, free_memory, load, load_tokenizer
from airoagent.models.local.machine import Device
from airoagent.models.local.prompt_queue import PromptQueue
from airoagent.models.local.row_batch import BatchGroup, BatchRow, PromptLookup
from airoagent.models.stopping import StopFilter
from airoagent.models.window import room_for
from airoagent.prompts.chat import Style, call_form_of, has_place
from airoagent.prompts.grammar import Grammar
from airoagent.prompts.wrappers import Wrapper, style_of, template_wrapper, wrapper_for, wrapper_named
from airoagent.textfiles import expanded

OPTIONS: Final = (
    *PROMPT_OPTIONS,
    Option("ahead", choice({"on": True, "off": False}), "look_ahead"),
    Option("base"),
    Option("bits", choice({"4": 4, "16": 16})),
    Option("device", choice(("auto", "cpu", "cuda"))),
    Option("memory", choice({"check": True, "ignore": False}), "check_memory"),
    Option("revision"),
    Option("rows", whole_number(1)),
)


class TransformersModel:
    """A checkpoint in memory, behind the `Model` protocol.

    ``source`` is a folder or a hub name; ``wrapper`` a name of `airoagent.prompts.wrappers` (None: chosen from what
    the model is), ``system`` a system text in place of the wrapper's own; ``context_length`` a window in tokens in
    place of the checkpoint's; ``bits`` 4 or 16 (a checkpoint that is quantised already is taken as it is);
    ``check_memory`` False loads without asking whether it fits; ``progress`` hears of fetching and loading, from the
    model's own thread. ``rows`` is the most completions written at once; ``look_ahead`` tries likely tokens several at
    a time; ``base`` is the base model of a LoRA adapter. A prompt with a seed gets the same text each time: it has its
    passes for itself, with no look-ahead and no batching, which takes longer.

    Constructing reads small files only. Raises MissingExtra where the libraries are missing, ModelError where the
    folder is not a whole model or the hub is switched off, UsageError for a wrapper that does not exist.
    """

    def __init__(
        self,
        source: str | Path,
        *,
        name: str = "",
        sampling: Sampling | None = None,
        progress: hub.Progress | None = None,
        wrapper: str | None = None,
        system: str | None = None,
        style: Style | None = None,
        context_length: int | None = None,
        device: Device = "auto",
        bits: int = 4,
        check_memory: bool = True,
        revision: str = "main",
        rows: int = 16,
        look_ahead: bool = True,
        base: str | Path | None = None,
    ) -> None:
        require("running a model here", "transformers", "torch", "transformers", "accelerate", "bitsandbytes")
        self._name = name or str(source)
        self._repo = str(source)
        self._revision = revision
        self._sampling = sampling or Sampling()
        self._progress = progress
        self._asked_wrapper = None if wrapper is None else wrapper_named(wrapper)
        self._system = system
        self._style = style
        self._asked_window = context_length
        self._device: Device = device
        self._bits = bits
        self._check_memory = check_memory
        self._base = base
        self._checkpoint: Checkpoint | None = None
        self._description: Checkpoint | None = None
        path = expanded(source)
        local = isinstance(source, Path) or path.is_dir() or not hub.is_hub_name(str(source))
        self._folder = path if local else None
        try:
            self._checkpoint = self._read()
        except hub.NotFetched:  # The model or an adapter's base: fetched at the first use, if it can be.
            if hub.offline():
                raise
        # The tokenizer is used from the caller's thread (counting, wrapping) and from the model's own.
        self._lock = threading.RLock()
        self._tokenizer: Any = None
        self._grammar_tokenizer: Any = None
        self._wrapper: Wrapper | None = None
        self._begin = False
        self._loaded: Loaded | None = None
        self._rows = rows
        self._look_ahead = look_ahead
        self._queue = PromptQueue(self._name, self)

    @property
    def info(self) -> ModelInfo:
        """What is known without loading or fetching anything."""
        checkpoint = self._checkpoint or self._description
        window, note = self._asked_window, ""
        if checkpoint is not None:
            window = window or checkpoint.context_length
            bits = f" to {checkpoint.bits} bits" if checkpoint.bits else ""
            how = f"quantised by {checkpoint.quantization}{bits}" if checkpoint.quantization else "NF4"
            note = f"{how}, {checkpoint.four_bit / 1e9:.1f} GB" if self._bits == 4 else ""
        wrapper = self._choose_wrapper(checkpoint)
        trained: Style | None = "compact" if checkpoint is not None and checkpoint.prompt_style == "compact" else None
        style = self._style or trained or style_of(wrapper)
        # An adapter has learned to call as it was asked when it was trained.
        form = "" if checkpoint is None or checkpoint.adapter else call_form_of(checkpoint.chat_template)
        return ModelInfo(self._name, "transformers", window, wrapper.name, note, style, call_form=form)

    def wrap(self, prompt: str) -> str:
        """The exact text the model reads, begin-of-text token aside. A chat template takes loading the tokenizer."""
        return self._ready_wrapper().wrap(prompt, self._system)

    def count_tokens(self, text: str) -> int:
        """Length of the text in this model's tokens; loads the tokenizer at the first call."""
        with self._lock:
            return len(encode_plain(self._ready_tokenizer(), text))

    def check(self) -> None:
        """Raise ModelError if the model would not load here and now; weights are not read, but all else is."""
        checkpoint = self._checkpoint or self._read()
        check(checkpoint, device=self._device, bits=self._bits, check_memory=self._check_memory)
        self._ready_wrapper()
        self._ready_tokenizer()

    async def ready(self) -> None:
        """Have the description of the model at hand, fetched if it has to be, so that `info` has its window."""
        await asyncio.to_thread(self._described)

    def stream(self, prompt: Prompt) -> AsyncIterator[Chunk]:
        """Write the completion piece by piece; loads the model first if this is its first use.

        Raises ModelError where the prompt does not fit into the window, the model cannot be loaded or the memory does
        not last.
        """
        return self._queue.write(prompt)

    async def aclose(self) -> None:
        """Stop what is being written, end the thread and give the memory back."""
        await asyncio.to_thread(self._queue.close)
        if self._loaded is None:
            return
        self._loaded = self._grammar_tokenizer = None
        import gc

        import torch

        gc.collect()  # Modules hold each other in cycles.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    # What the queue asks for, in its thread.

    def encode(self, prompt: Prompt) -> tuple[list[int], int]:
        """The prompt as ids, and how many tokens may be written. ModelError where it does not fit into the window."""
        wrapper = self._ready_wrapper()
        with self._lock:
            tokenizer = self._ready_tokenizer()
            ids = encode_prompt(tokenizer, wrapper, prompt.text, self._system, begin=self._begin)
        known = self._described()
        if known.vocabulary and max(ids, default=0) >= known.vocabulary:
            raise ModelError(
                f"the tokenizer of {self._name} has tokens that the model lacks: {max(ids)} of {known.vocabulary}",
                "copy the tokenizer files of the model it was made from into the folder",
            )
        sampling = prompt.sampling or self._sampling
        window = self._asked_window or known.context_length
        return ids, min(sampling.max_tokens, room_for(self._name, prompt.purpose, len(ids), window))

    def open_batch(self, stopped: Callable[[], bool]) -> tuple[BatchGroup, int, int]:
        """Load the model: an empty batch, the most rows it may have, and the most tokens, padding included.

        What completions written side by side may take is half of the memory that is then free.
        """
        loaded = self._ready_model(stopped)
        free = free_memory(loaded)
        tokens = 10**9 if free is None else free // 2 // max(self._described().cache_per_token, 1)
        return BatchGroup(loaded.model, loaded.device), self._rows, tokens

    def begin(self, prompt: Prompt, ids: list[int], most: int, tell: Callable[[Chunk], None]) -> BatchRow:
        """The row that writes this completion; ``tell`` takes its text."""
        loaded = self._ready_model(lambda: False)
        sampling = (prompt.sampling or self._sampling).for_purpose(prompt.purpose)
        mask = self._mask(prompt.grammar, loaded, len(ids), most)
        stops = StopFilter(prompt.stop + self._ready_wrapper().stop, drop_space=True, watch=mask is None)
        writer = CompletionWriter(TokenText(self._ready_tokenizer()), loaded.ends, stops, tell)
        # With a seed the same passes are made each time, so that rounding cannot make two runs differ: the prompt is
        # read again, nothing is tried ahead, and no pass is shared with what happens to be written at the same time.
        free = sampling.seed is None
        return BatchRow(
            ids,
            most,
            TokenPicker(sampling, loaded.device, mask),
            writer,
            keep=free and prompt.purpose == "plan",
            guess=PromptLookup(mask.forced if mask else None) if free and self._look_ahead else None,
            alone=not free,
        )

    def failure(self, error: Exception) -> AiroError:
        """The error to raise: torch has many classes for what can fail in a forward pass."""
        if isinstance(error, AiroError):
            return error
        if is_out_of_memory(error):
            hint = "set a smaller window (-o context TOKENS), or choose a smaller model"
            return ModelError(f"there was not enough memory for this prompt: {hub.reason_of(error)}", hint)
        hint = "try again, or choose another model: airo models"
        return ModelError(f"{self._name} failed while writing: {hub.reason_of(error)}", hint)

    def _mask(self, grammar: Grammar | str, loaded: Loaded, start: int, room: int) -> GrammarMask | None:
        if not grammar or not grammars_available():
            return None
        if self._grammar_tokenizer is None:
            output = loaded.model.get_output_embeddings()
            width = getattr(output, "out_features", None) or output.weight.shape[0]
            with self._lock:
                self._grammar_tokenizer = grammar_tokenizer(self._ready_tokenizer(), width, list(loaded.ends))
        return None if self._grammar_tokenizer is None else GrammarMask(self._grammar_tokenizer, grammar, start, room)

    def _ready_model(self, stopped: Callable[[], bool]) -> Loaded:
        if self._loaded is None:
            if self._checkpoint is None:
                self._described()  # Small files first: they say whether the memory is enough.
                self._checkpoint = self._obtain(weights=True, stopped=stopped)
            self._loaded = load(
                self._checkpoint,
                device=self._device,
                bits=self._bits,
                check_memory=self._check_memory,
                progress=self._progress,
                stopped=stopped,
            )
        return self._loaded

    # What follows is used from any thread, and fetches no weights unless it is asked to.

    def _read(self, *, weights: bool = True) -> Checkpoint:
        """The checkpoint as it lies here. NotFetched says what is to be fetched first."""
        folder = self._folder or hub.snapshot(self._repo, self._revision)
        if folder is None:
            raise hub.NotFetched(self._repo)
        try:
            return read_checkpoint(folder, self._name, weights=weights, base=self._base)
        except hub.NotFetched:
            raise
        except ModelError as error:
            if self._folder is not None:
                raise
            raise hub.NotFetched(self._repo) from error  # Fetched in part: fetching goes on at the first use.

    def _obtain(self, *, weights: bool, stopped: Callable[[], bool] = lambda: False) -> Checkpoint:
        """The checkpoint; what it lacks (an adapter its base model) is fetched, each model once."""
        fetched: list[str] = []
        while True:
            try:
                return self._read(weights=weights)
            except hub.NotFetched as missing:
                if hub.offline() or missing.repo in fetched:
                    raise missing.__cause__ or missing from None
                repo, before = missing.repo, self._check_before_fetching
            fetched.append(repo)
            revision = self._revision if repo == self._repo else "main"
            try:
                hub.download(repo, revision, self._progress, stopped, weights=weights, before=before)
            except ModelError as error:
                if repo == self._repo:
                    raise
                hint = f"{error.hint}; or name the base model's folder: -o base FOLDER"
                raise ModelError(f"the adapter {self._name} needs its base model: {error.message}", hint) from error

    def _check_before_fetching(self, stored: int) -> None:
        """Raise ModelError where a model whose weights take so many bytes would not load once it is here."""
        if self._description is not None:
            whole = with_weights_of(self._description, stored)
            check_room(whole, device=self._device, bits=self._bits, check_memory=self._check_memory)

    def _described(self) -> Checkpoint:
        """The checkpoint by its configuration and tokenizer, which are fetched if they have to be."""
        with self._lock:
            if self._description is None:
                self._description = self._checkpoint or self._obtain(weights=False)
            return self._description

    def _ready_tokenizer(self) -> Any:
        with self._lock:
            if self._tokenizer is None:
                checkpoint = self._described()
                tokenizer = load_tokenizer(checkpoint)
                # Whether texts begin with a token is the tokenizer's to say; llama's always do.
                probe = tokenizer("a")["input_ids"][:1]
                self._begin = probe == [tokenizer.bos_token_id] or checkpoint.model_type in ("llama", "mistral")
                self._tokenizer = tokenizer
            return self._tokenizer

    def _choose_wrapper(self, checkpoint: Checkpoint | None) -> Wrapper:
        if self._asked_wrapper is not None:
            return self._asked_wrapper
        if checkpoint is None:
            return wrapper_for(self._name)
        return wrapper_for(
            self._name,
            model_type=checkpoint.model_type,
            has_chat_template=bool(checkpoint.chat_template),
            other_names=checkpoint.names,
        )

    def _ready_wrapper(self) -> Wrapper:
        with self._lock:
            if self._wrapper is None:
                chosen = self._choose_wrapper(None if self._asked_wrapper else self._described())
                if chosen.name == "template":
                    chosen = template_wrapper(
                        partial(chat_text, self._ready_tokenizer()), tools=has_place(self.info.call_form)
                    )
                self._wrapper = chosen
            return self._wrapper
