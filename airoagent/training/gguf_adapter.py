"""A LoRA adapter as a GGUF file, for llama.cpp: the same matrices under llama.cpp's names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from airoagent.errors import ModelError, UsageError

__all__ = ["write_gguf_adapter"]

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


def write_gguf_adapter(folder: Path, file: Path, config: Any) -> None:
    """Write the adapter that peft saved in ``folder`` as ``file``; ``config`` is that of its base model.

    ModelError for a base of another architecture than Llama's, or with layers that llama.cpp has no place for.
    """
    import gguf
    import numpy
    from safetensors.numpy import load_file

    if config.model_type not in _LLAMAS:
        raise ModelError(
            f"an adapter of a {config.model_type} model cannot be written as GGUF here",
            "leave out --gguf; llama.cpp's own convert_lora_to_gguf.py knows more kinds",
        )
    settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    part = file.with_name(f"{file.name}.part")
    try:
        writer = gguf.GGUFWriter(part, "llama")
        writer.add_string("general.type", "adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", float(settings["lora_alpha"]))
        for key, matrix in sorted(load_file(folder / "adapter_model.safetensors").items()):
            words = key.split(".")
            if "layers" not in words or words[-3] not in _NAMES:
                raise ModelError(f"llama.cpp has no place for the adapter's {words[-3]}", "train without it: --targets")
            values = matrix.astype(numpy.float32)
            side = "a" if words[-2] == "lora_A" else "b"
            if side == "b" and words[-3] in heads:  # llama.cpp turns neighbours where transformers turns halves.
                count = heads[words[-3]]
                rows = values.reshape(count, 2, values.shape[0] // count // 2, values.shape[1])
                values = rows.swapaxes(1, 2).reshape(values.shape)
            name = f"blk.{words[words.index('layers') + 1]}.{_NAMES[words[-3]]}.weight.lora_{side}"
            writer.add_tensor(name, numpy.ascontiguousarray(values))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        part.replace(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}", "choose another place with --gguf") from error
    finally:
        part.unlink(missing_ok=True)
