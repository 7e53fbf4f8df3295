"""Makes a tiny Llama checkpoint quantised by GPTQ as the repositories of 2023 are, and the same weights in 16 bits.

    quantised, plain = make_tiny_gptq(tiny_llama, tmp_path)

The layout (AutoGPTQ's first): for each linear layer of ``width`` inputs, ``qweight`` holds 8 weights of 4 bits in an
int32, the first in the lowest bits, along the inputs; ``qzeros`` the zero points less one, 8 in an int32 along the
outputs; ``scales`` one 16-bit factor for each group of inputs and output; ``g_idx`` the group of each input. Weights
are rounded to the nearest level: what GPTQ does beyond that changes which level is picked, not how it is written down.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

__all__ = ["make_tiny_gptq"]

_LEVELS: Final = 15
_PACKED: Final = 8


def make_tiny_gptq(source: Path, folder: Path, *, group: int = 128, old: bool = False) -> tuple[Path, Path]:
    """Two folders, made of the checkpoint in ``source``: quantised, and in 16 bits with the very same weights.

    ``old`` puts the settings into ``quantize_config.json``, where they were before transformers knew of them.
    """
    from safetensors.torch import load_file, save_file

    quantised = Path(shutil.copytree(source, folder / "tiny-gptq"))
    plain = Path(shutil.copytree(source, folder / "tiny-plain"))
    packed, whole = {}, {}
    for name, tensor in load_file(source / "model.safetensors").items():
        if not name.endswith("_proj.weight"):
            packed[name] = whole[name] = tensor.half()
            continue
        levels, zeros, scales = _rounded(tensor.float().T, group)
        packed |= _as_stored(name.removesuffix("weight"), levels, zeros, scales, group)
        rows = [number // group for number in range(levels.shape[0])]
        whole[name] = ((levels - zeros[rows]) * scales[rows].float()).half().T.contiguous()
    save_file(packed, quantised / "model.safetensors", {"format": "pt"})
    save_file(whole, plain / "model.safetensors", {"format": "pt"})
    settings = {"bits": 4, "group_size": group, "desc_act": False, "sym": False, "damp_percent": 0.01}
    _configure(plain, {})
    if old:
        (quantised / "quantize_config.json").write_text(json.dumps(settings), encoding="utf-8")
        _configure(quantised, {})
    else:
        _configure(quantised, {"quantization_config": settings | {"quant_method": "gptq"}})
    return quantised, plain


def _configure(folder: Path, more: dict[str, object]) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"torch_dtype": "float16"} | more
    config.pop("dtype", None)
    path.write_text(json.dumps(config), encoding="utf-8")


def _rounded(weights: Any, group: int) -> tuple[Any, Any, Any]:
    """Inputs by outputs: the level of each weight, and zero point and scale of each group and output."""
    import torch

    groups = weights.reshape(-1, group, weights.shape[1])
    low, high = groups.amin(1).clamp(max=0), groups.amax(1).clamp(min=0)
    scales = ((high - low) / _LEVELS).clamp(min=1e-6).half()
    zeros = (-low / scales.float()).round().clamp(1, _LEVELS)  # Stored less one, so never 0.
    levels = (groups / scales.float()[:, None] + zeros[:, None]).round().clamp(0, _LEVELS)
    return levels.reshape(weights.shape).to(torch.int64), zeros.to(torch.int64), scales


def _as_stored(prefix: str, levels: Any, zeros: Any, scales: Any, group: int) -> dict[str, Any]:
    import torch

    return {
        f"{prefix}qweight": _packed(levels.T).T.contiguous(),
        f"{prefix}qzeros": _packed(zeros - 1),
        f"{prefix}scales": scales,
        f"{prefix}g_idx": torch.arange(levels.shape[0], dtype=torch.int32) // group,
    }


def _packed(values: Any) -> Any:
    """Each 8 values of a row in one int32, the first in the lowest bits."""
    import torch

    parts = values.reshape(values.shape[0], -1, _PACKED) << (4 * torch.arange(_PACKED))
    return parts.sum(-1).to(torch.int32)  # The highest bit makes it negative, as it does there.
