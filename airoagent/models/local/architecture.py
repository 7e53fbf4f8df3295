"""Whether a checkpoint's weights are those that its config describes: seen from names and shapes, before minutes pass.

The loader itself fills in what is missing with random numbers and, in 4 bits, takes a layer of any width; either would
write nonsense in silence. So the model is built without weights, which takes a tenth of a second, and compared.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import Any, Final

from airoagent.errors import ModelError
from airoagent.models.hub import reason_of
from airoagent.models.local.checkpoint import Checkpoint, gptq_settings
from airoagent.models.local.shards import read_json, read_tensors

# Tables that are computed when a model is built, and lie in checkpoints of 2023 all the same.
_COMPUTED: Final = re.compile(r"rotary_emb\.inv_freq|\.attn\.(masked_)?bias$")
_NUMBER: Final = re.compile(r"\d+")
_HINT: Final = "fetch config.json and the weights again: they do not belong together"


def config_of(checkpoint: Checkpoint) -> Any:
    """The checkpoint's config as transformers reads it. ModelError if it cannot, or knows no such quantisation."""
    from transformers import CONFIG_MAPPING, AutoConfig
    from transformers.quantizers.auto import AUTO_QUANTIZER_MAPPING

    try:
        file = checkpoint.folder / "config.json"
        if file.read_bytes().startswith(codecs.BOM_UTF8):  # which transformers takes for broken JSON
            config = CONFIG_MAPPING[checkpoint.model_type].from_dict(dict(read_json(file, checkpoint.name)))
        else:
            config = AutoConfig.from_pretrained(checkpoint.folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # Its checks have no common class.
        raise _unusable(checkpoint, error) from error
    method = checkpoint.quantization
    if method and not any(known in (method, f"{method}_{checkpoint.bits}bit") for known in AUTO_QUANTIZER_MAPPING):
        raise ModelError(
            f"{checkpoint.name} is quantised by {method}, which is not supported",
            "take the model's original repository: it is loaded in 4 bits",
        )
    if getattr(config, "quantization_config", None) is None:
        early = gptq_settings(checkpoint.folder, checkpoint.name)
        if early is not None:
            config.quantization_config = early
    return config


def check_shapes(checkpoint: Checkpoint, config: Any) -> None:
    """ModelError where weights have other widths than the config gives, are missing, or are of layers it has not.

    Quantised checkpoints are left to `check_complete`: their layers are stored in forms of their own.
    """
    if checkpoint.quantization:
        return
    stored = _stored_shapes(checkpoint)
    import torch
    from transformers import AutoModelForCausalLM

    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except Exception as error:  # As above: widths that do not divide, unknown architectures.
        raise _unusable(checkpoint, error) from error
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    for name, shape in stored.items():
        if name in expected and shape != expected[name]:
            raise ModelError(
                f"{name} of {checkpoint.name} is {_spelled(shape)}, and config.json has it {_spelled(expected[name])}",
                _HINT,
            )
    layers = {_NUMBER.sub("0", name) for name in expected}
    ignored = model._keys_to_ignore_on_load_unexpected or ()
    for name in stored:
        known = name in expected or any(re.search(pattern, name) for pattern in ignored)
        if not known and _NUMBER.sub("0", name) in layers:
            raise ModelError(f"{checkpoint.name} has weights of layers that config.json does not count: {name}", _HINT)
    if not set(stored) <= set(expected) | {name for name in stored if _COMPUTED.search(name)}:
        return  # The loader gives some of them other names: what is missing is its to say.
    tied = getattr(model, "all_tied_weights_keys", None) or {}
    _check_none_missing(checkpoint, [name for name in expected if name not in stored and name not in tied])


def check_complete(checkpoint: Checkpoint, missing: Iterable[str]) -> None:
    """ModelError where the loader found no weights for some of the model's layers."""
    _check_none_missing(checkpoint, sorted(name for name in missing if not _COMPUTED.search(name)))


def _check_none_missing(checkpoint: Checkpoint, missing: list[str]) -> None:
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ModelError(f"{checkpoint.name} lacks weights that its config asks for: {missing[0]}{more}", _HINT)


def _stored_shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    tensors = read_tensors(checkpoint.files, checkpoint.name)
    if tensors:
        return {name: tensor.shape for name, tensor in tensors.items()}
    import torch

    shapes: dict[str, tuple[int, ...]] = {}
    for path in checkpoint.files:
        try:
            # Only the names and shapes: on this device there are no numbers.
            found = torch.load(path, map_location="meta", weights_only=True)
            shapes |= {name: tuple(value.shape) for name, value in found.items()}
        except Exception as error:  # Pickle's and torch's own, none of which says more than this.
            raise ModelError(
                f"{path.name} of {checkpoint.name} is damaged, or holds more than weights", "fetch the file again"
            ) from error
    return shapes


def _spelled(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a number"


def _unusable(checkpoint: Checkpoint, error: Exception) -> ModelError:
    reason = reason_of(error)
    if isinstance(error, KeyError) and error.args and " " in str(error.args[0]):
        reason = str(error.args[0])  # A sentence of its own, e.g. of a key that is missing.
    elif isinstance(error, KeyError) and error.args:  # a table of what transformers knows has no such entry
        config = read_json(checkpoint.folder / "config.json", checkpoint.name)
        places = [
            key
            for key, value in config.items()
            if error.args[0] in (value.values() if isinstance(value, dict) else [value])
        ]
        reason = f"{error.args[0]!r}{f' of {places[0]}' if places else ''} is not known to transformers"
    return ModelError(
        f"config.json of {checkpoint.name} cannot be used: {reason}", "fetch the file again, or choose another model"
    )


# CUDA's words, the operating system's, and those of torch on a CPU.
_NO_MEMORY: Final = ("out of memory", "cannot allocate memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it says that there was no memory left."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(words in said for words in _NO_MEMORY)
