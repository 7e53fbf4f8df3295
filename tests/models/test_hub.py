"""Where fetched models lie, and fetching one from a hub (on loopback)."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airoagent.errors import ModelError
from airoagent.models import hub
from airoagent.models.local.checkpoint import read_checkpoint, with_weights_of
from airoagent.models.local.transformers import TransformersModel
from tests.tiny_adapter import make_tiny_adapter

COMMIT = "a" * 40


@pytest.mark.parametrize("name", ["jondurbin/airoboros-l2-13b-gpt4-2.0", "a/b", "Org_1/x.y-z"])
def test_knows_a_hub_name(name: str) -> None:
    assert hub.is_hub_name(name)


@pytest.mark.parametrize("name", ["plain", "a/b/c", "./a", "/a/b", "a/..", "a b/c", "a/b\n", "a--b/c", ""])
def test_knows_what_is_none(name: str) -> None:
    assert not hub.is_hub_name(name)


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    assert hub.cache_folder() == tmp_path / "home" / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "direct"))
    assert hub.cache_folder() == tmp_path / "direct"
    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert hub.cache_folder() == tmp_path / "xdg" / "huggingface" / "hub"


@pytest.mark.parametrize(("value", "off"), [("1", True), ("TRUE", True), ("0", False), ("", False)])
def test_offline_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch, value: str, off: bool) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert hub.offline() is off


def test_a_snapshot_is_found_by_branch_and_by_commit() -> None:
    home = hub.cache_folder() / "models--a--b"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT, encoding="ascii")
    folder = home / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    assert hub.snapshot("a/b") is None
    (folder / "config.json").write_text("{}", encoding="ascii")
    assert hub.snapshot("a/b") == folder
    assert hub.snapshot("a/b", COMMIT) == folder
    assert hub.snapshot("a/b", "other") is None
    with pytest.raises(ModelError, match="the network is switched off"):
        TransformersModel("a/c")


@pytest.fixture
def loopback_hub(tiny_llama: Path, tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """A hub with a model, ``me/tiny``, an adapter of it, ``me/qlora``, and files nobody wants. The digest that it lists
    for the weights of ``me/changed`` is another one.

    Yields its address and the files it was asked for.
    """
    extra = {"README.md": b"# tiny", "pytorch_model.bin": b"unwanted", "onnx/model.onnx": b"unwanted"}
    adapter = make_tiny_adapter(tiny_llama, tmp_path / "qlora", base="me/tiny")
    holds = {
        "me/tiny": {path.name: path.read_bytes() for path in tiny_llama.iterdir()} | extra,
        "me/qlora": {path.name: path.read_bytes() for path in adapter.iterdir()},
    }
    holds["me/changed"] = dict(holds["me/tiny"])

    def entry(repo: str, name: str, data: bytes) -> dict[str, object]:
        listed = {"rfilename": name, "size": len(data)}
        if not name.endswith(".safetensors"):
            return listed
        digest = hashlib.sha256(data + b"x" * (repo == "me/changed")).hexdigest()
        return {**listed, "lfs": {"sha256": digest, "size": len(data), "pointerSize": 100}}

    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if path == "/api/models/me/huge/revision/main":
                sizes = [{"rfilename": "model.safetensors", "size": 10**15}]
                return self._send(json.dumps({"id": "me/huge", "sha": COMMIT, "siblings": sizes}).encode())
            for repo, files in holds.items():
                if path == f"/api/models/{repo}/revision/main":
                    siblings = [entry(repo, name, data) for name, data in files.items()]
                    return self._send(json.dumps({"id": repo, "sha": COMMIT, "siblings": siblings}).encode())
                name = path.removeprefix(f"/{repo}/resolve/main/").removeprefix(f"/{repo}/resolve/{COMMIT}/")
                if name in files:
                    asked.append(name)
                    return self._send(files[name])
            return self._send(b"{}", 404, {"X-Error-Code": "RepoNotFound"})

        do_HEAD = do_GET

        def _send(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()
    thread.join()


def _run(code: str, endpoint: str) -> str:
    """What the code prints in a process of its own: huggingface_hub reads its environment once, at import."""
    env = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _ask(model: str, endpoint: str) -> list[str]:
    """Open and ask a model; the lines that tell of it."""
    code = (
        "import asyncio, sys\n"
        "from airoagent.errors import AiroError\n"
        "from airoagent.models.base import Prompt, Sampling, complete\n"
        "from airoagent.models.catalog import open_model\n"
        "seen = set()\n"
        "try:\n"
        f"    model = open_model({model!r}, progress=lambda what, done, total: seen.add((what, done == total)))\n"
        "    before = model.info.context_length\n"
        "    tokens = model.count_tokens('otter')\n"
        "    small = sorted(what for what, end in seen if end)\n"
        "    text = asyncio.run(complete(model, Prompt('x', sampling=Sampling(max_tokens=3))))\n"
        "    print(before, small, text.usage.completion_tokens, model.info.context_length)\n"
        "    print(sorted(what for what, end in seen if end))\n"
        "except AiroError as error:\n"
        "    print(error.exit_code, error.message, '|', error.hint)\n"
    )
    return _run(code, endpoint).splitlines()


@pytest.mark.slow
def test_fetches_loads_and_writes_and_finds_it_the_second_time(loopback_hub: tuple[str, list[str]]) -> None:
    endpoint, asked = loopback_hub
    first = _ask("me/tiny", endpoint)
    assert first == ["None ['fetching me/tiny'] 3 4096", "['fetching me/tiny', 'loading me/tiny']"]
    assert {"config.json", "tokenizer.json", "model.safetensors"} <= set(asked)
    assert not {"README.md", "pytorch_model.bin", "onnx/model.onnx"} & set(asked)
    asked.clear()
    assert _ask("me/tiny", endpoint) == ["4096 [] 3 4096", "['loading me/tiny']"]
    assert asked == []


@pytest.mark.slow
def test_weights_of_a_newer_commit_are_checked_though_those_of_an_older_one_are_here(
    loopback_hub: tuple[str, list[str]],
) -> None:
    home = hub.cache_folder() / "models--me--changed"
    older = home / "snapshots" / ("b" * 40)
    for file, text in (("config.json", "{}"), ("model.safetensors", "old"), ("../../refs/main", older.name)):
        (older / file).parent.mkdir(parents=True, exist_ok=True)
        (older / file).write_text(text, encoding="ascii")
    code = (
        "from airoagent.models import hub\n"
        "try:\n    hub.download('me/changed')\n"
        "except hub.ModelError as error:\n    print(error.message)\n"
    )
    assert _run(code, loopback_hub[0]).endswith("model.safetensors of me/changed is damaged: its digest differs\n")


@pytest.mark.slow
def test_what_cannot_be_fetched_is_one_sentence(loopback_hub: tuple[str, list[str]]) -> None:
    endpoint, _ = loopback_hub
    assert _ask("me/none", endpoint)[0].startswith("3 the hub has no model me/none |")
    assert "3 me/huge is 1000000.0 GB to fetch, and " in _ask("me/huge", endpoint)[0]
    assert [_ask("me/changed", endpoint)[-1] for _ in range(2)] == [
        "3 the downloaded model.safetensors of me/changed is damaged: its digest differs | run it again"
    ] * 2
    gone = _ask("me/other", "http://127.0.0.1:1")[0]
    assert gone.startswith("3 me/other is not downloaded and could not be fetched: ")
    assert "give the folder of a model that is here" in gone


@pytest.mark.slow
def test_fetching_can_be_called_off_and_goes_on_later(loopback_hub: tuple[str, list[str]]) -> None:
    endpoint, asked = loopback_hub
    code = (
        "from airoagent.models.hub import LoadStopped, download, snapshot\n"
        "seen = []\n"
        "try:\n"
        "    download('me/tiny', 'main', lambda *a: seen.append(a), lambda: len(seen) > 5)\n"
        "except LoadStopped:\n"
        "    print('stopped')\n"
        "    print(sorted(path.name for path in download('me/tiny').iterdir()))\n"
    )
    stopped, files = _run(code, endpoint).splitlines()
    assert stopped == "stopped"
    assert "model.safetensors" in files
    # Three small files came before it was called off; their contents are not fetched again.
    assert asked.count("config.json") < asked.count("tokenizer.json")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["folder", "hub"])
def test_the_base_of_an_adapter_is_fetched_as_any_model_is(
    loopback_hub: tuple[str, list[str]], tmp_path: Path, where: str
) -> None:
    pytest.importorskip("peft", reason="peft is not installed")
    endpoint, asked = loopback_hub
    name = str(tmp_path / "qlora") if where == "folder" else "me/qlora"
    small = ["fetching me/tiny"] if where == "folder" else ["fetching me/qlora", "fetching me/tiny"]
    first = _ask(name, endpoint)
    assert first == [f"None {small} 3 4096", f"{[*small, f'loading {name}']}"]
    assert asked.count("model.safetensors") == 2  # Its head, and once the whole.
    assert "pytorch_model.bin" not in asked
    asked.clear()
    assert _ask(name, endpoint) == ["4096 [] 3 4096", f"['loading {name}']"]
    assert asked == []


@pytest.mark.slow
def test_a_base_that_the_hub_has_not_is_one_sentence(
    loopback_hub: tuple[str, list[str]], tiny_llama: Path, tmp_path: Path
) -> None:
    pytest.importorskip("peft", reason="peft is not installed")
    endpoint, _ = loopback_hub
    adapter = make_tiny_adapter(tiny_llama, tmp_path / "other", base="me/none")
    (said,) = _ask(str(adapter), endpoint)
    assert said.startswith(f"3 the adapter {adapter} needs its base model: the hub has no model me/none |")
    assert said.endswith("or name the base model's folder: -o base FOLDER")


@pytest.mark.slow
def test_nothing_is_fetched_for_a_model_that_would_not_fit(loopback_hub: tuple[str, list[str]]) -> None:
    endpoint, asked = loopback_hub
    code = (
        "import asyncio\n"
        "from airoagent.errors import AiroError\n"
        "from airoagent.models.local import machine, loading\n"
        "loading.this_machine = lambda: machine.Machine(10**6, 10**6)\n"
        "from airoagent.models.base import Prompt, complete\n"
        "from airoagent.models.catalog import open_model\n"
        "try:\n"
        "    asyncio.run(complete(open_model('me/tiny', options={'device': 'cpu'}), Prompt('x')))\n"
        "except AiroError as error:\n"
        "    print(error.exit_code, error.message)\n"
    )
    (said,) = _run(code, endpoint).splitlines()
    assert said.startswith("3 me/tiny needs about 0.4 GB of memory at 4 bits, and 0.0 GB are free")
    assert "config.json" in asked
    assert "model.safetensors" not in asked


def test_the_size_of_a_model_is_known_from_the_bytes_of_its_files(tiny_llama: Path) -> None:
    whole, described = read_checkpoint(tiny_llama), read_checkpoint(tiny_llama, weights=False)
    sized = with_weights_of(described, sum(file.stat().st_size for file in tiny_llama.glob("*.safetensors")))
    assert sized.stored == pytest.approx(whole.stored, rel=0.01)
    assert sized.four_bit == pytest.approx(whole.four_bit, rel=0.02)
