"""Makes a real, tiny Llama checkpoint: Llama-2's tokenizer layout, random weights, a few megabytes, in about a second.

    folder = make_tiny_llama(tmp_path / "tiny")

It loads like any Llama-2 folder and writes nonsense. Run as a script it makes one for trying things by hand:
``python tests/tiny_llama.py FOLDER``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

__all__ = ["make_tiny_llama"]

_TEXT = """\
Plan: search the documents for what the question asks about. :evidence0: = DocumentSearch[who wrote the book]
Plan: read the page that was found and answer from it. :evidence1: = KnowledgeModel[who wrote it, given :evidence0:?]
Answer: :evidence1:
The otter sleeps afloat in the kelp and holds the paw of another otter, so that neither drifts away in the night.
A chat between a curious user and an assistant. USER: Where do otters sleep? ASSISTANT: In the kelp.
BEGININPUT BEGINCONTEXT url: https://a.example/otters ENDCONTEXT ENDINPUT BEGININSTRUCTION ENDINSTRUCTION
"""


def make_tiny_llama(
    folder: Path,
    *,
    hidden: int = 128,
    intermediate: int = 256,
    layers: int = 2,
    heads: int = 4,
    vocabulary: int = 700,
    window: int = 4096,
    seed: int = 1,
    safetensors: bool = True,
    shard_size: str = "50GB",
    chat_template: str = "",
    config: dict[str, object] | None = None,
    spread: float = 0.2,
    output_width: int | None = None,
    device: str = "cpu",
    corpus: Iterable[str] = (),
) -> Path:
    """Write the checkpoint into ``folder`` and return it.

    ``vocabulary`` bounds the tokenizer, ``output_width`` makes the embedding and output layers wider than that;
    ``safetensors`` False writes a 2023 ``pytorch_model.bin``; ``spread`` is the deviation of the weights (0.02 is usual
    and writes almost uniformly; with 0.2 the model has preferences); ``config`` are further settings;
    ``corpus`` are lines for the tokenizer to learn from besides its own few, where the vocabulary is to be large.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    size = _write_tokenizer(folder, vocabulary, window, chat_template, corpus)
    settings = LlamaConfig(
        vocab_size=output_width or size,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=window,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        initializer_range=spread,
        dtype=torch.bfloat16,
        **(config or {}),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        default = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)  # So that a large one never exists in 32 bits.
        try:
            with torch.device(device):
                model = LlamaForCausalLM(settings)
        finally:
            torch.set_default_dtype(default)
    model.save_pretrained(folder, max_shard_size=shard_size)
    if not safetensors:
        for file in folder.glob("*.safetensors"):
            file.unlink()
        model.to(torch.float16)
        settings.dtype = torch.float16
        settings.save_pretrained(folder)
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


def _write_tokenizer(folder: Path, vocabulary: int, window: int, chat_template: str, corpus: Iterable[str] = ()) -> int:
    """A BPE tokenizer in Llama-2's layout: ``<unk> <s> </s>``, 256 byte tokens, then pieces with U+2581 for a space."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors, trainers

    control = ["<unk>", "<s>", "</s>"]
    every_byte = [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=[*control, *every_byte], show_progress=False, max_token_length=12
    )
    tokenizer.train_from_iterator([*_TEXT.splitlines(), *corpus], trainer)
    # Training marks the byte tokens as special, which they are not.
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = []
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in control])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings: dict[str, object] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<unk>",
        "model_max_length": window,
        "clean_up_tokenization_spaces": False,
    }
    if chat_template:
        settings["chat_template"] = chat_template
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return tokenizer.get_vocab_size()


if __name__ == "__main__":
    print(make_tiny_llama(Path(sys.argv[1])))
