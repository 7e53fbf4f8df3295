"""A model's folder, read before anything is loaded: what it is, whether it is whole, and how much memory it takes.

Only small files are read (config.json, the index, the headers of safetensors files), so this takes milliseconds and
every fault is reported in one sentence before minutes are spent. Sizes are in bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from airoagent.errors import ModelError
from airoagent.extras import has
from airoagent.frozen import frozen
from airoagent.models import hub
from airoagent.models.local.shards import Tensor, read_json, read_tensors, weight_files
from airoagent.textfiles import expanded

# NF4 with double quantisation: 4 bits, an 8-bit scale for 64 weights, a 32-bit scale for 256 of those.
_BYTES_PER_WEIGHT: Final = 0.5 + 1 / 64 + 4 / (64 * 256)
_GGML_MAGICS: Final = (b"lmgg", b"fmgg", b"tjgg", b"algg")
# What a config counts, in Llama's words and in MPT's.
_COUNTS: Final = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings", "vocab_size"),
    *("d_model", "n_layers", "n_heads", "max_seq_len"),
)
_TOKENIZERS: Final = (("tokenizer.json",), ("tokenizer.model",), ("vocab.json", "merges.txt"))
# What bitsandbytes leaves in 16 bits of the matrices: the embeddings and the output layer.
_OUTER: Final = re.compile("embed|wte|lm_head")


@frozen
class Checkpoint:
    """What a folder holds.

    ``names`` are what the config calls the model; ``context_length`` is the window in tokens; ``vocabulary`` how many
    tokens the embeddings are for (0: not said); ``quantization`` the method of an already quantised checkpoint, else
    ``""``, and ``bits`` what a weight takes then (0: not said), else 16; ``stored`` is the bytes of the weights in
    ``files``, ``four_bit`` those once loaded in NF4 (``stored`` where they are quantised already); ``cache_per_token``
    the bytes the key-value cache takes for each token; ``adapter`` the folder of a LoRA adapter on this model,
    and ``prompt_style`` the form of prompts that `airo train` noted for it.
    """

    name: str
    folder: Path
    model_type: str
    names: tuple[str, ...]
    context_length: int
    vocabulary: int
    quantization: str
    bits: int
    chat_template: str
    stored: int
    four_bit: int
    cache_per_token: int
    files: tuple[Path, ...] = ()
    adapter: Path | None = None
    prompt_style: str = ""


def read_checkpoint(
    folder: Path, name: str = "", *, weights: bool = True, base: str | Path | None = None
) -> Checkpoint:
    """Read and check a model's folder; ``name`` is what the user called it.

    ``weights`` False leaves the weights out: they need not be there yet, and their sizes are given as 0. ``base`` is
    the base model of an adapter, in place of the one its config names.

    Raises ModelError where it has no config, weights or tokenizer, a shard is missing or cut off, or it holds
    something else than a model that writes text; NotFetched where it is an adapter whose base model is to be fetched.
    """
    name = name or str(folder)
    if not folder.is_dir():
        raise ModelError(f"there is no folder {name}", "check the path")
    if _is_adapter(folder):
        return _on_its_base(folder, name, base, weights)
    config = _read_config(folder, name)
    files = weight_files(folder, name) if weights else ()
    if not any(all((folder / file).is_file() for file in group) for group in _TOKENIZERS):
        raise ModelError(
            f"{name} has no tokenizer (tokenizer.json or tokenizer.model)",
            "copy the tokenizer files of the model it was made from into the folder",
        )
    quantization, bits = _quantization_of(folder, config, name)
    tensors = read_tensors(files, name)
    _check_quantised(name, quantization, tensors)
    stored, four_bit = _measure(files, tensors, config)
    return Checkpoint(
        name=name,
        folder=folder,
        model_type=str(config.get("model_type", "")),
        names=tuple(text for key in ("_name_or_path", "name") if isinstance(text := config.get(key), str) and text),
        context_length=_first_number(config, ("max_position_embeddings", "max_seq_len", "n_positions"), 2048),
        vocabulary=_first_number(config, ("vocab_size",), 0),
        quantization=quantization,
        bits=bits,
        chat_template=_chat_template(folder),
        stored=stored,
        four_bit=stored if quantization else four_bit,
        cache_per_token=_cache_per_token(config),
        files=files,
    )


def _on_its_base(folder: Path, name: str, base: str | Path | None, weights: bool) -> Checkpoint:
    called, under = _base_folder(folder, name, base)
    if _is_adapter(under):
        raise ModelError(
            f"the adapter {name} is based on {called}, which is also an adapter",
            "merge that one into its base model, and name the merged folder with -o base FOLDER",
        )
    notes = folder / "training.json"
    size = _adapter_weights(folder, name).stat().st_size if weights else 0
    try:
        whole = read_checkpoint(under, called, weights=weights)
    except ModelError as error:
        if not hub.is_hub_name(called) or hub.snapshot(called) != under:
            raise
        raise hub.NotFetched(called, adapter=name) from error  # Fetched in part.
    return replace(
        whole,
        name=name,
        names=(called, *whole.names),
        stored=whole.stored + size,
        four_bit=whole.four_bit + size,
        chat_template=_chat_template(folder) or whole.chat_template,
        adapter=folder,
        prompt_style=str(read_json(notes, name).get("prompt_style", "")) if notes.is_file() else "",
    )


def with_weights_of(described: Checkpoint, stored: int) -> Checkpoint:
    """A checkpoint whose weights are not here yet, sized by the bytes they will take on the disk."""
    if described.quantization:
        return replace(described, stored=stored, four_bit=stored)
    config = read_json(described.folder / "config.json", described.name)
    return replace(described, stored=stored, four_bit=_estimated(stored, config))


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
        for file in sorted(folder.iterdir()):
            if message := ggml_message(file):
                raise message
            if file.suffix.lower() == ".gguf":
                raise ModelError(f"{name} is a folder with a GGUF file", f"name the file itself: -m {file}")
        raise ModelError(f"{name} has no config.json, so it is not a model's folder", "check the path")
    if (folder / _CONFIG).is_file():
        raise ModelError(
            f"{name} is a whole model with an adapter's {_CONFIG} next to it", "move the adapter's files elsewhere"
        )
    config = read_json(path, name)
    listed = config.get("architectures") or []
    architectures = listed if isinstance(listed, list) else [listed]
    writes = ("CausalLM", "LMHead", "ForConditionalGeneration")
    if architectures and not any(word in str(each) for each in architectures for word in writes):
        raise ModelError(
            f"{name} is a {architectures[0]}, which does not write text", "choose a causal language model, e.g. a Llama"
        )
    for key in _COUNTS:
        value = config.get(key)
        if isinstance(value, (bool, int, float, str)) and (type(value) is not int or value < 1):
            raise ModelError(
                f"config.json of {name} gives {value!r} as {key}, which is not a whole number above 0",
                "fetch the file again",
            )
    return config


def _measure(files: tuple[Path, ...], tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> tuple[int, int]:
    """Bytes of the weights as stored, and in NF4."""
    if files and not tensors:
        stored = sum(path.stat().st_size for path in files)
        return stored, _estimated(stored, config)
    total = sum(tensor.count for tensor in tensors.values())
    kept = sum(tensor.count for key, tensor in tensors.items() if len(tensor.shape) != 2 or _OUTER.search(key))
    return sum(tensor.stored for tensor in tensors.values()), four_bit_bytes(total, kept)


def four_bit_bytes(parameters: int, kept: int) -> int:
    """Memory of a model in NF4: ``kept`` of its parameters (embeddings, norms, output) stay at 16 bits."""
    kept = min(kept, parameters)
    return int((parameters - kept) * _BYTES_PER_WEIGHT) + kept * 2


def _estimated(stored: int, config: Mapping[str, Any]) -> int:
    """Bytes in NF4 of weights of which only the bytes on the disk are known."""
    item = 4 if "32" in str(config.get("torch_dtype") or config.get("dtype") or "float16") else 2
    copies = 1 if config.get("tie_word_embeddings") else 2
    return four_bit_bytes(stored // item, _first_number(config, ("vocab_size",), 32000) * _width(config) * copies)


def _width(config: Mapping[str, Any]) -> int:
    return _first_number(config, ("hidden_size", "d_model", "n_embd"), 4096)


def _cache_per_token(config: Mapping[str, Any]) -> int:
    layers = _first_number(config, ("num_hidden_layers", "n_layers", "n_layer"), 32)
    heads = _first_number(config, ("num_attention_heads", "n_heads", "n_head"), 32)
    shared = _first_number(config, ("num_key_value_heads",), heads)
    return 2 * 2 * layers * _width(config) * shared // max(heads, 1)


def _first_number(config: Mapping[str, Any], keys: tuple[str, ...], default: int) -> int:
    return next((value for key in keys if isinstance(value := config.get(key), int) and value > 0), default)


def _chat_template(folder: Path) -> str:
    """The chat template of the tokenizer, or all of them where it has several; "" where it has none."""
    for name in ("chat_template.jinja", "chat_template.json"):
        with suppress(OSError):
            return (folder / name).read_text(encoding="utf-8", errors="replace")
    with suppress(ModelError):
        found = read_json(folder / "tokenizer_config.json", "").get("chat_template")
        return found if isinstance(found, str) else json.dumps(found) if found else ""
    return ""


# The first GPTQ repositories of 2023 keep their settings here and not in the model's config.
_EARLY_GPTQ: Final = "quantize_config.json"
# What the names of the tensors of a quantised layer end with.
_MARKS: Final[Mapping[str, tuple[str, ...]]] = {
    "gptq": (".qweight",),
    "bitsandbytes": (".quant_state.bitsandbytes__nf4", ".quant_state.bitsandbytes__fp4", ".SCB"),
}
LIBRARIES: Final[Mapping[str, tuple[str, ...]]] = {"gptq": ("gptqmodel", "optimum")}


def _quantization_of(folder: Path, config: Mapping[str, Any], name: str) -> tuple[str, int]:
    """The method by which a checkpoint is quantised and the bits of a weight; ``""`` and 16 where it is not."""
    settings = config.get("quantization_config")
    if not isinstance(settings, dict):
        early = gptq_settings(folder, name)
        if early is None:
            return "", 16
        settings = early
    method = str(settings.get("quant_method") or "bitsandbytes")
    if method == "bitsandbytes":
        return method, 8 if settings.get("load_in_8bit") else 4
    bits = settings.get("bits") or settings.get("w_bit")
    return method, bits if isinstance(bits, int) else 0


def gptq_settings(folder: Path, name: str) -> dict[str, Any] | None:
    """The settings of a GPTQ repository of before transformers knew of it, as its config would hold them now."""
    path = folder / _EARLY_GPTQ
    return {"quant_method": "gptq", **read_json(path, name)} if path.is_file() else None


def _check_quantised(name: str, method: str, tensors: Mapping[str, Tensor]) -> None:
    """ModelError where config and weights do not agree on whether the weights are quantised.

    ``tensors`` is empty where they cannot be seen; then nothing is said.
    """
    found = next((kind for kind, marks in _MARKS.items() if any(key.endswith(marks) for key in tensors)), "")
    if found and not method:
        raise ModelError(
            f"the weights of {name} are quantised (by {found}, it seems), and its config does not say how",
            "fetch config.json again, and quantize_config.json if there is one",
        )
    if tensors and method in _MARKS and found != method:
        raise ModelError(
            f"config.json of {name} says that its weights are quantised by {method}, and they are not",
            "fetch the weights that belong to it, or take quantization_config out of config.json",
        )


def missing_libraries(method: str) -> tuple[str, ...]:
    """The libraries that loading a checkpoint of this kind takes and that are not installed; imports none."""
    return tuple(each for each in LIBRARIES.get(method, ()) if not has(each))


_CONFIG = "adapter_config.json"
_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")


def _is_adapter(folder: Path) -> bool:
    """Whether the folder holds an adapter and no model of its own; some have the config of their base model."""
    if not (folder / _CONFIG).is_file():
        return False
    own = any(not file.name.startswith("adapter_") for kind in ("*.safetensors", "*.bin") for file in folder.glob(kind))
    return not own if any((folder / file).is_file() for file in _WEIGHTS) else not (folder / "config.json").is_file()


def _adapter_weights(folder: Path, name: str) -> Path:
    """The file with the adapter's weights; ModelError if it is not there."""
    found = next((folder / file for file in _WEIGHTS if (folder / file).is_file()), None)
    if found is None:
        raise ModelError(
            f"the adapter {name} has no weights ({' or '.join(_WEIGHTS)})",
            "fetch them: the copy or download was not finished",
        )
    return found


def _base_folder(folder: Path, name: str, base: str | Path | None) -> tuple[str, Path]:
    """The base model of an adapter: what it is called, and its folder.

    ``base`` takes the place of the one that the adapter's config names, which is often a path of the machine that it
    was trained on. NotFetched where the base model is one of the hub and not on this machine, ModelError where it is a
    folder that is not there, or the adapter is not a LoRA.
    """
    config = read_json(folder / _CONFIG, name)
    kind = str(config.get("peft_type", "")).upper()
    if kind != "LORA":
        raise ModelError(
            f"{name} is not a LoRA adapter ({kind or 'its config names no kind'}), the only kind that is used",
            "merge it into its base model and give the merged folder",
        )
    called = str(base or config.get("base_model_name_or_path") or "")
    path = expanded(called)
    for candidate in (path, folder / path):
        if called and candidate.is_dir():
            return called, candidate
    if hub.is_hub_name(called):
        if fetched := hub.snapshot(called):
            return called, fetched
        raise hub.NotFetched(called, adapter=name)
    raise ModelError(
        f"the adapter {name} is based on {called or 'a base model that its config does not name'}, "
        "which is not downloaded",
        "name the base model's folder or its name on the hub: -o base FOLDER",
    )
