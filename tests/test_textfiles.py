"""Files that a user names: whatever they lead to is read up to a limit, or refused in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airoagent import load_functions
from airoagent.errors import StoreError, UsageError
from airoagent.textfiles import decoded, read_bytes, read_text
from tests.cli.conftest import Airo, airo

__all__ = ["airo"]


def test_a_text_is_read_without_its_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfcaf\xc3\xa9")
    assert read_text(tmp_path / "a") == "café"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/dev/zero", "too large: more than 16 MB"),
        ("/dev/urandom", "too large"),
        ("/proc/self/mem", "cannot be read: Input/output error"),
        ("/proc", "it is a folder"),
        ("/none/such", "No such file"),
        ("x" * 400, "File name too long"),
        ("a\0b", "null byte"),
    ],
    ids=lambda value: value[:14].replace("\0", "0"),
)
def test_what_cannot_be_read_is_one_sentence(path: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as raised:
        read_bytes(path)
    assert len(raised.value.message) < 200


def test_a_pipe_is_read_to_its_end_and_refused_where_nobody_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airoagent.textfiles._PATIENCE", 0.0)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="a pipe that nothing writes to"):
        read_bytes(tmp_path / "pipe", error=StoreError)
    ours, theirs = os.pipe()
    os.write(theirs, b"to its end")
    os.close(theirs)
    assert read_text(f"/dev/fd/{ours}") == "to its end"
    os.close(ours)


@pytest.mark.parametrize(
    "command",
    [
        ("run", "{}"),
        ("plan", "--check", "{}"),
        ("ask", "--context", "{}", "why?"),
        ("ask", "--config", "{}", "why?"),
        ("ask", "-m", "scripted:{}", "why?"),
        ("call", "--functions", "{}", "why?"),
        ("runs", "import", "{}"),
        ("fork", "@last", "--set", "evidence0=@{}"),
    ],
    ids=lambda command: " ".join(command),
)
@pytest.mark.parametrize("path", ["/dev/zero", "/proc"])
def test_each_file_of_the_command_line_is_read_up_to_a_limit(airo: Airo, path: str, command: tuple[str, ...]) -> None:
    result = airo(*[word.format(path) for word in command])
    assert result.code in (2, 3, 6) and "unexpected error" not in result.err and result.err.count("error:") == 1


def test_a_text_that_is_too_long_for_a_path_is_no_functions_file() -> None:
    with pytest.raises(UsageError, match="File name too long"):
        load_functions("x" * 400)


def test_an_interrupt_while_modules_are_imported_ends_without_a_traceback(tmp_path: Path) -> None:
    """A finder sends it, whenever the next module is looked for."""
    for stop in ("click", "airoagent.cli.asking", "airoagent.agent", "sqlite3"):
        code = (
            "import os, signal, sys\n"
            "class Finder:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            f"        if name == {stop!r}: os.kill(os.getpid(), signal.SIGINT)\n"
            "sys.meta_path.insert(0, Finder())\n"
            "from airoagent.cli import main\n"
            "main(['ask', 'How deep is it?'])\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert (done.returncode, "Traceback" in done.stderr) == (130, False), stop


@pytest.mark.parametrize(("encoding", "named"), [("utf-16-le", "utf-16le"), ("latin-1", "latin1")])
def test_the_hint_names_the_encoding_to_convert_from(encoding: str, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        decoded("When does the Café open?".encode(encoding), "standard input")
    assert f"-f {named} " in caught.value.hint
