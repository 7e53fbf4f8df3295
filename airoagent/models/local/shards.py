"""The files that hold a checkpoint's weights: which there are, whether they are whole, and what tensors they hold.

Headers are read and nothing else. A safetensors file begins with the length of a JSON header (8 bytes, little-endian)
that gives each tensor's type, shape and place; a ``.bin`` file is a ZIP archive, whose directory lies at its end.
"""

from __future__ import annotations

import json
import re
import struct
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, Final

from airoagent.errors import ModelError
from airoagent.frozen import frozen

# In the order in which transformers looks for them.
_FILES: Final = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_ITEM_BYTES: Final = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "U8": 1, "I8": 1}
_LONGEST_HEADER: Final = 100_000_000
_LFS_POINTER: Final = b"version "


@frozen
class Tensor:
    """A tensor as it is stored: its shape, and the bytes it takes."""

    shape: tuple[int, ...]
    stored: int

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)


def read_json(path: Path, name: str) -> Mapping[str, Any]:
    """A JSON object of the model ``name``; ModelError where it is not one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path.name} of {name} cannot be read: {error}", "fetch the file again") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path.name} of {name} is not a JSON object", "fetch the file again")
    return value


def weight_files(folder: Path, name: str) -> tuple[Path, ...]:
    """The files that hold the weights, as the loader picks them: every one is there, and none is cut off.

    ModelError says which is not, or that there are none.
    """
    found = next((folder / file for file in _FILES if (folder / file).is_file()), None)
    if found is None:
        raise _no_weights(folder, name)
    files = _shards(found, name) if found.suffix == ".json" else (found,)
    for file in files:
        _check_whole(file, name)
    return files


def _shards(index: Path, name: str) -> tuple[Path, ...]:
    content = read_json(index, name)
    listed = content.get("weight_map") if "metadata" in content else None  # The loader asks for both.
    shards = sorted({shard for shard in listed.values() if isinstance(shard, str)}) if isinstance(listed, dict) else []
    if not shards or any(Path(shard).name != shard for shard in shards):
        raise ModelError(f"{index.name} of {name} does not say which files hold the weights", "fetch the file again")
    missing = [shard for shard in shards if not (index.parent / shard).is_file()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise ModelError(
            f"{name} lacks {len(missing)} of its {len(shards)} weight files: {', '.join(missing[:3])}{more}",
            "fetch them again: the copy or download was not finished",
        )
    return tuple(index.parent / shard for shard in shards)


_PART: Final = re.compile(r"(model|pytorch_model)-\d+-of-\d+\.(safetensors|bin)")


def _no_weights(folder: Path, name: str) -> ModelError:
    there = sorted(path.relative_to(folder).as_posix() for path in folder.glob("**/*") if path.is_file())
    others = [file for file in there if file.endswith(".safetensors")]
    parts = [part for file in there if (part := _PART.fullmatch(file))]
    if parts:
        index = f"{parts[0][1]}.{parts[0][2]}.index.json"
        return ModelError(
            f"{name} lacks {index}, which says which of its {len(parts)} files holds which weights",
            f"fetch {index} from where the files came from",
        )
    if len(others) == 1:  # The GPTQ repositories of 2023 call theirs gptq_model-4bit-128g.safetensors and the like.
        return ModelError(
            f"the weights of {name} have a name that no loader looks for: {others[0]}",
            "rename the file to model.safetensors",
        )
    return ModelError(
        f"{name} has no weights (model*.safetensors or pytorch_model*.bin)",
        "fetch the weights: the copy or download was not finished",
    )


def _check_whole(path: Path, name: str) -> None:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise ModelError(f"{path.name} of {name} cannot be read: {error.strerror}", "check its permissions") from error
    if size < 1024 and start == _LFS_POINTER:
        raise ModelError(f"{path.name} of {name} is a Git LFS pointer, not the weights", "run: git lfs pull")
    if size == 0:
        raise ModelError(f"{path.name} of {name} is empty", "fetch the file again")
    # Files of before torch 1.6 are not archives but pickles, which begin with this byte.
    if path.suffix == ".bin" and not zipfile.is_zipfile(path) and not start.startswith(b"\x80"):
        raise _damaged(path, name)


def _damaged(path: Path, name: str) -> ModelError:
    return ModelError(f"{path.name} of {name} is cut off or damaged", "fetch the file again")


def read_tensors(files: tuple[Path, ...], name: str) -> dict[str, Tensor]:
    """The tensors of safetensors files by their names; none for ``.bin`` files, which only torch can read.

    ModelError where a file is cut off.
    """
    tensors: dict[str, Tensor] = {}
    for path in files:
        if path.suffix == ".safetensors":
            tensors |= _header(path, name)
    return tensors


def _header(path: Path, name: str) -> dict[str, Tensor]:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(size - 8, _LONGEST_HEADER):
            raise _damaged(path, name)
        text = file.read(length)
    try:
        tensors, end = _parsed(json.loads(text))
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        OverflowError,
        RecursionError,
    ):  # JSON, but no such header.
        raise _damaged(path, name) from None
    if 8 + length + end > size:
        raise _damaged(path, name)
    return tensors


def _parsed(header: Mapping[str, Any]) -> tuple[dict[str, Tensor], int]:
    """The tensors of a header, and where the last of them ends."""
    tensors, last = {}, 0
    for tensor, entry in header.items():
        if tensor == "__metadata__":
            continue
        begin, end = (int(place) for place in entry["data_offsets"])
        shape = tuple(int(width) for width in entry["shape"])
        width = _ITEM_BYTES.get(entry["dtype"])
        if width is not None and prod(shape) * width != end - begin:
            raise ValueError(tensor)
        tensors[tensor] = Tensor(shape, end - begin)
        last = max(last, end)
    return tensors, last
