"""A model's folder, read before anything is loaded: what it is, whether it is whole, and how much memory it takes.

Only small files are read (config.json, the index, the headers of safetensors files), so this takes milliseconds and
every fault is told in one sentence before minutes are spent. Sizes are in bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from airoagent.errors import ModelError
from airoagent.models.adapter import adapter_weights, base_folder, is_adapter

__all__ = ["Checkpoint", "four_bit_bytes", "ggml_message", "read_checkpoint"]

# NF4 with double quantisation: 4 bits, an 8-bit scale for 64 weights, a 32-bit scale for 256 of those.
_BYTES_PER_WEIGHT: Final = 0.5 + 1 / 64 + 4 / (64 * 256)
_GGML_MAGICS: Final = (b"lmgg", b"fmgg", b"tjgg", b"algg")
_INDEXES: Final = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_SINGLE_FILES: Final = ("model.safetensors", "pytorch_model.bin")
_TOKENIZERS: Final = (("tokenizer.json",), ("tokenizer.model",), ("vocab.json", "merges.txt"))
_ITEM_BYTES: Final = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U8": 1, "I8": 1}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a folder holds.

    ``names`` are what the config calls the model; ``context_length`` is the window in tokens; ``quantization`` the
    method of an already quantised checkpoint, else ``""``; ``stored`` the bytes of the weights as they lie there;
    ``four_bit`` the bytes of the weights once loaded in NF4 (``stored`` where they are quantised already);
    ``cache_per_token`` the bytes the key-value cache takes for each token of prompt and completion; ``adapter`` the
    folder of a LoRA adapter that stands on this model.
    """

    name: str
    folder: Path
    model_type: str
    names: tuple[str, ...]
    context_length: int
    quantization: str
    has_chat_template: bool
    stored: int
    four_bit: int
    cache_per_token: int
    adapter: Path | None = None


def read_checkpoint(
    folder: Path, name: str = "", *, weights: bool = True, base: str | Path | None = None
) -> Checkpoint:
    """Read and check a model's folder; ``name`` is what the user called it.

    ``weights`` False leaves the weights out: they need not be there yet, and their sizes are given as 0. ``base`` is
    the base model of an adapter, in place of the one its config names.

    Raises ModelError where it has no config, weights or tokenizer, a shard is missing or cut off, or it holds
    something else than a model that writes text.
    """
    name = name or str(folder)
    if not folder.is_dir():
        raise ModelError(f"there is no folder {name}", "check the path")
    if is_adapter(folder):
        return _on_its_base(folder, name, base, weights)
    config = _read_config(folder, name)
    files = _weights(folder, name) if weights else ()
    if not any(all((folder / file).is_file() for file in group) for group in _TOKENIZERS):
        raise ModelError(
            f"{name} has no tokenizer (tokenizer.json or tokenizer.model)",
            "copy the tokenizer files of the model it was made from into the folder",
        )
    quantization = _quantization(config)
    stored, four_bit = _measure(files, config, name)
    return Checkpoint(
        name=name,
        folder=folder,
        model_type=str(config.get("model_type", "")),
        names=tuple(text for key in ("_name_or_path", "name") if isinstance(text := config.get(key), str) and text),
        context_length=_first_number(config, ("max_position_embeddings", "max_seq_len", "n_positions"), 2048),
        quantization=quantization,
        has_chat_template=_has_chat_template(folder),
        stored=stored,
        four_bit=stored if quantization else four_bit,
        cache_per_token=_cache_per_token(config),
    )


def _on_its_base(folder: Path, name: str, base: str | Path | None, weights: bool) -> Checkpoint:
    called, under = base_folder(folder, name, base)
    size = adapter_weights(folder, name).stat().st_size
    whole = read_checkpoint(under, called, weights=weights)
    return replace(
        whole,
        name=name,
        names=(called, *whole.names),
        stored=whole.stored + size,
        four_bit=whole.four_bit + size,
        has_chat_template=whole.has_chat_template or _has_chat_template(folder),
        adapter=folder,
    )


def ggml_message(path: Path) -> ModelError | None:
    """The error for a GGML file or repository of 2023, recognised by its name or its first bytes; None for others."""
    lower = path.name.lower()
    ggml = ".ggml" in lower or lower.endswith("-ggml")
    if not ggml and path.is_file():
        with suppress(OSError), path.open("rb") as file:
            ggml = file.read(4) in _GGML_MAGICS
    if not ggml:
        return None
    return ModelError(
        f"{path.name} is in the GGML format of 2023, which no current program reads (GGUF took its place)",
        "get the GGUF file of the same model, or its original repository (config.json and safetensors) for 4 bits",
    )


def _read_config(folder: Path, name: str) -> Mapping[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise _no_config(folder, name)
    config = _read_json(path, name)
    architectures = config.get("architectures") or []
    writes = ("CausalLM", "LMHead", "ForConditionalGeneration")
    if architectures and not any(word in str(each) for each in architectures for word in writes):
        raise ModelError(
            f"{name} is a {architectures[0]}, which does not write text", "choose a causal language model, e.g. a Llama"
        )
    return config


def _no_config(folder: Path, name: str) -> ModelError:
    files = sorted(folder.iterdir())
    for file in files:
        if message := ggml_message(file):
            return message
    if any(file.suffix.lower() == ".gguf" for file in files):
        return ModelError(
            f"{name} is a folder with a GGUF file",
            f"name the file itself: -m {next(file for file in files if file.suffix.lower() == '.gguf')}",
        )
    return ModelError(f"{name} has no config.json, so it is not a model's folder", "check the path")


def _read_json(path: Path, name: str) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path.name} of {name} cannot be read: {error}", "fetch the file again") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path.name} of {name} is not a JSON object", "fetch the file again")
    return value


def _weights(folder: Path, name: str) -> tuple[Path, ...]:
    """The files that hold the weights, safetensors first; every one is there."""
    for single in _SINGLE_FILES:
        index = next((folder / each for each in _INDEXES if each.startswith(single)), None)
        if index is not None and index.is_file():
            shards = sorted(set(_read_json(index, name).get("weight_map", {}).values()))
            missing = [shard for shard in shards if not (folder / shard).is_file()]
            if missing:
                more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
                raise ModelError(
                    f"{name} lacks {len(missing)} of its {len(shards)} weight files: {', '.join(missing[:3])}{more}",
                    "fetch them again: the copy or download was not finished",
                )
            if shards:
                return tuple(folder / shard for shard in shards)
        if (folder / single).is_file():
            return (folder / single,)
    raise ModelError(
        f"{name} has no weights (model*.safetensors or pytorch_model*.bin)",
        "fetch the weights: the copy or download was not finished",
    )


def _measure(weights: tuple[Path, ...], config: Mapping[str, Any], name: str) -> tuple[int, int]:
    """Bytes of the weights as stored, and in NF4."""
    stored = total = kept = 0
    for path in weights:
        size = path.stat().st_size
        if size < 1024 and path.read_bytes().startswith(b"version "):
            raise ModelError(f"{path.name} of {name} is a Git LFS pointer, not the weights", "run: git lfs pull")
        if path.suffix != ".safetensors":
            if size == 0:
                raise ModelError(f"{path.name} of {name} is empty", "fetch the file again")
            stored += size
            total += size // _item_bytes(config)
            continue
        for tensor, (count, width, matrix) in _safetensors_header(path, size, name).items():
            stored += count * width
            total += count
            kept += count if not matrix or any(word in tensor for word in ("embed", "wte", "lm_head")) else 0
    if weights and weights[0].suffix != ".safetensors":
        kept = _embeddings(config)
    return stored, four_bit_bytes(total, kept)


def four_bit_bytes(parameters: int, kept: int) -> int:
    """Memory of a model in NF4: ``kept`` of its parameters (embeddings, norms, output) stay at 16 bits."""
    kept = min(kept, parameters)
    return int((parameters - kept) * _BYTES_PER_WEIGHT) + kept * 2


def _safetensors_header(path: Path, size: int, name: str) -> dict[str, tuple[int, int, bool]]:
    """For each tensor its number of items, the bytes of one, and whether it is a matrix. ModelError if cut off."""
    cut_off = ModelError(f"{path.name} of {name} is cut off or damaged", "fetch the file again")
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(size - 8, 100_000_000):
            raise cut_off
        try:
            header = json.loads(file.read(length))
        except ValueError:
            raise cut_off from None
    tensors, end = {}, 0
    for tensor, entry in header.items():
        if tensor == "__metadata__":
            continue
        begin, stop = entry["data_offsets"]
        width = _ITEM_BYTES.get(entry["dtype"], 1)
        tensors[tensor] = ((stop - begin) // width, width, len(entry["shape"]) == 2)
        end = max(end, stop)
    if 8 + length + end > size:
        raise cut_off
    return tensors


def _item_bytes(config: Mapping[str, Any]) -> int:
    return 4 if "32" in str(config.get("torch_dtype") or config.get("dtype") or "float16") else 2


def _embeddings(config: Mapping[str, Any]) -> int:
    vocabulary = _first_number(config, ("vocab_size",), 32000)
    copies = 1 if config.get("tie_word_embeddings") else 2
    return vocabulary * _width(config) * copies


def _width(config: Mapping[str, Any]) -> int:
    return _first_number(config, ("hidden_size", "d_model", "n_embd"), 4096)


def _cache_per_token(config: Mapping[str, Any]) -> int:
    layers = _first_number(config, ("num_hidden_layers", "n_layers", "n_layer"), 32)
    heads = _first_number(config, ("num_attention_heads", "n_heads", "n_head"), 32)
    shared = _first_number(config, ("num_key_value_heads",), heads)
    return 2 * 2 * layers * _width(config) * shared // max(heads, 1)


def _first_number(config: Mapping[str, Any], keys: tuple[str, ...], default: int) -> int:
    return next((value for key in keys if isinstance(value := config.get(key), int) and value > 0), default)


def _quantization(config: Mapping[str, Any]) -> str:
    settings = config.get("quantization_config")
    if not isinstance(settings, dict):
        return ""
    method = settings.get("quant_method")
    return str(method) if method else "bitsandbytes"


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    path = folder / "tokenizer_config.json"
    with suppress(OSError, ValueError):
        settings = json.loads(path.read_text(encoding="utf-8"))
        return isinstance(settings, dict) and bool(settings.get("chat_template"))
    return False
