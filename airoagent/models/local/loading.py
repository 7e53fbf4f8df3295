"""Getting a checkpoint into memory with transformers and bitsandbytes: NF4, double quantisation, 16-bit arithmetic.

On CPUs with AVX512_BF16 bitsandbytes repacks each weight at its first use, which doubles the memory it takes, is
faster for writing, and fails on widths that are not a multiple of 64 (in) or 32 (out). So it is switched off for such
layers, and for all of them where memory is short.
"""

from __future__ import annotations

import codecs
import io
import logging
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any, Final

from airoagent.errors import MissingExtra, ModelError
from airoagent.extras import require
from airoagent.frozen import frozen
from airoagent.models.hub import LoadStopped, Progress, reason_of
from airoagent.models.local.architecture import check_complete, check_shapes, config_of, is_out_of_memory
from airoagent.models.local.checkpoint import LIBRARIES, Checkpoint
from airoagent.models.local.machine import Device, this_machine

# Room for activations, the tokenizer and the libraries themselves.
_OVERHEAD: Final = 400_000_000
# Key-value cache that a run surely needs: a plan prompt and its plan.
_LEAST_CACHE: Final = 2048


@frozen
class Loaded:
    """A model in memory, the device its input goes to, and the tokens that end a text."""

    model: Any
    device: Any
    ends: tuple[int, ...]


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """The checkpoint's tokenizer. ModelError if its files cannot be read."""
    with _QUIET:
        from transformers import AutoTokenizer

        # The tokenizer's loader reads it, too, and would put what is wrong with it down to the tokenizer.
        config = config_of(checkpoint)
        adapter, folder = checkpoint.adapter, checkpoint.folder
        if adapter is not None and (adapter / "tokenizer_config.json").is_file():
            folder = adapter
        if not (folder / "tokenizer.json").is_file() and (folder / "tokenizer.model").is_file():
            _check_sentencepiece(folder / "tokenizer.model", checkpoint.name)
        try:
            with _without_marks(folder) as files:
                tokenizer = AutoTokenizer.from_pretrained(
                    files, config=config, local_files_only=True, trust_remote_code=False
                )
        except Exception as error:  # Rust's panics aside, its failures have no common class.
            raise ModelError(
                f"the tokenizer of {checkpoint.name} cannot be read: {reason_of(error)}", "fetch its files again"
            ) from error
    if 0 < checkpoint.vocabulary < tokenizer.vocab_size:
        raise ModelError(
            f"the tokenizer of {checkpoint.name} has {tokenizer.vocab_size} tokens, its model {checkpoint.vocabulary}",
            "copy the tokenizer files of the model it was made from into the folder",
        )
    _name_control_tokens(tokenizer, config)
    return tokenizer


@contextmanager
def _without_marks(folder: Path) -> Iterator[Path]:
    """The folder, or a copy of its tokenizer files where one has a byte order mark, which transformers refuses."""
    files = [path for path in folder.iterdir() if path.suffix in (".json", ".jinja", ".model", ".txt")]
    if not any(path.suffix == ".json" and _is_marked(path) for path in files):
        yield folder
        return
    with tempfile.TemporaryDirectory() as copy:
        for path in files:
            (Path(copy) / path.name).write_bytes(path.read_bytes().removeprefix(codecs.BOM_UTF8))
        yield Path(copy)


def _is_marked(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(3) == codecs.BOM_UTF8


def chat_text(tokenizer: Any, messages: list[dict[str, str]], tools: list[dict[str, Any]] | None = None) -> str:
    """The messages in the tokenizer's chat template, ready for the answer. ValueError with the template's refusal."""
    import jinja2

    try:
        text = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=True)
        return str(text)
    except jinja2.TemplateError as error:  # A template's own refusal, e.g. of system messages.
        raise ValueError(str(error)) from error


def _name_control_tokens(tokenizer: Any, config: Any) -> None:
    """Without tokenizer_config.json a tokenizer does not know which tokens begin and end a text; the config does.

    One that is named "" is looked for for ever.
    """
    for kind in tokenizer.SPECIAL_TOKENS_ATTRIBUTES:
        if (token := tokenizer._special_tokens_map.get(kind)) is not None and not str(token):
            setattr(tokenizer, kind, None)
    for kind in ("bos_token", "eos_token"):
        token = getattr(config, f"{kind}_id", None)
        if getattr(tokenizer, kind) is None and isinstance(token, int) and 0 <= token < len(tokenizer):
            setattr(tokenizer, kind, tokenizer.convert_ids_to_tokens(token))


def _check_sentencepiece(path: Path, name: str) -> None:
    require("its tokenizer", "transformers", "sentencepiece")
    import sentencepiece

    try:
        sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (RuntimeError, OSError) as error:
        raise ModelError(
            f"{path.name} of {name} is not a SentencePiece model, which Llama's tokenizer is", "fetch the file again"
        ) from error


def check(checkpoint: Checkpoint, *, device: Device, bits: int, check_memory: bool) -> tuple[str, bool]:
    """What can be known without loading: the place it would go to, and whether there is room for repacking, too.

    Raises MissingExtra for a kind of quantisation that takes more libraries, ModelError where there is no such device,
    too little memory, or the weights are not those that the config describes.
    """
    found = check_room(checkpoint, device=device, bits=bits, check_memory=check_memory)
    with _QUIET:
        check_shapes(checkpoint, config_of(checkpoint))
    return found


def check_room(checkpoint: Checkpoint, *, device: Device, bits: int, check_memory: bool) -> tuple[str, bool]:
    """What `check` finds out without the weights: all but whether they belong to the config."""
    method, name = checkpoint.quantization, checkpoint.name
    try:
        require(f"{name} is quantised by {method.upper()}, which", method, *LIBRARIES.get(method, ()))
    except MissingExtra as error:
        error.hint += ", or take the model's original repository: it is loaded in 4 bits"
        raise
    if checkpoint.adapter is not None:
        require(f"the adapter {name}", "peft", "peft")
    place = _place(device)
    return place, _check_memory(checkpoint, place, bits) if check_memory else True


def load(
    checkpoint: Checkpoint,
    *,
    device: Device,
    bits: int,
    check_memory: bool,
    progress: Progress | None,
    stopped: Callable[[], bool],
) -> Loaded:
    """Load the weights; minutes for a large model. ``stopped`` is asked between weights and ends it by LoadStopped.

    Raises ModelError before loading where the device or the memory is not there, and for whatever the loader finds.
    """
    with _one_at_a_time(stopped), _QUIET:
        place, repack = check(checkpoint, device=device, bits=bits, check_memory=check_memory)
        import torch

        # Of GPTQ's kernels for CUDA some compute in float16 only, as its checkpoints are stored.
        half = place == "cuda" and (checkpoint.quantization == "gptq" or not torch.cuda.is_bf16_supported())
        dtype = torch.float16 if half else torch.bfloat16
        quiet = _quiet_gptq() if checkpoint.quantization == "gptq" else nullcontext()
        with _watched(checkpoint.name, progress, stopped), quiet:
            model = _from_pretrained(checkpoint, place, bits, dtype)
        if checkpoint.adapter is not None:
            model = _with_adapter(model, checkpoint)
        if place == "cpu":
            _prepare_for_cpu(model, repack)
        ends = _ends(model)
        # The checkpoint's own sampling settings are not ours; what it says must not mix with what is asked for.
        model.generation_config = type(model.generation_config)(eos_token_id=list(ends) or None)
    return Loaded(model, model.get_input_embeddings().weight.device, ends)


def _from_pretrained(checkpoint: Checkpoint, place: str, bits: int, dtype: Any) -> Any:
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    settings: dict[str, Any] = {}
    if bits == 4 and not checkpoint.quantization:
        settings["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
        )
    try:
        model, seen = AutoModelForCausalLM.from_pretrained(
            checkpoint.folder,
            config=config_of(checkpoint),
            output_loading_info=True,
            dtype=dtype,
            device_map="auto" if place == "cuda" else {"": "cpu"},
            local_files_only=True,
            trust_remote_code=False,
            **settings,
        )
    except ModelError:
        raise
    except ImportError as error:
        raise MissingExtra(
            f"{checkpoint.name} needs more than is installed: {reason_of(error)}",
            "install that, or take the model's original repository: it is loaded in 4 bits",
        ) from error
    except Exception as error:  # The loader's failures have no common class: files, shapes, architectures, memory.
        if is_out_of_memory(error) or "dispatched on the CPU or the disk" in str(error):
            raise ModelError(
                f"{checkpoint.name} does not fit into the memory that is free", "choose a smaller model: airo models"
            ) from error
        reason = reason_of(error)
        if "ignore_mismatched_sizes" in reason:  # Whose advice is for programmers.
            reason = "its weights have other widths than config.json gives"
        raise ModelError(
            f"{checkpoint.name} cannot be loaded: {reason}", "check the folder, or choose another model"
        ) from error
    check_complete(checkpoint, seen["missing_keys"])
    return model


def _with_adapter(model: Any, checkpoint: Checkpoint) -> Any:
    """The model with the adapter's layers put into it."""
    from peft import PeftModel

    assert checkpoint.adapter is not None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft uses names that transformers 5 calls old.
            return PeftModel.from_pretrained(model, str(checkpoint.adapter), local_files_only=True).get_base_model()
    except Exception as error:  # peft has no class of its own for an adapter that does not fit its base.
        raise ModelError(
            f"the adapter {checkpoint.name} does not go with {checkpoint.folder.name}: {reason_of(error)}",
            "name the base model it was trained on: -o base FOLDER",
        ) from error


def _place(device: Device) -> str:
    import torch

    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise ModelError(
            "there is no CUDA device that this torch can use",
            "leave the option device out, or run it on the CPU: -o device cpu",
        )
    return "cuda"


def _check_memory(checkpoint: Checkpoint, place: str, bits: int) -> bool:
    """Raise ModelError where the model cannot fit; return whether there is room for bitsandbytes' repacking, too."""
    in_4_bits = bits == 4 or bool(checkpoint.quantization)
    weights = checkpoint.four_bit if in_4_bits else checkpoint.stored
    need = weights + _OVERHEAD + checkpoint.cache_per_token * min(checkpoint.context_length, _LEAST_CACHE)
    free = _free(place)
    if free is not None and need > free:
        how = "at 4 bits" if in_4_bits else f"at {bits} bits"
        raise ModelError(
            f"{checkpoint.name} needs about {need / 1e9:.1f} GB of memory {how}, and {free / 1e9:.1f} GB are free",
            "choose a smaller model (airo models), or try it anyway: -o memory ignore",
        )
    return free is None or need + weights <= free


def free_memory(loaded: Loaded) -> int | None:
    """The bytes that are free where this model is; None if unknown."""
    return _free(loaded.device.type)


def _free(place: str) -> int | None:
    if place == "cpu":
        return this_machine().available
    import torch

    free: int = sum(torch.cuda.mem_get_info(device)[0] for device in range(torch.cuda.device_count()))
    return free


def _prepare_for_cpu(model: Any, repack: bool) -> None:
    import bitsandbytes

    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            fits = module.in_features % 64 == 0 and module.out_features % 32 == 0
            if not (repack and fits):
                module.support_avx512bf16_for_cpu = False


def _ends(model: Any) -> tuple[int, ...]:
    """The tokens that end a text: the generation config's, else the config's."""
    for config in (model.generation_config, model.config):
        value = getattr(config, "eos_token_id", None)
        if value is not None:
            return tuple(value) if isinstance(value, (list, tuple)) else (int(value),)
    return ()


_LOADING: Final = threading.Lock()


@contextmanager
def _one_at_a_time(stopped: Callable[[], bool]) -> Iterator[None]:
    """Loads wait for each other: the free memory is that of one, and so are the libraries' settings and their bars."""
    while not _LOADING.acquire(timeout=0.2):
        if stopped():
            raise LoadStopped
    try:
        yield
    finally:
        _LOADING.release()


# That kernels from a hub, or for other machines, are not there; at each 8-bit layer, that it computes in float16; what
# torch thinks of torchao, which comes with gptqmodel. Nothing a user can act on.
_CHATTY: Final = ("accelerate", "bitsandbytes", "peft", "torchao", "torch.utils._pytree")


class _Hush:
    """Nothing on stderr from the libraries while a thread is within; after the last they talk as before.

    Those of `_CHATTY` stay quiet: what they say comes later, at the first token.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._within = 0
        self._before: tuple[int, bool] = (0, False)

    def __enter__(self) -> None:
        for chatty in _CHATTY:
            logging.getLogger(chatty).setLevel(logging.ERROR)
        from transformers.utils import logging as talk

        with self._lock:
            self._within += 1
            if self._within == 1:
                self._before = talk.get_verbosity(), talk.is_progress_bar_enabled()
                talk.set_verbosity_error()
                talk.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        from transformers.utils import logging as talk

        with self._lock:
            self._within -= 1
            if self._within == 0:
                level, bars = self._before
                talk.set_verbosity(level)
                if bars:
                    talk.enable_progress_bar()


_QUIET: Final = _Hush()


@contextmanager
def _watched(name: str, progress: Progress | None, stopped: Callable[[], bool]) -> Iterator[None]:
    """While it lasts, the loader's own progress bars report to ``progress`` and can be stopped between weights."""
    from transformers.utils.logging import set_tqdm_hook

    def bar(make: Callable[..., Any], args: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        return counted(args[0]) if args and hasattr(args[0], "__len__") else make(*args, **settings)

    def counted(weights: Any) -> Iterator[Any]:
        report = progress or (lambda what, done, total: None)
        for done, weight in enumerate(weights):
            if stopped():
                raise LoadStopped
            report(f"loading {name}", done, len(weights))
            yield weight
        report(f"loading {name}", len(weights), len(weights))

    previous = set_tqdm_hook(bar)
    try:
        yield
    finally:
        set_tqdm_hook(previous)


@contextmanager
def _quiet_gptq() -> Iterator[None]:
    """gptqmodel writes banners and notes to stdout, which is for answers; not here, and not later, when it computes."""
    with redirect_stdout(io.StringIO()):  # What it writes with begins by printing an empty line.
        from logbar import LogBar

        LogBar.shared().setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of Python, torch and transformers, about its use of them.
        yield
