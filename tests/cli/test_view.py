"""``airo view``: a page as a file, and a server that goes when it is asked to."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from tests.cli.conftest import LIBRARY, REPO, Airo

PLAN = "Plan: a\n:evidence0: = echo[kelp]\nAnswer: :evidence0:"


@pytest.fixture
def run_id(airo: Airo, script: Callable[..., str], tools: str) -> str:
    assert airo("-m", script(PLAN), "--tools", tools, "--display", "none", "Where?").code == 0
    return airo("runs").out.split()[0]


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_a_run_is_written_as_a_page_and_its_path_printed(airo: Airo, run_id: str, tmp_path: Path) -> None:
    done = airo("view", "@last")
    assert (done.code, done.out, done.err) == (0, f"{run_id}.html\n", "")
    assert "kelp" in (tmp_path / f"{run_id}.html").read_text(encoding="utf-8")


def test_the_file_can_be_named_or_be_stdout(airo: Airo, run_id: str, tmp_path: Path) -> None:
    assert airo("view", run_id[:-2], "-o", "page.html", "--no-open").out == "page.html\n"
    assert airo("view", run_id, "-o", "-").out == (tmp_path / "page.html").read_text(encoding="utf-8") + "\n"


def test_a_page_on_stdout_does_nothing_to_a_terminal(airo: Airo, script: Callable[..., str], tools: str) -> None:
    odd = "Where\x1b]0;pwn\x07\x1b[2J\x9b\u202ex?"
    assert airo("-m", script(PLAN), "--tools", tools, "--display", "none", odd).code == 0
    page = airo("view", "@last", "-o", "-").out
    assert "pwn" in page and not set(page) & set("\x1b\x07\x9b\u202e")


def test_a_trace_file_can_be_looked_at(airo: Airo, run_id: str, tmp_path: Path) -> None:
    assert airo("runs", "export", run_id, "-o", "run.jsonl").code == 0
    assert airo("view", "run.jsonl", "-o", "page.html").code == 0
    assert "kelp" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_trace_whose_run_has_a_path_for_a_name_is_written_here(airo: Airo, run_id: str, tmp_path: Path) -> None:
    airo("runs", "export", run_id, "-o", "run.jsonl")
    trace = (tmp_path / "run.jsonl").read_text(encoding="utf-8").replace(run_id, "../../evil")
    (tmp_path / "evil.jsonl").write_text(trace, encoding="utf-8")
    name = airo("view", "evil.jsonl").out.strip()
    assert "/" not in name and not name.startswith(".") and (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("nothing",), 6, "there is no run"),
        (("@last", "-o", "no/such/folder/x.html"), 2, "cannot be written"),
        (("-o", "x.html"), 2, "--output has no effect without the ID"),
        (("--port", "70000"), 2, "70000"),
        (("missing.jsonl",), 6, "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_told(airo: Airo, run_id: str, args: tuple[str, ...], code: int, words: str) -> None:
    done = airo("view", *args)
    assert done.code == code and words in done.err and done.out == ""


def test_the_browser_is_opened_without_the_key_on_its_command_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every user of a machine can read the command lines of all: the key stands in a file of the owner's alone."""
    browser = tmp_path / "browser"
    os.mkfifo(tmp_path / "seen")
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/seen\n')
    browser.chmod(0o755)
    environ = {**os.environ, "DISPLAY": ":0", "BROWSER": f"{browser} %s"}
    command = [sys.executable, "-m", "airoagent", "view"]
    served = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPO, env=environ)
    assert served.stdout is not None
    url = served.stdout.readline().strip()
    address = (tmp_path / "seen").read_text().strip()
    key = url.partition("key=")[2]
    assert len(key) > 20 and key not in address and address.startswith("file://")
    file = Path(urllib.request.url2pathname(address.removeprefix("file://")))
    assert f"url={url}" in file.read_text() and file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0
    served.send_signal(signal.SIGINT)
    served.communicate(timeout=30)
    assert served.returncode == 0 and not file.exists()


def test_the_server_answers_from_what_it_was_started_with_until_it_is_interrupted(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "lake.txt").write_text("Lake Baikal\n\nIt is said that Lake Baikal is 77 m deep.")
    (tmp_path / "script").write_text("Plan: a\n:evidence0: = KnowledgeModel[x]\nAnswer: kelp :evidence0:")
    command = [sys.executable, "-m", "airoagent", "view", "--docs", LIBRARY, "--docs", str(other), "--no-open"]
    command += ["-m", "extractive", "-m", f"scripted:{tmp_path}/script"]
    served = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPO, env={**os.environ}
    )
    assert served.stdout is not None
    url = served.stdout.readline().strip()
    opener = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(CookieJar()), urllib.request.ProxyHandler({})
    )
    with opener.open(url, timeout=30) as reply:
        page = reply.read().decode()
    assert "Ask a question" in page and str(other) in page and "scripted:" in page
    token = re.search(r'"token": ?"([^"]+)"', page)
    assert token is not None
    origin = url.partition("/?")[0].rstrip("/")
    headers = {"Content-Type": "application/json", "X-Airo-Token": token[1], "Origin": origin}

    def events(**choice: str) -> str:
        body = json.dumps({"question": "How deep is Lake Baikal?", **choice}).encode()
        with opener.open(urllib.request.Request(f"{origin}/api/runs", body, headers), timeout=30) as reply:
            id = json.loads(reply.read())["run"]
        with opener.open(f"{origin}/runs/{id}/events?after=0", timeout=30) as reply:
            return str(reply.read().decode())

    assert "1,642 m" in events()
    chosen = events(folder=str(other))
    assert "77 m" in chosen and "1,642 m" not in chosen
    assert "kelp" in events(model=f"scripted:{tmp_path}/script")
    served.send_signal(signal.SIGINT)
    out, err = served.communicate(timeout=30)
    assert (served.returncode, out) == (0, "")
    assert "stopped" in err and "Traceback" not in err
