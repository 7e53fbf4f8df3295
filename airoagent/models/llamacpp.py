"""GGUF files, run here by llama.cpp: k-quants from Q2_K to Q8_0, on processors and, layer by layer, on GPUs.

    model = LlamaCppModel("airoboros-l2-13b-gpt4-2.0.Q4_K_M.gguf", threads=8, gpu_layers=20)

Tokens are picked, held to grammars and turned into text as for every other model that runs here. One completion is
written at a time, others wait in line; what a prompt begins with and the one before it began with is not read again.
"""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from airoagent.errors import AiroError, ModelError, UsageError
from airoagent.extras import require
from airoagent.language.wrappers import Wrapper, template_wrapper, wrapper_for, wrapper_named
from airoagent.models.base import Chunk, ModelInfo, Prompt, Sampling
from airoagent.models.constraint import GrammarMask, grammars_available
from airoagent.models.decoding import check_sampling
from airoagent.models.gguf import read_gguf
from airoagent.models.hub import Progress
from airoagent.models.line import Line
from airoagent.models.llamacalls import (
    LlamaText,
    NumpyPicker,
    end_of_turn,
    has_gpu,
    open_llama,
    piece_of,
    scores_of,
    vocabulary_of,
)
from airoagent.models.machine import this_machine
from airoagent.models.stopping import StopFilter
from airoagent.models.window import room_for
from airoagent.models.writer import Writer

__all__ = ["LlamaCppModel", "settings_of"]

# A file may say 32768 and more; the cache for that is taken when the model is loaded, so more has to be asked for.
_MOST_CONTEXT: Final = 8192
_OVERHEAD: Final = 300_000_000


class LlamaCppModel:
    """A GGUF file, behind the `Model` protocol.

    ``wrapper`` and ``system`` as for other models that are run here; ``context_length`` the window in tokens (default:
    the file's own, at most 8192); ``threads`` and ``batch`` (tokens read at once) as llama.cpp has them;
    ``gpu_layers`` how many layers go to a GPU (-1: all); ``rope_freq_base`` and ``rope_freq_scale`` stretch the window
    in place of what the file says; ``check_memory`` False loads without asking whether it fits.

    Constructing reads the file's head only. Raises MissingExtra where llama-cpp-python is not installed, ModelError
    where the file is no GGUF or is cut off, UsageError for a window longer than it was trained on without a stretch.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        sampling: Sampling | None = None,
        progress: Progress | None = None,
        wrapper: str | None = None,
        system: str | None = None,
        context_length: int | None = None,
        threads: int | None = None,
        batch: int | None = None,
        gpu_layers: int = 0,
        rope_freq_base: float | None = None,
        rope_freq_scale: float | None = None,
        check_memory: bool = True,
    ) -> None:
        self._path = Path(path).expanduser()
        self._name = str(path)
        self._head = read_gguf(self._path, self._name)
        require("running a GGUF file here", "gguf", "llama_cpp")
        self._sampling = sampling or Sampling()
        check_sampling(self._sampling)
        self._progress = progress
        self._system = system
        self._window = context_length or min(self._head.context_length, _MOST_CONTEXT)
        self._settings = {
            "n_ctx": self._window,
            "n_threads": threads,
            "n_threads_batch": threads,
            "n_batch": min(batch or 512, self._window),
            "n_gpu_layers": gpu_layers,
            "rope_freq_base": rope_freq_base or 0.0,
            "rope_freq_scale": rope_freq_scale or 0.0,
        }
        self._check_memory = check_memory and gpu_layers == 0
        if self._window > self._head.context_length and not (rope_freq_base or rope_freq_scale):
            scale = self._head.context_length / self._window
            raise UsageError(
                f"{self._name} was trained on {self._head.context_length} tokens, and writes nonsense beyond them",
                f"stretch it (-o rope_freq_scale {scale:.3g}), or leave the window as it is (no -o context)",
            )
        chosen = None if wrapper is None else wrapper_named(wrapper)
        self._wrapper = chosen or wrapper_for(
            self._path.name,
            model_type=self._head.architecture,
            has_chat_template=bool(self._head.template),
            other_names=(self._head.name,),
        )
        self._lock = threading.RLock()
        self._vocabulary: Any = None
        self._llama: Any = None
        self._grammar_tokenizer: Any = None
        self._line = Line(self._name, self)

    @property
    def info(self) -> ModelInfo:
        """What the file says."""
        note = f"GGUF {self._head.quantization or 'file'}, {self._head.size / 1e9:.1f} GB"
        return ModelInfo(self._name, "llama.cpp", self._window, self._wrapper.name, note)

    def wrap(self, prompt: str) -> str:
        """The exact text the model reads, begin-of-text token aside."""
        return self._ready_wrapper().wrap(prompt, self._system)

    def count_tokens(self, text: str) -> int:
        """Length of the text in this model's tokens; reads the vocabulary at the first call."""
        with self._lock:
            return len(self._encode(text))

    def check(self) -> None:
        """Raise ModelError if the model would not load here and now."""
        if self._settings["n_gpu_layers"] and not has_gpu():
            raise ModelError(
                "the installed llama-cpp-python was compiled without a GPU, so no layers can go to one",
                "leave gpu_layers out, or compile it anew: "
                "CMAKE_ARGS=-DGGML_CUDA=on pip install --force-reinstall --no-cache-dir llama-cpp-python",
            )
        need = self._head.size + self._head.cache_per_token * self._window + _OVERHEAD
        free = this_machine().available
        if self._check_memory and free is not None and need > free:
            raise ModelError(
                f"{self._name} needs about {need / 1e9:.1f} GB of memory with a window of {self._window}, and "
                f"{free / 1e9:.1f} GB are free",
                "take a smaller quantisation, a smaller window (-o context N), or move layers to a GPU (-o gpu_layers)",
            )

    def stream(self, prompt: Prompt) -> AsyncIterator[Chunk]:
        """Write the completion piece by piece; loads the model first if this is its first use.

        Raises ModelError where the prompt does not fit the window or the model cannot be loaded.
        """
        return self._line.write(prompt, prompt.sampling or self._sampling)

    async def aclose(self) -> None:
        """Stop what is being written, end the thread and give the memory back."""
        await asyncio.to_thread(self._line.close)
        with self._lock:
            for llama in (self._llama, self._vocabulary):
                if llama is not None:
                    llama.close()
            self._llama = self._vocabulary = self._grammar_tokenizer = None

    # What follows is what the line asks for, in its thread (`airoagent.models.line.Writing`).

    def encode(self, prompt: Prompt) -> tuple[list[int], int]:
        """The prompt as ids, and how much may be written. ModelError where it does not fit into the window."""
        wrapper = self._ready_wrapper()
        with self._lock:
            ids = self._encode_prompt(wrapper, prompt.text)
        sampling = prompt.sampling or self._sampling
        return ids, min(sampling.max_tokens, room_for(self._name, prompt.purpose, len(ids), self._window))

    def open_batch(self, stopped: Callable[[], bool]) -> tuple[_One, int, int]:
        """Load the model: one row at a time."""
        with self._lock:
            if self._llama is None:
                self.check()
                if self._progress is not None:
                    self._progress(f"loading {self._name}", 0, 1)
                self._llama = open_llama(self._path, self._name, **self._settings)
                if self._progress is not None:
                    self._progress(f"loading {self._name}", 1, 1)
            return _One(self._llama), 1, self._window

    def begin(self, prompt: Prompt, ids: list[int], most: int, tell: Callable[[Chunk], None]) -> _Row:
        """A row that writes this completion."""
        mask = self._mask(prompt, len(ids), most)
        stops = StopFilter(prompt.stop + self._ready_wrapper().stop, drop_space=True, watch=mask is None)
        ends = tuple(token for token in (self._llama.token_eos(), end_of_turn(self._llama)) if token >= 0)
        writer = Writer(LlamaText(self._llama), ends, stops, tell)
        sampling = prompt.sampling or self._sampling
        return _Row(ids, most, NumpyPicker(sampling, mask), writer, fresh=sampling.seed is not None)

    def last_chunk(self, row: _Row) -> Chunk:
        """The end of a completion that has ended."""
        return row.take.last_chunk(row.start, len(row.ids))

    def failure(self, error: Exception) -> AiroError:
        """What to tell of an error."""
        if isinstance(error, AiroError):
            return error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        return ModelError(f"{self._name} failed while writing: {reason}", "try again, or choose another model")

    def _mask(self, prompt: Prompt, start: int, room: int) -> GrammarMask | None:
        if not prompt.grammar or not grammars_available():
            return None
        if self._grammar_tokenizer is None:
            from llguidance.llamacpp import lltokenizer_from_vocab

            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # It uses an older name of llama.cpp's.
                self._grammar_tokenizer = lltokenizer_from_vocab(vocabulary_of(self._llama))
        return GrammarMask(self._grammar_tokenizer, prompt.grammar, start, room)

    # What follows is used from any thread.

    def _ready_vocabulary(self) -> Any:
        """The loaded model, or its vocabulary alone as long as it is not loaded."""
        if self._llama is None and self._vocabulary is None:
            self._vocabulary = open_llama(self._path, self._name, vocab_only=True)
        return self._llama or self._vocabulary

    def _encode(self, text: str, *, control: bool = False) -> list[int]:
        ids: list[int] = self._ready_vocabulary().tokenize(text.encode(), add_bos=False, special=control)
        return ids

    def _encode_prompt(self, wrapper: Wrapper, prompt: str) -> list[int]:
        vocabulary = self._ready_vocabulary()
        begin = [vocabulary.token_bos()] if vocabulary.token_bos() >= 0 else []
        if wrapper.name != "template":
            return begin + self._encode(wrapper.wrap(prompt, self._system))
        # What the template wrote may hold control tokens; what anybody else wrote is only ever text.
        text = wrapper.system if self._system is None else self._system
        parts = [(wrapper.opening, True)]
        if text:
            parts = [(wrapper.before_system, True), (text, False), (wrapper.before_prompt, True)]
        parts += [(prompt, False), (wrapper.tail, True)]
        ids = [token for part, control in parts if part for token in self._encode(part, control=control)]
        return ids if ids[:1] == begin else begin + ids

    def _ready_wrapper(self) -> Wrapper:
        with self._lock:
            if self._wrapper.name == "template" and not self._wrapper.tail + self._wrapper.opening:
                self._wrapper = template_wrapper(self._render)
            return self._wrapper

    def _render(self, messages: list[dict[str, str]]) -> str:
        import jinja2
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        vocabulary = self._ready_vocabulary()

        def refuse(message: str) -> str:
            raise jinja2.TemplateError(message)

        names = {"bos_token": vocabulary.token_bos(), "eos_token": vocabulary.token_eos()}
        spelled = {key: piece_of(vocabulary, token).decode("utf-8", "replace") for key, token in names.items()}
        try:
            template = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(
                self._head.template
            )
            return template.render(messages=messages, add_generation_prompt=True, raise_exception=refuse, **spelled)
        except jinja2.TemplateError as error:
            raise ValueError(str(error)) from error


class _Row:
    """The completion in the making."""

    def __init__(self, ids: list[int], most: int, pick: NumpyPicker, take: Writer, *, fresh: bool) -> None:
        self.ids = ids
        self.start = len(ids)
        self.left = most
        self.fresh = fresh
        self.take = take
        self.ended = most < 1
        self._pick = pick

    def advance(self, scores: Any) -> None:
        token = self._pick(self.ids, scores)
        self.ids.append(token)
        self.left -= 1
        self.ended = self.take(token) or self.left < 1


class _One:
    """The one row that llama.cpp is writing, as the line wants it (`airoagent.models.line.Rows`)."""

    def __init__(self, llama: Any) -> None:
        self._llama = llama
        self._read: list[int] = []
        self.rows: list[_Row] = []

    def join(self, rows: Sequence[_Row]) -> None:
        for row in rows:
            # With a seed the same passes are made each time, so that rounding cannot tell two runs apart.
            most = 0 if row.fresh else min(len(self._read), len(row.ids) - 1)
            same = next((n for n in range(most) if self._read[n] != row.ids[n]), most)
            self._llama.n_tokens = same
            self._read = self._read[:same]
            self._advance(row, row.ids[same:])
            if not row.ended:
                self.rows.append(row)

    def step(self) -> None:
        for row in self.rows:
            self._advance(row, row.ids[-1:])
        self.leave(lambda row: row.ended)

    def leave(self, out: Callable[[_Row], bool]) -> None:
        self.rows = [row for row in self.rows if not out(row)]

    def _advance(self, row: _Row, tokens: list[int]) -> None:
        self._llama.eval(tokens)
        self._read += tokens
        row.advance(scores_of(self._llama))


def settings_of(options: Mapping[str, str]) -> dict[str, Any]:
    """The keyword arguments that a user's options mean (the names are checked already)."""
    from airoagent.models.options import number, whole_number

    layers = -1 if options.get("gpu_layers") == "-1" else whole_number(options, "gpu_layers", least=0) or 0
    return {
        "wrapper": options.get("wrapper"),
        "system": options.get("system"),
        "context_length": whole_number(options, "context", least=16),
        "threads": whole_number(options, "threads", least=1),
        "batch": whole_number(options, "batch", least=1),
        "gpu_layers": layers,
        "rope_freq_base": number(options, "rope_freq_base"),
        "rope_freq_scale": number(options, "rope_freq_scale"),
    }
