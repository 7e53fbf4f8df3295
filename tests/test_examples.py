"""Every script in examples/ runs, is short, and prints what it promises; the notebook shows what its cells give."""

from __future__ import annotations

import ast
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from airoagent import Run
from tests.modelserver import Answer, Handler, as_json, events, serving

EXAMPLES = Path(__file__).parents[1] / "examples"
PROMISES = {
    "ask_documents.py": ["Louise Glück", "The Wild Iris"],
    "edit_plan.py": ["Lake Baikal", "406"],
    "own_backend.py": ["Lake Baikal", "1,642"],
    "own_tool.py": ["MMXX"],
    "replay_in_ci.py": ["apollo-11.jsonl: done", "radium.jsonl: done"],
    "watch_events.py": ["DocumentSearch", "Answer:"],
}


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    file = EXAMPLES / name
    assert len(file.read_text(encoding="utf-8").splitlines()) < 40
    environ = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}  # a script's own folder is all that Python adds
    return subprocess.run(
        [sys.executable, file, *arguments], capture_output=True, encoding="utf-8", timeout=60, env=environ
    )


def test_every_script_is_promised_something() -> None:
    assert {file.name for file in EXAMPLES.glob("*.py")} == {
        *PROMISES,
        "chat_server.py",
        "fastapi_app.py",
        "mcp_client.py",
    }


@pytest.mark.parametrize("name", PROMISES)
def test_the_script_runs_and_is_short(name: str) -> None:
    done = run(name)
    assert done.returncode == 0, done.stderr
    assert all(promise in done.stdout for promise in PROMISES[name])


def test_a_trace_that_does_not_replay_fails_the_script(tmp_path: Path) -> None:
    trace = (EXAMPLES.parent / "plans" / "apollo-11.jsonl").read_text(encoding="utf-8")
    changed = tmp_path / "changed.jsonl"
    changed.write_text(trace.replace('"text": "', '"text": "Changed: ', 1), encoding="utf-8")
    done = run("replay_in_ci.py", str(changed))
    assert done.returncode == 1 and "changed.jsonl" in done.stdout and "Traceback" not in done.stderr


def test_the_endpoint_answers_with_sources() -> None:
    testclient = pytest.importorskip("fastapi.testclient")
    app = runpy.run_path(str(EXAMPLES / "fastapi_app.py"))["app"]
    with testclient.TestClient(app) as client:
        found = client.post("/ask", json={"question": "How deep is Lake Baikal?"})
        assert found.status_code == 200 and "1,642" in found.json()["answer"]
        assert found.json()["answered"] and found.json()["sources"][0]["url"].endswith("lake-baikal.html")
        assert client.post("/ask", json={}).status_code == 422


def test_another_program_uses_airo_over_mcp() -> None:
    pytest.importorskip("mcp")
    done = run("mcp_client.py")
    assert done.returncode == 0, done.stderr
    assert "tools: ask, plan, run, get_run, search_documents" in done.stdout
    assert "DocumentSearch[Where do otters sleep]" in done.stdout and "1,642" in done.stdout


def test_the_cells_of_the_notebook_give_what_it_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    monkeypatch.chdir(EXAMPLES.parent)
    names: dict[str, object] = {}
    for cell in (cell for cell in cells if cell["cell_type"] == "code"):
        *body, last = ast.parse("".join(cell["source"])).body
        is_value = isinstance(last, ast.Expr)
        exec(compile(ast.Module([*body, *([] if is_value else [last])], []), "notebook", "exec"), names)
        value = (
            eval(compile(ast.Expression(last.value), "notebook", "eval"), names) if isinstance(last, ast.Expr) else None
        )
        shown = {kind: "".join(text) for output in cell["outputs"] for kind, text in output.get("data", {}).items()}
        printed = "".join("".join(output.get("text", ())) for output in cell["outputs"])
        assert capsys.readouterr().out == printed
        if "text/html" in shown:
            assert isinstance(value, Run) and set(shown) == {"text/html"} and str(value.answer) in shown["text/html"]
        elif "text/plain" in shown:
            assert repr(value) == shown["text/plain"]


def chat(*replies: str) -> Answer:
    """A chat route that streams one reply after the other."""

    def send(handler: Handler, times: int) -> None:
        choice = {"index": 0, "delta": {"content": replies[min(times, len(replies) - 1)]}, "finish_reason": "stop"}
        events(f"data: {json.dumps({'choices': [choice]})}", "data: [DONE]")(handler, times)

    return send


def test_a_chat_model_behind_a_server_plans_and_answers() -> None:
    plan = (
        "Plan: Search the documents.\n:evidence0: = DocumentSearch[Lake Baikal depth]\n"
        "Plan: Read the depth.\n:evidence1: = KnowledgeModel[How deep is Lake Baikal, given :evidence0:?]\n"
        "Answer: :evidence1:"
    )
    listed = as_json({"data": [{"id": "any-chat-model"}]})
    routes = {"/v1/models": listed, "/v1/chat/completions": chat(plan, "1,642 metres.")}
    with serving(routes) as served:
        done = run("chat_server.py", served.url)
    assert done.returncode == 0, done.stderr
    assert "DocumentSearch[Lake Baikal depth]" in done.stdout and "1,642 metres." in done.stdout
    asked = [body["messages"] for path, body, _ in served.requests if path == "/v1/chat/completions"]
    assert asked[0][0]["role"] == "system" and len(asked[0]) > 2  # the form of plans, shown by an example


def test_a_server_that_is_not_there_is_one_sentence_and_exit_3() -> None:
    done = run("chat_server.py", "http://127.0.0.1:9")
    assert done.returncode == 3 and "no server answers" in done.stderr and "Traceback" not in done.stderr
