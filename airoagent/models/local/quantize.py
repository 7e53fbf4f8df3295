"""Saves a model in 4 bits, so that it loads in seconds from then on and takes a quarter of the disk.

Saved at once after loading, before anything is computed: on some processors bitsandbytes repacks each weight at its
first use, which rounds the scales, and that loss would be saved with it.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Final

from airoagent.errors import ModelError, UsageError
from airoagent.extras import require
from airoagent.models.hub import LoadStopped, Progress, check_disk
from airoagent.models.local.checkpoint import Checkpoint, read_checkpoint
from airoagent.models.local.loading import check, load
from airoagent.models.local.machine import Device

# What a tokenizer may be made of; all of it small.
_TOKENIZER: Final = re.compile(
    r"(tokenizer|special_tokens|added_tokens|vocab|merges|chat_template)\w*\.(json|model|txt|jinja)"
)


def quantize(
    source: Path, destination: Path, *, name: str = "", device: Device = "auto", progress: Progress | None = None
) -> Checkpoint:
    """Load the model in ``source`` in NF4 and save it in ``destination``, which must not be there yet.

    What is written is complete or not there at all. Raises UsageError for a destination that is taken or a model that
    is quantised already, ModelError where it cannot be loaded or the disk is full.
    """
    require("quantising a model", "transformers", "torch", "transformers", "accelerate", "bitsandbytes")
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise UsageError(f"{destination} already exists", "name a folder that does not exist yet")
    checkpoint = read_checkpoint(source, name)
    if checkpoint.quantization:
        raise UsageError(f"{checkpoint.name} is already quantised, by {checkpoint.quantization}", "use it as it is")
    if checkpoint.adapter is not None:
        raise UsageError(
            f"{checkpoint.name} is an adapter", "quantize its base model, and name that with -o base FOLDER"
        )
    what = f"{checkpoint.name} takes {checkpoint.four_bit / 1e9:.1f} GB in 4 bits"
    check_disk(destination, checkpoint.four_bit, what, "make room, or choose another place")
    check(checkpoint, device=device, bits=4, check_memory=True)
    destination.parent.mkdir(parents=True, exist_ok=True)
    part = destination.with_name(f".{destination.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        loaded = load(checkpoint, device=device, bits=4, check_memory=False, progress=progress, stopped=lambda: False)
        loaded.model.save_pretrained(part)
        for file in source.iterdir():
            if _TOKENIZER.fullmatch(file.name) and file.is_file():
                shutil.copy2(file, part / file.name)
        _remember_names(part, checkpoint)
        destination.mkdir(exist_ok=True)
        part.replace(destination)
    except LoadStopped:
        raise ModelError("loading was stopped") from None
    except OSError as error:
        raise ModelError(f"{destination} cannot be written: {error}", "make room, or choose another place") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return read_checkpoint(destination)


def _remember_names(folder: Path, checkpoint: Checkpoint) -> None:
    """The folder may be called anything: what the model is called is what its wrapper is chosen by."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    known = [text for text in (checkpoint.name, *checkpoint.names) if "airoboros" in text.lower()]
    config["_name_or_path"] = known[0] if known else Path(checkpoint.name).name
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
