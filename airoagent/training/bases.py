"""Base models to train on: a checkpoint's folder or hub name, in NF4 or 16 bits, or a GGUF file.

A GGUF file is trained in its own weights, or (4 bits) in them and their NF4 form by turns, step by step: then the
adapter holds in llama.cpp and in transformers, although the two round differently.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from airoagent.errors import ModelError, UsageError
from airoagent.extras import require
from airoagent.frozen import frozen
from airoagent.models import hub
from airoagent.models.catalog import find_model
from airoagent.models.local.checkpoint import read_checkpoint
from airoagent.models.local.gguf_file import read_gguf
from airoagent.models.local.loading import chat_text, load, load_tokenizer
from airoagent.models.local.machine import Device
from airoagent.models.packaged import PACKAGED, downloaded_file
from airoagent.prompts.wrappers import Wrapper, template_wrapper, wrapper_for, wrapper_named
from airoagent.textfiles import expanded


@frozen
class Base:
    """A model in memory with its tokenizer and wrapper; ``bits`` 0: the weights of a GGUF file as they are there.

    ``gguf``: it comes from such a file. ``take_turn`` is called with the number of each step.
    """

    name: str
    model: Any
    tokenizer: Any
    wrapper: Wrapper
    device: Any
    bits: int
    gguf: bool = False
    take_turn: Callable[[int], None] = lambda step: None


def open_base(name: str, *, bits: int | None = None, device: Device = "auto", wrapper: str | None = None) -> Base:
    """Load a base model. ModelError if it is not downloaded, is an adapter, or cannot be trained."""
    require("training", "train", "torch", "transformers", "accelerate", "peft", "bitsandbytes", "gguf")
    chosen = None if wrapper is None else wrapper_named(wrapper)
    if "LOCAL_RANK" in os.environ:  # torchrun: one card for each process, chosen before CUDA is first used
        cards = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        place = int(os.environ["LOCAL_RANK"])
        os.environ["CUDA_VISIBLE_DEVICES"] = cards[place] if place < len(cards) and cards[place] else str(place)
    packaged = name.lower() in PACKAGED
    path = downloaded_file(name.lower()) if packaged else expanded(name)
    if path.is_file():
        if bits == 16:
            raise UsageError(
                f"the GGUF file {path.name} is trained in its own weights", "omit --bits, or --bits 4: in NF4, too"
            )
        base = _gguf(path, chosen, device)
        return base if bits is None else replace(base, bits=4, take_turn=_turns(base.model))
    known = find_model(name)
    repo = known.repo if known is not None else name
    folder: Path | None = path
    if not path.is_dir():
        if not hub.is_hub_name(repo):
            raise ModelError(f"there is no model {name}", "give a folder, a GGUF file or a name from `airo models`")
        folder = hub.snapshot(repo)
    if folder is None:
        raise ModelError(f"{repo} is not downloaded", f"download it: airo pull {repo}")
    checkpoint = read_checkpoint(folder, name)
    if checkpoint.adapter is not None:
        raise ModelError(f"{name} is an adapter", "give the base model it was trained on")
    if checkpoint.quantization == "gptq":
        raise ModelError(f"{name} is quantised with GPTQ and cannot be trained", "give the original repository")
    tokenizer = load_tokenizer(checkpoint)
    loaded = load(checkpoint, device=device, bits=bits or 4, check_memory=True, progress=None, stopped=lambda: False)
    for module in loaded.model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):  # It would repack the weights, which has no gradient.
            module.support_avx512bf16_for_cpu = False
    found = chosen or wrapper_for(
        name,
        model_type=checkpoint.model_type,
        has_chat_template=bool(checkpoint.chat_template),
        other_names=checkpoint.names,
    )
    called = repo if folder != path else str(path.resolve())
    return Base(called, loaded.model, tokenizer, _ready(found, tokenizer), loaded.device, bits or 4)


def _gguf(path: Path, chosen: Wrapper | None, device: Device) -> Base:
    head = read_gguf(path, str(path))
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging as talk

    talk.set_verbosity_error()
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # peft imports it; it tells of kernels it lacks.

    cuda = device != "cpu" and torch.cuda.is_available()
    folder, file = str(path.resolve().parent), path.name
    try:
        with redirect_stderr(io.StringIO()):  # Its bars go there whatever is set.
            tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file, local_files_only=True)
            model = AutoModelForCausalLM.from_pretrained(
                folder,
                gguf_file=file,
                local_files_only=True,
                dtype=torch.bfloat16,
                device_map={"": "cuda" if cuda else "cpu"},
                attn_implementation="sdpa" if cuda else "eager",  # on processors the quicker one for short texts
            )
    except Exception as error:  # The loader's failures have no common class.
        raise ModelError(
            f"{path} cannot be read for training: {hub.reason_of(error)}", "give its checkpoint folder"
        ) from error
    found = chosen or wrapper_for(
        path.name, model_type=head.architecture, has_chat_template=bool(head.template), other_names=(head.name,)
    )
    return Base(str(path.resolve()), model, tokenizer, _ready(found, tokenizer), model.device, 0, gguf=True)


def _turns(model: Any) -> Callable[[int], None]:
    """A function that gives the linear layers their own weights in odd steps and their NF4 form in even ones."""
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit
    from torch.nn import Linear

    forms = []
    for module in model.modules():
        if isinstance(module, Linear) and module is not model.get_output_embeddings():
            weight = module.weight.data
            packed, state = quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
            forms.append((module, (dequantize_4bit(packed, state).to(weight.dtype), weight)))

    def take_turn(step: int) -> None:
        for module, weights in forms:
            module.weight.data = weights[step % 2]

    return take_turn


def _ready(wrapper: Wrapper, tokenizer: Any) -> Wrapper:
    """The wrapper, made of the tokenizer's chat template where it is that."""
    return template_wrapper(partial(chat_text, tokenizer)) if wrapper.name == "template" else wrapper
