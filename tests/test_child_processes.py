"""Child processes run nothing from the current folder or the environment, keep limits and end with their step."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airoagent.background import Children, collect_children, in_thread
from airoagent.child_processes import run_child, start_child
from tests.source import ROOT

SPRUNG = "import os; open(os.path.join({trap!r}, 'SPRUNG-' + __name__ + '-' + str(os.getpid())), 'w').close()\n"


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder whose modules leave a file named SPRUNG-... when they are run."""
    code = SPRUNG.format(trap=str(tmp_path))
    for name in ("json", "lxml", "pypdf", "trafilatura", "sitecustomize", "usercustomize", "encodings", "startup"):
        (tmp_path / f"{name}.py").write_text(code)
    (tmp_path / "airoagent").mkdir()
    (tmp_path / "airoagent" / "__init__.py").write_text(code)
    return tmp_path


def sprung(trap: Path) -> list[str]:
    return sorted(file.name for file in trap.glob("SPRUNG-*"))


def airo(trap: Path, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real program, started in the trap as a console script starts it: without the current folder on its path."""
    start = "from airoagent.cli import main; main(sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {start}", *args],
        cwd=trap,
        env={**os.environ, "AIRO_HOME": str(trap / "home"), **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_a_pdf_in_a_hostile_folder_runs_no_code_of_it(trap: Path) -> None:
    (trap / "docs").mkdir()
    (trap / "docs" / "a.pdf").write_bytes(b"%PDF-1.4\n")
    (trap / "docs" / "b.txt").write_text("Note 7 is about otters.\n")
    done = airo(trap, "--docs", "docs", "What is note 7 about?", PYTHONSTARTUP=str(trap / "startup.py"))
    assert sprung(trap) == []
    assert "Traceback" not in done.stderr


def test_four_hundred_documents_in_a_hostile_folder_run_no_code_of_it(trap: Path) -> None:
    (trap / "docs").mkdir()
    for number in range(420):
        (trap / "docs" / f"n{number}.txt").write_text(f"Note {number} is about otters.\n")
    done = airo(trap, "--docs", "docs", "What is note 7 about?")
    assert sprung(trap) == []
    assert "otters" in done.stdout, done.stderr


@pytest.mark.parametrize("start", [("-m", "airoagent"), ("-P", "-c", "from airoagent.cli import main; main()")])
@pytest.mark.parametrize("path", ["{root}", "{root}:", ":{root}", "{root}:.", "docs/..:{root}:docs"])
def test_the_program_loads_no_module_of_the_folder_it_is_started_in(
    trap: Path, start: tuple[str, ...], path: str
) -> None:
    """Also where `python -m` or PYTHONPATH puts this folder on the path; what Python itself loads comes before us."""
    for name in ("encodings", "sitecustomize", "usercustomize"):
        (trap / f"{name}.py").unlink()
    (trap / "airoagent" / "__init__.py").unlink()
    (trap / "airoagent").rmdir()
    code = SPRUNG.format(trap=str(trap))
    for folder in (trap, trap / "docs"):
        folder.mkdir(exist_ok=True)
        for name in (
            "json",
            "signal",
            "click",
            "yaml",
            "httpx",
            "bs4",
            "platformdirs",
            "tempfile",
            "sqlite3",
            "difflib",
        ):
            (folder / f"{name}.py").write_text(code)
    (trap / "docs" / "a.pdf").write_bytes(b"%PDF-1.4\n")
    (trap / "docs" / "b.txt").write_text("Note 7 is about otters.\n")
    done = subprocess.run(
        [sys.executable, *start, "--docs", "docs", "What is note 7 about?"],
        cwd=trap,
        env={**os.environ, "AIRO_HOME": str(trap / "home"), "PYTHONPATH": path.format(root=ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert sprung(trap) == []
    assert "otters" in done.stdout and "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize("path", ["", ".", "docs", "{trap}"])
def test_a_child_gets_no_path_that_depends_on_where_it_was_started(
    trap: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (trap / "docs").mkdir()
    (trap / "docs" / "json.py").write_text(SPRUNG.format(trap=str(trap)))
    monkeypatch.chdir(trap)
    monkeypatch.setenv("PYTHONPATH", str(trap))
    monkeypatch.setenv("PYTHONHOME", str(trap / "nowhere"))
    monkeypatch.setenv("PYTHONSTARTUP", str(trap / "startup.py"))
    monkeypatch.syspath_prepend(path.format(trap=trap))
    found, stopped = run_child("tests.test_child_processes:tell", b"", 10)
    assert (json.loads(found)["airoagent"], stopped) == (str(ROOT / "airoagent"), "")
    assert sprung(trap) == []


def test_a_child_knows_nothing_of_the_environment_and_starts_at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET_KEY", "sk-123")
    told = json.loads(run_child("tests.test_child_processes:tell", b"", 10)[0])
    assert (told["secret"], told["folder"]) == ("", Path(sys.executable).anchor)


def test_an_airoagent_elsewhere_on_the_path_is_not_taken_for_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "airoagent").mkdir()
    (tmp_path / "airoagent" / "__init__.py").write_text(SPRUNG.format(trap=str(tmp_path)))
    monkeypatch.syspath_prepend(str(tmp_path))
    run_child("tests.test_child_processes:tell", b"", 10)
    assert sprung(tmp_path) == []


def test_a_child_that_takes_too_long_is_ended_and_what_it_wrote_is_kept() -> None:
    assert run_child("tests.test_child_processes:write_and_wait", b"", 1) == (b"first\n", "it takes too long")


def test_a_child_ends_when_the_call_that_started_it_is_given_up() -> None:
    started: list[subprocess.Popen[bytes]] = []

    def call() -> bytes:
        started.append(start_child("tests.test_child_processes:write_and_wait", 1))
        assert started[0].stdout is not None
        return started[0].stdout.read()  # blocks until the child has ended

    async def give_up() -> None:
        task = asyncio.create_task(in_thread(call))
        while not started:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    assert started[0].wait(30) != 0
    assert started[0].stdin is not None and started[0].stdout is not None
    started[0].stdin.close()
    started[0].stdout.close()


def test_a_child_that_starts_after_the_call_was_given_up_is_ended_too() -> None:
    with collect_children() as children:
        children.stop()
        child = start_child("tests.test_child_processes:write_and_wait", 1)
    assert isinstance(children, Children)
    child.communicate()
    assert child.returncode != 0


# -- what the children of these tests run ------------------------------------------------------------------------------


def tell(seconds: int) -> None:
    """Where airoagent was found, and what this process knows."""
    import airoagent

    folder = str(Path(airoagent.__file__).parent)
    secret = os.environ.get("A_SECRET_KEY", "")
    print(json.dumps({"airoagent": folder, "folder": str(Path.cwd()), "secret": secret}))


def write_and_wait(seconds: int) -> None:
    """A line, and then nothing for as long as somebody waits."""
    import threading

    print("first", flush=True)
    threading.Event().wait()
