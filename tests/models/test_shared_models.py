"""Models that Ollama, LM Studio and Hugging Face's programs keep: in folders laid out as theirs are."""

from __future__ import annotations

import json
import os
import re
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from airoagent.errors import UsageError
from airoagent.models.catalog import open_model
from airoagent.models.hub import cache_folder
from airoagent.models.shared_models import ollama_file, shared_models
from tests.models.test_gguf import LLAMA, whole
from tests.modelserver import as_json, serving

GGUF = whole(LLAMA)
KIND = "application/vnd.ollama.image."


@pytest.fixture(autouse=True)
def home(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home, and no address where Ollama could run."""
    monkeypatch.setenv("HOME", str(own_home))
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    return own_home


def blob(store: Path, content: bytes) -> str:
    """Put a blob into Ollama's store; its digest."""
    digest = sha256(content).hexdigest()
    (store / "blobs").mkdir(parents=True, exist_ok=True)
    (store / "blobs" / f"sha256-{digest}").write_bytes(content)
    return f"sha256:{digest}"


def manifest(store: Path, place: str, layers: dict[str, bytes], **more: Any) -> Path:
    listed = [
        {"mediaType": KIND + kind, "digest": blob(store, content), "size": len(content)}
        for kind, content in layers.items()
    ]
    path = store / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"schemaVersion": 2, "layers": listed, **more}), encoding="utf-8")
    return path


def store_of(home: Path) -> Path:
    return home / "ollama"  # OLLAMA_MODELS, as every test has it


def test_ollamas_models_are_named_as_ollama_names_them(home: Path) -> None:
    store = store_of(home)
    layers = {"model": GGUF, "template": b"{{ .Prompt }}", "license": b"MIT"}
    manifest(store, "manifests/registry.ollama.ai/library/qwen3/0.6b", layers)
    manifest(store, "manifests/registry.ollama.ai/ada/small/latest", layers)
    manifest(store, "manifests/hf.co/owner/Small-GGUF/Q4_K_M", layers)
    manifest(store, "manifests-v2/ollama.com/library/llama3.2/1b", layers)
    found = {one.name: one for one in shared_models()}
    assert list(found) == [
        "ollama:ada/small:latest",
        "ollama:hf.co/owner/Small-GGUF:Q4_K_M",
        "ollama:llama3.2:1b",
        "ollama:qwen3:0.6b",
    ]
    assert {(one.program, one.size) for one in found.values()} == {("Ollama", len(GGUF) + 16)}
    assert all(one.file is not None and one.file.read_bytes() == GGUF for one in found.values())
    assert ollama_file("ada/small") == ollama_file("qwen3:0.6b") is not None
    assert ollama_file("qwen3") is None


def test_a_model_with_a_build_for_each_engine_is_the_one_that_llama_cpp_opens(home: Path) -> None:
    store = store_of(home)
    other = manifest(store, "a", {"tensor": b"mlx"}).read_bytes()
    ours = manifest(store, "b", {"model": GGUF}).read_bytes()
    builds = [{"runner": "mlx", "digest": blob(store, other)}, {"runner": "ggml", "digest": blob(store, ours)}]
    manifest(store, "manifests-v2/ollama.com/library/qwen3/latest", {}, manifests=builds)
    manifest(store, "manifests/registry.ollama.ai/library/qwen3/latest", {"model": b"GGUF of before"})
    (found,) = shared_models()
    assert found.name == "ollama:qwen3:latest" and found.file is not None and found.file.read_bytes() == GGUF


@pytest.mark.parametrize("layers", [{"tensor": b"x"}, {"model": b"PK"}, {"model": GGUF, "adapter": GGUF[:9]}])
def test_what_llama_cpp_cannot_open_as_it_is_is_for_ollama_to_run(home: Path, layers: dict[str, bytes]) -> None:
    manifest(store_of(home), "manifests/registry.ollama.ai/library/a/1b", layers)
    assert [(one.name, one.file) for one in shared_models()] == [("ollama:a:1b", None)]
    assert open_model("ollama:a:1b").info.backend == "server"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"layers": 7}',
        '{"layers": [7, {}]}',
        json.dumps({"layers": [{"mediaType": f"{KIND}model", "digest": f"sha256:{'0' * 64}"}]}),
        "[" * 100_000,
    ],
)
def test_what_is_damaged_or_not_here_is_left_out(home: Path, content: str) -> None:
    path = manifest(store_of(home), "manifests/registry.ollama.ai/library/a/1b", {"license": b"MIT"})
    assert shared_models() == ()  # a model of Ollama's cloud has no weights here
    path.write_text(content, encoding="utf-8")
    assert shared_models() == ()


def test_a_digest_leads_nowhere_but_to_a_blob(home: Path) -> None:
    (home / "secret").write_bytes(GGUF)
    path = manifest(store_of(home), "manifests/registry.ollama.ai/library/a/1b", {"model": GGUF})
    assert len(shared_models()) == 1
    path.write_text(re.sub("sha256:[0-9a-f]+", "sha256-../../../secret", path.read_text("utf-8")), encoding="utf-8")
    assert shared_models() == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="every folder is open to root")
def test_a_store_of_another_user_is_left_out(home: Path) -> None:
    store = store_of(home)
    manifest(store, "manifests/registry.ollama.ai/library/a/1b", {"model": GGUF})
    store.chmod(0)
    assert shared_models() == ()
    store.chmod(0o700)


def test_ollamas_file_is_opened_here_where_ollama_does_not_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    manifest(store_of(home), "manifests/registry.ollama.ai/library/qwen3/latest", {"model": GGUF})
    assert (open_model("ollama:qwen3").info.backend, open_model("ollama:qwen3").info.name) == (
        "llama.cpp",
        "ollama:qwen3",
    )
    with serving({"/v1/models": as_json({"data": [{"id": "qwen3"}]})}) as served:
        monkeypatch.setenv("OLLAMA_HOST", served.url)
        assert open_model("ollama:qwen3").info.backend == "server"
    monkeypatch.setenv("OLLAMA_HOST", "http://gpu.example:11434")
    assert open_model("ollama:qwen3").info.backend == "server"
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:99999")
    with pytest.raises(UsageError, match="is not a server's address"):
        open_model("ollama:qwen3")


def test_lm_studios_files_are_named_by_their_paths(home: Path) -> None:
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    folder = home / ".lmstudio" / "models" / "infra-ai" / "ocelot-v1"
    folder.mkdir(parents=True)
    for name in ("ocelot-q4_0.gguf", "mmproj-ocelot.gguf", "big-00001-of-00002.gguf", "big-00002-of-00002.gguf"):
        (folder / name).write_bytes(GGUF)
    (folder / "moved.gguf").symlink_to(home / "gone.gguf")
    found = [(one.name.rpartition("/")[2], one.program, one.size) for one in shared_models()]
    assert found == [
        ("big-00001-of-00002.gguf", "LM Studio", 2 * len(GGUF)),
        ("ocelot-q4_0.gguf", "LM Studio", len(GGUF)),
    ]
    name = shared_models()[1].name
    assert name == "~/.lmstudio/models/infra-ai/ocelot-v1/ocelot-q4_0.gguf"
    assert open_model(name).info.backend == "llama.cpp"
    (home / ".lmstudio").rename(home / "elsewhere")
    assert shared_models() == ()
    (home / ".lmstudio-home-pointer").write_text(f"{home}/elsewhere\n", encoding="utf-8")
    assert len(shared_models()) == 2


def test_the_hugging_face_cache_has_models_that_write_text_and_gguf_files(home: Path, tiny_llama: Path) -> None:
    for name, weights in (("ada--tiny", True), ("ada--encoder", True), ("ada--half", False), ("ada--tiny-GGUF", None)):
        kept = cache_folder() / f"models--{name}"
        (kept / "refs").mkdir(parents=True)
        (kept / "refs" / "main").write_text("abc", encoding="ascii")
        snapshot = kept / "snapshots" / "abc"
        if weights is None:
            snapshot.mkdir(parents=True)
            (snapshot / "tiny.gguf").write_bytes(GGUF)
            continue
        shutil.copytree(tiny_llama, snapshot)
        if not weights:
            (snapshot / "model.safetensors").unlink()
    config = cache_folder() / "models--ada--encoder" / "snapshots" / "abc" / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace("LlamaForCausalLM", "BertModel"), encoding="utf-8")
    names = [one.name for one in shared_models()]
    assert names == ["ada/tiny", "~/hf/hub/models--ada--tiny-GGUF/snapshots/abc/tiny.gguf"]
    assert open_model("ada/tiny").info.backend == "transformers"
