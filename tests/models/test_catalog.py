"""What a user can write after -m, and what is told where it names nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from airoagent.errors import ModelError, UsageError
from airoagent.models.catalog import CATALOGUE, find_model, list_models, open_model
from airoagent.models.hub import cache_folder
from airoagent.models.local.machine import Machine
from airoagent.models.scripted import ScriptedModel
from airoagent.prompts.wrappers import WRAPPERS, wrapper_for

GB = 10**9


def test_every_entry_has_the_wrapper_its_name_gets() -> None:
    for entry in CATALOGUE:
        assert entry.wrapper in WRAPPERS
        assert wrapper_for(entry.repo, has_chat_template=entry.wrapper == "template").name == entry.wrapper
    assert len({entry.name for entry in CATALOGUE}) == len(CATALOGUE)


def test_memory_is_the_cards_figure_or_comes_out_as_theirs_do() -> None:
    by_name = {entry.name: entry for entry in CATALOGUE}
    assert by_name["airoboros-l2-7b-gpt4-2.0"].memory == 6.29
    assert by_name["airoboros-l2-13b-gpt4-m2.0"].memory == 9.87
    for entry in CATALOGUE:
        if entry.wrapper == "template":
            assert 0.5 * entry.parameters < entry.memory < 0.5 * entry.parameters + 3
        else:
            assert entry.memory == pytest.approx(entry.parameters * 4.5 / 8 + 2.5, abs=0.1)


def test_finds_an_entry_by_alias_or_repository_in_any_case() -> None:
    entry = find_model("Airoboros-L2-13B-gpt4-2.0")
    assert entry is not None
    assert entry == find_model("jondurbin/airoboros-l2-13b-gpt4-2.0")
    assert find_model("llama") is None


def test_says_where_each_model_fits() -> None:
    rows = {row.model.name: row.fits for row in list_models(Machine(16 * GB, 16 * GB, (8 * GB,)))}
    assert rows["airoboros-l2-7b-gpt4-2.0"] == "gpu"
    assert rows["airoboros-l2-13b-gpt4-2.0"] == "cpu"
    assert rows["airoboros-l2-70b-gpt4-2.0"] == "no"
    assert {row.fits for row in list_models(Machine(None, None))} == {"unknown"}


def test_says_what_is_in_the_cache_and_whole(tiny_llama: Path) -> None:
    home = cache_folder() / "models--jondurbin--airoboros-l2-7b-gpt4-2.0"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("abc123", encoding="ascii")
    shutil.copytree(tiny_llama, home / "snapshots" / "abc123")
    here = Machine(GB, GB)
    assert [row.model.name for row in list_models(here) if row.cached] == ["airoboros-l2-7b-gpt4-2.0"]
    (home / "snapshots" / "abc123" / "model.safetensors").unlink()
    assert not any(row.cached for row in list_models(here))


def test_opens_the_built_in_model() -> None:
    pytest.importorskip("airoagent.extractive.model")
    assert open_model("extractive").info.name == "extractive"


def test_opens_a_script(tmp_path: Path) -> None:
    (tmp_path / "a.plan").write_text("Answer: x", encoding="utf-8")
    assert isinstance(open_model(f"scripted:{tmp_path}/a.plan", options={"chunk": "2"}), ScriptedModel)


def test_opens_a_folder_without_loading_it(tiny_llama: Path) -> None:
    model = open_model(str(tiny_llama), options={"wrapper": "2.2", "context": "512"})
    assert (model.info.backend, model.info.wrapper, model.info.context_length) == ("transformers", "airoboros-2.2", 512)


@pytest.mark.parametrize(
    ("spec", "message", "hint"),
    [
        ("airoboros-l2-13b-gpt-2.0", "there is no model", "airoboros-l2-13b-gpt4-2.0"),
        ("extractiv", "there is no model", "did you mean extractive"),
        ("13b", "there is no model", "13b"),
        ("", "name is empty", "owner/name"),
        ("./nowhere", "there is no folder ./nowhere", "check the path"),
        ("/no/such/place", "there is no folder", "check the path"),
        ("~no-such-user/model", "there is no model '~no-such-user/model'", "owner/name"),
        ("x" * 300, "there is no model 'xxx.*too long", "owner/name"),
        ("models/x.Q4_K_M.gguf", "there is no file models/x.Q4_K_M.gguf", "check the path"),
        ("TheBloke/airoboros-l2-13b-gpt4-m2.0-GGUF", "a repository of GGUF files", "give the file"),
        ("x.ggmlv3.q4_K_M.bin", "GGML format of 2023", "GGUF"),
        ("TheBloke/airoboros-l2-13b-gpt4-m2.0-GGML", "GGML format of 2023", "GGUF"),
        ("airoboros-l2-7b-gpt4-2.0", "is not downloaded, and the network is switched off", "HF_HUB_OFFLINE"),
        ("owner/name", "owner/name is not downloaded", "HF_HUB_OFFLINE"),
    ],
)
def test_what_cannot_be_opened_is_told_with_what_to_do(spec: str, message: str, hint: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        open_model(spec)
    assert hint in caught.value.hint
    assert caught.value.exit_code == 3


def test_the_address_of_a_server_may_be_longer_than_the_name_of_a_file() -> None:
    assert open_model(f"http://127.0.0.1:1/{'x' * 300}").info.backend == "server"


def test_a_ggml_file_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"tjgg\x03\x00\x00\x00")
    with pytest.raises(ModelError, match="GGML format"):
        open_model(str(tmp_path / "model.bin"))


def test_another_file_is_told_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(ModelError, match="is a file; a model is a folder"):
        open_model(str(tmp_path / "weights.safetensors"))


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"wraper": "2.0"}, "no option 'wraper'", "did you mean wrapper"),
        ({"zzz": "1"}, "no option 'zzz'", "it has ahead, base"),
        ({"device": "tpu"}, "device cannot be 'tpu'", "auto, cpu, cuda"),
        ({"context": "many"}, "context cannot be 'many'", "whole number"),
        ({"wrapper": "9.9"}, "unknown chat wrapper '9.9'", "did you mean"),
    ],
)
def test_a_wrong_option_is_a_usage_error(tiny_llama: Path, options: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        open_model(str(tiny_llama), options=options)
    assert hint in caught.value.hint


def test_the_built_in_model_has_no_options() -> None:
    with pytest.raises(UsageError, match="no option 'bits'"):
        open_model("extractive", options={"bits": "4"})
