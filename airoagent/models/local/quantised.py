"""Checkpoints that are quantised already: by what, as their config says, and whether that can be loaded here.

GPTQ takes the extra ``gptq``: gptqmodel, which has the arithmetic, and optimum, which puts it into the model. The
first GPTQ repositories of 2023 keep their settings in ``quantize_config.json`` and not in the model's config.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from airoagent.errors import MissingExtra, ModelError
from airoagent.extras import has, require
from airoagent.models.local.shards import Tensor, read_json

__all__ = [
    "check_quantised",
    "gptq_settings",
    "missing_libraries",
    "quantization_of",
    "quiet_gptq",
    "require_libraries",
]

_EARLY_GPTQ: Final = "quantize_config.json"
# What the names of the tensors of a quantised layer end with.
_MARKS: Final[Mapping[str, tuple[str, ...]]] = {
    "gptq": (".qweight",),
    "bitsandbytes": (".quant_state.bitsandbytes__nf4", ".quant_state.bitsandbytes__fp4", ".SCB"),
}
_LIBRARIES: Final[Mapping[str, tuple[str, ...]]] = {"gptq": ("gptqmodel", "optimum")}


def quantization_of(folder: Path, config: Mapping[str, Any], name: str) -> tuple[str, int]:
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


def check_quantised(name: str, method: str, tensors: Mapping[str, Tensor]) -> None:
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
    return tuple(each for each in _LIBRARIES.get(method, ()) if not has(each))


def require_libraries(name: str, method: str) -> None:
    """MissingExtra, naming the extra, where the libraries for a quantised checkpoint are not installed."""
    try:
        require(f"{name} is quantised by {method.upper()}, which", method, *_LIBRARIES.get(method, ()))
    except MissingExtra as error:
        error.hint += ", or take the model's original repository: it is loaded in 4 bits"
        raise


@contextlib.contextmanager
def quiet_gptq() -> Iterator[None]:
    """gptqmodel writes banners and notes to stdout, which is for answers; not here, and not later, when it computes."""
    with contextlib.redirect_stdout(io.StringIO()):  # What it writes with begins by printing an empty line.
        from logbar import LogBar

        LogBar.shared().setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of Python, torch and transformers, about its use of them.
        yield
