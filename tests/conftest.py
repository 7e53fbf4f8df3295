"""What every test gets: one thread for torch, a home of its own, a hub that is switched off, no PDF reader."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

# A run of the suite says the same of the same code: the drawn examples are fixed. `--hypothesis-profile random` draws
# new ones.
settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
settings.register_profile("random", deadline=None)
settings.load_profile("fixed")

# Before torch is imported by anything: on a shared machine two spinning OpenMP threads are far slower than one.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Half characters in a report are escaped: xdist cannot send them, and would end the whole session."""
    report = yield
    text = report.longreprtext
    if report.failed and text != _sendable(text):
        report.longrepr = _sendable(text)
    report.sections = [(name, _sendable(printed)) for name, printed in report.sections]
    return report


def _sendable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """AIRO_HOME and HF_HOME in an empty folder; nothing is fetched, whatever the machine's settings are."""
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(("AIRO_", "HF_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AIRO_HOME", str(home / "airo"))
    monkeypatch.setenv("HF_HOME", str(home / "hf"))
    monkeypatch.setenv("OLLAMA_MODELS", str(home / "ollama"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return home


@pytest.fixture(autouse=True)
def without_reading_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """PDF files are refused as without the extra `pdf`, on every machine; its own tests turn it on."""
    from airoagent.documents import pdf

    monkeypatch.setitem(sys.modules, "pypdf", None)
    pdf.installed.cache_clear()


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real Llama checkpoint with random weights, made once; see `tests.tiny_llama`. Not to be written into."""
    from tests.tiny_llama import make_tiny_llama

    return make_tiny_llama(tmp_path_factory.mktemp("checkpoint") / "tiny-llama")
