"""LoRA and QLoRA adapters, as peft saves them: a folder with ``adapter_config.json`` that stands on a base model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airoagent.errors import ModelError
from airoagent.models import hub

__all__ = ["adapter_weights", "base_folder", "base_not_fetched", "is_adapter"]

_CONFIG = "adapter_config.json"
_SAY_BASE = "-o base FOLDER"
_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")


def is_adapter(folder: Path) -> bool:
    """Whether the folder holds an adapter and no model of its own."""
    return (folder / _CONFIG).is_file() and not (folder / "config.json").is_file()


def adapter_weights(folder: Path, name: str) -> Path:
    """The file with the adapter's weights; ModelError if it is not there."""
    found = next((folder / file for file in _WEIGHTS if (folder / file).is_file()), None)
    if found is None:
        raise ModelError(
            f"the adapter {name} has no weights ({' or '.join(_WEIGHTS)})",
            "fetch them: the copy or download was not finished",
        )
    return found


def base_folder(folder: Path, name: str, base: str | Path | None = None) -> tuple[str, Path]:
    """The base model of an adapter: what it is called, and its folder.

    ``base`` takes the place of the one that the adapter's config names, which is often a path of the machine that it
    was trained on. NotFetched where the base model is one of the hub and not on this machine, ModelError where it is a
    folder that is not there, or the adapter is no LoRA.
    """
    config = _config(folder, name)
    kind = str(config.get("peft_type", "")).upper()
    if kind != "LORA":
        raise ModelError(
            f"{name} is no LoRA adapter ({kind or 'its config does not say what it is'}), the only kind that is used",
            "merge it into its base model and give the merged folder",
        )
    called = str(base or config.get("base_model_name_or_path") or "")
    path = Path(called).expanduser()
    for candidate in (path, folder / path):
        if called and candidate.is_dir():
            return called, candidate
    fetched = hub.snapshot(called) if hub.is_hub_name(called) else None
    if fetched is not None:
        return called, fetched
    if hub.is_hub_name(called):
        raise base_not_fetched(name, called)
    raise ModelError(
        f"the adapter {name} stands on {called or 'a base model that its config does not name'}, "
        "which is not on this machine",
        f"name the base model's folder or its name on the hub: {_SAY_BASE}",
    )


def base_not_fetched(name: str, base: str) -> hub.NotFetched:
    """The error for an adapter whose base model is to be fetched from the hub, or cannot be."""
    missing = hub.not_fetched(base)
    where = missing.message.removeprefix(base)
    return hub.NotFetched(
        base, f"the adapter {name} stands on {base}, which{where}", f"{missing.hint}; or name its folder: {_SAY_BASE}"
    )


def _config(folder: Path, name: str) -> dict[str, Any]:
    try:
        config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{_CONFIG} of {name} cannot be read: {error}", "fetch the file again") from error
    if not isinstance(config, dict):
        raise ModelError(f"{_CONFIG} of {name} is not a JSON object", "fetch the file again")
    return config
