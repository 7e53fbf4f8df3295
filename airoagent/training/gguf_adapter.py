"""A LoRA adapter as a GGUF file, for llama.cpp: the same matrices under llama.cpp's names."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from airoagent.errors import ModelError, UsageError

_NAMES: Final = {
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "gate_proj": "ffn_gate",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
}
# Models that llama.cpp calls llama.
_LLAMAS: Final = ("llama", "mistral")


def check_gguf_adapter(config: Any, targets: Iterable[str]) -> None:
    """ModelError for a base of another architecture than Llama's, or for layers that llama.cpp has no place for."""
    if config.model_type not in _LLAMAS:
        raise ModelError(
            f"an adapter of a {config.model_type} model cannot be written as GGUF here",
            "omit --gguf; llama.cpp's own convert_lora_to_gguf.py supports more models",
        )
    strange = [name for name in targets if name not in _NAMES]
    if strange:
        raise ModelError(f"llama.cpp does not support an adapter for {strange[0]}", f"it supports {', '.join(_NAMES)}")


def write_gguf_adapter(folder: Path, file: Path, config: Any, style: str = "") -> None:
    """Write the adapter that peft saved in ``folder`` as ``file``, in 16 bits.

    ``config`` is that of its base model; ``style`` the form of prompts it was trained on, if it is one of ours.
    """
    import gguf
    import numpy
    from safetensors.numpy import load_file

    settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    part = file.with_name(f"{file.name}.part")
    try:
        writer = gguf.GGUFWriter(part, "llama")
        writer.add_string("general.type", "adapter")
        writer.add_string("adapter.type", "lora")
        if style:
            writer.add_string("airoagent.prompt_style", style)
        writer.add_float32("adapter.lora.alpha", float(settings["lora_alpha"]))
        for key, matrix in sorted(load_file(folder / "adapter_model.safetensors").items()):
            words = key.split(".")
            values = matrix.astype(numpy.float32)
            side = "a" if words[-2] == "lora_A" else "b"
            if side == "b" and words[-3] in heads:  # llama.cpp turns neighbours where transformers turns halves.
                count = heads[words[-3]]
                values = _regrouped(values, (count, 2, values.shape[0] // count // 2))
            name = f"blk.{words[words.index('layers') + 1]}.{_NAMES[words[-3]]}.weight.lora_{side}"
            writer.add_tensor(name, numpy.ascontiguousarray(values.astype(numpy.float16)))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        part.replace(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}", "choose another place with --gguf") from error
    finally:
        part.unlink(missing_ok=True)


def read_gguf_adapter(file: Path, config: Any) -> dict[str, Any]:
    """The matrices of an adapter that `write_gguf_adapter` wrote, as peft names them; ValueError for any other file."""
    import gguf
    import numpy
    import torch

    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    names = {theirs: ours for ours, theirs in _NAMES.items()}
    found = {}
    for tensor in gguf.GGUFReader(file).tensors:
        _, layer, name, _, side = tensor.name.split(".")
        values = numpy.array(tensor.data, dtype=numpy.float32)
        if side == "lora_b" and name in heads:
            values = _regrouped(values, (heads[name], values.shape[0] // heads[name] // 2, 2))
        part = "self_attn" if name.startswith("attn") else "mlp"
        key = f"base_model.model.model.layers.{layer}.{part}.{names[name]}.lora_{side[-1].upper()}.weight"
        found[key] = torch.from_numpy(values)
    return found


def _regrouped(values: Any, shape: tuple[int, int, int]) -> Any:
    """The rows of each head in the other order: two halves as pairs of neighbours, or back."""
    return values.reshape(*shape, values.shape[1]).swapaxes(1, 2).reshape(values.shape)
