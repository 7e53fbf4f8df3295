"""What is asked of llama.cpp, through llama-cpp-python: open a file, the scores of the next token, the bytes of one."""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import functools
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from airoagent.errors import ModelError
from airoagent.models.base import Sampling
from airoagent.models.constraint import GrammarMask

__all__ = ["LlamaText", "NumpyPicker", "end_of_turn", "has_gpu", "open_llama", "piece_of", "scores_of", "vocabulary_of"]

_PENALTY_WINDOW: Final = 64  # as `airoagent.models.decoding.Picker` has it
_LOADING: Final = threading.Lock()
_ERROR: Final = 4  # of ggml's log levels
_COMPLAINTS: Final[list[str]] = []  # of the model that is being loaded, under the lock


class NumpyPicker:
    """Picks the next token as `airoagent.models.decoding.Picker` does, in numpy."""

    def __init__(self, sampling: Sampling, mask: GrammarMask | None) -> None:
        import numpy

        self._sampling = sampling
        self._mask = mask
        seed = secrets.randbits(63) if sampling.seed is None else sampling.seed % 2**63
        self._random = numpy.random.default_rng(seed)

    def __call__(self, ids: list[int], scores: Any) -> int:
        import numpy

        if numpy.isnan(scores).any():
            raise ModelError("the model computes no numbers any more (NaN): its weights are damaged or do not fit")
        penalty = self._sampling.repetition_penalty
        if penalty != 1:
            seen = numpy.unique(ids[-_PENALTY_WINDOW:])
            scores[seen] = numpy.where(scores[seen] < 0, scores[seen] * penalty, scores[seen] / penalty)
        if self._mask is not None:
            allowed = self._mask.allowed(ids)
            if isinstance(allowed, int):
                return allowed
            scores[numpy.frombuffer(allowed, dtype=numpy.uint8)[: len(scores)] == 0] = -numpy.inf
        if self._sampling.temperature == 0:
            return int(scores.argmax())
        chances = numpy.exp((scores - scores.max()) / self._sampling.temperature, dtype=numpy.float64)
        chances /= chances.sum()
        if self._sampling.top_p < 1:
            order = numpy.argsort(-chances, kind="stable")
            ahead = numpy.cumsum(chances[order]) - chances[order]
            chances[order[ahead >= self._sampling.top_p]] = 0
            chances /= chances.sum()
        return int(self._random.choice(len(chances), p=chances))


class LlamaText:
    """Tokens to text, never half a character (`airoagent.models.writer.PieceText`)."""

    def __init__(self, llama: Any) -> None:
        self._llama = llama
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token: int) -> str:
        return self._decoder.decode(piece_of(self._llama, token, control=False))

    def finish(self) -> str:
        return self._decoder.decode(b"", final=True)


def open_llama(path: Path, name: str, **settings: Any) -> Any:
    """Open a file with llama.cpp, which says nothing on stderr about it."""
    import llama_cpp

    llama_cpp.llama_log_set(_listener(), ctypes.c_void_p(0))
    with _LOADING, _without_extra_buffers():
        _COMPLAINTS.clear()
        try:
            return llama_cpp.Llama(str(path), verbose=False, **settings)
        except (ValueError, RuntimeError, OSError, MemoryError) as error:
            raise _not_loaded(name, error) from error


def has_gpu() -> bool:
    """Whether llama.cpp was compiled for a GPU of any kind."""
    import llama_cpp

    return bool(llama_cpp.llama_supports_gpu_offload())


def _not_loaded(name: str, error: Exception) -> ModelError:
    # The first complaint is the cause, in llama.cpp's words; what follows, and the exception, say that it failed.
    said = next((each for each in _COMPLAINTS if "error loading model" in each), "") or str(error)
    reason = (said.rpartition("error loading model: ")[2].strip() or type(error).__name__).splitlines()[0][:300]
    hint = "fetch the file again"
    if "architecture" in reason:
        hint = "a newer llama-cpp-python may know it: pip install -U llama-cpp-python"
    elif "alloc" in reason or isinstance(error, MemoryError):
        hint = "take a smaller quantisation, or a smaller window (-o context N)"
    return ModelError(f"llama.cpp cannot load {name}: {reason}", hint)


@functools.cache
def _listener() -> Any:
    """A log that keeps complaints, for as long as the process lives: llama.cpp holds on to it."""
    import llama_cpp

    def heard(level: int, text: bytes, data: object) -> None:
        if level >= _ERROR and len(_COMPLAINTS) < 100:
            _COMPLAINTS.append(text.decode("utf-8", "replace"))

    return llama_cpp.llama_log_callback(heard)


@contextlib.contextmanager
def _without_extra_buffers() -> Iterator[None]:
    """On processors with AMX llama.cpp's repacked weights end in a segmentation fault at the first token.

    Seen with llama-cpp-python 0.3.36 and every quantised type. It has no setting for it, so the defaults that its
    loader asks for are changed while it loads.
    """
    if not _has_amx():
        yield
        return
    from llama_cpp import llama_cpp as bound

    original = bound.llama_model_default_params

    def changed() -> Any:
        params = original()
        params.use_extra_bufts = False
        return params

    bound.llama_model_default_params = changed
    try:
        yield
    finally:
        bound.llama_model_default_params = original


def _has_amx() -> bool:
    try:
        return "amx_tile" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def scores_of(llama: Any) -> Any:
    """The scores of the next token, as an array of its own."""
    import llama_cpp
    import numpy

    pointer = llama_cpp.llama_get_logits_ith(llama.ctx, -1)
    return numpy.ctypeslib.as_array(pointer, shape=(llama.n_vocab(),)).copy()


def vocabulary_of(llama: Any) -> Any:
    import llama_cpp

    return llama_cpp.llama_model_get_vocab(llama.model)


def end_of_turn(llama: Any) -> int:
    import llama_cpp

    return int(llama_cpp.llama_vocab_eot(vocabulary_of(llama)))


def piece_of(llama: Any, token: int, *, control: bool = True) -> bytes:
    """The bytes a token stands for; a control token has none unless it is asked for."""
    import llama_cpp

    if token < 0:
        return b""
    buffer = ctypes.create_string_buffer(512)
    count = llama_cpp.llama_token_to_piece(vocabulary_of(llama), token, buffer, 512, 0, control)
    return bytes(buffer[: max(count, 0)])  # type: ignore[arg-type]
