"""The head of a GGUF file, read without llama.cpp."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from airoagent.cli import main
from airoagent.errors import MissingExtra, ModelError
from airoagent.models.catalog import CATALOGUE, open_model
from airoagent.models.local.gguf_file import quantised_sizes, read_gguf


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def pair(key: str, value: Any) -> bytes:
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, list):
        return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
    return text(key) + struct.pack("<II", 4, value)


def head(pairs: dict[str, Any], *, version: int = 3, tensors: int = 1) -> bytes:
    start = b"GGUF" + struct.pack("<IQQ", version, tensors, len(pairs))
    tensor = text("output.weight") + struct.pack("<IQQIQ", 2, 32, 4, 8, 0)  # 32 by 4 in Q8_0: 136 bytes
    return start + b"".join(pair(*each) for each in pairs.items()) + tensor * tensors


def whole(pairs: dict[str, Any]) -> bytes:
    """A head and the weights behind it."""
    start = head(pairs)
    return start + bytes(-len(start) % 32) + bytes(136)


LLAMA = {
    "general.architecture": "llama",
    "general.name": "airoboros l2 13b",
    "general.file_type": 15,
    "tokenizer.ggml.tokens": ["<unk>", "a"] * 500,
    "llama.context_length": 4096,
    "llama.block_count": 40,
    "llama.embedding_length": 5120,
    "llama.attention.head_count": 40,
}


def test_what_a_file_says_of_its_model(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(whole(LLAMA))
    found = read_gguf(path, "x")
    assert (found.name, found.architecture, found.quantization) == ("airoboros l2 13b", "llama", "Q4_K_M")
    assert (found.context_length, found.cache_per_token) == (4096, 819_200)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a GGUF file"),
        (b"PK\x03\x04", "not a GGUF file"),
        (head(LLAMA)[:60], "cut off or damaged"),
        (head(LLAMA)[:-3], "cut off or damaged"),
        (head(LLAMA), r"is cut off: 0\.0 MB of 0\.0 MB are present"),
        (whole(LLAMA)[:-1], "is cut off"),
        (head(LLAMA, version=1), "version 1"),
        (head(LLAMA, tensors=0), "no weights"),
        (head(LLAMA, version=4), "version 4, which is not read"),
        (b"GGUF" + struct.pack(">IQQ", 3, 1, 1), "for big-endian machines"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 2**60), "cut off or damaged"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 1, 1, 2**62), "cut off or damaged"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + text("k") + struct.pack("<I", 77), "cut off or damaged"),
    ],
)
def test_what_is_none_is_one_sentence(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        read_gguf(path, "x")
    assert caught.value.hint


def test_parts_of_a_model_are_read_from_the_first_on_when_all_are_there(tmp_path: Path) -> None:
    parts = [tmp_path / f"x-0000{number}-of-00002.gguf" for number in (1, 2)]
    parts[1].write_bytes(whole(LLAMA))
    with pytest.raises(ModelError, match="x is part 2 of 2 of a model") as caught:
        read_gguf(parts[1], "x")
    assert caught.value.hint == f"name the first part: -m {parts[0]}"
    parts[0].write_bytes(whole(LLAMA))
    assert read_gguf(parts[0], "x").architecture == "llama"
    parts[1].unlink()
    with pytest.raises(ModelError, match=f"1 of them are missing: {parts[1].name}"):
        read_gguf(parts[0], "x")


def test_a_file_that_is_not_there_is_said() -> None:
    with pytest.raises(ModelError, match=r"there is no file models/x\.gguf"):
        open_model("models/x.gguf")


def test_without_llama_cpp_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "xllamacpp" else found(name))
    path = tmp_path / "x.gguf"
    path.write_bytes(whole(LLAMA))
    with pytest.raises(MissingExtra) as caught:
        open_model(str(path))
    assert caught.value.hint == "pip install '.[gguf]'"


def test_the_cards_figures_stand_as_they_are() -> None:
    small = {row.name: (row.file, row.memory) for row in quantised_sizes(6.7)}
    large = {row.name: (row.file, row.memory) for row in quantised_sizes(13.0)}
    assert (small["Q4_0"], large["Q4_0"]) == ((3.79, 6.29), (7.37, 9.87))
    assert (small["Q4_K_M"], large["Q4_K_M"]) == ((4.08, 6.58), (7.87, 10.37))
    assert (small["Q2_K"], large["Q8_0"]) == ((2.87, 5.37), (13.79, 16.29))
    assert list(small) == list(large)


def test_other_sizes_follow_in_proportion_and_say_that_no_card_gives_them() -> None:
    rows = quantised_sizes(69.0)
    assert not any(row.given for row in rows)
    assert {row.name: row.file for row in rows}["Q4_K_M"] == pytest.approx(41.77, abs=0.01)
    assert [row.file for row in rows] == sorted(row.file for row in rows)


def test_every_model_of_the_catalogue_has_figures_and_the_command_shows_them(capfd: pytest.CaptureFixture[str]) -> None:
    assert all(quantised_sizes(entry.parameters) for entry in CATALOGUE)
    assert quantised_sizes(0.6)[0].memory < 1 < quantised_sizes(8.0)[0].memory
    with pytest.raises(SystemExit) as ended:
        main(["models", "show", "airoboros-l2-13b-gpt4-2.0"])
    assert ended.value.code == 0
    shown = json.loads(capfd.readouterr().out)
    row = next(row for row in shown["gguf"] if row["name"] == "Q4_K_M")
    assert (row["file"], row["memory"]) == (7.87, 10.37)
    assert row["fits"] in ("gpu", "cpu", "no", "unknown")
