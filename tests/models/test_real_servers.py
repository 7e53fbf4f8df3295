"""Servers that others wrote, started here with the tiny model: `transformers serve`, llama.cpp's own (which xllamacpp
brings compiled), and llama-cpp-python's where that is installed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airoagent.errors import ModelError
from airoagent.models.base import Completion, Prompt, Sampling, complete
from airoagent.models.server.client import ServerModel
from airoagent.prompts.grammar import Grammar, Rep, Rule, Seq, Text, chars

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PROMPT = Prompt("Where do otters sleep?", sampling=Sampling(temperature=0, max_tokens=12, seed=3))


def installed(*modules: str) -> bool:
    return all(importlib.util.find_spec(module) for module in modules)


@contextmanager
def started(command: list[str], path: str, log: Path) -> Iterator[str]:
    """The address of a server, once it answers at ``path``; what it prints goes to ``log``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "DO_NOT_TRACK": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)], stdout=out, stderr=out, env=environment
        )
        url = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + 120
            while not _answers(url + path):
                assert process.poll() is None, log.read_text(errors="replace")[-2000:]
                assert time.monotonic() < deadline, log.read_text(errors="replace")[-2000:]
                time.sleep(0.2)  # Waiting for another program to be up: there is nothing to be told by.
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def ask(model: ServerModel, prompt: Prompt = PROMPT) -> Completion:
    return asyncio.run(complete(model, prompt))


@pytest.mark.skipif(not installed("fastapi", "uvicorn", "openai"), reason="transformers[serving] is not installed")
def test_transformers_serve_writes_what_we_write_here(tiny_llama: Path, tmp_path: Path) -> None:
    from airoagent.models.local.transformers import TransformersModel

    program = str(Path(sys.executable).with_name("transformers"))
    command = [program, "serve", str(tiny_llama), "--device", "cpu", "--dtype", "bfloat16"]
    with started(command, "/health", tmp_path / "log") as url:
        model = ServerModel(url, model=str(tiny_llama), context_length=4096, route="completions")
        completion = ask(model, Prompt(PROMPT.text, sampling=Sampling(0, repetition_penalty=1, max_tokens=12, seed=3)))
        assert completion.finish == "length"
        assert len(completion.text) > 5
        assert completion.usage.completion_tokens > 1  # It came in pieces.
        with pytest.raises(ModelError, match="holds 4096"):
            ask(model, Prompt("otters " * 9000))
    here = TransformersModel(tiny_llama, device="cpu", bits=16)
    own = asyncio.run(complete(here, Prompt(PROMPT.text, sampling=Sampling(0, repetition_penalty=1, max_tokens=12))))
    assert own.text[:5] == completion.text[:5]
    asyncio.run(here.aclose())


LINE = Seq((Text(":evidence0: = Search["), Rep(chars("a-z"), 3, 9), Text("]\nAnswer: :evidence0:")))


@pytest.fixture(scope="module")
def tiny_gguf(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("gguf", reason="the gguf package is not installed")
    from tests.tiny_gguf import make_tiny_gguf

    return make_tiny_gguf(tiny_llama, tmp_path_factory.mktemp("gguf") / "airoboros-l2-7b-2.2.gguf", context=4096)


@pytest.fixture(scope="module")
def llama_server(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    command = [sys.executable, "-m", "tests.llama_server", str(tiny_gguf), "4096"]
    with started(command, "/health", tmp_path_factory.mktemp("log") / "log") as url:
        yield url


def test_llama_cpps_own_server_tells_what_it_is_and_writes(llama_server: str) -> None:
    model = ServerModel(llama_server)
    first, again = ask(model), ask(model)
    assert first.text == again.text
    assert (first.finish, first.usage.completion_tokens) == ("length", 12)
    assert (model.info.context_length, model.info.wrapper) == (4096, "airoboros-2.2")
    assert ", llama.cpp" in model.info.note
    with pytest.raises(ModelError, match="holds 4096"):
        ask(model, Prompt("otters " * 9000))


def test_llama_cpps_own_server_is_held_to_our_grammars(llama_server: str) -> None:
    model = ServerModel(llama_server)
    for seed in range(5):
        sampling = Sampling(temperature=1, max_tokens=200, seed=seed)
        held = ask(model, Prompt("x", grammar=Grammar((Rule("start", LINE),)), sampling=sampling))
        assert re.fullmatch(r":evidence0: = Search\[[a-z]{3,9}\]\nAnswer: :evidence0:", held.text)
        assert held.finish == "stop"


def test_a_prompt_that_is_too_long_after_all_is_told_by_its_number(llama_server: str) -> None:
    with pytest.raises(ModelError, match="does not fit the window") as caught:
        ask(ServerModel(llama_server, context_length=100_000), Prompt("otters " * 9000))
    assert "4096" in caught.value.message
    assert "-o context" in caught.value.hint


def test_a_plan_of_the_tiny_gguf_file_through_the_command_line(
    llama_server: str, capfd: pytest.CaptureFixture[str]
) -> None:
    from airoagent.cli import main

    with pytest.raises(SystemExit) as ended:
        main(
            [
                "plan",
                "Where do otters sleep?",
                "-m",
                llama_server,
                "-T",
                "KnowledgeModel",
                "--seed",
                "5",
                "--max-tokens",
                "3000",
            ]
        )
    out, err = capfd.readouterr()
    assert (ended.value.code, ":evidence0: = KnowledgeModel[" in out) == (0, True), err


def test_what_the_end_of_the_window_cuts_off_says_so(llama_server: str) -> None:
    model = ServerModel(llama_server, context_length=100_000)  # Which is not so: it asks for more than there is room.
    completion = ask(model, Prompt("otters " * 4070, sampling=Sampling(temperature=0, max_tokens=500)))
    assert completion.finish == "length"
    assert completion.usage.prompt_tokens + completion.usage.completion_tokens == 4096


@pytest.mark.parametrize("kind", ["Q4_0", "Q8_0"])
def test_quantised_files_are_served(kind: str, tiny_gguf: Path, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    from tests.tiny_gguf import with_blocks

    path = with_blocks(tiny_gguf, tmp_path / f"tiny.{kind}.gguf", kind)
    with started([sys.executable, "-m", "tests.llama_server", str(path), "512"], "/health", tmp_path / "log") as url:
        assert ask(ServerModel(url)).usage.completion_tokens == 12


@pytest.mark.skipif(
    not installed("llama_cpp", "fastapi", "uvicorn", "sse_starlette", "starlette_context"),
    reason="llama-cpp-python[server] is not installed",
)
def test_llama_cpp_pythons_server_is_held_to_our_grammar(tiny_gguf: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(tiny_gguf), "--n_ctx", "2048"]
    with started([*command, "--n_threads", "1"], "/v1/models", tmp_path / "log") as url:
        model = ServerModel(url, context_length=2048, sampling=Sampling(max_tokens=500, seed=5))
        assert ask(model).usage.completion_tokens > 1
        assert "llama-cpp-python" in model.info.note
        sampling = Sampling(temperature=1, max_tokens=200, seed=1)
        held = ask(model, Prompt("x", grammar=Grammar((Rule("start", LINE),)), sampling=sampling))
        assert re.fullmatch(r":evidence0: = Search\[[a-z]{3,9}\]\nAnswer: :evidence0:", held.text)
