"""Makes a LoRA adapter of the tiny Llama (`tests.tiny_llama`) with peft, whose layers are not zero, as a trained one's.

folder = make_tiny_adapter(tiny_llama, tmp_path / "airoboros-7b-gpt4-1.4-qlora", base="me/tiny")
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

__all__ = ["make_tiny_adapter"]


def make_tiny_adapter(source: Path, folder: Path, *, base: str = "") -> Path:
    """Write the adapter into ``folder`` and return it; ``base`` is what its config calls the model in ``source``."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    whole = AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16)
    config = LoraConfig(r=4, lora_alpha=64, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft uses names that transformers 5 calls old.
        torch.manual_seed(4)
        model = get_peft_model(whole, config)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight.data, std=0.3)
        model.save_pretrained(folder)
    if base:
        path = folder / "adapter_config.json"
        settings = json.loads(path.read_text(encoding="utf-8")) | {"base_model_name_or_path": base}
        path.write_text(json.dumps(settings), encoding="utf-8")
    return folder
