"""Programs that people already have, asking the API: `llm` where it is installed, and open-webui by its requests.

The requests of open-webui are those that its source (backend/open_webui/routers/openai.py and utils/middleware.py)
sends to a connection of the kind "OpenAI"; open-webui itself was not run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from airoagent import Agent
from tests.serving.test_api import ANSWER, ASKED, client, look, make_agent, question, serving
from tests.source import ROOT

HEADERS = {
    "Authorization": "Bearer s3cret",
    "X-OpenWebUI-User-Name": "Ada",
    "X-OpenWebUI-User-Id": "5f0c",
    "X-OpenWebUI-User-Email": "ada@example.org",
    "X-OpenWebUI-User-Role": "admin",
    "X-OpenWebUI-Chat-Id": "8c1d",
}
CHAT: dict[str, Any] = {
    "stream": True,
    "model": "airo",
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "How deep is the lake?"},
    ],
    "stream_options": {"include_usage": True},
    "temperature": 0.7,
    "max_tokens": 512,
    "user": {"name": "Ada", "id": "5f0c", "email": "ada@example.org", "role": "admin"},
    "tools": [{"type": "function", "function": {"name": "get_time", "parameters": {"type": "object"}}}],
}


def test_open_webui_lists_the_models_and_reads_a_stream_with_reasoning_answer_citations_and_usage() -> None:
    agent = make_agent(ASKED, look, answers=[f"{ANSWER}\nSource:\nurl: docs://lakes/baikal.md"])
    with serving(agent, key="s3cret", hosts=("host.docker.internal",)) as url:
        container = {**HEADERS, "Host": "host.docker.internal:8383"}
        listed = httpx.get(f"{url}/models", headers=container, trust_env=False).json()
        assert [(one["id"], one["object"]) for one in listed["data"]] == [("airo", "model")]
        answer = httpx.post(f"{url}/chat/completions", json=CHAT, headers=container, trust_env=False)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *lines, last = (line for line in answer.text.split("\n\n") if line)
    assert last == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == ANSWER
    # It closes the block of reasoning at the first content, and starts another where reasoning comes later.
    kinds = ["content" if delta.get("content") else "reasoning_content" in delta for delta in deltas]
    assert True not in kinds[kinds.index("content") :]
    (cited,) = next(delta["annotations"] for delta in deltas if "annotations" in delta)
    assert cited["type"] == "url_citation" and cited["url_citation"]["title"] == "Lake Baikal"
    assert chunks[-1]["choices"] == [] and chunks[-1]["usage"]["total_tokens"] > 0


def test_open_webui_asks_for_a_title_without_a_stream_and_gets_an_answer_or_an_error_it_can_show() -> None:
    task = "### Task:\nGenerate a concise, 3-5 word title with an emoji.\n### Chat History:\n<chat_history>\nUSER: Hi\n"
    body = {"model": "airo", "messages": [{"role": "user", "content": task}], "stream": False}
    with serving(Agent(docs=ROOT / "examples" / "library", store=False)) as url:
        answer = httpx.post(f"{url}/chat/completions", json=body, headers=HEADERS, trust_env=False)
    assert answer.status_code == 200 and isinstance(answer.json()["choices"][0]["message"]["content"], str)


MODELS = """
- model_id: airo
  model_name: airo
  api_base: {url}
  can_stream: true
  supports_schema: true
"""


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("llm") is None, reason="llm is not on the PATH (pip install llm, in a venv of its own)"
)
def test_llm_asks_follows_up_and_gets_json(tmp_path: Path) -> None:
    def llm(*args: str) -> str:
        environment = {**os.environ, "LLM_USER_PATH": str(tmp_path), "OPENAI_API_KEY": "none", "NO_PROXY": "*"}
        done = subprocess.run(["llm", *args], capture_output=True, text=True, timeout=120, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    with serving(Agent(docs=ROOT / "examples" / "library", store=False)) as url:
        (tmp_path / "extra-openai-models.yaml").write_text(MODELS.format(url=url))
        assert "OpenAI Chat: airo" in llm("models")
        with client(url) as openai_client:
            made = openai_client.chat.completions.create(**question("How deep is Lake Baikal?"))
        for more in ([], ["--no-stream"]):
            assert llm("-m", "airo", *more, "How deep is Lake Baikal?") == made.choices[0].message.content
        assert "330 metres" in llm("-m", "airo", "How tall is the Eiffel Tower?")
        assert "Eiffel Tower" in llm("-c", "When was it built?")
        assert json.loads(llm("-m", "airo", "--schema", "depth int", "How deep is Lake Baikal?")) == {"depth": 1642}
