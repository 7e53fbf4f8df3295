"""Makes a real, tiny GGUF file of the tiny Llama checkpoint (`tests.tiny_llama`), and quantised ones of it.

    path = make_tiny_gguf(tiny_llama, tmp_path / "tiny.gguf")
    small = with_blocks(path, tmp_path / "tiny.Q4_0.gguf", "Q4_0")

Needs the `gguf` package.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["make_tiny_gguf", "with_blocks"]

_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_OUTER = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def make_tiny_gguf(
    folder: Path, path: Path, *, name: str = "tiny", context: int = 512, chat_template: str = ""
) -> Path:
    """Write the checkpoint of ``folder`` as one GGUF file in 16 bits."""
    import gguf
    import numpy
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    heads = config["num_attention_heads"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_context_length(context)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    _add_vocabulary(writer, folder, config["vocab_size"])
    if chat_template:
        writer.add_chat_template(chat_template)
    for key, tensor in load_file(folder / "model.safetensors").items():
        values = tensor.float().numpy()
        if "q_proj" in key or "k_proj" in key:  # llama.cpp turns neighbours where transformers turns halves.
            rows = values.reshape(heads, 2, values.shape[0] // heads // 2, values.shape[1])
            values = rows.swapaxes(1, 2).reshape(values.shape)
        kind = numpy.float32 if values.ndim == 1 else numpy.float16
        writer.add_tensor(_name(key), numpy.ascontiguousarray(values.astype(kind)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _name(key: str) -> str:
    plain = key.removesuffix(".weight")
    if plain in _OUTER:
        return f"{_OUTER[plain]}.weight"
    _, _, number, rest = plain.split(".", 3)
    return f"blk.{number}.{_NAMES[rest]}.weight"


def _add_vocabulary(writer: Any, folder: Path, size: int) -> None:
    import gguf

    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    model = tokenizer["model"]
    pieces = sorted(model["vocab"], key=model["vocab"].__getitem__)
    control = {one["content"]: one["id"] for one in tokenizer["added_tokens"]}
    pieces += sorted(control.keys() - model["vocab"], key=control.__getitem__)
    pieces += [f"<unused{n}>" for n in range(size - len(pieces))]
    ranks = {"".join(pair if isinstance(pair, list) else pair.split(" ")): n for n, pair in enumerate(model["merges"])}
    kinds = []
    for number, piece in enumerate(pieces):
        if number < 3 or piece in control:
            kinds.append(gguf.TokenType.UNKNOWN if number == 0 else gguf.TokenType.CONTROL)
        else:
            kinds.append(gguf.TokenType.BYTE if piece.startswith("<0x") else gguf.TokenType.NORMAL)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([piece.encode() for piece in pieces])
    writer.add_token_scores([-float(ranks.get(piece, 10_000)) for piece in pieces])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def with_blocks(source: Path, destination: Path, kind: str) -> Path:
    """The same model with its matrices in ``Q4_0`` or ``Q8_0``, which the `gguf` package can write by itself."""
    import gguf

    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(destination, "llama")
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        inner = field.types[1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=inner)
    writer.add_file_type(getattr(gguf.LlamaFileType, f"MOSTLY_{kind}"))
    for tensor in reader.tensors:
        values = tensor.data.astype("float32")
        if values.ndim == 1:
            writer.add_tensor(tensor.name, values)
        else:
            wanted = getattr(gguf.GGMLQuantizationType, kind)
            writer.add_tensor(tensor.name, gguf.quants.quantize(values, wanted), raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return destination
