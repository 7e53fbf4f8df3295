"""The head of a GGUF file: what the model in it is, read in a millisecond, without llama.cpp.

Format: a magic, a version, the numbers of tensors and of key-value pairs, then the pairs, then for each tensor its
name, shape, type and place; little-endian. Source: the GGUF specification in the ggml repository (docs/gguf.md).
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any, BinaryIO, Final

from airoagent.errors import ModelError
from airoagent.frozen import frozen

_NUMBERS: Final = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_MOST_PAIRS: Final = 100_000
_LONGEST: Final = 16 * 1024 * 1024
_MOST_TENSORS: Final = 100_000
# Of a tensor's type: weights in a block, and bytes it takes. Types that are not here are not added up.
_BLOCKS: Final = (
    {0: (1, 4), 1: (1, 2), 30: (1, 2)}
    | {kind: (32, size) for kind, size in {2: 18, 3: 20, 6: 22, 7: 24, 8: 34}.items()}
    | {kind: (256, size) for kind, size in {10: 84, 11: 110, 12: 144, 13: 176, 14: 210}.items()}
)
# general.file_type, as llama.cpp numbers it.
_FILE_TYPES: Final = {
    **dict(enumerate(("F32", "F16", "Q4_0", "Q4_1"))),
    **dict(enumerate(("Q8_0", "Q5_0", "Q5_1", "Q2_K"), 7)),
    **dict(enumerate(("Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K"), 11)),
    32: "BF16",
}


@frozen
class GgufHead:
    """What a GGUF file says of its model: ``cache_per_token`` in bytes at 16 bits, ``template`` its chat template."""

    name: str
    architecture: str
    quantization: str
    context_length: int
    cache_per_token: int
    template: str
    size: int
    prompt_style: str  # of an adapter that `airo train` wrote


def read_gguf(path: Path, name: str) -> GgufHead:
    """Read the head of a GGUF file. ModelError where it is not one, is cut off, or of an old version."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelError(f"{name} is not a GGUF file", "fetch it again, or check the path")
            version, tensors, pairs = _number(file, "<I"), _number(file, "<Q"), _number(file, "<Q")
            if version >> 16:
                raise ModelError(f"{name} is a GGUF file for big-endian machines", "get the model's usual file")
            if version not in (2, 3):
                raise ModelError(
                    f"{name} is a GGUF file of version {version}, which is not read",
                    f"get {'a newer file of the model' if version < 2 else 'one of version 3'}",
                )
            if pairs > _MOST_PAIRS:
                raise ValueError("more pairs than any model has")
            _check_part(path, name)
            if not tensors:
                raise ModelError(
                    f"{name} contains no weights", "it may contain only a vocabulary: get the model's file"
                )
            values = {_text(file): _value(file, _number(file, "<I")) for _ in range(pairs)}
            end = _end_of_weights(file, tensors, values.get("general.alignment"))
    except FileNotFoundError:
        raise ModelError(f"there is no file {name}", "check the path") from None
    except (EOFError, ValueError, KeyError, UnicodeDecodeError, struct.error) as error:
        raise ModelError(f"{name} is cut off or damaged", "fetch it again") from error
    except OSError as error:
        raise ModelError(f"{name} cannot be read: {error}", "check the path") from error
    if size < end:
        raise ModelError(
            f"{name} is cut off: {size / 1e6:,.1f} MB of {end / 1e6:,.1f} MB are present", "fetch the whole file again"
        )
    return _head(values, size)


_PART: Final = re.compile(r"(.*-)(\d{5})(-of-(\d{5})\.gguf)", re.IGNORECASE)


def _check_part(path: Path, name: str) -> None:
    """ModelError for a file that is not the first of several, and for a first one that others are missing of."""
    part = _PART.fullmatch(path.name)
    if part is None:
        return
    number, count = int(part[2]), min(int(part[4]), 1000)
    if number != 1:
        first = path.with_name(f"{part[1]}00001{part[3]}")
        raise ModelError(f"{name} is part {number} of {count} of a model", f"name the first part: -m {first}")
    names = [f"{part[1]}{one:05d}{part[3]}" for one in range(1, count + 1)]
    missing = [one for one in names if not path.with_name(one).is_file()]
    if missing:
        raise ModelError(
            f"{name} is the first of {count} parts, and {len(missing)} of them are missing: {missing[0]}",
            "put all parts into one folder",
        )


def _end_of_weights(file: BinaryIO, tensors: int, alignment: object) -> int:
    """Where the last tensor ends, in bytes from the file's start."""
    if tensors > _MOST_TENSORS:
        raise ValueError("more tensors than any model has")
    end = 0
    for _ in range(tensors):
        _text(file)
        weights = 1
        for _ in range(min(_number(file, "<I"), 8)):
            weights *= _number(file, "<Q")
        kind, place = _number(file, "<I"), _number(file, "<Q")
        block, size = _BLOCKS.get(kind, (1, 0))
        end = max(end, place + weights // block * size)
    step = alignment if isinstance(alignment, int) and 0 < alignment <= 1024 * 1024 else 32
    return -(-file.tell() // step) * step + end


def _head(values: dict[str, Any], size: int) -> GgufHead:
    architecture = str(values.get("general.architecture", ""))

    def figure(key: str, default: int) -> int:
        value = values.get(f"{architecture}.{key}")
        return value if isinstance(value, int) and value > 0 else default

    heads = figure("attention.head_count", 32)
    shared = figure("attention.head_count_kv", heads)
    template = values.get("tokenizer.chat_template")
    return GgufHead(
        name=str(values.get("general.name", "")),
        architecture=architecture,
        quantization=_FILE_TYPES.get(values.get("general.file_type", -1), ""),
        context_length=figure("context_length", 2048),
        cache_per_token=4 * figure("block_count", 32) * figure("embedding_length", 4096) * shared // heads,
        template=template if isinstance(template, str) else "",
        size=size,
        prompt_style=str(values.get("airoagent.prompt_style", "")),
    )


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        return _number(file, _NUMBERS[kind])
    inner, count = _number(file, "<I"), _number(file, "<Q")
    if inner in _NUMBERS:
        _exactly(file, count * struct.calcsize(_NUMBERS[inner]))
    elif inner == _STRING and count <= _LONGEST:
        for _ in range(count):
            _exactly(file, _number(file, "<Q"))
    else:
        raise ValueError(f"an array of kind {inner}")
    return None  # Vocabularies and the like: not needed here.


def _text(file: BinaryIO) -> str:
    return _exactly(file, _number(file, "<Q")).decode("utf-8", "replace")


def _number(file: BinaryIO, form: str) -> Any:
    return struct.unpack(form, _exactly(file, struct.calcsize(form)))[0]


def _exactly(file: BinaryIO, count: int) -> bytes:
    if count > _LONGEST:
        raise ValueError("longer than anything in a head")
    data = file.read(count)
    if len(data) < count:
        raise EOFError
    return data


_CARDS: Final = {
    # GB of the file for 7b and for 13b.
    "Q2_K": (2.87, 5.51),
    "Q3_K_S": (2.95, 5.66),
    "Q3_K_M": (3.28, 6.31),
    "Q3_K_L": (3.60, 6.93),
    "Q4_0": (3.79, 7.37),
    "Q4_K_S": (3.83, 7.37),
    "Q4_K_M": (4.08, 7.87),
    "Q5_0": (4.63, 8.97),
    "Q5_K_S": (4.65, 8.97),
    "Q5_K_M": (4.78, 9.23),
    "Q6_K": (5.53, 10.68),
    "Q8_0": (7.16, 13.79),
}
_WORKING: Final = 2.5


@frozen
class Quantised:
    """One quantisation of a model: ``file`` and ``memory`` in GB; ``given`` says that a card has the figures."""

    name: str
    file: float
    memory: float
    given: bool


def quantised_sizes(parameters: float) -> tuple[Quantised, ...]:
    """Every quantisation of a model of so many billion parameters, smallest first.

    The cards give 6.7 and 13.0 billion; other sizes are in proportion to 13.0, and smaller ones take less to work in.
    """
    working = min(_WORKING, 0.4 + 0.32 * parameters)

    def row(name: str, small: float, large: float) -> Quantised:
        file = {6.7: small, 13.0: large}.get(parameters, round(large * parameters / 13.0, 2))
        return Quantised(name, file, round(file + working, 2), parameters in (6.7, 13.0))

    return tuple(row(name, *sizes) for name, sizes in _CARDS.items())
