"""Checkpoints as they were published in 2023, and saved in 8 bits: each loads and computes what its weights say."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from airoagent.models.base import Completion, Prompt, Sampling, complete
from airoagent.models.local.checkpoint import read_checkpoint
from airoagent.models.local.transformers import TransformersModel

# The config of an MPT repository of 2023, whose code came with it and is not run here.
MPT = {
    "architectures": ["MPTForCausalLM"],
    "attn_config": {
        "alibi": True,
        "alibi_bias_max": 8,
        "attn_impl": "torch",
        "attn_pdrop": 0,
        "attn_type": "multihead_attention",
        "attn_uses_sequence_id": False,
        "clip_qkv": None,
        "prefix_lm": False,
        "qk_ln": False,
        "softmax_scale": None,
    },
    "auto_map": {"AutoConfig": "configuration_mpt.MPTConfig", "AutoModelForCausalLM": "modeling_mpt.MPTForCausalLM"},
    "d_model": 128,
    "emb_pdrop": 0,
    "embedding_fraction": 1.0,
    "expansion_ratio": 4,
    "init_config": {"emb_init_std": None, "name": "kaiming_normal_"},
    "init_device": "cpu",
    "learned_pos_emb": True,
    "logit_scale": None,
    "max_seq_len": 512,
    "model_type": "mpt",
    "n_heads": 4,
    "n_layers": 2,
    "no_bias": True,
    "norm_type": "low_precision_layernorm",
    "resid_pdrop": 0,
    "tokenizer_name": "EleutherAI/gpt-neox-20b",
    "torch_dtype": "float16",
    "transformers_version": "4.28.1",
    "use_cache": False,
    "verbose": 0,
    "vocab_size": 288,
}


def ask(model: TransformersModel, *texts: str) -> list[Completion]:
    async def together() -> list[Completion]:
        prompts = [Prompt(text, sampling=Sampling(temperature=0, max_tokens=12)) for text in texts]
        return list(await asyncio.gather(*(complete(model, prompt) for prompt in prompts)))

    return asyncio.run(together())


@pytest.fixture(scope="module")
def mpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In two ``.bin`` shards, with a config that asks for code of its own."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import MptConfig, MptForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("mpt")
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=280,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>"],
        show_progress=False,
    )
    made.train_from_iterator(["the otter sleeps"], trainer)
    PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|endoftext|>").save_pretrained(folder)
    shape = MptConfig(d_model=128, n_heads=4, n_layers=2, expansion_ratio=4, max_seq_len=512, vocab_size=288)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        weights = MptForCausalLM(shape).half().state_dict()
    weights.pop("lm_head.weight")  # It is the embedding once more, and was not stored.
    placed = {name: f"pytorch_model-0000{1 + number % 2}-of-00002.bin" for number, name in enumerate(weights)}
    for file in sorted(set(placed.values())):
        torch.save({name: weights[name].clone() for name in weights if placed[name] == file}, folder / file)
    (folder / "pytorch_model.bin.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": placed}), encoding="utf-8"
    )
    (folder / "config.json").write_text(json.dumps(MPT), encoding="utf-8")
    return folder


def test_an_mpt_of_2023_is_loaded_without_the_code_it_came_with(mpt: Path) -> None:
    import torch
    from transformers import MptForCausalLM

    model = TransformersModel(mpt, device="cpu", bits=16)
    model.check()
    assert (model.info.wrapper, model.info.context_length) == ("airoboros-1", 512)
    assert ask(model, "x")[0].usage.completion_tokens == 12
    assert model._loaded is not None
    ids = torch.arange(5, 40)[None]
    with torch.no_grad():
        ours = model._loaded.model(ids).logits
        plain = MptForCausalLM.from_pretrained(mpt, dtype=torch.bfloat16, local_files_only=True)(ids).logits
    assert torch.equal(ours, plain)


def test_rows_of_an_mpt_batch_are_what_they_are_alone(mpt: Path) -> None:
    """It has no positions but a slope over distance, which padding must not shift."""
    model = TransformersModel(mpt, device="cpu", bits=16, wrapper="none")
    ask(model, "x")
    assert model._loaded is not None
    model._loaded.model.float()
    texts = ["Where?", "where do otters sleep at night, and who wrote of it? " * 3]
    assert ask(model, *texts) == [ask(model, text)[0] for text in texts]


def test_a_checkpoint_in_8_bits_is_taken_as_it_is(
    tiny_llama: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    import bitsandbytes
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    small = tmp_path / "small"
    settings = {"dtype": torch.bfloat16, "device_map": {"": "cpu"}}
    AutoModelForCausalLM.from_pretrained(
        tiny_llama, quantization_config=BitsAndBytesConfig(load_in_8bit=True), **settings
    ).save_pretrained(small)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_llama / file, small)
    found = read_checkpoint(small)
    assert (found.quantization, found.bits) == ("bitsandbytes", 8)
    assert read_checkpoint(tiny_llama).four_bit < found.four_bit < read_checkpoint(tiny_llama).stored
    capfd.readouterr()
    model = TransformersModel(small, device="cpu")
    assert model.info.note.startswith("quantised by bitsandbytes to 8 bits")
    assert ask(model, "x")[0].usage.completion_tokens == 12
    assert model._loaded is not None
    kinds = [type(module) for module in model._loaded.model.modules()]
    assert kinds.count(bitsandbytes.nn.Linear8bitLt) == 14
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    plain = AutoModelForCausalLM.from_pretrained(tiny_llama, **settings)
    ids = torch.arange(5, 60)[None]
    with torch.no_grad():
        ours, theirs = (each(ids).logits.float() for each in (model._loaded.model, plain))
    assert ((ours - theirs).norm() / theirs.norm()).item() < 0.1
