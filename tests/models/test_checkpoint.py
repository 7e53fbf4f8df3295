"""A model's folder is read in milliseconds, and each fault is one sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from airoagent.errors import ModelError
from airoagent.models.local.checkpoint import four_bit_bytes, read_checkpoint
from tests.tiny_llama import make_tiny_llama


def _edit_config(folder: Path, **settings: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | settings), encoding="utf-8")


def test_reads_what_the_folder_is(tiny_llama: Path) -> None:
    found = read_checkpoint(tiny_llama, "tiny")
    assert (found.name, found.model_type, found.context_length, found.quantization) == ("tiny", "llama", 4096, "")
    assert found.chat_template == ""
    # Key and value of 2 layers of 128 numbers of 2 bytes.
    assert found.cache_per_token == 2 * 2 * 128 * 2


def test_sizes_come_from_the_headers(tiny_llama: Path) -> None:
    found = read_checkpoint(tiny_llama)
    vocabulary = json.loads((tiny_llama / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    linear = 2 * (4 * 128 * 128 + 3 * 128 * 256)
    kept = 2 * vocabulary * 128 + 5 * 128
    assert found.stored == 2 * (linear + kept)
    assert found.four_bit == four_bit_bytes(linear + kept, kept)


@pytest.mark.parametrize(("parameters", "kept", "gigabytes"), [(6.738e9, 262e6, 3.86), (13.016e9, 328e6, 7.20)])
def test_llama_2_in_4_bits_is_of_the_cards_size(parameters: float, kept: float, gigabytes: float) -> None:
    # The cards' q4_0 files: 3.79 and 7.37 GB, which keep nothing at 16 bits.
    assert four_bit_bytes(int(parameters), int(kept)) / 1e9 == pytest.approx(gigabytes, abs=0.01)


def test_a_bin_checkpoint_is_sized_by_its_files(tmp_path: Path, tiny_llama: Path) -> None:
    folder = make_tiny_llama(tmp_path / "bin", safetensors=False)
    measured, exact = read_checkpoint(folder), read_checkpoint(tiny_llama)
    assert measured.stored == pytest.approx(exact.stored, rel=0.02)
    assert measured.four_bit == pytest.approx(exact.four_bit, rel=0.05)


def test_a_chat_template_is_seen(tmp_path: Path, tiny_llama: Path) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "copy"))
    (folder / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    assert read_checkpoint(folder).chat_template


def _without(pattern: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        for file in folder.glob(pattern):
            file.unlink()

    return remove


def _write(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: [(folder / name).write_bytes(content), None][1]


def _cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def _empty_but(name: str, content: bytes = b"GGUF") -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        _without("*")(folder)
        (folder / name).write_bytes(content)

    return change


def _index(content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors.index.json").write_bytes(content)

    return change


def _unreadable(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("/proc/self/mem")  # there, and an error to whoever reads it


def _renamed(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / "model.safetensors").rename(folder / name)

    return change


def _bin(content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / "pytorch_model.bin").write_bytes(content)

    return change


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (shutil.rmtree, "there is no folder tiny"),
        (_without("config.json"), "tiny has no config.json"),
        (_write("config.json", b"{"), "config.json of tiny cannot be read"),
        (_write("config.json", b"[]"), "config.json of tiny is not a JSON object"),
        (lambda f: _edit_config(f, architectures=["BertForMaskedLM"]), "BertForMaskedLM, which does not write text"),
        (_without("tokenizer.json"), "tiny has no tokenizer"),
        (_without("*.safetensors"), "tiny has no weights"),
        (_cut, "model.safetensors of tiny is cut off or damaged"),
        (_write("model.safetensors", b"\x00" * 4000), "cut off or damaged"),
        (_write("model.safetensors", b""), "model.safetensors of tiny is empty"),
        (_write("model.safetensors", b"version https://git-lfs.github.com/spec/v1\n"), "Git LFS pointer"),
        (_write("model.safetensors", b"\x02" + b"\0" * 7 + b"[]" + b"x" * 90), "cut off or damaged"),
        (_write("model.safetensors", b"\x09" + b"\0" * 7 + b'{"a": 1} ' + b"x" * 90), "cut off or damaged"),
        (
            _write(
                "model.safetensors",
                b"\x41" + b"\0" * 7 + b'{"a": {"dtype": "F32", "shape": [1e999], "data_offsets": [0, 4]}}' + b"x" * 90,
            ),
            "cut off or damaged",
        ),
        (_index(b"{}"), "model.safetensors.index.json of tiny does not say which files"),
        (_index(b'{"weight_map": {"a": "b.safetensors"}}'), "does not say which files"),
        (_index(b'{"metadata": {}, "weight_map": ["a"]}'), "does not say which files"),
        (_index(b'{"metadata": {}, "weight_map": {"a": "../other/model.safetensors"}}'), "does not say which files"),
        pytest.param(
            _unreadable,
            "model.safetensors of tiny cannot be read: ",
            marks=pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="Linux alone has such a file"),
        ),
        (_bin(b"junk" * 9000), "pytorch_model.bin of tiny is cut off or damaged"),
        (lambda f: _edit_config(f, num_hidden_layers=-1), "gives -1 as num_hidden_layers"),
        (lambda f: _edit_config(f, hidden_size="128"), "gives '128' as hidden_size"),
        (_empty_but("x.gguf"), "is a folder with a GGUF file"),
        (_empty_but("x.ggmlv3.q4_0.bin"), "GGML format"),
        (_empty_but("adapter_config.json", b"{}"), "is not a LoRA adapter"),
        (_write("adapter_config.json", b"{}"), "a whole model with an adapter's adapter_config.json next to it"),
        (_renamed("model-00001-of-00001.safetensors"), "lacks model.safetensors.index.json"),
        (_renamed("pytorch_model-00001-of-00001.bin"), "lacks pytorch_model.bin.index.json"),
    ],
)
def test_a_broken_folder_is_one_sentence(
    tmp_path: Path, tiny_llama: Path, break_it: Callable[[Path], None], message: str
) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "copy"))
    break_it(folder)
    with pytest.raises(ModelError, match=message) as caught:
        read_checkpoint(folder, "tiny")
    assert caught.value.hint
    assert caught.value.exit_code == 3


def test_a_bin_file_that_was_not_fetched_to_its_end_is_said(tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path / "bin", safetensors=False)
    path = folder / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"pytorch_model.bin of tiny is cut off or damaged"):
        read_checkpoint(folder, "tiny")


def test_one_whole_file_is_taken_before_an_index_as_the_loader_does(tmp_path: Path, tiny_llama: Path) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "copy"))
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "gone.safetensors"}}')
    assert read_checkpoint(folder).stored == read_checkpoint(tiny_llama).stored


def test_missing_shards_are_named(tmp_path: Path) -> None:
    folder = make_tiny_llama(tmp_path / "sharded", shard_size="200KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 3
    assert read_checkpoint(folder, "tiny").stored > 0
    shards[1].unlink()
    with pytest.raises(ModelError, match=f"lacks 1 of its {len(shards)} weight files: {shards[1].name}"):
        read_checkpoint(folder, "tiny")
    for shard in (shards[0], *shards[2:]):
        shard.unlink()
    with pytest.raises(ModelError, match=f"and {len(shards) - 3} more"):
        read_checkpoint(folder, "tiny")
