"""`--spans`: a run goes to an OpenTelemetry collector, and what keeps it from that is one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.cli.conftest import REPO, Airo

Script = Callable[..., str]
ECHO = ":evidence0: = echo[secret]\nAnswer: :evidence0:"


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """A collector's address, and what was sent to it."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", bodies
        server.shutdown()
        thread.join()


def test_without_the_extra_it_is_told_before_anything_is_run(
    airo: Airo, script: Script, tools: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    result = airo("-m", script(ECHO), "--tools", tools, "--spans", "on", "q")
    assert result.code == 3 and "sending spans needs opentelemetry" in result.err
    assert "pip install '.[otel]'" in result.err and airo("runs").out == ""


def test_another_word_is_refused(airo: Airo) -> None:
    result = airo("--spans", "yes", "q")
    assert result.code == 2 and "--spans must be one of off, on, contents" in result.err


@pytest.mark.parametrize("kind", ["on", "contents"])
def test_spans_are_sent_where_the_environment_says(script: Script, tools: str, kind: str) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra otel is not installed")
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    with collector() as (address, bodies):
        env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": address, "AIRO_SPANS": kind}
        command = [sys.executable, "-m", "airoagent", "-m", script(ECHO), "--tools", tools, "q"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, cwd=REPO)
    assert (done.returncode, done.stdout) == (0, "secret\n") and "note:" not in done.stderr
    sent = ExportTraceServiceRequest.FromString(b"".join(bodies))
    (resource,) = sent.resource_spans
    names = [span.name for scope in resource.scope_spans for span in scope.spans]
    assert names[-1] == "invoke_agent airoagent" and "execute_tool echo" in names
    assert "airoagent" in str(resource.resource) and ("secret" in str(sent)) is (kind == "contents")


@pytest.mark.parametrize("more", [["--at-once", "1"], ["--jobs", "2"]])
def test_a_batch_sends_the_spans_of_each_run(tools: str, tmp_path: Path, more: list[str]) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra otel is not installed")
    with collector() as (address, bodies):
        env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": address}
        (tmp_path / "two.jsonl").write_text(f"{json.dumps({'purpose': 'plan', 'text': ECHO})}\n" * 2)
        command = [sys.executable, "-m", "airoagent", "batch", "-", "-q", "-m", f"scripted:{tmp_path / 'two.jsonl'}"]
        command += ["--tools", tools, "--spans", "on", *more]
        done = subprocess.run(
            command, env=env, input="one?\ntwo?\n", capture_output=True, text=True, timeout=90, cwd=REPO
        )
    assert (done.returncode, done.stdout.count('"done"'), done.stderr) == (0, 2, "")
    assert b"".join(bodies).count(b"invoke_agent airoagent") == 2


def test_a_collector_that_is_not_there_is_told_after_the_answer(script: Script, tools: str) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra otel is not installed")
    env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    command = [sys.executable, "-m", "airoagent", "-m", script(ECHO), "--tools", tools, "--spans", "on", "q"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, cwd=REPO)
    assert (done.returncode, done.stdout) == (0, "secret\n")
    assert "spans could not be sent to http://127.0.0.1:9/v1/traces" in done.stderr and "Traceback" not in done.stderr
